"""A protected service: its rate, how many calls at once, its breaker, and a person's halt."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Breaker,
    Config,
    Declined,
    Failure,
    OutcomeUnknown,
    Rate,
    Retry,
    RetryNow,
    Service,
    Unavailable,
    Verdict,
    injected,
    query,
    step,
    workflow,
)
from makegood.decision import facts
from makegood.decision.facts import read_facts
from makegood.journal.halting import HaltKind
from makegood.runtime.operator import Operator
from makegood.values.instants import micros
from tests.runtime.outside import Gate
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Engine, Run
    from makegood.decision.facts import Fact
    from makegood.journal.halting import Halt
    from tests.runtime.world import World

SECOND = timedelta(seconds=1)
OPEN_FOR = timedelta(seconds=30)
STEADY = Retry(attempts=3, delay=SECOND, factor=1, jitter=False)
PATIENT = Retry(attempts=20, delay=SECOND, factor=1, jitter=False)


class Bank:
    """Answers as it is told, and remembers when it was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[float] = []
        """When, in seconds from the beginning."""
        self.at_work = 0
        self.at_work_max = 0
        self.down: type[Exception] | None = None
        self.gate: Gate | None = None
        self._began = world.clock.now()

    async def pay(self, what: str) -> str:
        down = self.down
        self.asked.append((self.world.clock.now() - self._began) / 1_000_000)
        self.at_work += 1
        self.at_work_max = max(self.at_work_max, self.at_work)
        try:
            # Whoever comes after its time is cancelled here.
            await turn_of_the_loop()
            await turn_of_the_loop()
            if self.gate is not None:
                await self.gate.pass_through()
        finally:
            self.at_work -= 1
        if down is not None:
            raise down
        return f"{what} is paid"


async def pay_bill(what: str, *, bank: Bank = injected) -> str:
    return await bank.pay(what)


async def take_back(paid: str, *, bank: Bank = injected) -> None:
    await bank.pay(f"undo {paid}")


async def ship(paid: str) -> str:
    raise Declined("no van")


async def greet(what: str) -> str:
    return f"hello {what}"


@workflow
def paying(what: str) -> str:
    return step(pay_bill, irreversible="test", retry=PATIENT)(what)


@workflow
def shipping(what: str) -> str:
    paid = step(pay_bill, undo=take_back, retry=PATIENT)(what)
    return step(ship, irreversible="test")(paid)


@workflow
def greeting(what: str) -> str:
    return step(greet, irreversible="test")(what)


async def facts_of(engine: Engine, run: Run[str]) -> list[Fact]:
    history = await engine._shell.journal.read(run.id)
    return [fact for append in history.appends for fact in read_facts(append)]


def delays(recorded: list[Fact]) -> list[facts.NodeDelayed]:
    return [fact for fact in recorded if isinstance(fact, facts.NodeDelayed)]


# The rate and how many at once ------------------------------------------------------------------


async def test_no_more_calls_begin_in_any_window_than_the_rate_allows(world: World) -> None:
    bank = Bank(world)
    engine = await world.engine(paying, services={Bank: Service(bank, rate=Rate(3, per=SECOND))})
    runs = [await engine.start(paying(f"bill {number}")) for number in range(8)]
    for run in runs:
        await world.finish(engine, run.result())

    assert bank.asked == [0, 0, 0, 1, 1, 1, 2, 2]


async def test_no_more_calls_are_at_work_at_once_than_is_said(world: World) -> None:
    bank = Bank(world)
    bank.gate = Gate()
    engine = await world.engine(paying, services={Bank: Service(bank, at_once=2)})
    runs = [await engine.start(paying(f"bill {number}")) for number in range(5)]
    await until(lambda: bank.at_work == 2)
    bank.gate.open()
    for run in runs:
        await world.finish(engine, run.result())

    assert bank.at_work_max == 2
    assert len(bank.asked) == 5


async def test_time_spent_waiting_for_a_turn_is_not_the_bodys(world: World) -> None:
    bank = Bank(world)
    engine = await world.engine(
        paying, services={Bank: Service(bank, rate=Rate(1, per=timedelta(minutes=1)))}
    )
    first, second = await engine.start(paying("one")), await engine.start(paying("two"))

    assert await world.finish(engine, first.result()) == "one is paid"
    assert await world.finish(engine, second.result()) == "two is paid"
    assert bank.asked == [0, 60], "its timeout is half a minute"


async def test_one_service_that_is_slow_keeps_no_other_step_waiting(world: World) -> None:
    bank = Bank(world)
    bank.gate = Gate()
    engine = await world.engine(
        paying,
        greeting,
        services={Bank: Service(bank, at_once=1)},
        config=Config(steps_at_once_max=2),
    )
    runs = [await engine.start(paying(f"bill {number}")) for number in range(3)]
    await bank.gate.reached.wait()

    hello = await engine.start(greeting("Ada"))
    assert await world.finish(engine, hello.result()) == "hello Ada"
    bank.gate.open()
    for run in runs:
        await world.finish(engine, run.result())


