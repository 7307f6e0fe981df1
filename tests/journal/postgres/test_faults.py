"""What happens on a bad day of the server or of the network (promises 1, 3, 5, 8 and 14)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import asyncpg
import pytest

from makegood.errors import InvalidInput, StoreBusy, StoreFailed, StoreFull
from makegood.journal.protocol import Applied, Conflict, Fenced, Statement, Summary
from makegood.values.instants import Instant
from tests.journal.postgres.proxy import Fate, Proxy
from tests.journal.postgres.served import eventually
from tests.journal.promises import NONE_LEASED, OTHER, RUN, lease, promise, remembered
from tests.journal.records import (
    ALICE,
    BOB,
    STOCK,
    Body,
    append,
    facts,
    first,
    post,
    run_id,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.journal import PostgresJournal
    from makegood.journal.protocol import Leased, Verdict
    from makegood.values.ids import RunId
    from makegood.values.injectable import Transaction
    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


@pytest.fixture
async def proxy(served: Served) -> AsyncGenerator[Proxy, None]:
    async with Proxy(served.port) as proxy:
        yield proxy


@pytest.fixture
async def far(served: Served, proxy: Proxy) -> AsyncGenerator[PostgresWorld, None]:
    """A world whose server is behind the proxy, and which is impatient."""
    world = await served.world(port=proxy.port, answer_seconds_max=0.5)
    yield world
    await world.close()


async def sell(transaction: Transaction) -> object:
    return await transaction.execute("UPDATE stock SET count = count - 1")


@promise(3)
@pytest.mark.parametrize("fate", Fate)
async def test_an_append_whose_commit_was_cut_is_applied_and_written_once(
    far: PostgresWorld, proxy: Proxy, fate: Fate
) -> None:
    """F44, F45, F46, F122: before it was delivered, after it, and into silence."""
    journal = await far.open()
    # What a connection does for the first time takes one more message.
    await journal.append(first(OTHER))
    proxy.next(fate)
    made = await journal.append(first(RUN))
    await journal.append(append(OTHER, 2))
    proxy.next(fate)
    moved = await journal.append(append(RUN, 2))

    assert (made, moved, proxy.cuts) == (Applied(), Applied(), 2)
    assert await remembered(journal, RUN) == (2, (facts("001/1"), facts("001/2")))


@promise(5)
async def test_of_a_batch_that_was_cut_each_append_has_its_own_verdict(
    far: PostgresWorld, proxy: Proxy
) -> None:
    journal = await far.open()
    runs = [run_id(number) for number in range(30)]
    await asyncio.gather(*(journal.append(first(run)) for run in runs))
    sent = [append(run, 2) for run in runs]
    sent[3] = append(runs[3], 2, epoch=2)
    sent[4] = append(runs[4], 7)
    proxy.next(Fate.UNANSWERED)

    verdicts = await asyncio.gather(*(journal.append(each) for each in sent))

    expected = {3: Fenced(), 4: Conflict()}
    assert list(verdicts) == [expected.get(number, Applied()) for number in range(30)]


@promise(7)
@pytest.mark.parametrize(
    ("fate", "times_run"), [(Fate.LOST, 2), (Fate.UNANSWERED, 1), (Fate.SILENT, 1)]
)
async def test_a_local_step_whose_commit_was_cut_is_done_once(
    far: PostgresWorld, proxy: Proxy, fate: Fate, times_run: int
) -> None:
    journal = await far.open(migrations=(STOCK,))
    await journal.append(first(RUN))
    body = Body(sell, timeout_seconds=1)
    proxy.next(fate, said=b"COMMIT")

    assert await journal.append(append(RUN, 2, local=body)) == Applied(b"[1]")

    assert (body.times_run, proxy.cuts, body.error) == (times_run, 1, None)
    assert await journal.query("SELECT count FROM stock") == [(4,)]
    assert await remembered(journal, RUN) == (2, (facts("001/1"), b"[1]"))


@promise(7)
async def test_a_connection_that_is_lost_under_a_body_is_never_its_failure(
    far: PostgresWorld, proxy: Proxy
) -> None:
    journal = await far.open(migrations=(STOCK,))
    body = Body(sell)
    proxy.next(Fate.LOST, said=b"stock")

    assert await journal.append(first(RUN, local=body)) == Applied(b"[1]")

    assert (body.times_run, proxy.cuts, body.error) == (2, 1, None)


@promise(6)
@pytest.mark.parametrize("fate", Fate)
async def test_writes_whose_commit_was_cut_are_applied_once(
    far: PostgresWorld, proxy: Proxy, fate: Fate
) -> None:
    journal = await far.open(migrations=(STOCK,))
    sold = Statement("UPDATE stock SET count = count - 1", (), 1)
    proxy.next(fate, said=b"COMMIT")

    assert await journal.append(first(RUN, writes=(sold,))) == Applied()

    assert await journal.query("SELECT count FROM stock") == [(4,)]


@promise(9)
@pytest.mark.parametrize("fate", Fate)
async def test_a_post_whose_commit_was_cut_is_in_the_inbox_once(
    far: PostgresWorld, proxy: Proxy, fate: Fate
) -> None:
    journal = await far.open()
    start = first(RUN, "order-1").create
    await journal.post(post(OTHER, create=first(OTHER).create))
    proxy.next(fate)
    started = await journal.post(post(RUN, b"[]", create=start))
    for _ in range(12):
        await journal.post(post(RUN))
    proxy.next(fate)
    posted = await journal.post(post(RUN))

    assert (started, posted, proxy.cuts) == (1, 14, 2)
    assert [each.n for each in (await journal.read(RUN)).inbox] == list(range(1, 15))


@promise(14)
async def test_a_claim_whose_answer_was_cut_ends_with_its_lease(
    served: Served, proxy: Proxy
) -> None:
    """Whoever does not know that it holds a run does not renew it."""
    far = await served.world(port=proxy.port, lease_seconds=0.5)
    journal = await far.open()
    await journal.append(first(RUN, release=True, wake_at=Instant(1)))
    assert await lease(journal, now=0) == NONE_LEASED
    proxy.next(Fate.UNANSWERED)

    assert (await lease(journal)).claimed == ()
    assert (await journal.read(RUN)).row.owner == ALICE
    claimed: list[Leased] = []

    async def is_claimed() -> bool:
        claimed.extend((await lease(journal)).claimed)
        return bool(claimed)

    await eventually(is_claimed)

    assert (claimed[0].run, claimed[0].epoch) == (RUN, 3)
    await far.close()


@promise(14)
async def test_a_lease_is_renewed_by_whoever_holds_it_and_by_the_servers_clock(
    served: Served,
) -> None:
    world = await served.world(lease_seconds=0.6)
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))
    before = (await alice.read(RUN)).row.wake_at
    assert before is not None

    async def is_past_the_end_of_the_first_lease() -> bool:
        assert (await lease(alice)).claimed == ()
        assert (await lease(bob, BOB)).claimed == ()
        return await world.now() > before + 200_000

    await eventually(is_past_the_end_of_the_first_lease)

    row = (await alice.read(RUN)).row
    assert (row.owner, row.epoch) == (ALICE, 1)
    assert await alice.append(append(RUN, 2)) == Applied()
    await world.close()


@promise(1)
async def test_terminated_backends_lose_nothing_and_double_nothing(world: PostgresWorld) -> None:
    """F48: the connections at work for the journal are ended every few milliseconds."""
    journal = await world.open()
    runs = [run_id(number) for number in range(40)]
    ends = asyncio.ensure_future(end_all_backends(world))
    try:
        verdicts = await asyncio.gather(*(write_run(journal, run, 12) for run in runs))
    finally:
        ends.cancel()
        with suppress(asyncio.CancelledError):
            await ends

    assert verdicts == [[Applied()] * 12] * 40
    for run in runs:
        expected = tuple(facts(f"{run[-3:]}/{seq}") for seq in range(1, 13))
        assert await remembered(journal, run) == (12, expected)


async def write_run(journal: PostgresJournal, run: RunId, appends: int) -> list[Verdict]:
    made = [await journal.append(first(run))]
    return made + [await journal.append(append(run, seq)) for seq in range(2, appends + 1)]


async def end_all_backends(world: PostgresWorld) -> None:
    connection = await asyncpg.connect(world.place.dsn)
    try:
        while True:
            await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'",
                world.place.schema,
            )
            await asyncio.sleep(0.03)
    finally:
        await connection.close()


async def raise_in(world: PostgresWorld, code: str, *, times: int = 1_000_000) -> None:
    """Have every insertion of facts fail with a code, so many times."""
    await world.sql("CREATE SEQUENCE failed")
    await world.sql(
        f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            IF nextval('failed') <= {times} THEN
                RAISE EXCEPTION 'as the test says' USING ERRCODE = '{code}';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    await world.sql(
        "CREATE TRIGGER fails BEFORE INSERT ON facts FOR EACH ROW EXECUTE FUNCTION fail()"
    )


@promise(8)
async def test_without_room_nobody_is_acknowledged_until_there_is_some(
    world: PostgresWorld,
) -> None:
    """F56."""
    journal = await world.open(migrations=(STOCK,))
    await journal.append(first(RUN))
    await raise_in(world, "53100")
    sent = [first(run_id(number)) for number in range(2, 9)]
    sent.append(append(RUN, 2, writes=(Statement("UPDATE stock SET count = 1"),)))
    body = Body(sell)
    sent.append(first(run_id(9), local=body))

    refused = await asyncio.gather(*map(journal.append, sent), return_exceptions=True)
    before = await journal.read(RUN)
    await world.sql("DROP TRIGGER fails ON facts")
    verdicts = await asyncio.gather(*map(journal.append, sent))

    assert {type(answer) for answer in refused} == {StoreFull}
    assert (before.appends, body.error) == ((facts("001/1"),), None)
    assert list(verdicts) == [Applied()] * 8 + [Applied(b"[1]")]


@pytest.mark.parametrize("code", ["40P01", "40001", "55P03", "57014", "57P01", "25006", "08006"])
async def test_what_passes_is_tried_again(world: PostgresWorld, code: str) -> None:
    """F50, F51, F52: a deadlock, a lock, a time-out, a shutdown, a failover, a lost line."""
    journal = await world.open(migrations=(STOCK,))
    await raise_in(world, code, times=2)
    body = Body(sell)

    assert await journal.append(first(RUN)) == Applied()
    await world.sql("SELECT setval('failed', 1)")
    assert await journal.append(append(RUN, 2, local=body)) == Applied(b"[1]")

    assert body.error is None
    assert await journal.query("SELECT count FROM stock") == [(4,)]


async def test_a_step_that_others_are_for_ever_in_the_way_of_says_that_the_store_is_busy(
    world: PostgresWorld,
) -> None:
    journal = await world.open(migrations=(STOCK,))
    await raise_in(world, "40P01")

    with pytest.raises(StoreBusy, match="others are in the way"):
        await journal.append(first(RUN, local=Body(sell)))


@promise(5)
async def test_a_row_that_somebody_holds_locked_delays_only_its_own_run(served: Served) -> None:
    world = await served.world(lock_seconds_max=0.1)
    journal = await world.open()
    runs = [run_id(number) for number in range(9)]
    await asyncio.gather(*(journal.append(first(run)) for run in runs))
    held = append(runs[4], 2)
    async with world.outside() as connection, connection.transaction():
        await connection.execute("SELECT FROM run WHERE id = $1 FOR UPDATE", runs[4])
        sent = [held if run == runs[4] else append(run, 2) for run in runs]
        answers = await asyncio.gather(*map(journal.append, sent), return_exceptions=True)
        with pytest.raises(StoreBusy):
            await journal.post(post(runs[4]))

    assert isinstance(answers.pop(4), StoreBusy)
    assert answers == [Applied()] * 8
    assert await journal.append(held) == Applied()
    await world.close()


@promise(5)
async def test_an_append_that_cannot_be_stored_leaves_its_neighbours_alone(
    world: PostgresWorld,
) -> None:
    """F120: PostgreSQL has no zero character."""
    journal = await world.open()
    bad = Summary(status="running\x00")

    sold = (Statement("SELECT 1"),)
    answers = await asyncio.gather(
        journal.append(first(run_id(1))),
        journal.append(first(run_id(2), summary=bad)),
        journal.append(first(run_id(3))),
        journal.append(first(run_id(4), summary=bad, writes=sold)),
        return_exceptions=True,
    )
    with pytest.raises(InvalidInput, match="cannot be stored"):
        await journal.post(post(RUN, create=first(run_id(4), "\x00").create))

    assert {type(answers[1]), type(answers[3])} == {InvalidInput}
    assert (answers[0], answers[2]) == (Applied(), Applied())
    assert await journal.post(post(RUN)) == 1


@pytest.mark.parametrize("step", [False, True])
async def test_a_store_that_is_gone_fails_every_waiter(world: PostgresWorld, *, step: bool) -> None:
    journal = await world.open(migrations=(STOCK,))
    local = {"local": Body(sell)} if step else {}
    await world.sql(f"DROP SCHEMA {world.place.schema} CASCADE")

    answers = await asyncio.gather(
        *(journal.append(first(run_id(number), **local)) for number in range(300)),
        return_exceptions=True,
    )

    assert {type(answer) for answer in answers} == {StoreFailed}
    with pytest.raises(StoreFailed, match="the journal broke"):
        await lease(journal)


async def test_damage_that_the_server_finds_under_a_body_is_not_the_bodys_failure(
    world: PostgresWorld,
) -> None:
    journal = await world.open(migrations=(STOCK,))
    shop = world.place.schema.replace("engine_", "shop_")
    await world.sql(
        f"CREATE FUNCTION {shop}.damaged() RETURNS bigint LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'invalid page' USING ERRCODE = 'XX001'; END $$"
    )

    async def look(transaction: Transaction) -> object:
        return await transaction.fetch("SELECT damaged()")

    with pytest.raises(StoreFailed, match="invalid page"):
        await journal.append(first(RUN, local=Body(look)))

    assert await world.sql("SELECT FROM facts") == []


class Defective:
    """A connection that does what no driver does."""

    async def fetchrow(self, query: str, *parameters: object) -> None:
        message = "nobody expects this"
        raise LookupError(message)

    def is_closed(self) -> bool:
        return False

    def add_log_listener(self, callback: object) -> None:
        """Do nothing."""

    def remove_log_listener(self, callback: object) -> None:
        """Do nothing."""

    def terminate(self) -> None:
        """Do nothing."""


async def test_a_defect_ends_the_journal_and_leaves_nobody_waiting(world: PostgresWorld) -> None:
    journal = await world.open()
    writer = journal._ready().writer
    connection, writer._connection = writer._connection, cast("Connection", Defective())
    assert connection is not None
    connection.terminate()

    answers = await asyncio.gather(
        *(journal.append(first(run_id(number))) for number in range(300)), return_exceptions=True
    )

    assert {type(answer) for answer in answers} == {StoreFailed}
    assert not journal.leads
    assert isinstance(writer._task.exception(), LookupError)
    writer._connection = None


async def test_closing_gives_up_on_a_server_that_does_not_answer(
    served: Served, proxy: Proxy
) -> None:
    world = await served.world(port=proxy.port, close_seconds_max=0.2)
    journal = await world.open()
    proxy.next(Fate.SILENT)
    waiting = [journal.append(first(run_id(number))) for number in range(3)]
    await eventually(proxy.has_cut)

    await journal.close()

    errors = [await asyncio.gather(each, return_exceptions=True) for each in waiting]
    assert {type(error) for (error,) in errors} == {StoreFailed}
    await world.close()


async def test_a_line_without_a_server_is_busy_and_not_broken(
    world: PostgresWorld, served: Served
) -> None:
    journal = await world.open()
    nowhere = await served.world(port=served.port, connections_max=1, ask_seconds_max=0.1)
    impatient = await nowhere.open()
    taken = await impatient._ready().desk._pool.acquire()

    with pytest.raises(StoreBusy, match="does not answer"):
        await impatient.read(RUN)

    await impatient._ready().desk._pool.release(taken, timeout=5)
    assert await impatient.plan("plan-1") is None
    assert await journal.plan("plan-1") is None
    await nowhere.close()
