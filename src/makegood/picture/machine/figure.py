"""What is there to draw of a lifecycle? Its statuses, who is called in each, and where that leads.

Beside that stands what was counted of all runs, or how one run went through the statuses. It reads
no code, so a stored plan is drawn without the user's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from makegood.definition.lifecycle.machine import Trigger
from makegood.definition.plan import Plan
from makegood.errors import InvalidInput
from makegood.picture import words
from makegood.picture.graph import limits, plan_of, remedies
from makegood.picture.story import Timeline, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.definition.lifecycle.machine import Handler, Machine
    from makegood.definition.plan import Node
    from makegood.picture.graph import Drawn
    from makegood.runtime.asking.census import Census

__all__ = ["Figure", "Spot", "Stop", "Way", "figure_of", "is_lifecycle", "visited"]

MARKS = {
    Trigger.ENTRY: "▸",
    Trigger.CALL: "▣",
    Trigger.MESSAGE: "✉",
    Trigger.TIMER: "◷",
}
"""What stands before a handler; beside it there is always a word."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A handler as it is called in one status."""

    handler: str
    trigger: Trigger
    when: str
    """For what it is called, in words."""
    to: tuple[str, ...]
    """Where it may lead."""
    notes: tuple[str, ...]
    """How often it is tried, and how it is made good again."""

    @property
    def mark(self) -> str:
        """The character that stands for what it is called for."""
        return MARKS[self.trigger]


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One stay of a run at a status."""

    number: int
    """The how many-th status it was that the run has entered, from 1."""
    visit: Visit
    lasted: timedelta | None
    """None while it is not known how long it will be."""


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """A status."""

    name: str
    is_start: bool
    is_terminal: bool
    is_pivot: bool
    ways: tuple[Way, ...]
    """What is called on entry first, then for messages, then for timers."""
    counted: tuple[str, ...] = ()
    """How many runs stand here and how long, and how many have come and left, in words."""
    has_runs: bool = False
    has_trouble: bool = False
    """A run here waits for a person."""
    stops: tuple[Stop, ...] = ()
    """The stays of the one run that is drawn."""
    is_last: bool = False
    """Where that run is, or has ended."""

    @property
    def entry(self) -> Way | None:
        """What is called, or started, when it is entered."""
        return next((way for way in self.ways if way.trigger in _ON_ENTRY), None)

    @property
    def others(self) -> tuple[Way, ...]:
        """What is called for messages and for timers."""
        return tuple(way for way in self.ways if way.trigger not in _ON_ENTRY)


_ON_ENTRY = (Trigger.ENTRY, Trigger.CALL)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn of a lifecycle."""

    plan: Plan
    run: Timeline | None
    spots: tuple[Spot, ...]
    counts: Mapping[tuple[str, str], int]
    """How many moves were made of late from one status to another."""
    period: timedelta | None
    """How long "of late" is; None where nothing was counted."""
    steps: Mapping[tuple[str, str, str], tuple[int, ...]]
    """The numbers of the moves of a run, by where it was, who has led it on, and to where."""

    @property
    def start(self) -> str:
        """Where a run begins."""
        return next(spot.name for spot in self.spots if spot.is_start)

    @property
    def signature(self) -> str:
        """What the lifecycle takes and gives."""
        return words.signature(self.plan)

    def beside(self, origin: Spot, way: Way, destination: str) -> str:
        """Say what is known of the moves along one arrow; empty where nothing is."""
        if self.run is not None:
            numbers = self.steps.get((origin.name, way.handler, destination), ())
            return ", ".join(map(str, numbers))
        count = self.counts.get((origin.name, destination), 0)
        if not count or self.period is None:
            return ""
        together = sum(destination in each.to for each in origin.ways)
        return f"{count:,} together" if together > 1 else f"{count:,}"


def is_lifecycle(drawn: Drawn, census: Census | None) -> bool:
    """Say whether what is drawn has statuses; `InvalidInput` where only a lifecycle would do."""
    plan = plan_of(drawn)
    if census is not None and plan.machine is None:
        message = f"a census counts the runs of a lifecycle, and `{plan.workflow}` is none"
        raise InvalidInput(f"{message}; leave it out")
    return plan.machine is not None


