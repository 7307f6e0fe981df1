"""The colours and marks of a picture. Each text has a contrast of at least 4.5 to what it is on."""

from __future__ import annotations

import msgspec

from makegood.definition.plan import Kind
from makegood.picture.story import Standing

__all__ = [
    "ARROW",
    "BACK",
    "FAINT",
    "FRAME",
    "INK",
    "KINDS",
    "MARKS",
    "PAPER",
    "STANDINGS",
    "TROUBLE",
    "Paint",
    "paint_of_status",
]

PAPER = "#ffffff"
INK = "#18181b"
FAINT = "#52525b"
ARROW = "#71717a"
BACK = "#6d28d9"
"""What leads back: undo, compensate, and the way that an undo went."""
TROUBLE = "#b91c1c"


class Paint(msgspec.Struct, frozen=True):
    """The colours of a box."""

    fill: str
    stroke: str
    ink: str


FRAME = Paint(PAPER, "#d4d4d8", FAINT)
"""What holds other boxes."""

KINDS: dict[Kind, Paint] = {
    Kind.STEP: Paint("#eff6ff", "#2563eb", "#1d4ed8"),
    Kind.LOCAL: Paint("#eef2ff", "#4f46e5", "#4338ca"),
    Kind.QUERY: Paint("#f0fdf4", "#16a34a", "#166534"),
    Kind.PURE: Paint("#fefce8", "#ca8a04", "#854d0e"),
    Kind.NOTE: Paint("#fdf2f8", "#db2777", "#9d174d"),
    Kind.EXPECT: Paint("#fff7ed", "#ea580c", "#9a3412"),
    Kind.SWITCH: Paint("#fff7ed", "#ea580c", "#9a3412"),
    Kind.SLEEP: Paint("#ecfeff", "#0891b2", "#155e75"),
    Kind.WAIT: Paint("#ecfeff", "#0891b2", "#155e75"),
    Kind.SEND: Paint("#eff6ff", "#2563eb", "#1d4ed8"),
    Kind.EACH: Paint("#faf5ff", "#9333ea", "#6b21a8"),
    Kind.REPEAT: Paint("#faf5ff", "#9333ea", "#6b21a8"),
    Kind.CHILD: Paint("#f5f3ff", "#7c3aed", "#5b21b6"),
    Kind.LIFECYCLE: Paint("#f0fdfa", "#0d9488", "#115e59"),
}

_UNTOUCHED = Paint("#fafafa", "#a1a1aa", "#52525b")

STANDINGS: dict[Standing, Paint] = {
    Standing.IDLE: _UNTOUCHED,
    Standing.AT_WORK: Paint("#eff6ff", "#2563eb", "#1d4ed8"),
    Standing.WAITING: Paint("#ecfeff", "#0891b2", "#155e75"),
    Standing.DONE: Paint("#f0fdf4", "#16a34a", "#166534"),
    Standing.KEPT: Paint("#fefce8", "#a16207", "#854d0e"),
    Standing.UNDONE: Paint("#f5f3ff", "#7c3aed", "#6d28d9"),
    Standing.SKIPPED: _UNTOUCHED,
    Standing.STOPPED: _UNTOUCHED,
    Standing.FAILED: Paint("#fef2f2", "#dc2626", "#b91c1c"),
    Standing.IN_DOUBT: Paint("#fffbeb", "#d97706", "#92400e"),
    Standing.LEFT: Paint("#fff1f2", "#be123c", "#be123c"),
}

MARKS: dict[Standing, str] = {
    Standing.IDLE: "M6 9h.01M9 9h.01M12 9h.01",
    Standing.AT_WORK: "M7 5.5l5.5 3.5L7 12.5z",
    Standing.WAITING: "M9 5v4.2l3 1.8",
    Standing.DONE: "M5.2 9.4l2.6 2.6 5-5.6",
    Standing.KEPT: "M6.2 6.2h5.6v5.6h-5.6z",
    Standing.UNDONE: "M7.6 4.6L4.9 7.3l2.7 2.7M4.9 7.3h5.2a2.7 2.7 0 0 1 2.7 2.7v2.6",
    Standing.SKIPPED: "M5.4 9h7.2",
    Standing.STOPPED: "M5.4 12.6l7.2-7.2",
    Standing.FAILED: "M6 6l6 6M12 6l-6 6",
    Standing.IN_DOUBT: "M6.8 7.1a2.2 2.2 0 1 1 3.1 2c-.6.3-.9.7-.9 1.4M9 13h.01",
    Standing.LEFT: "M9 4.8v5M9 12.9h.01",
}
"""Lines in a square of 18, to be drawn in white on a disc."""

_STATUSES: dict[str, Standing] = {
    "completed": Standing.DONE,
    "failed": Standing.FAILED,
    "cancelled": Standing.UNDONE,
    "erased": Standing.SKIPPED,
    "undoing": Standing.UNDONE,
    "parked": Standing.IN_DOUBT,
    "waiting": Standing.WAITING,
    "paused": Standing.WAITING,
}


def paint_of_status(status: str) -> Paint:
    """Return the colours in which a run's status is written."""
    return STANDINGS[_STATUSES.get(status, Standing.AT_WORK)]
