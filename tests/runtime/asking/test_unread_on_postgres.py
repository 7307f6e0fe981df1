"""What a later version has posted, on PostgreSQL: kept until a worker comes that can read it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import Config, ControlAnswer, Engine, Operator
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.protocol import Post
from makegood.journal.upkeep import forgotten
from makegood.runtime.asking.post import CancelPost, write_post
from makegood.runtime.clock import SystemClock
from tests.journal.postgres.served import eventually
from tests.runtime.outside import Outside
from tests.runtime.trips import book

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

LATER = b'{"type":"sing"}'
EVE: dict[str, Any] = {"actor": "eve", "reason": "it is up now", "wait": timedelta(seconds=30)}


@pytest.fixture
async def store(served: Served) -> AsyncIterator[PostgresWorld]:
    async with served.lent() as world:
        yield world


def engine(store: PostgresWorld, *, work: bool = True) -> Engine:
    return Engine(
        PostgresJournal(store.place),
        services={Outside: Outside()},
        config=Config(shutdown_grace=timedelta(0)),
        work=work,
    )


async def test_what_cannot_be_read_waits_for_a_worker_that_can(store: PostgresWorld) -> None:
    async with engine(store, work=False) as client:
        run = await client.start(book("Oslo"))
        await client._shell.journal.post(Post(run=run.id, body=LATER, at=SystemClock().now()))
        operator = Operator(client)
        async with engine(store) as older:
            older.serve(book)

            async def is_parked() -> bool:
                [row] = (await client.list()).rows
                return (row.status, row.owner) == ("parked", None)

            await eventually(is_parked)
        assert [each.number for each in (await operator.history(run.id)).unread] == [2]
        assert await forgotten(client._shell.journal) == ()

        # What a later version makes of it is played by what it says.
        body = write_post(CancelPost("ada", "too far"))
        await store.sql("UPDATE inbox SET body = $1 WHERE n = 2", body)
        async with engine(store) as later:
            later.serve(book)
            assert await operator.retry(run.id, **EVE) is ControlAnswer.ACCEPTED
            assert (await run.outcome()).status == "cancelled"
        assert (await client._shell.journal.read(run.id)).inbox == ()
