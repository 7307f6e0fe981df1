"""What is said about a server that cannot be used as it is, or about SQL that it does not know?"""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from makegood.errors import InvalidInput, StoreRefused
from makegood.journal.postgres.connection import refusal_to_connect
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.protocol import Applied, Refused, Statement
from tests.journal.promises import RUN, promise, stock
from tests.journal.records import STOCK, Body, append, facts, first

if TYPE_CHECKING:
    from makegood.values.injectable import Transaction
    from tests.journal.postgres.served import PostgresWorld

pytestmark = pytest.mark.real

UNSUPPORTED = "SELECT DISTINCT count FROM stock FOR UPDATE"


@pytest.mark.parametrize("pooled", [False, True])
async def test_a_server_without_tls_is_refused_where_it_is_asked_for(
    world: PostgresWorld, *, pooled: bool
) -> None:
    place = replace(world.place, dsn=world.place.dsn + "&sslmode=require", pooled=pooled)

    with pytest.raises(StoreRefused, match=r"by TLS \(.*rejected SSL upgrade\); look at sslmode"):
        await PostgresJournal(place).open(work=True)


async def test_a_certificate_that_does_not_fit_is_refused_and_not_tried_again(
    world: PostgresWorld,
) -> None:
    refusal = refusal_to_connect(world.place, ssl.SSLCertVerificationError("another host"))

    assert isinstance(refusal, StoreRefused)
    assert "another host" in str(refusal)


async def test_a_server_that_hides_its_warnings_is_refused_unless_the_session_is_ours(
    world: PostgresWorld,
) -> None:
    place = replace(world.place, dsn=world.place.dsn + "&client_min_messages=error")

    with pytest.raises(StoreRefused, match="hides that a commit was not confirmed"):
        await PostgresJournal(replace(place, pooled=True)).open(work=True)
    journal = PostgresJournal(place)
    await journal.open(work=True)
    await journal.close()


@promise(6)
async def test_what_the_server_does_not_support_is_refused_and_not_tried_for_ever(
    world: PostgresWorld,
) -> None:
    """Its code is that of a statement which was prepared before the schema changed."""
    journal = await world.open(migrations=(STOCK,))
    await journal.append(first(RUN))

    async def take(transaction: Transaction) -> object:
        return await transaction.fetch(UNSUPPORTED)

    body = Body(take)
    refused = await journal.append(append(RUN, 2, writes=(Statement(UNSUPPORTED),)))
    applied = await journal.append(append(RUN, 2, local=body))

    assert isinstance(refused, Refused)
    assert "not allowed with DISTINCT" in refused.reason
    assert applied == Applied(facts("failed"))
    assert "not allowed with DISTINCT" in str(body.error)
    with pytest.raises(InvalidInput, match="not allowed with DISTINCT"):
        await journal.query(UNSUPPORTED)


async def test_a_schema_that_changes_under_what_was_prepared_is_not_noticed(
    world: PostgresWorld,
) -> None:
    journal = await world.open(migrations=(STOCK,))
    for seq in range(1, 12):
        sent = first(RUN, local=Body(look)) if seq == 1 else append(RUN, seq, local=Body(look))
        assert await journal.append(sent) == Applied(b"[1]")
        assert await stock(journal) == 5
        if seq == 8:
            shop = world.place.schema.replace("engine_", "shop_")
            await world.sql(f"ALTER TABLE {shop}.stock ALTER count TYPE bigint")
            await world.sql("ALTER TABLE run ADD COLUMN more text")


async def look(transaction: Transaction) -> object:
    return len(await transaction.fetch("SELECT * FROM stock"))