async def test_what_waits_for_its_turn_when_an_engine_closes_is_in_no_doubt(
    stored: World,
) -> None:
    """The intent is on record, but it was not begun: that is said, and no attempt is used."""
    bank = Bank(stored)
    bank.gate = Gate()
    services = {Bank: Service(bank, at_once=1)}
    first = await stored.engine(paying, services=services)
    await first.start(paying("one"))
    await bank.gate.reached.wait()
    waiting = await first.start(paying("two"))
    await until(lambda: not first._shell.active[waiting.id].is_at_work)
    await stored.close(first)
    bank.gate.open()

    second = await stored.engine(paying, services=services)
    run = second.run(waiting.id)
    assert await stored.finish(second, run.result()) == "two is paid"
    recorded = await facts_of(second, waiting)
    assert [(each.node, each.attempt, each.service) for each in delays(recorded)] == [
        ("pay_bill", 1, "Bank")
    ]
    started = [fact.attempt for fact in recorded if isinstance(fact, facts.NodeStarted)]
    assert started == [1, 1]
    assert not any(isinstance(fact, facts.NodeFailed) for fact in recorded)


# The breaker ------------------------------------------------------------------------------------


def broken_after(failures: int) -> Breaker:
    return Breaker(failures=failures, open_for=OPEN_FOR)


@pytest.mark.parametrize("error", [Unavailable, OutcomeUnknown])
async def test_after_so_many_failures_nothing_is_begun_for_a_while(
    stored: World, error: type[Exception]
) -> None:
    bank = Bank(stored)
    bank.down = error
    engine = await stored.engine(paying, services={Bank: Service(bank, breaker=broken_after(3))})
    run = await engine.start(paying("one"))
    await stored.finish(engine, has_asked(bank, 3))
    halt = await stored.finish(engine, first_halt(engine))
    await stored.finish(engine, has_asked(bank, 4))

    assert [round(at) for at in bank.asked[:3]] == [0, 1, 2]
    assert 32 <= bank.asked[3] <= 36, "thirty seconds later, and a little"
    assert (halt.kind, halt.name, halt.actor) == (HaltKind.SERVICE, "Bank", "circuit breaker")
    assert halt.reason == f"calls of it fail, the last one with {error.__name__}"
    bank.down = None
    assert await stored.finish(engine, run.result()) == "one is paid"
    attempts = [
        fact.attempt for fact in await facts_of(engine, run) if isinstance(fact, facts.NodeStarted)
    ]
    assert attempts == [1, 2, 3, 4, 5]


async def first_halt(engine: Engine) -> Halt:
    while not (halts := await Operator(engine).halts()):
        await turn_of_the_loop()
    return halts[0]


async def has_asked(bank: Bank, times: int) -> None:
    while len(bank.asked) < times:
        await turn_of_the_loop()


async def test_every_engine_of_the_store_holds_back(world: World) -> None:
    bank = Bank(world)
    bank.down = Unavailable
    services = {Bank: Service(bank, breaker=broken_after(2))}
    first = await world.engine(paying, services=services)
    await first.start(paying("one"))
    await world.finish(first, has_asked(bank, 2))
    await world.close(first)
    other = Bank(world)
    second = await world.engine(paying, services={Bank: other})

    run = await second.start(paying("two"))
    assert await world.finish(second, run.result()) == "two is paid"

    assert other.asked[0] >= 29
    assert len(delays(await facts_of(second, run))) == 1


async def test_a_trial_that_fails_halts_the_service_again(world: World) -> None:
    bank = Bank(world)
    bank.down = Unavailable
    engine = await world.engine(paying, services={Bank: Service(bank, breaker=broken_after(2))})
    await engine.start(paying("one"))
    await world.finish(engine, has_asked(bank, 4))

    assert [round(at) for at in bank.asked[:2]] == [0, 1]
    assert 31 <= bank.asked[2] <= 35, (
        "spread over a tenth of the wait, and looked at a moment later"
    )
    assert bank.asked[3] - bank.asked[2] >= 30, "one failure is enough now"


async def test_one_call_is_tried_before_the_others_follow(world: World) -> None:
    bank = Bank(world)
    bank.down = Unavailable
    engine = await world.engine(paying, services={Bank: Service(bank, breaker=broken_after(5))})
    runs = [await engine.start(paying(f"bill {number}")) for number in range(5)]
    await world.finish(engine, has_asked(bank, 5))
    assert bank.asked == [0] * 5
    bank.down, bank.gate = None, Gate()
    await world.finish(engine, has_asked(bank, 6))
    assert bank.at_work == 1
    for _ in range(3):
        world.clock.turn(timedelta(seconds=3))
        for _ in range(100):
            await turn_of_the_loop()
        assert bank.at_work == 1, "the others wait for the first"
    bank.gate.open()
    for run in runs:
        await world.finish(engine, run.result())

    assert len(bank.asked) == 10


