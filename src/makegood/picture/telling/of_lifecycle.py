"""How is it said where the record of a lifecycle goes? In sentences about one fact each."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.picture.story import Happening
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.decision.happening.groups import OfLifecycle

__all__ = ["of_lifecycle"]


def of_lifecycle(fact: OfLifecycle) -> tuple[Happening, str]:
    """Say where a record went, or who is called for it."""
    match fact:
        case facts.Moved(origin=None):
            return Happening.MOVED, f"begins in {fact.status}"
        case facts.Moved():
            return Happening.MOVED, f"{fact.origin} → {fact.status}, by {fact.handler}"
        case facts.HandlingBegan():
            return Happening.CALLED, f"calls {fact.handler}, {_because(fact)}"
        case facts.Stayed():
            return Happening.STAYED, f"stays, by {fact.handler}{_then(fact)}"
        case facts.Listened():
            return Happening.AWAITING, f"waits for {', '.join(_awaited(fact)) or 'nothing'}"
        case _:
            assert_never(fact)


def _because(fact: facts.HandlingBegan) -> str:
    match fact.cause:
        case "message":
            return f"for the message {fact.message}"
        case "timer":
            return "whose time has come"
        case "again":
            return "once again"
        case "start" | "entry":
            return "as the status is entered"
        case _:
            assert_never(fact.cause)


def _then(fact: facts.Stayed) -> str:
    if fact.again is not None:
        return f", which is called again at {as_datetime(fact.again):%Y-%m-%d %H:%M:%S}"
    return ", and its timers begin anew" if fact.rearms else ""


def _awaited(fact: facts.Listened) -> Iterator[str]:
    for message in fact.messages:
        yield f"{message.rpartition('.')[2]} {fact.key}"
    for handler, due in fact.timers.items():
        yield f"{handler} at {as_datetime(due):%Y-%m-%d %H:%M:%S}"
