"""What a status of a lifecycle listens for, computed from its record, inside the turn.

What the user's functions raise here is no failure of the run: it waits for a person, as for every
mistake in the declaration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.errors import InvalidInput
from makegood.runtime.calling.failing import as_failure
from makegood.values.instants import after, as_instant
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    from datetime import datetime

    from makegood.decision.commands import Evaluate
    from makegood.decision.facts import Fact
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState
    from makegood.definition.code import Code, LifecycleCode
    from makegood.values.instants import Instant

__all__ = ["OF_STANDING", "evaluate_standing"]

OF_STANDING = frozenset({"listen", "final"})
"""What is computed of where a record stands."""


def evaluate_standing(
    code: Code, state: RunState, command: Evaluate, now: Instant
) -> tuple[Fact, BaseException | None]:
    """Return what a status listens for from now on, or the record as its run gives it."""
    lifecycle, its = state.lifecycle, code.lifecycle
    assert lifecycle is not None, "only the record of a lifecycle stands somewhere"
    assert its is not None, "a lifecycle has code of its own"
    path = state.graph[command.node].path
    try:
        if command.what == "final":
            record = its.record.read(lifecycle.record, lifecycle.schema)
            return facts.NodeDone(path, its.record.write(record), now), None
        return _listened(path, its, state, lifecycle, now), None
    except Exception as error:  # noqa: BLE001 - a user's function ends here
        failure = as_failure(error, FailureKind.PERMANENT)
        return facts.NodeRefused(path, failure, now), error


def _listened(
    path: str, code: LifecycleCode, state: RunState, lifecycle: LifecycleState, now: Instant
) -> Fact:
    key = state.key
    if key is None:
        # It has none where nobody has started it, as in an exploration.
        key = code.key(code.began(state.inputs))
    return facts.Listened(path, key, now, lifecycle.unheard, _timers(code, lifecycle, now))


def _timers(code: LifecycleCode, lifecycle: LifecycleState, now: Instant) -> dict[str, Instant]:
    """Return when each timer is due that is to be set, by its length or as the record says.

    It is counted from when the status began to listen, which is now unless the timer is new.
    """
    start = now if lifecycle.armed_at is None else lifecycle.armed_at
    found: dict[str, Instant] = {}
    for handler in lifecycle.unset:
        if handler.after is not None:
            found[handler.name] = after(start, handler.after)
            continue
        record = code.record.read(lifecycle.record, lifecycle.schema)
        due = code.due[handler.name](record)
        if due is not None:
            found[handler.name] = _instant(handler.name, due)
    return found


def _instant(name: str, due: datetime) -> Instant:
    try:
        return as_instant(due)
    except (AttributeError, TypeError, ValueError) as error:
        message = f"at= of `{name}` gives {due!r:.80}; give an aware datetime, or None for never"
        raise InvalidInput(message) from error
