"""One run at work: how many appends it takes, what is folded together, how it waits and leaves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Raw

from makegood import Config, Retry, Unavailable, query, step, workflow
from makegood.decision import facts
from makegood.journal.memory import MemoryJournal
from makegood.journal.protocol import Post
from makegood.runtime.asking.post import CancelPost, write_post
from makegood.runtime.calling.arriving import Arrival
from tests.runtime.outside import Gate
from tests.runtime.trips import book
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Workflow
    from makegood.values.ids import RunId
    from tests.runtime.watched import Watched
    from tests.runtime.world import World


async def act(n: int) -> int:
    return n


one = step(act, irreversible="test")


@workflow
def five(n: int) -> int:
    """Five steps, one after the other."""
    a = one.named("a")(n)
    b = one.named("b")(a)
    c = one.named("c")(b)
    d = one.named("d")(c)
    return one.named("e")(d)


# Appends --------------------------------------------------------------------------------------


async def test_five_steps_in_a_row_cost_six_appends(world: World) -> None:
    """§4.1: what ends one step begins the next in the same append."""
    engine, journal = await world.watched(five)
    run = await engine.start(five(1))
    assert await world.finish(engine, run.result()) == 1
    assert len(journal.appends) == 6
    assert [append.seq for append in journal.appends] == [1, 2, 3, 4, 5, 6]
    assert [append.release for append in journal.appends] == [False] * 5 + [True]


async def test_a_failure_and_its_rollback_cost_one_append_each(world: World) -> None:
    """§2: the fourth of four fails, three are undone, and each end begins the next."""
    world.outside.planned["send"] = [ValueError("no such address")]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    outcome = await world.finish(engine, run.outcome())
    assert outcome.undone == ["charge_card", "hold_seat"]
    assert len(journal.appends) == 1 + 3 + 2


async def test_what_ends_while_an_append_is_in_flight_is_folded_together(world: World) -> None:
    """§2: many completions are one append, and none is lost."""
    gates = [Gate() for _ in range(6)]

    async def work(n: int) -> int:
        await gates[n].pass_through()
        return n

    working = step(work, irreversible="test")

    @workflow
    def six() -> tuple[int, int, int, int, int, int]:
        return (
            working.named("a")(0),
            working.named("b")(1),
            working.named("c")(2),
            working.named("d")(3),
            working.named("e")(4),
            working.named("f")(5),
        )

    engine, journal = await world.watched(six)
    run = await engine.start(six())
    for gate in gates:
        await gate.reached.wait()
    journal.flows.clear()
    for gate in gates:
        gate.open()
        for _ in range(10):
            await turn_of_the_loop()
    assert len(journal.appends) == 2
    journal.flows.set()

    assert await world.finish(engine, run.result()) == (0, 1, 2, 3, 4, 5)
    assert len(journal.appends) == 3


async def test_an_outcome_that_comes_twice_is_recorded_once(world: World) -> None:
    """G2: a late or doubled completion finds nothing that waits for it."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await world.finish(engine, gate.reached.wait())
    turn = engine._shell.active[run.id]
    done = facts.NodeDone("hold_seat", Raw(b'"other"'), world.clock.now())
    turn.deliver(Arrival("hold_seat", done))
    turn.deliver(Arrival("hold_seat", done))
    for _ in range(20):
        await turn_of_the_loop()
    gate.open()

    assert await world.finish(engine, run.result()) == "send done"
    ended = [fact.node for fact in journal.durable if isinstance(fact, facts.NodeDone)]
    assert ended == ["hold_seat", "charge_card", "send_ticket"]


