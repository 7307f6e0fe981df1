"""What would lose or double money: what is durable when, and what a new engine makes of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from makegood import (
    ControlAnswer,
    Declined,
    IdempotencyKey,
    OutcomeUnknown,
    Retry,
    RunParked,
    Unavailable,
    injected,
    step,
    workflow,
)
from makegood.decision import facts
from makegood.errors import StoreBusy, StoreFailed, StoreFull
from makegood.journal.protocol import Fenced, Post
from makegood.runtime.asking.post import CancelPost, write_post
from makegood.runtime.calling.arriving import Arrival
from makegood.testing import TurnableClock, finish
from makegood.values.instants import as_datetime
from tests.runtime.outside import Gate, Late, Outside
from tests.runtime.trips import book, book_surely
from tests.runtime.world import turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Engine
    from tests.runtime.world import World


async def test_no_body_is_entered_before_its_start_is_durable(world: World) -> None:
    """G3, G1: the intent is on record before anything can reach the outside."""
    engine, journal = await world.watched(book)
    paths = {"hold": "hold_seat", "charge": "charge_card", "send": "send_ticket"}
    entered: list[bool] = []
    world.outside.watch = lambda name: entered.append(
        journal.is_durable(facts.NodeStarted, paths[name])
    )
    run = await engine.start(book("Oslo"))
    await world.finish(engine, run.result())

    assert entered == [True, True, True]


async def test_nothing_is_decided_from_an_outcome_that_is_not_durable(world: World) -> None:
    """G1: while the store keeps an outcome waiting, the next step does not begin."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    journal.flows.clear()
    gate.open()
    sent = len(journal.appends)
    await until(lambda: len(journal.appends) > sent)
    assert world.outside.calls == ["hold"]
    journal.flows.set()
    assert await world.finish(engine, run.result()) == "send done"


async def test_a_dead_workers_run_goes_on_with_the_same_keys(stored: World) -> None:
    """G2, G3, G5, F3: the effect happened and its record is missing: one effect, same key."""
    gate = Gate()
    stored.outside.planned["charge"] = [gate]
    first = await stored.engine(book)
    run = await first.start(book("Oslo"), key="trip-1")
    await stored.finish(first, gate.reached.wait())
    await stored.kill(first)
    stored.clock.turn(timedelta(minutes=1))

    second = await stored.engine(book)
    again = await second.start(book("Oslo"), key="trip-1")

    assert again.id == run.id
    assert await stored.finish(second, again.result()) == "send done"
    assert stored.outside.calls == ["hold", "charge", "charge", "send"]
    assert len(set(stored.outside.keys["charge"])) == 1
    assert stored.outside.happened == ["hold", "charge", "send"]


async def test_a_post_between_reading_and_claiming_does_not_hide_a_death(world: World) -> None:
    """G5, F127: the first append after a claim meets a conflict; the death is recorded again."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    first = await world.engine(book)
    run = await first.start(book("Oslo"))
    await world.finish(first, gate.reached.wait())
    await world.kill(first)
    world.clock.turn(timedelta(minutes=1))

    second, journal = await world.watched()
    post = Post(run=run.id, body=write_post(CancelPost("me", "late")), at=world.clock.now())
    journal.answers.append(lambda: journal.post(post))
    second.serve(book)
    outcome = await world.finish(second, second.run(run.id).outcome())

    assert outcome.status == "cancelled"
    assert world.outside.happened == ["hold", "charge", "refund", "free"]


async def test_a_step_whose_worker_died_is_not_repeated_under_a_dead_key(world: World) -> None:
    """G4: nobody knows the key any more and nobody can be asked, so a person is."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    first = await world.engine(book_surely)
    run = await first.start(book_surely("Oslo"))
    await world.finish(first, gate.reached.wait())
    await world.kill(first)
    world.clock.turn(timedelta(minutes=1))

    second = await world.engine(book_surely)
    with pytest.raises(RunParked) as parked:
        await world.finish(second, second.run(run.id).result())

    assert parked.value.left == ("charge_unkeyed",)
    assert world.outside.calls == ["hold", "charge"]


