"""Whether the record of a lifecycle may stand where it does, once its statuses are others.

Which ways it has come there matters no more: statuses that it has left, and destinations that it
did not take, may be anything. What counts is where it stands, what it listens for there, and what
a handler has just decided. A handler that was called may be gone, once the call is over and nothing
that it did may have to be undone.

| the record | fits when, under the new definition |
|---|---|
| stands in a status | that is still one, and as terminal as it was |
| listens for a message, or has one waiting | the status still hears it |
| waits for a time | the status still has that timer |
| is to be handled again | the handler is still called in that status |
| was to be led on, and the run is paused before that | the handler still leads there |
| is past a pivot, or is not | the same is true |
| was written in some schema | that is still read |
| was handled by what is gone | that call is over, and has no undo, or is behind the pivot |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision.state import Phase
from makegood.values.outcomes import StoredGoto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.decision.facts import HandlingBegan
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState
    from makegood.definition.lifecycle.machine import Machine
    from makegood.definition.plan import Node

__all__ = ["misfit_of_call", "misfit_of_giving_up", "misfit_of_gone", "misfit_of_standing"]

_OVER = frozenset({Phase.DONE, Phase.SKIPPED, Phase.STOPPED, Phase.UNDONE, Phase.KEPT})
"""Phases of a call of which nothing is to come, but that it may have to be undone."""


def misfit_of_call(call: HandlingBegan, old: Node, new: Node) -> str | None:
    """Say that a handler was called which does not exist any more, and had called a workflow."""
    assert old.machine is not None, "a lifecycle has handlers"
    assert new.machine is not None, "a lifecycle has handlers"
    if call.handler in new.machine.places or call.handler not in old.machine.places:
        return None
    # How many nodes its round has is known to the plan alone; of all others it is one.
    is_alone = len(old.blocks[old.machine.places[call.handler]].nodes) == 1
    return None if is_alone else _was_called(call.handler)


def misfit_of_gone(old: RunState, new: RunState) -> str | None:
    """Say why a handler that was called must still exist, or None; both have folded the facts."""
    was, now = old.lifecycle, new.lifecycle
    if was is None or now is None:
        return None
    for there in sorted(now.gone):
        here = old.positions[new.graph[there].path]
        name, phase = new.graph[there].function, old.nodes[here].phase
        if phase not in _OVER:
            return _was_called(name)
        if phase is Phase.DONE and old.graph[here].undo is not None and not was.is_past_pivot:
            return f"what `{name}` did may have to be undone, and it does not exist any more"
        is_going_back = old.ended is not None or old.rolling_back is not None
        is_judged = is_going_back or old.nodes[was.index].phase in _JUDGED
        if there == now.last and not is_judged:
            return f"it is still to be decided what `{name}` led to, which does not exist any more"
    return None


_JUDGED = frozenset({Phase.STANDING, Phase.DONE})
"""Phases of a record that its last handler is of no use to any more."""


def _was_called(name: str) -> str:
    return f"the handler `{name}` was called, and does not exist any more"


def misfit_of_giving_up(path: str, old: Machine | None, new: Machine | None) -> str | None:
    """Say that a handler which gave up has paused the run, and would fail it now, or None."""
    if old is None or new is None or old.pauses is new.pauses:
        return None
    was, now = ("paused", "fail") if old.pauses else ("failed", "pause")
    return f"`{path}` gave up, which has {was} the run, and would {now} it now"


def misfit_of_standing(old: RunState, new: RunState) -> str | None:
    """Say why a record cannot go on from where it stands, or None; both have folded its facts."""
    was, now = old.lifecycle, new.lifecycle
    if was is None or now is None or was.status is None:
        return None
    if old.ended is not None or old.rolling_back is not None:
        # What was done is there to be undone, and the record goes nowhere any more.
        return None
    path, is_unjudged = old.graph[was.index].path, old.nodes[was.index].phase is Phase.HANDLED
    if was.status not in now.machine.statuses:
        return f"`{path}` stands in {was.status}, which is no status any more"
    return next(_misfits(was, now, path, is_unjudged=is_unjudged), None)


def _misfits(
    was: LifecycleState, now: LifecycleState, path: str, *, is_unjudged: bool
) -> Iterator[str]:
    """Give everything that keeps the record from going on, what weighs most first."""
    status, machine = was.status, now.machine
    assert status is not None, "it stands somewhere"
    if was.is_past_pivot is not now.is_past_pivot:
        yield f"`{path}` was {_pivot(was)} the pivot, and is {_pivot(now)} it now"
    is_end = status in machine.terminal
    if is_end is not (status in was.machine.terminal):
        yield f"`{path}` stands in {status}, which is {'' if is_end else 'not '}terminal now"
    if was.schema > machine.schema:
        yield f"the record has schema {was.schema}, and those up to {machine.schema} are read now"
    if is_unjudged and isinstance(was.outcome, StoredGoto):
        name, led_to = was.handler.name, was.outcome.status
        if led_to not in machine.handler(name).to:
            yield f"`{name}` has led to {led_to}, where it does not lead any more"
    heard = [message for message, _key in was.open] + [came.message for came in was.queue]
    for message in heard:
        if message not in machine.hears[status]:
            yield f"`{path}` is to hear {message} in {status}, which that does not hear any more"
    timers = {handler.name for handler in machine.timers[status]}
    for name in was.timers:
        if name not in timers:
            yield f"`{path}` waits for the time of `{name}`, which {status} does not have any more"
    for name in was.repeats:
        if name not in machine.places or status not in machine.handler(name).statuses:
            yield f"`{name}` is to be called again, and is not called in {status} any more"


def _pivot(lifecycle: LifecycleState) -> str:
    return "past" if lifecycle.is_past_pivot else "before"
