"""One world: a run of the workflow to which exactly these faults happen, played to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.commands import Start
from makegood.decision.facts import EndStatus
from makegood.decision.imagined import ImaginedRun
from makegood.exploring.choices import LAST_FIRST, Option
from makegood.exploring.faults import (
    Befalls,
    Cancelled,
    Dies,
    Fault,
    Meanwhile,
    Reversed,
    Twice,
)
from makegood.exploring.outside import Outside
from makegood.exploring.standing import VISITS_SHOWN
from makegood.values.instants import Instant, after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.imagined import Body
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
    marks: Sequence[int]
    """How many facts were on record before the first append, and after each one."""
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
    record = None if run.state.lifecycle is None else _Record(outside, world)
    for _ in range(EVENTS_MAX):
        if run.work:
            work = run.work[::-1] if is_last_first else run.work
            is_parallel = is_parallel or len(work) > 1
            body = next((each for each in work if not outside.is_slow(run, each)), work[0])
            came = None if record is None else record.meanwhile(run, body)
            if came is not None:
                run.turn(came)
            else:
                run.end(body, outside.ends(run, body))
        elif (answer := outside.answer(run)) is not None:
            run.turn(answer)
        elif run.state.family.children:
            run.turn(outside.child_says(run, run.state.family.children[0]))
        elif record is not None and record.stands(run):
            if not record.goes_on(run):
                break
        elif not run.pass_time():
            if not is_to_be_reversed or run.state.ended is not EndStatus.COMPLETED:
                break
            is_to_be_reversed = False
            run.turn(facts.UndoRequested(1, "a person", "", run.now))
    return Played(
        world=world,
        facts=run.recorded,
        appends=len(run.appends) - 1,
        marks=tuple(run.appends),
        state=run.state,
        outside=outside,
        is_at_rest=not run.work and (run.state.is_settled or run.state.lifecycle is not None),
        is_parallel=is_parallel,
    )


class _Record:
    """The record of a lifecycle, to which things come in this world."""

    def __init__(self, outside: Outside, world: World) -> None:
        self._standing = outside.standing
        self._cancelled = {each.status for each in world.faults if isinstance(each, Cancelled)}
        self._twice = {each.message for each in world.faults if isinstance(each, Twice)}
        self._meanwhile = {
            each.node: each.message for each in world.faults if isinstance(each, Meanwhile)
        }

    def meanwhile(self, run: ImaginedRun, body: Body) -> Fact | None:
        """Return the message that comes while a handler is at work, if one does in this world."""
        if run.state.rolling_back is not None or not isinstance(body, Start):
            return None
        path = run.state.graph[body.node].path
        return self._standing.meanwhile(run, path, self._meanwhile.pop(path, None))

    def stands(self, run: ImaginedRun) -> bool:
        """Say whether the record stands in a status, and waits for what comes."""
        state, lifecycle = run.state, run.state.lifecycle
        assert lifecycle is not None, "it is the record of a lifecycle"
        is_held = state.is_settled or state.is_paused or state.rolling_back is not None
        return lifecycle.busy is None and not is_held

    def goes_on(self, run: ImaginedRun) -> bool:
        """Let something come to the record; say whether anything did, and is worth to be told."""
        lifecycle = run.state.lifecycle
        assert lifecycle is not None, "it is the record of a lifecycle"
        if lifecycle.visits > VISITS_SHOWN:
            return False
        status = str(lifecycle.status)
        self._standing.comings.stands.setdefault(status, len(run.facts))
        if status in self._cancelled:
            self._cancelled.discard(status)
            run.turn(facts.CancelRequested(1, "a person", "", run.now))
            return True
        came = self._standing.comes(run, self._twice)
        if isinstance(came, bool):
            return came and run.pass_time()
        run.turn(came)
        return True


def _started(setting: Setting) -> Fact:
    deadline = setting.plan.deadline
    return facts.RunStarted(
        workflow=setting.plan.workflow,
        fingerprint=setting.plan.fingerprint,
        key=None,
        inputs=setting.inputs,
        schema=1 if setting.plan.machine is None else setting.plan.machine.schema,
        deadline=None if deadline is None else after(STARTS_AT, deadline),
        at=STARTS_AT,
    )