async def test_a_stale_worker_changes_nothing(world: World) -> None:
    """G6, F13: its lease has passed to another, so its outcome is refused and it lets go."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    slow, journal = await world.watched(book)
    run = await slow.start(book("Oslo"))
    await gate.reached.wait()
    await slow._worker.stop()
    world.clock.turn(timedelta(minutes=1))

    other = await world.engine(book)
    assert await world.finish(other, other.run(run.id).result()) == "send done"
    recorded = len(journal.durable)
    gate.open()
    await until(lambda: slow.active == 0)

    assert len(journal.durable) == recorded
    assert world.outside.happened == ["hold", "charge", "send"]


async def test_a_caller_that_gives_up_does_not_orphan_the_run(world: World) -> None:
    """G34, F114: the append is durable, whoever asked for it: the run is held and goes on."""
    engine, journal = await world.watched(book)
    await world.finish(engine, (await engine.start(book("Rome"))).result())
    journal.flows.clear()
    asking = asyncio.ensure_future(engine.start(book("Oslo"), key="trip-1"))
    sent = len(journal.appends)
    await until(lambda: len(journal.appends) > sent)
    asking.cancel()
    await asyncio.wait([asking])
    journal.flows.set()

    run = await engine.start(book("Oslo"), key="trip-1")
    assert await world.finish(engine, run.result()) == "send done"
    assert engine.active == 0


async def test_a_run_that_cannot_be_held_is_posted_instead(world: World) -> None:
    """G8: leadership was lost in the middle of a start, so whoever leads takes the run up."""
    engine, journal = await world.watched(book)
    journal.answers.append(Fenced())
    run = await engine.start(book("Oslo"))

    assert await world.finish(engine, run.result()) == "send done"


async def test_a_full_store_delays_and_loses_nothing(world: World) -> None:
    """G32, F30: the very same append is sent again until there is room."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    journal.answers += [StoreFull("full"), StoreBusy("busy"), StoreFull("full")]
    gate.open()

    assert await world.finish(engine, run.result()) == "send done"
    assert world.outside.calls == ["hold", "charge", "send"]
    tokens = [append.token for append in journal.appends]
    assert tokens[1] == tokens[2] == tokens[3] == tokens[4]


async def test_a_start_that_finds_no_room_is_refused_and_leaves_nothing(world: World) -> None:
    """G1: not acknowledged, not there; and it can be asked for again."""
    engine, journal = await world.watched(book)
    journal.answers.append(StoreFull("full"))
    with pytest.raises(StoreFull):
        await engine.start(book("Oslo"), key="trip-1")
    assert engine.active == 0
    assert (await engine.list()).rows == ()

    run = await engine.start(book("Oslo"), key="trip-1")
    assert await world.finish(engine, run.result()) == "send done"


async def test_a_broken_store_stops_the_engine_and_everyone_learns_why(world: World) -> None:
    """G1, F126: whether the commit happened is not known, so nothing is acknowledged."""
    gates = [Gate(), Gate()]
    world.outside.planned["hold"] = list(gates)
    engine, journal = await world.watched(book)
    runs = [await engine.start(book(place)) for place in ("Oslo", "Rome")]
    waiting = [asyncio.ensure_future(run.result()) for run in runs]
    for gate in gates:
        await gate.reached.wait()
    journal.answers.append(StoreFailed("the disk does not answer"))
    gates[0].open()
    await asyncio.wait(waiting)

    assert [type(one.exception()) for one in waiting] == [StoreFailed, StoreFailed]
    with pytest.raises(StoreFailed, match="disk"):
        await engine.start(book("Bonn"))
    assert world.outside.calls == ["hold", "hold"]


async def test_a_store_that_breaks_while_runs_are_claimed_stops_the_engine(world: World) -> None:
    """G1: an engine that can take nothing up again must not seem alive."""
    engine, journal = await world.watched(book)
    journal.lease_errors.append(StoreFailed("the disk does not answer"))
    world.clock.turn(timedelta(seconds=2))
    await until(lambda: engine._shell.failure is not None)
    with pytest.raises(StoreFailed):
        await engine.start(book("Oslo"))


