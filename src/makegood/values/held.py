"""What says that a run holds a key, and how is a claim on one named? Knows no run and no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from makegood.values.instants import Instant

__all__ = ["HELD", "Held", "claim_id"]

HELD = "makegood.Held"
"""The name by which a run is told that it holds a key. Nobody else sends under this name."""


@dataclass(frozen=True)
class Held:
    """The run holds this key until it ends. What `hold(…)` gives."""

    message_name: ClassVar[str] = HELD

    key: str


def claim_id(node: str, since: Instant) -> str:
    """Return the name, within its run, of the claim that a node makes at this moment."""
    return f"{node}@{since}"
