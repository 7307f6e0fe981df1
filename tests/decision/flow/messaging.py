"""What is computed of a wait and of what is sent, where a test drives a run by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Raw

from makegood.decision import facts
from makegood.values.instants import Instant, after

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Node

FOR_EVER = "for ever"
"""The wait is never given up."""
HELD_BACK = "held back"
"""The message goes out when the run has completed."""
GIVEN_UP_AFTER = timedelta(hours=1)
KEPT_FOR = timedelta(minutes=3)
MESSAGE = Raw(b'"a parcel"')


def of_message(
    node: Node, what: Literal["wait", "letter"], path: str, outcome: str, now: Instant
) -> Fact:
    if what == "wait":
        due = None if outcome == FOR_EVER else after(now, GIVEN_UP_AFTER)
        return facts.WaitBegan(path, node.function, "k", due, now)
    on: Literal["now", "success"] = "success" if outcome == HELD_BACK else "now"
    return facts.MessageSent(path, node.function, "k", MESSAGE, on, after(now, KEPT_FOR), now)