async def test_a_body_at_work_may_end_when_the_engine_closes(stored: World) -> None:
    """F11: its outcome is recorded and the next engine goes on behind it."""
    gate = Gate()
    stored.outside.planned["charge"] = [gate]
    first = stored.make(config=None)
    await first.__aenter__()
    first.serve(book)
    run = await first.start(book("Oslo"))
    await stored.finish(first, gate.reached.wait())
    closing = asyncio.ensure_future(stored.close(first))
    await turn_of_the_loop()
    gate.open()
    await closing

    second = await stored.engine(book)
    assert await stored.finish(second, second.run(run.id).result()) == "send done"
    assert stored.outside.calls == ["hold", "charge", "send"]


async def test_a_body_that_does_not_end_in_time_is_in_doubt_afterwards(world: World) -> None:
    """F12, G4: it was cancelled in the middle, so the next engine asks or repeats its key."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    first = await world.engine(book)
    run = await first.start(book("Oslo"))
    await world.finish(first, gate.reached.wait())
    await world.close(first)
    assert first.active == 0

    second = await world.engine(book)
    assert await world.finish(second, second.run(run.id).result()) == "send done"
    assert world.outside.calls == ["hold", "charge", "charge", "send"]
    assert len(set(world.outside.keys["charge"])) == 1


async def test_a_start_that_is_durable_is_carried_out_before_the_engine_closes(
    world: World,
) -> None:
    """F11: the intent was on its way to the store when the engine began to close."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    engine, journal = await world.watched(book_surely, config=None)
    run = await engine.start(book_surely("Oslo"))
    await gate.reached.wait()
    journal.flows.clear()
    gate.open()
    await until(lambda: len(journal.appends) > 1)
    closing = asyncio.ensure_future(world.close(engine))
    await turn_of_the_loop()
    journal.flows.set()
    await closing

    second = await world.engine(book_surely)
    assert await world.finish(second, second.run(run.id).result()) == "send done"
    assert world.outside.calls == ["hold", "charge", "send"]


async def test_closing_waits_for_room_in_vain_and_closes_all_the_same(world: World) -> None:
    """G32: a full store keeps an engine from handing back, not from closing."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    journal.answers += [StoreFull("full")] * 10
    gate.open()
    await until(lambda: len(journal.appends) > 1)
    await world.close(engine)

    world.clock.turn(timedelta(minutes=1))
    second = await world.engine(book)
    assert await world.finish(second, second.run(run.id).result()) == "send done"
    assert world.outside.happened == ["hold", "charge", "send"]


async def test_attempts_made_before_a_death_count_after_it(stored: World) -> None:
    """T5: what is left of the attempts is on record, and so is when the next one is due."""

    async def ask(trip: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
        return await outside.do("ask", key)

    patient = Retry(attempts=3, delay=timedelta(minutes=1), jitter=False)

    @workflow
    def asking(trip: str) -> str:
        return step(ask, irreversible="test", retry=patient)(trip)

    stored.outside.planned["ask"] = [Unavailable("down")] * 10
    first = await stored.engine(asking)
    run = await first.start(asking("Oslo"))
    while (await run.describe()).status != "waiting":
        await turn_of_the_loop()
    due = (await run.describe()).nodes[0].due
    await stored.kill(first)
    second = await stored.engine(asking)

    again = second.run(run.id)
    assert (await again.describe()).nodes[0].due == due
    assert (await stored.finish(second, again.outcome())).status == "failed"
    assert stored.outside.calls == ["ask"] * 3


async def test_an_effect_that_was_never_reached_happens_once(world: World) -> None:
    """F2: the worker dies after the intent and before the request leaves."""
    gate = Gate()
    world.outside.planned["charge"] = [Late(gate)]
    first = await world.engine(book)
    run = await first.start(book("Oslo"))
    await world.finish(first, gate.reached.wait())
    await world.kill(first)
    world.clock.turn(timedelta(minutes=1))
    assert world.outside.happened == ["hold"]

    second = await world.engine(book)
    assert await world.finish(second, second.run(run.id).result()) == "send done"
    assert world.outside.happened == ["hold", "charge", "send"]


async def test_a_death_in_the_middle_of_a_rollback_goes_on_at_the_same_undo(
    stored: World,
) -> None:
    """G13, F7: the order is kept, and the undo that was at work is repeated under its key."""
    gate = Gate()
    stored.outside.planned["send"] = [ValueError("no such address")]
    stored.outside.planned["refund"] = [gate]
    first = await stored.engine(book)
    run = await first.start(book("Oslo"))
    await stored.finish(first, gate.reached.wait())
    await stored.kill(first)
    stored.clock.turn(timedelta(minutes=1))

    second = await stored.engine(book)
    outcome = await stored.finish(second, second.run(run.id).outcome())

    assert outcome.undone == ["charge_card", "hold_seat"]
    assert stored.outside.calls == ["hold", "charge", "send", "refund", "refund", "free"]
    assert len(set(stored.outside.keys["refund"])) == 1


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_wrong_takes_a_run_over_and_doubles_nothing(
    world: World, hours: int
) -> None:
    """G7, F21: when a run changes hands is a clock's affair, who may write for it is not."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    right = await world.engine(book)
    run = await right.start(book("Oslo"))
    await gate.reached.wait()

    wrong_clock = TurnableClock(as_datetime(world.clock.now()) + timedelta(hours=hours))
    wrong = await world.engine(book, clock=wrong_clock)
    gate.open()
    outcome = await finish(wrong, wrong_clock, _either(right, world, run.id))

    assert outcome == "completed"
    assert world.outside.happened == ["hold", "charge", "send"]
    assert len(set(world.outside.keys["charge"])) == 1


