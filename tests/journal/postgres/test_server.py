"""What happens when the server itself dies, turns read-only, or lets nobody in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import asyncpg
import pytest

from makegood.errors import StoreBusy, StoreFailed, StoreRefused
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from makegood.journal.protocol import Applied
from makegood.testing.servers import PostgresServer
from tests.journal.postgres.served import PostgresWorld, Served, eventually
from tests.journal.promises import RUN, promise
from tests.journal.records import append, facts, first, post, run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from makegood.values.ids import RunId

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that these tests may stop."""
    with PostgresServer(settings={"max_notify_queue_pages": "64"}) as server:
        yield server


@pytest.fixture
async def world(server: PostgresServer) -> AsyncGenerator[PostgresWorld, None]:
    world = await Served(server.url(), is_ours=True).world(ask_seconds_max=0.3)
    yield world
    await world.close()


@promise(1)
async def test_what_was_acknowledged_before_a_crash_of_the_server_is_there_after_it(
    server: PostgresServer, world: PostgresWorld
) -> None:
    """F43, G1, G32: runs go on writing while the server is killed twice; no worker restarts."""
    journal = await world.open()
    runs = [run_id(number) for number in range(30)]
    acknowledged = dict.fromkeys(runs, 0)
    stopped = False

    async def write(run: RunId) -> None:
        while not stopped:
            seq = acknowledged[run] + 1
            sent = first(run) if seq == 1 else append(run, seq)
            assert await journal.append(sent) == Applied()
            acknowledged[run] = seq

    writing = [asyncio.ensure_future(write(run)) for run in runs]
    for _ in range(2):
        goal = sum(acknowledged.values()) + 100

        async def is_reached(goal: int = goal) -> bool:
            return sum(acknowledged.values()) >= goal

        await eventually(is_reached)
        await asyncio.to_thread(server.stop, immediate=True)
        with pytest.raises(StoreBusy, match="does not answer"):
            await journal.read(RUN)
        await asyncio.to_thread(server.start)
    stopped = True
    await asyncio.gather(*writing)

    for run in runs:
        history = await journal.read(run)
        written = tuple(facts(f"{run[-3:]}/{seq}") for seq in range(1, acknowledged[run] + 1))
        assert (history.row.seq, history.appends) == (acknowledged[run], written)


async def test_closing_while_the_server_is_away_takes_no_longer_than_it_may(
    server: PostgresServer, world: PostgresWorld
) -> None:
    journal = PostgresJournal(replace(world.place, close_seconds_max=0.2))
    await journal.open(work=True)
    await asyncio.to_thread(server.stop, immediate=True)
    waiting = journal.append(first(RUN))

    await journal.close()
    await asyncio.to_thread(server.start)

    assert isinstance(waiting.exception(), StoreFailed)


@promise(1)
async def test_a_failover_is_waited_for_on_new_connections(
    server: PostgresServer, world: PostgresWorld
) -> None:
    """F52: a server that turns read-only under open connections is written to by nobody."""
    journal = await world.open()
    await journal.append(first(RUN))
    await journal.post(post(RUN))
    await turn_read_only(world, "on")
    await eventually(partial(is_read_only, world))

    waiting = journal.append(append(RUN, 2, inbox_head=1))
    with pytest.raises(StoreBusy):
        await journal.post(post(RUN))
    assert not waiting.done()
    with pytest.raises(StoreRefused, match="can only be read; give the address of its primary"):
        await PostgresJournal(world.place).open(work=True)
    await turn_read_only(world, "off")

    assert await waiting == Applied()
    assert await journal.post(post(RUN)) == 2


async def turn_read_only(world: PostgresWorld, value: str) -> None:
    await world.sql("SET default_transaction_read_only = off")
    await world.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    await world.sql("SELECT pg_reload_conf()")


async def is_read_only(world: PostgresWorld) -> bool:
    rows = await world.sql("SHOW default_transaction_read_only")
    return bool(rows[0][0] == "on")


async def test_a_wrong_password_is_refused_and_never_shown(
    server: PostgresServer, world: PostgresWorld
) -> None:
    await world.sql("CREATE ROLE cashier LOGIN SUPERUSER PASSWORD 'right'")
    await world.sql("CREATE TABLE public.rules (line text)")
    await world.sql(
        "INSERT INTO public.rules VALUES ('host all cashier 127.0.0.1/32 scram-sha-256'), "
        "('host all all 127.0.0.1/32 trust')"
    )
    folder = (await world.sql("SHOW data_directory"))[0][0]
    await world.sql(f"COPY public.rules TO '{folder}/pg_hba.conf'")
    await world.sql("SELECT pg_reload_conf()")
    right = server.url().replace("postgres@", "cashier:right@")
    wrong = server.url().replace("postgres@", "cashier:secret@")

    with pytest.raises(StoreRefused, match="look at the password") as caught:
        await PostgresJournal(wrong).open(work=True)
    journal = PostgresJournal(right + "?schema=cashier")
    await journal.open(work=True)

    assert "secret" not in str(caught.value)
    assert "right" not in repr(journal)
    await journal.close()


async def test_a_server_without_connections_left_is_busy(world: PostgresWorld) -> None:
    """F49: the journal's own connection writes on; what needs another one is told to wait."""
    await world.sql("CREATE ROLE crowd LOGIN CONNECTION LIMIT 1")
    await world.sql("GRANT CREATE ON DATABASE postgres TO crowd")
    dsn = world.place.dsn.replace("postgres@", "crowd@")
    place: Place = replace(world.place, dsn=dsn, schema="crowded")
    journal = PostgresJournal(place)
    await journal.open(work=True)

    assert await journal.append(first(RUN)) == Applied()
    with pytest.raises(StoreBusy, match="does not answer"):
        await journal.read(RUN)
    with pytest.raises(StoreBusy, match="has no connection left; close some, or allow more"):
        await PostgresJournal(place).open(work=True)
    await journal.close()


async def test_a_queue_of_notifications_that_is_full_hurts_no_write(
    world: PostgresWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """F54: only the hint is lost."""
    client = await world.open(work=False)
    async with world.outside() as slow:
        await slow.execute("LISTEN crowded")
        await slow.execute("BEGIN")
        with pytest.raises(asyncpg.PostgresError, match="too many notifications"):
            await crowd(world)

        posted = await client.post(post(RUN, create=first(RUN).create))

        async def is_told() -> bool:
            return "the doorbell waits for" in caplog.text

        await eventually(is_told)
        assert (posted, await client.post(post(RUN))) == (1, 2)


async def crowd(world: PostgresWorld) -> None:
    """Fill a small queue of notifications, which one that listens does not take."""
    async with world.outside() as loud:
        for number in range(100):
            text = f"{number} {'x' * 7_000}"
            await loud.execute("SELECT pg_notify('crowded', $1)", text)
