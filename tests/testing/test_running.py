"""Running a workflow in a test: as in production, but in memory and in no time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from makegood import (
    Abort,
    Config,
    Declined,
    Emit,
    Engine,
    Event,
    Failure,
    IdempotencyKey,
    InvalidInput,
    OutcomeUnknown,
    Proceed,
    Retry,
    Unavailable,
    Verdict,
    Workflow,
    injected,
    pure,
    query,
    sleep,
    step,
    wait,
    workflow,
)
from makegood.decision import facts
from makegood.journal.memory import MemoryJournal
from makegood.testing import AfterEffect, Returns, TurnableClock, finish, run
from tests.runtime.outside import Outside
from tests.runtime.trips import book
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood import Outcome
    from makegood.testing import Scripted


async def travel(
    outside: Outside,
    fail: Mapping[str, Scripted | Sequence[Scripted]] | None = None,
    clock: TurnableClock | None = None,
) -> Outcome[str]:
    return await run(book("Oslo"), services={Outside: outside}, fail=fail, clock=clock)


async def test_an_outcome_reads_well() -> None:
    outcome = await travel(Outside())
    assert outcome.value == "send done"
    assert outcome.done == ["hold_seat", "charge_card", "send_ticket"]


async def test_one_scripted_error_holds_for_every_attempt() -> None:
    outside = Outside()
    outcome = await travel(outside, {"charge_card": Unavailable("down")})
    assert (outcome.status, outcome.undone) == ("failed", ["hold_seat"])
    assert outside.calls == ["hold", "free"]


async def test_a_sequence_gives_one_outcome_per_attempt_and_then_the_function_is_called() -> None:
    outside = Outside()
    script = [Unavailable("down"), None]
    outcome = await travel(outside, {"hold_seat": [Unavailable("down")], "charge_card": script})
    assert outcome.is_completed
    assert outside.calls == ["hold", "charge", "send"]
    assert len(script) == 2


async def test_a_lost_reply_has_its_effect_and_its_key() -> None:
    outside = Outside()
    lost = AfterEffect(OutcomeUnknown("no answer"))
    outcome = await travel(outside, {"charge_card": [lost]})
    assert outcome.is_completed
    assert outside.calls == ["hold", "charge", "charge", "send"]
    assert outside.happened == ["hold", "charge", "send"]


async def test_a_scripted_result_is_read_by_the_steps_own_type() -> None:
    outside = Outside()
    outcome = await travel(outside, {"charge_card": Returns("charged on paper")})
    assert outcome.is_completed
    assert outside.calls == ["hold", "send"]

    wrong = await travel(Outside(), {"charge_card": Returns(7)})
    assert wrong.reason == "unrecorded effect"


async def test_undos_and_compensates_are_scripted_too() -> None:
    stuck = ValueError("bank closed")
    outcome = await travel(
        Outside(), {"send_ticket": Declined("no address"), "charge_card.undo": stuck}
    )
    assert (outcome.left, outcome.undone) == (["charge_card"], ["hold_seat"])
    assert outcome.errors[1] is stuck


async def pay(n: int, *, key: IdempotencyKey = injected) -> int:
    raise OutcomeUnknown


async def find(failure: Failure) -> Verdict[int]:
    return Abort()


@workflow
def paying(n: int) -> int:
    """Pay."""
    return step(pay, compensate=find, irreversible="test")(n)


async def test_a_compensate_answers_what_the_test_says() -> None:
    assert (await run(paying(1))).status == "failed"
    told = await run(paying(1), fail={"pay.compensate": Returns(Proceed(7))})
    assert told.value == 7


def double(n: int) -> int:
    return 2 * n


@workflow
def doubling(n: int) -> int:
    """Pay twice as much."""
    return step(pay, irreversible="test")(pure(double)(n))


async def test_what_nobody_calls_cannot_be_scripted() -> None:
    with pytest.raises(InvalidInput, match=r"'double', which is computed from recorded values"):
        await run(doubling(1), fail={"double": Unavailable()})


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("charge_cart", "; did you mean 'charge_card'?"),
        ("charge_card.undoo", "; did you mean 'charge_card.undo'?"),
        ("hold_seat.compensate", "did you mean"),
        ("xyz", "which `book` does not have"),
    ],
)
async def test_a_script_for_what_is_not_there_is_refused(key: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await travel(Outside(), {key: ValueError()})
    assert str(refused.value).startswith(f"the script names {key!r}")
    assert hint in str(refused.value)


async def test_a_year_of_waiting_takes_no_time() -> None:
    patient = Retry(attempts=13, delay=timedelta(days=30), delay_max=timedelta(days=30), factor=1,
                    jitter=False)  # fmt: skip

    async def ask(n: int) -> int:
        raise Unavailable

    @workflow
    def waiting(n: int) -> int:
        return query(ask, retry=patient)(n)

    clock = TurnableClock()
    began = clock.now()
    outcome = await run(waiting(1), clock=clock)
    assert outcome.status == "failed"
    assert clock.now() - began == 360 * 86_400_000_000


@dataclass(frozen=True)
class Parcel:
    trip: str


async def drowse(n: int) -> int:
    return n


@workflow
def doze(n: int) -> int:
    return step(drowse, irreversible="test").after(sleep(timedelta(hours=2)))(n)


@workflow
def wait_for_another(n: int) -> int:
    return step(doze)(n)


@workflow
def wait_in_vain(n: int) -> Parcel | None:
    return wait(Parcel, key="nobody", within=timedelta(hours=2), optional=True)


@pytest.mark.parametrize("waiting", [wait_for_another, wait_in_vain], ids=lambda each: each.name)
async def test_what_nobody_holds_while_it_waits_goes_on_when_it_is_due(
    waiting: Workflow[[int], Any],
) -> None:
    """A run that waits for others is given back: no poll is to be waited for."""
    clock = TurnableClock()
    began = clock.now()

    outcome = await run(waiting(7), clock=clock)

    assert outcome.status == "completed"
    assert clock.now() - began == 2 * 3_600_000_000


async def test_a_body_that_never_ends_runs_into_its_timeout() -> None:
    """The clock keeps pace with real time while a body is at work, so no test hangs."""

    async def hang(n: int) -> int:
        await asyncio.Event().wait()
        return n

    @workflow
    def hanging(n: int) -> int:
        return step(hang, irreversible="test", timeout=timedelta(milliseconds=20))(n)

    outcome = await run(hanging(1))
    assert (outcome.status, outcome.reason) == ("parked", "in doubt")


async def test_observers_and_the_key_are_passed_on() -> None:
    seen: list[str | None] = []

    def watch(event: Event) -> None:
        if isinstance(event.fact, facts.RunStarted):
            seen.append(event.fact.key)

    await run(book("Oslo"), services={Outside: Outside()}, observers=[watch], key="trip-1")
    assert seen == ["trip-1"]


async def test_an_engine_of_ones_own_is_driven_by_hand() -> None:
    """`finish` turns the clock whenever the engine is at rest, and passes errors on."""
    clock = TurnableClock()
    outside = Outside()
    outside.planned["charge"] = [Unavailable(), Unavailable()]
    config = Config(shutdown_grace=timedelta(0))
    engine = Engine(MemoryJournal(), services={Outside: outside}, clock=clock, config=config)
    async with engine:
        engine.serve(book)
        started = await engine.start(book("Oslo"))
        assert await finish(engine, clock, started.result()) == "send done"

        async def fail() -> None:
            message = "mine"
            raise KeyError(message)

        with pytest.raises(KeyError, match="mine"):
            await finish(engine, clock, fail())


async def test_a_test_that_is_cancelled_leaves_nothing_running() -> None:
    """A time limit on the test itself ends what it waits for, too."""
    clock = TurnableClock()
    engine = Engine(MemoryJournal(), clock=clock)
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async with engine:
        waiting = asyncio.ensure_future(finish(engine, clock, wait()))
        for _ in range(10):
            await turn_of_the_loop()
        waiting.cancel()
        await asyncio.wait([waiting])
    assert ended == ["ended"]


@dataclass(frozen=True)
class SendLetter:
    message_kind: ClassVar[str] = "command"

    text: str


async def write_letter(text: str, *, emit: Emit[SendLetter] = injected) -> str:
    emit(SendLetter(text))
    return text


@workflow
def correspond(text: str) -> str:
    return step(write_letter, irreversible="it cannot be unsent")(text)


async def test_a_command_that_a_step_sends_needs_no_owner_in_a_test() -> None:
    assert (await run(correspond("please pay"))).value == "please pay"