async def _either(engine: Engine, world: World, run: str) -> str:
    report = await engine.run(run).describe()
    while report.status == "running":
        world.clock.turn_to_next()
        await turn_of_the_loop()
        report = await engine.run(run).describe()
    return report.status


async def test_nothing_is_undone_while_a_sibling_is_at_work_or_in_doubt(world: World) -> None:
    """G14, R2, F79: undoing the one could contradict what the other may have done."""
    gate = Gate()

    async def hold(n: int, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
        return await outside.do("hold", key)

    async def free(
        held: str, *, outside: Outside = injected, key: IdempotencyKey = injected
    ) -> None:
        await outside.do("free", key)

    async def charge(held: str) -> str:
        await gate.pass_through()
        raise OutcomeUnknown

    async def fail(held: str) -> str:
        await gate.reached.wait()
        raise Declined

    held_by = step(hold, undo=free)
    charged = step(charge, irreversible="test", key_valid_for=None)
    failing = step(fail, irreversible="test")

    @workflow
    def booking(n: int) -> tuple[str, str]:
        held = held_by(n)
        return charged(held), failing(held)

    engine, journal = await world.watched(booking)
    run = await engine.start(booking(1))
    await world.finish(engine, gate.reached.wait())
    await until(lambda: any(isinstance(fact, facts.NodeGaveUp) for fact in journal.durable))
    assert (await run.describe()).status == "undoing"
    assert world.outside.calls == ["hold"]
    gate.open()
    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, outcome.reason, outcome.left) == ("parked", "in doubt", ["charge"])
    assert outcome.done == ["hold"]
    assert world.outside.calls == ["hold"]


async def test_what_has_ended_stays_as_it_ended(stored: World) -> None:
    """G18: no late outcome, no second start and no request changes it."""
    engine, journal = await stored.watched(book)
    run = await engine.start(book("Oslo"), key="trip-1")
    turn = engine._shell.active[run.id]
    await stored.finish(engine, run.result())
    recorded = list(journal.durable)
    turn.deliver(
        Arrival("send_ticket", facts.NodeDone("send_ticket", Raw(b'"other"'), stored.clock.now()))
    )
    turn.ring()
    await engine.start(book("Oslo"), key="trip-1")
    for _ in range(50):
        await turn_of_the_loop()

    assert journal.durable == recorded
    assert await stored.finish(engine, run.cancel()) is ControlAnswer.TOO_LATE
    assert await stored.finish(engine, run.result()) == "send done"
    added = [type(fact) for fact in journal.durable[len(recorded) :]]
    assert added == [facts.CancelRequested, facts.ControlAnswered]
    assert stored.outside.calls == ["hold", "charge", "send"]
