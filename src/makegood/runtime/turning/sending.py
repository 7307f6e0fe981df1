"""What an append says about its run, and what becomes of an outcome that the store refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.commands import Local
from makegood.decision.evolve import evolve
from makegood.errors import WritesRefused
from makegood.journal.protocol import Move, Summary
from makegood.runtime.calling.arriving import Arrival
from makegood.runtime.calling.failing import as_failure
from makegood.values.instants import micros
from makegood.values.verdict import FailureKind, Undecided

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.journal.protocol import Append, Applied
    from makegood.runtime.calling.local import LocalBody
    from makegood.runtime.turning.deciding import Errors
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = [
    "Sent",
    "fold_local",
    "is_progress",
    "moves_of",
    "summary_of",
    "unwritten",
    "whether_to_release",
]


class Sent:
    """An append in flight, and what is to be done when it is acknowledged."""

    __slots__ = ("append", "arrivals", "commands", "local", "recorded")

    def __init__(
        self,
        append: Append,
        recorded: list[Fact],
        commands: list[Command],
        arrivals: list[Arrival],
        local: LocalBody | None = None,
    ) -> None:
        self.append = append
        self.recorded = recorded
        self.commands = commands
        self.arrivals = arrivals
        self.local = local


def fold_local(sent: Sent, verdict: Applied, state: RunState, errors: Errors) -> list[Fact]:
    """Fold what a local body's own append has recorded, and return it."""
    (command,) = sent.commands
    assert isinstance(command, Local)
    assert sent.local is not None
    recorded = list(facts.read_facts(verdict.facts))
    for fact in recorded:
        evolve(state, fact)
    if sent.local.error is not None:
        errors[state.graph[command.node].path, command.direction] = sent.local.error
    return recorded


def is_progress(recorded: Sequence[Fact]) -> bool:
    """Say whether facts set the count of claims back: something ended, not merely began."""
    # Mostly the outcome for which the turn was taken, which is the first.
    return type(recorded[0]) in facts.PROGRESS or not facts.PROGRESS.isdisjoint(map(type, recorded))


def whether_to_release(
    state: RunState,
    now: Instant,
    *,
    is_busy: bool,
    is_draining: bool,
    wait_max: timedelta | None,
) -> tuple[bool, Instant | None]:
    """Say whether the run is given back with an append, and when it is due then."""
    if state.is_settled:
        return True, None
    if is_busy or state.in_flight:
        return False, None
    if state.is_paused:
        return True, state.next_due(now)
    if is_draining:
        return True, now
    due = state.next_due(now)
    if state.family.children or state.mailbox.waits:
        # Whoever waits for others keeps no room from them, however deep they stand in it.
        return True, due
    if due is None or wait_max is None or due - now <= micros(wait_max):
        return False, None
    return True, due


def moves_of(run: RunId, recorded: Sequence[Fact]) -> tuple[Move, ...]:
    """Return which statuses the record of a lifecycle has entered by these facts."""
    return tuple([_move_of(run, fact) for fact in recorded if type(fact) is _MOVED])


_MOVED = facts.Moved


def _move_of(run: RunId, fact: facts.Moved) -> Move:
    return Move(
        run=run,
        version=fact.version,
        # A lifecycle is the only node of its plan, and has its name.
        workflow=fact.node,
        origin=fact.origin,
        destination=fact.status,
        cause=f"{fact.cause} {fact.handler}" if fact.handler else fact.cause,
        at=fact.at,
    )


_RUNNING = Summary(status="running")


def summary_of(state: RunState) -> Summary:
    """Return what the run row is to say."""
    lifecycle, status = state.lifecycle, state.status
    if status == "running" and lifecycle is None:
        # Mostly it is: then it has no cause, no reason and no end.
        return _RUNNING
    return Summary(
        status=status,
        cause=state.cause or state.rolling_back,
        rollback=state.rollback,
        reason=state.parked,
        ended_at=state.ended_at,
        stage=None if lifecycle is None else lifecycle.status,
        stage_since=None if lifecycle is None else lifecycle.since,
    )


def unwritten(arrivals: list[Arrival], reason: str, now: Instant) -> list[Arrival]:
    """Return the outcomes to take instead of those whose statements were refused.

    Of several it is not known whose it was: they are to be sent one by one.
    """
    return arrivals if len(arrivals) > 1 else [_unwritten(arrivals[0], reason, now)]


def _unwritten(arrival: Arrival, reason: str, now: Instant) -> Arrival:
    """Turn an outcome whose statements were refused into one that can be recorded.

    The effect outside has happened, so the step is neither failed nor repeated.
    """
    error = WritesRefused(reason)
    failure = as_failure(error, FailureKind.PERMANENT)
    match arrival.fact:
        case facts.NodeDone(node=node) | facts.CompletionAwaited(node=node):
            fact: Fact = facts.EffectUnrecorded(node, failure, now)
        case facts.UndoDone(node=node):
            fact = facts.UndoFailed(node, failure, now)
        case facts.VerdictGiven(node=node):
            # What the compensate found may be true, but it is not on record.
            fact = facts.VerdictGiven(node, Undecided(), now)
        case _:
            message = f"{arrival.fact!r:.80} carries no statements"
            raise AssertionError(message)
    return Arrival(arrival.path, fact, error=error)