async def test_what_is_posted_between_deciding_and_writing_is_decided_on(world: World) -> None:
    """G9, F127: the append is refused, the run is read again, and the outcome is kept."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await world.finish(engine, gate.reached.wait())
    post = Post(run=run.id, body=write_post(CancelPost("me", "")), at=world.clock.now())
    journal.answers.append(lambda: journal.post(post))
    gate.open()
    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, outcome.undone) == ("cancelled", ["charge_card", "hold_seat"])
    ended = [fact.node for fact in journal.durable if isinstance(fact, facts.NodeDone)]
    assert ended == ["hold_seat", "charge_card"]
    assert world.outside.calls == ["hold", "charge", "refund", "free"]


async def test_a_post_in_every_append_delays_a_run_and_starves_it_not(world: World) -> None:
    """G17: a flood of requests is answered one by one while the run goes on."""
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    journal.answers += [lambda: _post_cancel(journal, run.id, world)] * 3
    outcome = await world.finish(engine, run.outcome())
    assert outcome.status == "cancelled"
    answered = [fact for fact in journal.durable if isinstance(fact, facts.ControlAnswered)]
    assert [fact.post for fact in answered] == [1, 2, 3]


async def _post_cancel(journal: Watched, run: RunId, world: World) -> None:
    post = Post(run=run, body=write_post(CancelPost("me", "")), at=world.clock.now())
    await journal.post(post)


# Waiting and leaving --------------------------------------------------------------------------


def retrying(delay: timedelta) -> Workflow[[str], str]:
    """Return a workflow whose second step waits so long before it is tried again."""
    calls: list[int] = []

    async def hold(trip: str) -> str:
        return trip

    async def ask(trip: str) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise Unavailable
        return f"{trip} at last"

    patient = Retry(attempts=2, delay=delay, delay_max=timedelta(days=2), jitter=False)

    @workflow
    def asking(trip: str) -> str:
        return step(ask, irreversible="test", retry=patient)(step(hold, irreversible="test")(trip))

    return asking


async def test_a_long_wait_gives_the_run_back_and_it_comes_again_when_it_is_due(
    stored: World,
) -> None:
    """G10: it costs no memory while it waits, and is never early."""
    asking = retrying(timedelta(days=1))
    config = Config(poll_max=timedelta(minutes=10), shutdown_grace=AT_ONCE)
    engine, journal = await stored.watched(asking, config=config)
    began = stored.clock.now()
    run = await engine.start(asking("Oslo"))
    await until(lambda: engine.active == 0 and len(journal.appends) == 3)
    (row,) = (await engine.list()).rows
    assert row.owner is None
    assert row.wake_at == began + 86_400_000_000

    assert await stored.finish(engine, run.result()) == "Oslo at last"
    (again,) = [
        fact
        for fact in journal.durable
        if isinstance(fact, facts.NodeStarted) and fact.attempt == 2
    ]
    assert began + 86_400_000_000 <= again.at <= began + 87_000_000_000


async def test_a_short_wait_stays_in_memory(world: World) -> None:
    asking = retrying(timedelta(seconds=9))
    engine, journal = await world.watched(asking)
    began = world.clock.now()
    run = await engine.start(asking("Oslo"))
    assert await world.finish(engine, run.result()) == "Oslo at last"
    assert [append.release for append in journal.appends] == [False, False, False, False, True]
    assert world.clock.now() == began + 9_000_000


async def test_a_wait_that_was_given_back_is_ended_by_a_post(world: World) -> None:
    """G9: it need not be due for a person to be heard."""
    asking = retrying(timedelta(days=1))
    engine = await world.engine(asking)
    run = await engine.start(asking("Oslo"))
    began = world.clock.now()
    await until(lambda: engine.active == 0)
    await world.finish(engine, run.cancel())
    assert (await world.finish(engine, run.outcome())).status == "cancelled"
    assert world.clock.now() - began < 2_000_000


async def test_a_run_that_ends_stops_what_has_no_effect(world: World) -> None:
    """§4.3: a query is cancelled when its run fails, also where that ends the run at once."""
    engine = await world.engine()
    cut: list[str] = []

    async def ask(n: int) -> int:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append("cut")
        return n

    async def fail(n: int) -> int:
        message = "no"
        raise ValueError(message)

    @workflow
    def failing(n: int) -> tuple[int, int]:
        return query(ask)(n), step(fail, irreversible="test")(n)

    engine.serve(failing)
    run = await engine.start(failing(1))
    assert (await world.finish(engine, run.outcome())).status == "failed"
    await until(lambda: cut == ["cut"])
    assert engine.is_at_rest


async def test_many_runs_leave_nothing_behind(world: World) -> None:
    """G31: neither runs nor tasks nor timers stay when the work is done."""
    config = Config(shutdown_grace=AT_ONCE)
    engine = await world.engine(book, config=config, journal=MemoryJournal())
    runs = [await engine.start(book("Oslo")) for _ in range(200)]
    for run in runs:
        await world.finish(engine, run.result())
    assert engine.active == 0
    assert engine._shell.performer.at_work == 0
    assert not engine._shell._tasks
    # That of the test, of its fixtures, of the worker, of the relay, and of those who look for runs
    # that began under another definition, for schedules, for messages and for read models.
    assert len(asyncio.all_tasks()) <= 8
