"""What has happened to the record of a lifecycle that somebody may want to know.

It follows from the facts of a turn and the state after them, so that a turn which is decided anew
tells the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.decision.people.failures import failures_in
from makegood.values.instants import Instant
from makegood.values.lifecycle.announced import Occasion
from makegood.values.outcomes import StoredCancel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState

__all__ = ["Happened", "happened_in"]


class Happened(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that has happened."""

    place: int
    """Which of the facts of the turn says so."""
    occasion: Occasion
    at: Instant
    status: str | None
    stood: int
    """For how long the record has stood where it stands, or, where it has moved, stood before, in
    microseconds."""
    origin: str | None = None
    handler: str = ""
    actor: str = ""
    reason: str = ""


def happened_in(state: RunState, recorded: Sequence[Fact]) -> Iterator[Happened]:
    """Give what the facts of a turn tell of the record, in their order."""
    lifecycle = state.lifecycle
    assert lifecycle is not None, "only the record of a lifecycle is announced"
    for place, fact in enumerate(recorded):
        match fact:
            case facts.RunStarted():
                yield Happened(
                    place=place, occasion=Occasion.STARTED, at=fact.at, status=None, stood=0
                )
            case facts.Moved():
                left = fact.at if lifecycle.left_since is None else lifecycle.left_since
                yield Happened(
                    place=place,
                    occasion=Occasion.ENTERED,
                    at=fact.at,
                    status=fact.status,
                    stood=fact.at - left,
                    origin=fact.origin,
                    handler=fact.handler,
                )
            case facts.Paused():
                yield _of_run(lifecycle, place, Occasion.PAUSED, fact.at, (fact.actor, fact.reason))
            case facts.Resumed():
                yield _of_run(
                    lifecycle, place, Occasion.RESUMED, fact.at, (fact.actor, fact.reason)
                )
            case facts.Parked():
                yield _of_run(lifecycle, place, Occasion.PARKED, fact.at, ("", fact.reason.value))
            case facts.Unparked():
                yield _of_run(lifecycle, place, Occasion.UNPARKED, fact.at)
            case facts.RunEnded():
                yield _ended(state, lifecycle, place, fact)
            case _:
                continue


def _ended(
    state: RunState, lifecycle: LifecycleState, place: int, fact: facts.RunEnded
) -> Happened:
    match fact.status:
        case EndStatus.COMPLETED:
            return _of_run(lifecycle, place, Occasion.COMPLETED, fact.at)
        case EndStatus.CANCELLED:
            why = _who_cancelled(state, lifecycle)
            return _of_run(lifecycle, place, Occasion.CANCELLED, fact.at, why)
        case _:
            failures = failures_in(state)
            error = str(failures[0].failure) if failures else str(fact.cause)
            return _of_run(lifecycle, place, Occasion.FAILED, fact.at, ("", error))


def _who_cancelled(state: RunState, lifecycle: LifecycleState) -> tuple[str, str]:
    if lifecycle.cancelled_by is not None:
        return lifecycle.cancelled_by
    if isinstance(lifecycle.outcome, StoredCancel):
        assert lifecycle.called is not None, "a handler has said so"
        path = state.graph[lifecycle.index].path
        return f"{path}/{lifecycle.called.handler}", lifecycle.outcome.reason
    return "", ""


def _of_run(
    lifecycle: LifecycleState,
    place: int,
    occasion: Occasion,
    at: Instant,
    why: tuple[str, str] = ("", ""),
) -> Happened:
    """Return what has happened to the run, and who has wanted it and why."""
    since = at if lifecycle.since is None else lifecycle.since
    return Happened(
        place=place,
        occasion=occasion,
        at=at,
        status=lifecycle.status,
        stood=max(0, at - since),
        actor=why[0],
        reason=why[1],
    )