async def test_a_no_is_an_answer_and_a_mistake_of_ours_says_nothing(world: World) -> None:
    bank = Bank(world)
    engine = await world.engine(paying, services={Bank: Service(bank, breaker=broken_after(2))})
    for down in (Unavailable, Declined, Unavailable, ValueError):
        bank.down = down
        run = await engine.start(paying("one"))
        await world.finish(engine, has_asked(bank, len(bank.asked) + 1))
        bank.down = None
        await world.finish(engine, run.outcome())
    assert await Operator(engine).halts() == ()


async def test_an_undo_waits_for_the_service_and_uses_no_attempt(world: World) -> None:
    bank = Bank(world)
    engine = await world.engine(shipping, services={Bank: Service(bank, breaker=broken_after(1))})
    operator = Operator(engine)
    run = await engine.start(shipping("one"))
    await world.finish(engine, has_asked(bank, 1))
    await operator.halt(
        HaltKind.SERVICE, "Bank", actor="eve", reason="moving", lasting=timedelta(hours=2)
    )
    outcome = await world.finish(engine, run.outcome())

    assert outcome.undone == ["pay_bill"]
    assert len(bank.asked) == 2


# A person ---------------------------------------------------------------------------------------


async def test_a_person_may_halt_any_service_and_let_it_go_on(stored: World) -> None:
    bank = Bank(stored)
    engine = await stored.engine(paying, greeting, services={Bank: bank})
    operator = Operator(engine)
    await operator.halt(HaltKind.SERVICE, "Bank", actor="eve", reason="moving")
    run = await engine.start(paying("one"))
    hello = await engine.start(greeting("Ada"))
    assert await stored.finish(engine, hello.result()) == "hello Ada"
    await stored.finish(engine, is_waiting(run))
    stored.clock.turn(timedelta(hours=1))
    await stored.finish(engine, is_waiting(run))
    assert bank.asked == []

    await operator.lift(HaltKind.SERVICE, "Bank", actor="eve", reason="moved")
    began = stored.clock.now()
    assert await stored.finish(engine, run.result()) == "one is paid"
    assert stored.clock.now() - began <= micros(timedelta(minutes=11))
    assert len(delays(await facts_of(engine, run))) < 12, "it looks ever more seldom"


async def test_a_run_that_is_held_goes_on_at_once_when_a_halt_is_lifted(world: World) -> None:
    bank = Bank(world)
    engine = await world.engine(
        paying, services={Bank: bank}, config=Config(release_after=None, shutdown_grace=AT_ONCE)
    )
    operator = Operator(engine)
    await operator.halt(
        HaltKind.SERVICE, "Bank", actor="eve", reason="moving", lasting=timedelta(hours=2)
    )
    run = await engine.start(paying("one"))
    await world.finish(engine, is_waiting(run))

    await operator.lift(HaltKind.SERVICE, "Bank", actor="eve", reason="moved")
    assert await world.finish(engine, run.result()) == "one is paid"

    assert bank.asked[0] <= 2


async def is_waiting(run: Run[str]) -> None:
    while (await run.describe()).status != "waiting":
        await turn_of_the_loop()


async def test_a_query_waits_too(world: World) -> None:
    bank = Bank(world)

    @workflow
    def asking(what: str) -> str:
        return query(pay_bill)(what)

    engine = await world.engine(asking, services={Bank: bank})
    await Operator(engine).halt(
        HaltKind.SERVICE, "Bank", actor="eve", reason="moving", lasting=OPEN_FOR
    )
    run = await engine.start(asking("one"))

    assert await world.finish(engine, run.result()) == "one is paid"
    assert bank.asked[0] >= 30


async def test_a_compensate_that_asks_the_service_waits_too(world: World) -> None:
    bank = Bank(world)

    async def find(failure: Failure, *, bank: Bank = injected) -> Verdict[str]:
        await bank.pay("look up")
        return RetryNow()

    @workflow
    def doubting(what: str) -> str:
        return step(pay_bill, irreversible="test", compensate=find, retry=STEADY)(what)

    engine = await world.engine(doubting, services={Bank: bank})
    bank.down = OutcomeUnknown
    bank.gate = Gate()
    run = await engine.start(doubting("one"))
    await bank.gate.reached.wait()
    await Operator(engine).halt(
        HaltKind.SERVICE, "Bank", actor="eve", reason="moving", lasting=OPEN_FOR
    )
    bank.gate.open()
    await world.finish(engine, has_asked(bank, 1))
    await world.finish(engine, is_waiting(run))
    bank.down = None

    assert await world.finish(engine, run.result()) == "one is paid"
    assert bank.asked[1] >= 30
