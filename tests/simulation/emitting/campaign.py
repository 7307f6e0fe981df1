"""What a campaign of worlds of emitting must have met; without it, nobody has looked there."""

from __future__ import annotations

from tests.simulation.emitting.shop import SAYS
from tests.simulation.emitting.world import play
from tests.simulation.kinds.playing import Kind

__all__ = ["EMITTING"]

EMITTING = Kind(
    name="emitting",
    play=play,
    required=(
        *(f"trips: {status}" for status in ("completed", "failed", "cancelled")),
        *(f"files: {status}" for status in ("completed", "cancelled")),
        *(f"told of: {name}" for name, direction in SAYS if direction == "do"),
        *(f"told of the undo of: {name}" for name, direction in SAYS if direction == "undo"),
        "its compensate told of: insure",
        "a compensate that says nothing",
        *(f"tried again: {name}" for name in ("insure", "depart", "remind")),
        "asked again under its key",
        *(
            f"append: {fate}"
            for fate in (
                *("killed before", "killed inside, not done", "killed inside, done"),
                *("killed after", "refused", "full", "unknown, not done", "unknown, done"),
            )
        ),
        *(f"at any time: {what}" for what in ("kill", "pause", "clock")),
    ),
    seldom=(
        "append: sent again, done before",
        "append: sent again, not done before",
        "append: paused",
    ),
)
