"""One world: a run of the workflow to which exactly these faults happen, played to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.decision.imagined import ImaginedRun
from makegood.exploring.choices import LAST_FIRST, Option
from makegood.exploring.faults import Befalls, Dies, Fault, Reversed
from makegood.exploring.outside import Outside
from makegood.values.instants import Instant, after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.exploring.setting import Setting

__all__ = ["STARTS_AT", "Played", "World", "play"]

STARTS_AT = Instant(1_767_268_800_000_000)
"""When every run begins: noon of the first day of 2026."""

EVENTS_MAX = 20_000
"""How many bodies end and times come in one world at most, until it is said not to come to rest."""


class World(msgspec.Struct, frozen=True):
    """Which way the run goes where it branches, and what befalls it."""

    taken: tuple[Option, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A world that was played to its end."""

    world: World
    facts: Sequence[Fact]
    appends: int
    state: RunState
    outside: Outside
    is_at_rest: bool
    is_parallel: bool
    """Whether several bodies were at work at once."""


def play(setting: Setting, world: World) -> Played:
    """Play one world."""
    outside = Outside(
        setting,
        {option.key: option.taken for option in world.taken},
        (fault for fault in world.faults if isinstance(fault, Befalls)),
    )
    deaths = frozenset(
        (fault.append, fault.is_lost) for fault in world.faults if isinstance(fault, Dies)
    )
    run = ImaginedRun(setting.plan, outside, STARTS_AT, deaths=deaths, decide=setting.decide)
    run.turn(_started(setting))
    is_parallel, is_last_first = False, LAST_FIRST in world.taken
    is_to_be_reversed = any(isinstance(fault, Reversed) for fault in world.faults)
    for _ in range(EVENTS_MAX):
        if run.work:
            work = run.work[::-1] if is_last_first else run.work
            is_parallel = is_parallel or len(work) > 1
            body = next((each for each in work if not outside.is_slow(run, each)), work[0])
            run.end(body, outside.ends(run, body))
        elif (answer := outside.answer(run)) is not None:
            run.turn(answer)
        elif run.state.family.children:
            run.turn(outside.child_says(run, run.state.family.children[0]))
        elif not run.pass_time():
            if not is_to_be_reversed or run.state.ended is not EndStatus.COMPLETED:
                break
            is_to_be_reversed = False
            run.turn(facts.UndoRequested(1, "a person", "", run.now))
    return Played(
        world=world,
        facts=run.recorded,
        appends=len(run.appends) - 1,
        state=run.state,
        outside=outside,
        is_at_rest=run.state.is_settled and not run.work,
        is_parallel=is_parallel,
    )


def _started(setting: Setting) -> Fact:
    deadline = setting.plan.deadline
    return facts.RunStarted(
        workflow=setting.plan.workflow,
        fingerprint=setting.plan.fingerprint,
        key=None,
        inputs=setting.inputs,
        deadline=None if deadline is None else after(STARTS_AT, deadline),
        at=STARTS_AT,
    )
