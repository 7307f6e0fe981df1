"""Runs that pause by themselves: for how long, how often, and who goes on with them then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pytest

from makegood import (
    Again,
    CancelRun,
    FailRun,
    Goto,
    Lifecycle,
    Operator,
    OutcomeUnknown,
    PauseRun,
    Retry,
    RunCancelled,
    RunFailed,
    Unavailable,
    injected,
)
from makegood.decision import facts
from tests.runtime.asking.parked import EVE
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

HOUR = timedelta(hours=1)


class Stage(Enum):
    OPEN = 1
    FILED = 2
    OVER = 3


@dataclass(frozen=True)
class Claim:
    id: str
    calls: int = 0


class Office:
    """Says what the handler of each call does: an outcome, or an error."""

    def __init__(self) -> None:
        self.planned: list[Any] = []
        self.calls = 0

    def next(self) -> Any:
        self.calls += 1
        planned = self.planned.pop(0) if self.planned else None
        if isinstance(planned, Exception):
            raise planned
        return planned


async def file(
    claim: Claim, *, office: Office = injected
) -> (
    Goto[Literal[Stage.FILED], Claim]
    | Again[Claim]
    | PauseRun[Claim]
    | CancelRun[Claim]
    | FailRun[Claim]
):
    called = replace(claim, calls=claim.calls + 1)
    planned = office.next()
    return Goto(Stage.FILED, called) if planned is None else replace(planned, record=called)


async def unfile(_claim: Claim, *, office: Office = injected) -> None:
    office.calls += 100


async def close(_claim: Claim, *, office: Office = injected) -> Goto[Literal[Stage.OVER], Claim]:
    office.next()
    return Goto(Stage.OVER)


THREE = Retry(attempts=3, delay=timedelta(seconds=1), jitter=False)


def declared(**options: Any) -> Any:
    return (
        Lifecycle("claim", Claim, Stage, key=lambda claim: claim.id, **options)
        .on(Stage.OPEN, file, to={Stage.FILED}, undo=unfile, retry=THREE)
        .on(Stage.FILED, close, to={Stage.OVER}, irreversible="a test", retry=THREE)
        .workflow()
    )


async def begun(world: World, *planned: Any, **options: Any) -> tuple[Engine, Run[Claim], Office]:
    office, claims = Office(), declared(**options)
    office.planned = [*planned]
    engine = await world.engine(claims, services={Office: office})
    return engine, await engine.start(claims(Claim("c-1"))), office


async def until_fact(run: Run[Any], kind: type, count: int = 1) -> None:
    """Wait until the run has recorded so many facts of a kind."""
    found = 0
    async for event in run.events():
        found += isinstance(event.fact, kind)
        if found == count:
            return


async def pauses(engine: Engine, run: Run[Any]) -> list[timedelta | None]:
    """Return how long each pause was to last."""
    recorded = (await Operator(engine).history(run.id)).facts
    return [
        None if fact.until is None else timedelta(microseconds=fact.until - fact.at)
        for fact in recorded
        if isinstance(fact, facts.Paused)
    ]


async def test_a_handler_that_has_failed_so_often_pauses_its_run_instead_of_undoing_it(
    stored: World,
) -> None:
    engine, run, office = await begun(stored, *[Unavailable("down")] * 2, pause_after=2)
    await stored.finish(engine, until_fact(run, facts.Paused))
    report = await run.describe()

    await stored.finish(engine, run.resume(actor="eve", reason="it is up again"))

    assert (await stored.finish(engine, run.result())).calls == 1
    assert (report.status, office.calls) == ("paused", 4)
    assert await pauses(engine, run) == [None]


async def test_the_reason_of_such_a_pause_is_what_went_wrong(world: World) -> None:
    engine, run, _office = await begun(world, ValueError("no such form"), pause_after=5)
    await world.finish(engine, until_fact(run, facts.Paused))
    [paused] = [
        fact
        for fact in (await Operator(engine).history(run.id)).facts
        if isinstance(fact, facts.Paused)
    ]
    assert paused.actor == "claim/file"
    assert "no such form" in paused.reason


async def test_pauses_end_by_themselves_each_after_twice_as_long_and_so_often_at_most(
    stored: World,
) -> None:
    engine, run, office = await begun(
        stored, *[PauseRun("closed")] * 9, resume_after=HOUR, resumes_max=3
    )
    for count in range(3):
        await stored.finish(engine, until_fact(run, facts.Paused, count + 1))
        assert office.calls == count + 1
        stored.clock.turn(HOUR * 2**count)
        await stored.finish(engine, until_calls(office, count + 2))

    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.reason) == ("parked", "paused too often")
    assert await pauses(engine, run) == [HOUR, 2 * HOUR, 4 * HOUR]
    assert (await run.record()).record.calls == 4


async def until_calls(office: Office, count: int) -> None:
    while office.calls < count:
        await turn_of_the_loop()


async def test_a_pause_for_a_person_does_not_end_by_itself(stored: World) -> None:
    engine, run, office = await begun(
        stored, PauseRun("the sum is wrong", by_hand=True), resume_after=HOUR, resumes_max=3
    )
    await stored.finish(engine, until_fact(run, facts.Paused))
    stored.clock.turn(timedelta(days=9))
    client = await stored.engine(work=False)
    assert (await client.run(run.id).describe()).status == "paused"
    assert office.calls == 1

    await stored.finish(engine, run.resume(actor="eve", reason="it is right"))

    assert await stored.finish(engine, run.result()) == Claim("c-1", calls=2)
    assert await pauses(engine, run) == [None]


async def test_a_pause_that_ends_by_itself_does_so_under_another_worker_too(
    stored: World,
) -> None:
    engine, run, office = await begun(stored, PauseRun("closed"), resume_after=HOUR)
    await stored.finish(engine, until_fact(run, facts.Paused))
    await stored.close(engine)
    stored.clock.turn(2 * HOUR)

    other = await stored.engine(declared(resume_after=HOUR), services={Office: office})

    assert await stored.finish(other, other.run(run.id).result()) == Claim("c-1", calls=2)


async def test_errors_and_pauses_are_counted_anew_after_a_success(stored: World) -> None:
    down = Unavailable("down")
    engine, run, _office = await begun(
        stored,
        *[down, down, None],
        *[down, down, None],
        pause_after=2,
        resume_after=HOUR,
        resumes_max=1,
    )
    for count in (1, 2):
        await stored.finish(engine, until_fact(run, facts.Paused, count))
        stored.clock.turn(HOUR)
        await stored.finish(engine, until_fact(run, facts.Moved, count + 1))

    assert (await stored.finish(engine, run.result())).calls == 1
    assert await pauses(engine, run) == [HOUR, HOUR]


async def test_a_person_who_lets_a_parked_run_go_on_grants_it_as_many_pauses_again(
    stored: World,
) -> None:
    engine, run, office = await begun(
        stored, *[PauseRun("closed")] * 3, resume_after=HOUR, resumes_max=1
    )
    await stored.finish(engine, until_fact(run, facts.Paused))
    stored.clock.turn(HOUR)
    assert (await stored.finish(engine, run.outcome())).reason == "paused too often"

    await stored.finish(engine, Operator(engine).retry(run.id, **EVE))
    await stored.finish(engine, until_fact(run, facts.Paused, 2))
    stored.clock.turn(HOUR)

    assert (await stored.finish(engine, run.result())).calls == 4
    assert office.calls == 5


async def test_a_paused_run_can_be_cancelled(stored: World) -> None:
    engine, run, office = await begun(stored, Again(after=HOUR), PauseRun("closed"))
    await stored.finish(engine, until_calls(office, 1))
    stored.clock.turn(HOUR)
    await stored.finish(engine, until_fact(run, facts.Paused))

    await stored.finish(engine, run.cancel(reason="never mind"))

    assert (await stored.finish(engine, run.outcome())).status == "cancelled"
    assert office.calls == 2 + 2 * 100


@pytest.mark.parametrize(
    ("outcome", "error", "message"),
    [
        (CancelRun("sold out"), RunCancelled, "cancelled"),
        (FailRun(ValueError("no such form")), RunFailed, "no such form"),
    ],
)
async def test_a_handler_ends_its_run_and_what_was_done_is_undone(
    stored: World, outcome: Any, error: type[Exception], message: str
) -> None:
    engine, run, office = await begun(stored, Again(after=HOUR), outcome)
    await stored.finish(engine, until_calls(office, 1))
    stored.clock.turn(HOUR)

    with pytest.raises(error, match=message):
        await stored.finish(engine, run.result())
    assert office.calls == 2 + 2 * 100


async def test_a_handler_that_asks_for_itself_too_often_waits_for_a_person(world: World) -> None:
    engine, run, office = await begun(
        world, *[Again(after=timedelta(seconds=1))] * 9, repeats_max=2
    )

    outcome = await world.finish(engine, run.outcome())

    assert (outcome.reason, office.calls) == ("moved too often", 3)


async def test_a_handler_in_doubt_parks_its_run_whatever_pauses_it_may_have(
    stored: World,
) -> None:
    engine, run, _office = await begun(
        stored, *[OutcomeUnknown("?")] * 9, pause_after=2, resume_after=HOUR
    )

    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.reason) == ("parked", "in doubt")