def figure_of(drawn: Drawn, census: Census | None = None) -> Figure:
    """Return what is drawn of a lifecycle, or of one run of it.

    Raises `InvalidInput` for a census of something else, or beside a run.
    """
    plan = plan_of(drawn)
    machine = plan.machine
    run = drawn if isinstance(drawn, Timeline) else None
    if census is not None and (run is not None or census.lifecycle != plan.workflow):
        what = f"a run of {plan.workflow}" if run is not None else plan.workflow
        message = f"the census counts runs of {census.lifecycle}, and {what} is drawn; leave it out"
        raise InvalidInput(message)
    assert machine is not None, "a lifecycle has statuses"
    stops: Mapping[str, Sequence[Stop]] = {} if run is None else _stops(run)
    last = run.visits[-1].status if run is not None and run.visits else None
    counted = {} if census is None else {each.stage: each for each in census.stages}
    moves = () if census is None else census.moves
    return Figure(
        plan=plan,
        run=run,
        spots=tuple(
            Spot(
                name=name,
                is_start=name == machine.start,
                is_terminal=name in machine.terminal,
                is_pivot=name in machine.pivots,
                ways=tuple(_ways(plan, machine, name)),
                counted=() if census is None else tuple(_counted(census, machine, name)),
                has_runs=name in counted,
                has_trouble=name in counted and counted[name].parked > 0,
                stops=tuple(stops.get(name, ())),
                is_last=name == last,
            )
            for name in machine.statuses
        ),
        counts={(each.origin, each.destination): each.count for each in moves if each.origin},
        period=None if census is None else _period(census),
        steps={} if run is None else _steps(run),
    )


# Who is called ------------------------------------------------------------------------------------


def _ways(plan: Plan, machine: Machine, status: str) -> Iterator[Way]:
    node = plan.nodes[0]
    found = [each for each in machine.handlers if status in each.statuses]
    for handler in sorted(found, key=lambda each: _ORDER.index(each.trigger)):
        block = node.blocks[machine.places[handler.name]]
        yield Way(
            handler=handler.name,
            trigger=handler.trigger,
            when=_when(handler),
            to=handler.to,
            notes=_notes(block.nodes[-1]),
        )


_ORDER = (Trigger.ENTRY, Trigger.CALL, Trigger.MESSAGE, Trigger.TIMER)


def _when(handler: Handler) -> str:
    match handler.trigger:
        case Trigger.ENTRY:
            return "on entry"
        case Trigger.CALL:
            return "its run has ended"
        case Trigger.MESSAGE:
            return f"hears {(handler.message or '').rpartition('.')[2]}"
        case Trigger.TIMER:
            if handler.after is None:
                return "when the record says"
            return f"after {words.allowed(handler.after)}"


def _notes(node: Node) -> tuple[str, ...]:
    return (*limits(node), *remedies(node))


# What was counted ---------------------------------------------------------------------------------


def _counted(census: Census, machine: Machine, name: str) -> Iterator[str]:
    """Say how many runs stand at a status, and how many have come and left of late."""
    found = next((each for each in census.stages if each.stage == name), None)
    is_terminal = name in machine.terminal
    if found is not None:
        beside = [f"{found.count:,} run{'' if found.count == 1 else 's'}"]
        beside += [f"{found.parked:,} parked"] if found.parked else []
        beside += [f"{found.paused:,} paused"] if found.paused else []
        yield ", ".join(beside)
        yield f"longest {words.lasted(census.lag(found))}"
    elif not is_terminal:
        yield "no run"
    came = sum(each.count for each in census.moves if each.destination == name)
    left = sum(each.count for each in census.moves if each.origin == name)
    if came or left:
        out = "" if is_terminal else f", {left:,} left"
        yield f"{came:,} came{out} in {words.allowed(_period(census))}"


def _period(census: Census) -> timedelta:
    return timedelta(microseconds=census.at - census.since)


# How one run went ---------------------------------------------------------------------------------


def _stops(run: Timeline) -> Mapping[str, Sequence[Stop]]:
    """Return the stays of a run by their status, each in the order of time."""
    found: dict[str, list[Stop]] = {}
    ends = [*(visit.at for visit in run.visits[1:]), run.ended]
    for number, (visit, end) in enumerate(zip(run.visits, ends, strict=True), 1):
        lasted = None if end is None else end - visit.at
        stop = Stop(number=number, visit=visit, lasted=lasted)
        found.setdefault(visit.status, []).append(stop)
    return found


def _steps(run: Timeline) -> Mapping[tuple[str, str, str], tuple[int, ...]]:
    numbers: dict[tuple[str, str, str], list[int]] = {}
    for number, visit in enumerate(run.visits):
        if visit.origin is not None:
            numbers.setdefault((visit.origin, visit.handler, visit.status), []).append(number)
    return {step: tuple(found) for step, found in numbers.items()}


def visited(spot: Spot) -> tuple[str, ...]:
    """Say how often and how long a run was at a status."""
    if not spot.stops:
        return ()
    numbers = Counter(stop.lasted is None for stop in spot.stops)
    took = sum((stop.lasted or timedelta(0) for stop in spot.stops), timedelta(0))
    times = len(spot.stops)
    said = "entered once" if times == 1 else f"entered {times:,} times"
    return (said if numbers[True] == times else f"{said}, {words.lasted(took)}",)
