"""What every journal promises: one suite, run by the tests of each implementation.

The number in a test's marker is that of the promise in `Journal`'s docstring. An implementation's
test module imports everything here and brings a fixture `world`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.errors import EngineClosed, InvalidInput, StepTimeout, StoreRefused, UnknownRun
from makegood.journal.protocol import (
    Applied,
    Conflict,
    Exists,
    Fenced,
    Filter,
    Leased,
    Leases,
    Migration,
    Posted,
    Refused,
    Statement,
    StoredPlan,
    Summary,
)
from makegood.values.instants import Instant
from tests.journal.records import (
    AFTER_EVERY_LEASE,
    ALICE,
    BOB,
    SECOND,
    STOCK,
    Body,
    World,
    append,
    facts,
    first,
    last,
    post,
    run_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.journal.protocol import Journal
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.injectable import Transaction

RUN = run_id(1)
OTHER = run_id(2)
NONE_LEASED = Leases()


def promise(number: int) -> Callable[[object], object]:
    """Name the promise of `Journal` that a test is about."""

    def mark(test: object) -> object:
        test.__dict__["promise"] = number
        return test

    return mark


@pytest.fixture
async def journal(world: World) -> Journal:
    return await world.open(migrations=(STOCK,))


async def lease(
    journal: Journal, worker: WorkerId = ALICE, *, now: int = AFTER_EVERY_LEASE, limit: int = 100
) -> Leases:
    return await journal.lease(worker, fingerprints=("plan-1",), limit=limit, now=Instant(now))


async def remembered(journal: Journal, run: RunId) -> tuple[int, tuple[bytes, ...]]:
    history = await journal.read(run)
    return history.row.seq, history.appends


async def stock(journal: Journal) -> object:
    return (await journal.query("SELECT count FROM stock WHERE sku = ?", "tea"))[0][0]


# Writing ------------------------------------------------------------------------------------


@promise(1)
async def test_an_acknowledged_append_is_read_back_whole(journal: Journal) -> None:
    summary = Summary(status="parked", cause="error", rollback="undone", reason="undo gave up")
    await journal.append(first(RUN, "order-1", input_hash="h", created_at=Instant(3)))

    assert await journal.append(append(RUN, 2, summary=summary)) == Applied()

    history = await journal.read(RUN)
    row = history.row
    assert history.appends == (facts("001/1"), facts("001/2"))
    assert (row.run, row.workflow, row.key, row.input_hash) == (RUN, "place_order", "order-1", "h")
    assert (row.status, row.cause, row.rollback) == ("parked", "error", "undone")
    assert (row.reason, row.seq, row.epoch, row.owner) == ("undo gave up", 2, 1, ALICE)
    assert (row.created_at, row.ended_at, row.pruned_at) == (3, None, None)


@promise(1)
async def test_facts_come_back_byte_for_byte(journal: Journal) -> None:
    odd = '[ {"text": "é\\u0000 – \\"", "n": 1.0e3} ]'.encode()

    await journal.append(first(RUN, facts=odd))

    assert (await journal.read(RUN)).appends == (odd,)


@promise(1)
async def test_a_run_that_ends_says_when_and_wakes_no_more(journal: Journal) -> None:
    await journal.append(first(RUN))

    await journal.append(last(RUN, 2, ended_at=9))

    row = (await journal.read(RUN)).row
    assert (row.status, row.ended_at, row.owner, row.wake_at) == ("completed", 9, None, None)
    assert await lease(journal) == NONE_LEASED


@promise(1)
async def test_a_run_may_begin_again_after_its_end(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.append(append(RUN, 2, summary=Summary(status="completed", ended_at=Instant(9))))

    await journal.append(append(RUN, 3, summary=Summary(status="undoing")))

    row = (await journal.read(RUN)).row
    assert (row.status, row.ended_at, row.owner) == ("undoing", None, ALICE)
    assert (await journal.list(Filter(unfinished=True))).rows == (row,)


@promise(2)
@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"epoch": 2}, Fenced()),
        ({"worker": BOB}, Fenced()),
        ({"seq": 2}, Conflict()),
        ({"seq": 4}, Conflict()),
        ({"inbox_head": 1}, Conflict()),
        ({"epoch": 2, "seq": 9}, Fenced()),
    ],
)
async def test_an_append_that_does_not_fit_its_run_writes_nothing(
    journal: Journal, changed: dict[str, int], verdict: object
) -> None:
    await journal.append(first(RUN))
    await journal.append(append(RUN, 2))
    before = await journal.read(RUN)

    found = await journal.append(append(RUN, **({"seq": 3} | changed)))

    assert found == verdict
    assert await journal.read(RUN) == before


@promise(2)
async def test_an_append_to_a_run_that_is_not_there_is_fenced(journal: Journal) -> None:
    assert await journal.append(append(RUN, 2)) == Fenced()


@promise(2)
async def test_whoever_gave_a_run_back_is_fenced(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.append(append(RUN, 2, release=True))

    assert await journal.append(append(RUN, 3)) == Fenced()


@promise(2)
async def test_a_post_between_decide_and_append_makes_it_a_conflict(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.post(post(RUN))

    assert await journal.append(append(RUN, 2)) == Conflict()
    assert await journal.append(append(RUN, 2, inbox_head=1, inbox_taken=1)) == Applied()


@promise(3)
@pytest.mark.parametrize("released", [False, True])
async def test_an_append_sent_again_is_applied_and_written_once(
    journal: Journal, *, released: bool
) -> None:
    await journal.append(first(RUN))
    again = append(RUN, 2, release=released)

    verdicts = [await journal.append(again) for _ in range(3)]

    assert verdicts == [Applied()] * 3
    assert await remembered(journal, RUN) == (2, (facts("001/1"), facts("001/2")))


@promise(3)
async def test_the_append_that_makes_a_run_may_be_sent_again(journal: Journal) -> None:
    again = first(RUN, "order-1")

    verdicts = await asyncio.gather(*(journal.append(again) for _ in range(3)))

    assert list(verdicts) == [Applied()] * 3
    assert await remembered(journal, RUN) == (1, (facts("001/1"),))


@promise(3)
async def test_a_local_step_sent_again_gives_its_facts_without_running_again(
    journal: Journal,
) -> None:
    body = Body(lambda transaction: transaction.execute("UPDATE stock SET count = count - 1"))
    await journal.append(first(RUN))
    again = append(RUN, 2, local=body)

    verdicts = [await journal.append(again), await journal.append(again)]

    assert verdicts == [Applied(b"[1]")] * 2
    assert (body.times_run, await stock(journal)) == (1, 4)


@promise(4)
async def test_a_new_run_is_leased_to_its_worker_under_epoch_1(journal: Journal) -> None:
    await journal.append(first(RUN))

    row = (await journal.read(RUN)).row
    assert (row.owner, row.epoch, row.claims, row.seq, row.inbox_head) == (ALICE, 1, 0, 1, 0)
    assert await lease(journal, BOB, now=1) == NONE_LEASED


@promise(4)
async def test_a_new_run_can_be_given_back_in_its_first_append(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(50)))

    row = (await journal.read(RUN)).row
    assert (row.owner, row.wake_at) == (None, 50)


@promise(4)
async def test_a_second_run_with_the_same_key_exists_already(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", input_hash="theirs"))

    found = await journal.append(first(OTHER, "order-1", input_hash="mine"))

    assert found == Exists(RUN, "theirs")
    with pytest.raises(UnknownRun):
        await journal.read(OTHER)
    assert await journal.find("place_order", "order-1") == RUN


@promise(4)
async def test_of_many_that_race_for_a_key_one_makes_the_run(journal: Journal) -> None:
    racing = [first(run_id(number), "order-1") for number in range(20)]

    verdicts = await asyncio.gather(*(journal.append(each) for each in racing))

    winner = await journal.find("place_order", "order-1")
    assert winner is not None
    expected = [Applied() if each.run == winner else Exists(winner, "hash-1") for each in racing]
    assert list(verdicts) == expected


@promise(4)
async def test_a_key_is_one_workflows_own_and_may_be_absent(journal: Journal) -> None:
    several = [
        first(run_id(1), "order-1"),
        first(run_id(2), "order-1", workflow="refund"),
        first(run_id(3)),
        first(run_id(4)),
    ]

    assert [await journal.append(each) for each in several] == [Applied()] * 4
    assert await journal.find("refund", "order-1") == run_id(2)
    assert await journal.find("refund", "order-2") is None


@promise(5)
async def test_one_append_that_fails_leaves_the_others_of_its_commit(journal: Journal) -> None:
    runs = [run_id(number) for number in range(50)]
    await asyncio.gather(*(journal.append(first(run)) for run in runs))

    sent = [append(run, 2, epoch=2 if run == runs[20] else 1) for run in runs]
    verdicts = await asyncio.gather(*(journal.append(each) for each in sent))

    assert list(verdicts) == [Fenced() if run == runs[20] else Applied() for run in runs]
    assert [(await journal.read(run)).row.seq for run in runs[19:22]] == [2, 1, 2]


@promise(5)
async def test_appends_of_one_run_that_wait_together_are_applied_in_order(
    journal: Journal,
) -> None:
    sent = [first(RUN), append(RUN, 2), append(RUN, 3), append(RUN, 3), append(RUN, 4)]

    verdicts = await asyncio.gather(*(journal.append(each) for each in sent))

    assert list(verdicts) == [Applied(), Applied(), Applied(), Conflict(), Applied()]
    assert (await journal.read(RUN)).row.seq == 4


@promise(5)
async def test_all_kinds_of_writes_share_a_commit(journal: Journal) -> None:
    await journal.append(first(RUN))
    sold = Statement("UPDATE stock SET count = count - 1")
    refused = Statement("UPDATE stock SET count = -1")
    body = Body(lambda transaction: transaction.execute("UPDATE stock SET count = count - 1"))

    results = await asyncio.gather(
        journal.append(first(run_id(2))),
        journal.append(first(run_id(3), writes=(sold,))),
        journal.post(post(RUN)),
        journal.append(first(run_id(4), writes=(refused,))),
        journal.append(append(run_id(9), 7)),
        journal.append(first(run_id(5), local=body)),
        journal.post(post(RUN)),
    )

    assert isinstance(results[3], Refused)
    expected = [Applied(), Applied(), 1, results[3], Fenced(), Applied(b"[1]"), 2]
    assert list(results) == expected
    assert await stock(journal) == 3


# The step's own statements ------------------------------------------------------------------


@promise(6)
async def test_writes_are_applied_with_their_append(journal: Journal) -> None:
    sold = Statement("UPDATE stock SET count = count - ? WHERE sku = ?", (2, "tea"), expect_rows=1)

    assert await journal.append(first(RUN, writes=(sold,))) == Applied()

    assert await stock(journal) == 3


@promise(6)
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (Statement("UPDATE stock SET count = -1"), "CHECK constraint failed"),
        (Statement("UPDATE stock SET count = 1 WHERE sku = 'gin'", (), 1), "changed 0 rows, not 1"),
        (Statement("UPDATE absent SET count = 1"), "no such table"),
        (Statement("UPDATE stock SET count = ?"), "number of bindings"),
        (Statement("INSERT OR ROLLBACK INTO stock VALUES ('tea', 1)"), "UNIQUE constraint failed"),
        (Statement("COMMIT"), "not authorized"),
        (Statement("ROLLBACK"), "not authorized"),
        (Statement("SAVEPOINT mine"), "not authorized"),
        (Statement("PRAGMA synchronous = 0"), "not authorized"),
        (Statement("ATTACH ':memory:' AS other"), "not authorized"),
        (Statement("DROP TABLE stock"), "not authorized"),
        (Statement("DELETE FROM makegood_migration"), "not authorized"),
        (Statement("DELETE FROM stock WHERE (SELECT 1 FROM MAKEGOOD_migration)"), "not authorized"),
    ],
)  # fmt: skip
async def test_a_refused_statement_refuses_the_whole_append(
    journal: Journal, statement: Statement, reason: str
) -> None:
    await journal.append(first(RUN))
    sold = Statement("UPDATE stock SET count = count - 1")

    refused, neighbour = await asyncio.gather(
        journal.append(append(RUN, 2, writes=(sold, statement))), journal.append(first(OTHER))
    )

    assert isinstance(refused, Refused)
    assert reason in refused.reason
    assert neighbour == Applied()
    assert await remembered(journal, RUN) == (1, (facts("001/1"),))
    assert await stock(journal) == 5


@promise(6)
async def test_a_constraint_that_is_looked_at_last_refuses_only_its_own_append(
    world: World,
) -> None:
    parts = Migration(
        owner="shop",
        number=2,
        sql="CREATE TABLE part (sku TEXT REFERENCES stock DEFERRABLE INITIALLY DEFERRED)",
    )
    journal = await world.open(migrations=(STOCK, parts))
    orphan = Statement("INSERT INTO part VALUES ('gin')")
    good = Statement("INSERT INTO part VALUES ('tea')")

    refused, plain, applied = await asyncio.gather(
        journal.append(first(run_id(1), writes=(orphan,))),
        journal.append(first(run_id(2))),
        journal.append(first(run_id(3), writes=(good,))),
    )

    assert refused == Refused("FOREIGN KEY constraint failed")
    assert (plain, applied) == (Applied(), Applied())
    assert await journal.query("SELECT sku FROM part") == [("tea",)]


# Local steps --------------------------------------------------------------------------------


async def _sell(transaction: Transaction) -> object:
    rows = await transaction.fetch("SELECT count FROM stock WHERE sku = ?", "tea")
    await transaction.execute("UPDATE stock SET count = count - 1 WHERE sku = ?", "tea")
    return rows[0][0]


async def _sell_and_fail(transaction: Transaction) -> object:
    await _sell(transaction)
    message = "no more tea"
    raise ValueError(message)


async def _sell_and_wait(transaction: Transaction) -> object:
    await _sell(transaction)
    return await asyncio.sleep(0)


async def _sell_for_ever(transaction: Transaction) -> object:
    await _sell(transaction)
    return await transaction.fetch(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )


async def _write_for_ever(transaction: Transaction) -> object:
    return await transaction.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "INSERT INTO stock SELECT i, i FROM n"
    )


async def _reach_into_the_engine(transaction: Transaction) -> object:
    await _sell(transaction)
    return await transaction.fetch("SELECT * FROM makegood_migration")


async def _commit(transaction: Transaction) -> object:
    await _sell(transaction)
    return await transaction.execute("COMMIT")


async def _end_the_transaction_and_go_on(transaction: Transaction) -> object:
    try:
        await transaction.execute("INSERT OR ROLLBACK INTO stock VALUES ('tea', 1)")
    except Exception:  # noqa: BLE001 - a body that hides what happened
        return await _sell(transaction)


@promise(7)
async def test_a_local_step_and_its_facts_are_one_commit(journal: Journal) -> None:
    await journal.append(first(RUN))

    assert await journal.append(append(RUN, 2, local=Body(_sell))) == Applied(b"[5]")

    assert await remembered(journal, RUN) == (2, (facts("001/1"), b"[5]"))
    assert await stock(journal) == 4


@promise(7)
@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (Body(_sell_and_fail), ValueError, "no more tea"),
        (Body(_sell_and_wait), InvalidInput, "may await only its transaction"),
        (Body(_sell_for_ever, 0.05), StepTimeout, "longer than 0.05 s"),
        (Body(_write_for_ever, 0.05), StepTimeout, "longer than 0.05 s"),
        (Body(_sell, -1.0), StepTimeout, "longer than"),
        (Body(_reach_into_the_engine), Exception, "prohibited"),
        (Body(_commit), Exception, "not authorized"),
        (Body(_end_the_transaction_and_go_on), InvalidInput, "rolled the transaction back"),
    ],
)
async def test_a_local_step_that_fails_writes_only_that_it_failed(
    journal: Journal, body: Body, error: type[Exception], message: str
) -> None:
    await journal.append(first(RUN))

    failed, neighbour = await asyncio.gather(
        journal.append(append(RUN, 2, local=body)), journal.append(first(OTHER))
    )

    assert (failed, neighbour) == (Applied(facts("failed")), Applied())
    assert isinstance(body.error, error)
    assert message in str(body.error)
    assert await remembered(journal, RUN) == (2, (facts("001/1"), facts("failed")))
    assert await journal.query("SELECT * FROM stock") == [("tea", 5)]


@promise(7)
async def test_what_ends_a_process_passes_through_a_local_step(journal: Journal) -> None:
    async def leave(transaction: Transaction) -> object:
        await _sell(transaction)
        raise asyncio.CancelledError

    await journal.append(first(RUN))

    with pytest.raises(asyncio.CancelledError):
        await journal.append(append(RUN, 2, local=Body(leave)))

    assert await remembered(journal, RUN) == (1, (facts("001/1"),))
    assert await stock(journal) == 5


@promise(7)
async def test_a_transaction_is_of_no_use_after_its_step(journal: Journal) -> None:
    kept: list[Transaction] = []

    async def keep(transaction: Transaction) -> object:
        kept.append(transaction)
        return None

    await journal.append(first(RUN, local=Body(keep)))

    with pytest.raises(InvalidInput, match="ended with its step"):
        await kept[0].execute("DELETE FROM stock")


@promise(7)
async def test_a_local_step_of_a_stale_holder_is_not_run(journal: Journal) -> None:
    body = Body(_sell)
    await journal.append(first(RUN))

    assert await journal.append(append(RUN, 2, epoch=2, local=body)) == Fenced()

    assert body.times_run == 0


# Posting ------------------------------------------------------------------------------------


@promise(9)
async def test_posts_are_numbered_without_gaps_in_their_order(journal: Journal) -> None:
    await journal.append(first(RUN))

    numbers = await asyncio.gather(*(journal.post(post(RUN, b"%d" % n, n)) for n in range(30)))

    history = await journal.read(RUN)
    assert list(numbers) == list(range(1, 31))
    assert history.row.inbox_head == 30
    assert history.inbox == tuple(Posted(n + 1, b"%d" % n, Instant(n)) for n in range(30))


@promise(9)
async def test_a_post_makes_a_run_due_that_nobody_holds(journal: Journal) -> None:
    await journal.append(first(RUN, release=True))

    await journal.post(post(RUN, at=7))

    assert (await journal.read(RUN)).row.wake_at == 7
    assert [leased.run for leased in (await lease(journal, now=7)).claimed] == [RUN]


@promise(9)
async def test_a_post_never_makes_a_run_wait_longer(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(5)))

    await journal.post(post(RUN, at=7))

    assert (await journal.read(RUN)).row.wake_at == 5


@promise(9)
async def test_a_post_leaves_a_held_run_with_its_holder(journal: Journal) -> None:
    await journal.append(first(RUN))
    before = (await journal.read(RUN)).row.wake_at

    await journal.post(post(RUN, at=1))

    row = (await journal.read(RUN)).row
    assert (row.owner, row.wake_at, row.inbox_head) == (ALICE, before, 1)


@promise(10)
async def test_a_post_may_start_a_run_that_anyone_may_take(journal: Journal) -> None:
    start = first(RUN, "order-1").create

    assert await journal.post(post(RUN, b"[]", 4, create=start, status="waiting")) == 1

    row = (await journal.read(RUN)).row
    assert (row.status, row.seq, row.epoch, row.owner) == ("waiting", 0, 0, None)
    assert (row.wake_at, row.inbox_head, row.key) == (4, 1, "order-1")
    claimed = (await lease(journal)).claimed
    assert claimed == (Leased(run=RUN, epoch=1, fingerprint="plan-1", claims=1),)
    taken = append(RUN, 1, inbox_head=1, inbox_taken=1)
    assert await journal.append(taken) == Applied()
    assert (await journal.read(RUN)).inbox == ()


@promise(10)
async def test_a_posted_start_finds_its_key_taken(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", input_hash="theirs"))
    start = first(OTHER, "order-1").create

    assert await journal.post(post(OTHER, create=start)) == Exists(RUN, "theirs")

    assert (await journal.read(RUN)).inbox == ()
    with pytest.raises(UnknownRun):
        await journal.read(OTHER)


@promise(10)
async def test_a_start_that_is_posted_again_exists_already(journal: Journal) -> None:
    start = post(RUN, create=first(RUN).create)
    await journal.post(start)

    assert await journal.post(start) == Exists(RUN, "hash-1")


@promise(11)
async def test_a_post_to_a_run_that_is_not_there_is_refused(journal: Journal) -> None:
    with pytest.raises(UnknownRun, match="look at the id"):
        await journal.post(post(RUN))


@promise(11)
async def test_a_run_that_has_ended_may_be_posted_to(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.append(last(RUN, 2, ended_at=2))

    assert await journal.post(post(RUN, at=5)) == 1

    assert [leased.run for leased in (await lease(journal, now=5)).claimed] == [RUN]


# Leasing ------------------------------------------------------------------------------------


@promise(12)
async def test_runs_are_claimed_when_they_are_due_the_longest_due_first(
    journal: Journal,
) -> None:
    for number, wake_at in ((1, 30), (2, 10), (3, 20), (4, 99)):
        await journal.append(first(run_id(number), release=True, wake_at=Instant(wake_at)))

    assert await lease(journal, now=9) == NONE_LEASED
    two = await lease(journal, BOB, now=50, limit=2)
    rest = await lease(journal, BOB, now=50, limit=2)

    assert {leased.run for leased in two.claimed} == {run_id(2), run_id(3)}
    assert rest.claimed == (Leased(run=run_id(1), epoch=2, fingerprint="plan-1", claims=1),)
    row = (await journal.read(run_id(1))).row
    assert (row.owner, row.epoch, row.claims) == (BOB, 2, 1)


@promise(12)
async def test_only_runs_of_the_given_plans_are_claimed(journal: Journal) -> None:
    await journal.append(first(run_id(1), fingerprint="plan-1", release=True, wake_at=Instant(1)))
    await journal.append(first(run_id(2), fingerprint="plan-2", release=True, wake_at=Instant(1)))

    found = await journal.lease(BOB, fingerprints=("plan-2",), limit=9, now=Instant(5))
    nothing = await journal.lease(BOB, fingerprints=(), limit=9, now=Instant(5))

    assert [leased.run for leased in found.claimed] == [run_id(2)]
    assert nothing.claimed == ()


@promise(12)
async def test_claims_are_counted_until_there_is_progress(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(1)))
    again = {"release": True, "wake_at": Instant(1)}
    counted = []
    for seq, progress in ((2, False), (3, False), (4, True), (5, True)):
        leased = (await lease(journal, now=5)).claimed[0]
        counted.append(leased.claims)
        await journal.append(append(RUN, seq, epoch=leased.epoch, progress=progress, **again))

    assert counted == [1, 2, 3, 1]


@promise(13)
async def test_held_runs_that_were_posted_to_are_named_to_their_holder(
    journal: Journal,
) -> None:
    for number in (1, 2, 3):
        await journal.append(first(run_id(number), worker=BOB if number == 3 else ALICE))
    for number in (2, 2, 3):
        await journal.post(post(run_id(number)))

    assert (await lease(journal, ALICE, now=5)).rung == (run_id(2),)
    assert (await lease(journal, BOB, now=5)).rung == (run_id(3),)
    await journal.append(append(run_id(2), 2, inbox_head=2, inbox_taken=2))
    assert (await lease(journal, ALICE, now=5)).rung == ()


@promise(14)
async def test_the_runs_of_a_dead_worker_are_taken_over(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))
    await world.kill(alice)

    claimed = (await lease(bob, BOB)).claimed

    assert claimed == (Leased(run=RUN, epoch=2, fingerprint="plan-1", claims=1),)
    assert bob.leads
    assert await bob.append(append(RUN, 2, worker=BOB, epoch=2)) == Applied()


@promise(14)
async def test_a_stale_holder_is_fenced_whatever_the_clocks_say(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))
    await world.kill(alice)
    await lease(bob, BOB)

    assert await alice.append(append(RUN, 2)) == Fenced()

    assert await remembered(bob, RUN) == (1, (facts("001/1"),))


@promise(14)
async def test_the_runs_of_a_live_worker_stay_with_it(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))

    for second in range(0, 60, 3):
        assert await lease(alice, ALICE, now=second * SECOND) == NONE_LEASED
        assert await lease(bob, BOB, now=(second + 2) * SECOND) == NONE_LEASED

    assert await alice.append(append(RUN, 2)) == Applied()


@promise(14)
async def test_who_does_not_work_holds_nothing(world: World) -> None:
    worker, client = await world.open(), await world.open(work=False)
    await worker.append(first(RUN, release=True, wake_at=Instant(1)))

    assert (worker.leads, client.leads) == (True, False)
    assert await lease(client, BOB) == NONE_LEASED
    assert await client.append(first(OTHER, worker=BOB)) == Fenced()
    assert await client.post(post(RUN)) == 1
    assert (await client.read(RUN)).row.inbox_head == 1


@promise(15)
async def test_a_run_handed_back_is_due_at_once_and_was_not_claimed(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(1)))
    await lease(journal, ALICE, now=5)
    before = await journal.read(RUN)

    await journal.release(ALICE, (RUN,), now=Instant(6))

    after = await journal.read(RUN)
    assert (after.row.owner, after.row.wake_at, after.row.claims) == (None, 6, 0)
    assert (after.appends, after.row.epoch) == (before.appends, before.row.epoch)
    assert (await lease(journal, BOB, now=6)).claimed[0].claims == 1


@promise(15)
async def test_only_ones_own_runs_can_be_handed_back(journal: Journal) -> None:
    await journal.append(first(RUN))
    before = await journal.read(RUN)

    await journal.release(BOB, (RUN, OTHER), now=Instant(6))

    assert await journal.read(RUN) == before


# Reading ------------------------------------------------------------------------------------


@promise(16)
async def test_a_run_that_is_not_there_cannot_be_read(journal: Journal) -> None:
    with pytest.raises(UnknownRun, match="look at the id"):
        await journal.read(RUN)


@promise(16)
async def test_what_was_taken_has_left_the_inbox(journal: Journal) -> None:
    await journal.append(first(RUN))
    for number in range(4):
        await journal.post(post(RUN, b"%d" % number))

    await journal.append(append(RUN, 2, inbox_head=4, inbox_taken=3))

    history = await journal.read(RUN)
    assert history.inbox == (Posted(4, b"3", Instant(0)),)
    assert history.row.inbox_head == 4


@promise(17)
async def test_pages_show_every_run_once_with_the_newest_first(journal: Journal) -> None:
    await asyncio.gather(*(journal.append(first(run_id(number))) for number in range(25)))

    seen: list[RunId] = []
    sizes = []
    page = await journal.list(Filter(limit=10))
    while True:
        sizes.append(len(page.rows))
        seen.extend(row.run for row in page.rows)
        await journal.append(first(run_id(100 + len(sizes))))
        if page.next is None:
            break
        page = await journal.list(Filter(limit=10, after=page.next))

    assert sizes == [10, 10, 5]
    assert seen == [run_id(number) for number in reversed(range(25))]


@promise(17)
@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (Filter(), [4, 3, 2, 1]),
        (Filter(statuses=frozenset({"parked"})), [2]),
        (Filter(statuses=frozenset({"parked", "failed"})), [3, 2]),
        (Filter(statuses=frozenset({"parked", "running"})), [4, 2, 1]),
        (Filter(causes=frozenset({"error"})), [3, 2]),
        (Filter(reasons=frozenset({"poison"})), [2]),
        (Filter(workflow="refund"), [4]),
        (Filter(created_before=Instant(3)), [2, 1]),
        (Filter(unfinished=True), [4, 2, 1]),
        (Filter(unfinished=False), [3]),
        (Filter(unfinished=True, workflow="place_order", limit=1), [2]),
        (Filter(statuses=frozenset({"nothing"})), []),
    ],
)
async def test_a_listing_shows_what_every_field_of_its_filter_allows(
    journal: Journal, wanted: Filter, shown: list[int]
) -> None:
    parked = Summary(status="parked", cause="error", reason="poison")
    failed = Summary(status="failed", cause="error", rollback="undone", ended_at=Instant(9))
    for number, other in (
        (1, {}),
        (2, {"summary": parked}),
        (3, {"summary": failed}),
        (4, {"workflow": "refund"}),
    ):
        await journal.append(first(run_id(number), created_at=Instant(number), **other))

    page = await journal.list(wanted)

    assert [row.run for row in page.rows] == [run_id(number) for number in shown]


@promise(18)
async def test_a_query_reads_the_applications_tables(journal: Journal) -> None:
    rows = await journal.query("SELECT sku, count FROM stock WHERE count > ?", 4)

    assert rows == [("tea", 5)]


@promise(18)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE stock SET count = 0",
        "DELETE FROM stock",
        "DROP TABLE stock",
        "SELECT * FROM makegood_migration",
        "PRAGMA query_only = 0",
        "BEGIN",
        "SELECT * FROM absent",
        "SELECT ?",
        "not SQL",
    ],
)
async def test_a_query_cannot_write_or_look_into_the_engine(journal: Journal, sql: str) -> None:
    with pytest.raises(InvalidInput, match="a query reads the application's own tables"):
        await journal.query(sql)

    assert await stock(journal) == 5


@promise(19)
async def test_a_plan_is_kept_once_under_its_fingerprint(journal: Journal) -> None:
    plan = StoredPlan(fingerprint="plan-1", workflow="place_order", json="{}")

    await journal.keep_plan(plan)
    await journal.keep_plan(StoredPlan(fingerprint="plan-1", workflow="other", json="[]"))

    assert await journal.plan("plan-1") == plan
    assert await journal.plan("plan-2") is None


# Keeping ------------------------------------------------------------------------------------


@promise(20)
async def test_pruning_removes_what_ended_before_the_moment(journal: Journal) -> None:
    for number, ended_at in ((1, 10), (2, 20), (3, 30)):
        await journal.append(first(run_id(number)))
        await journal.append(last(run_id(number), 2, ended_at=ended_at))
    await journal.append(first(run_id(4)))

    assert await journal.prune(ended_before=Instant(30), limit=1) == 1
    assert await journal.prune(ended_before=Instant(30), limit=9) == 1
    assert await journal.prune(ended_before=Instant(30), limit=9) == 0

    page = await journal.list(Filter())
    assert [row.run for row in page.rows] == [run_id(4), run_id(3)]
    assert (await journal.read(run_id(3))).appends == (facts("003/1"), facts("003/2"))


@promise(20)
async def test_a_pruned_run_with_a_key_keeps_its_row_so_that_its_key_stays_taken(
    journal: Journal,
) -> None:
    await journal.append(first(RUN, "order-1"))
    await journal.append(last(RUN, 2, ended_at=10))

    await journal.prune(ended_before=Instant(11), limit=9)

    history = await journal.read(RUN)
    assert (history.appends, history.inbox, history.row.status) == ((), (), "completed")
    assert history.row.pruned_at is not None
    assert await journal.append(first(OTHER, "order-1")) == Exists(RUN, "hash-1")
    assert await journal.prune(ended_before=Instant(11), limit=9) == 0
    with pytest.raises(UnknownRun):
        await journal.post(post(RUN))


@promise(20)
async def test_what_somebody_holds_or_was_posted_to_is_not_pruned(journal: Journal) -> None:
    ended = Summary(status="completed", ended_at=Instant(2))
    await journal.append(first(run_id(1)))
    await journal.append(append(run_id(1), 2, summary=ended))
    await journal.append(first(run_id(2)))
    await journal.append(last(run_id(2), 2, ended_at=2))
    await journal.post(post(run_id(2)))

    assert await journal.prune(ended_before=Instant(99), limit=9) == 0


@promise(21)
async def test_each_migration_is_applied_once_and_in_order(world: World) -> None:
    more = Migration(owner="shop", number=2, sql="INSERT INTO stock VALUES ('milk', 2)")

    for migrations in ((STOCK,), (STOCK, more), (STOCK, more)):
        journal = await world.open(migrations=migrations)
        await journal.close()

    journal = await world.open(migrations=(STOCK, more))
    assert await journal.query("SELECT * FROM stock ORDER BY sku") == [("milk", 2), ("tea", 5)]


@promise(21)
@pytest.mark.parametrize(
    ("migrations", "message"),
    [
        ((), None),
        ((STOCK, Migration(owner="shop", number=3, sql="SELECT 1")), "from 1 to 3"),
        ((Migration(owner="shop", number=2, sql="SELECT 1"),), "from 0 to 2"),
        ((STOCK, Migration(owner="shop", number=2, sql="CREATE nonsense")), "migration 2 of"),
        ((STOCK, Migration(owner="shop", number=2, sql="COMMIT")), "not authorized"),
        (
            (STOCK, Migration(owner="shop", number=2, sql="CREATE TABLE makegood_x (a)")),
            "not authorized",
        ),
        ((STOCK, Migration(owner="shop", number=2, sql="DELETE FROM makegood_migration")), "not a"),
    ],
)
async def test_a_migration_that_cannot_be_applied_changes_nothing(
    world: World, migrations: tuple[Migration, ...], message: str | None
) -> None:
    if message is not None:
        with pytest.raises(StoreRefused, match=message):
            await world.open(migrations=migrations)

    journal = await world.open(migrations=(STOCK,))
    assert await stock(journal) == 5


@promise(21)
async def test_tables_newer_than_the_program_are_refused(world: World) -> None:
    more = Migration(owner="shop", number=2, sql="CREATE TABLE more (a)")
    newer = await world.open(migrations=(STOCK, more))
    await newer.close()

    with pytest.raises(StoreRefused, match="at 2 and this program knows only 1"):
        await world.open(migrations=(STOCK,))


@promise(22)
async def test_an_orderly_end_is_no_crash(world: World) -> None:
    journal = await world.open()
    await journal.close()

    assert await (await world.open()).crashes() == 0


# The end ------------------------------------------------------------------------------------


async def test_closing_finishes_what_waits(world: World) -> None:
    journal = await world.open()
    waiting = [journal.append(first(run_id(number))) for number in range(20)]

    await journal.close()

    assert [await each for each in waiting] == [Applied()] * 20


async def test_a_closed_journal_answers_nothing_more(world: World) -> None:
    journal = await world.open()
    await journal.close()
    await journal.close()

    for call in (
        lambda: journal.append(first(RUN)),
        lambda: journal.post(post(RUN)),
        lambda: journal.read(RUN),
        lambda: lease(journal),
        lambda: journal.list(Filter()),
        lambda: journal.query("SELECT 1"),
        journal.crashes,
    ):
        with pytest.raises(EngineClosed):
            await call()
    assert not journal.leads
