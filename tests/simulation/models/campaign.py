"""What a campaign of worlds of read models must have met; without it, nobody has looked there."""

from __future__ import annotations

from tests.simulation.kinds.playing import Kind
from tests.simulation.models.world import play

__all__ = ["MODELS"]

IN_ANY_WAY = (
    *("killed before", "killed inside, not done", "killed inside, done", "killed after"),
    *("refused", "unknown, not done", "unknown, done"),
)

MODELS = Kind(
    name="models",
    play=play,
    required=(
        "a message: done",
        "a message was erased",
        *(f"an edition of {model}: serving" for model in ("lines", "spent")),
        "lines was built anew",
        "spent was built anew",
        "a message that had to wait",
        "somebody wanted what is still to be received erased",
        *(f"fold: {fate}" for fate in IN_ANY_WAY),
        *(
            f"at any time: {what}"
            for what in ("kill", "pause", "stop", "deploy", "rebuild", "erase")
        ),
    ),
    seldom=(
        *(
            f"{operation}: {fate}"
            for operation in ("begin", "fill", "promote")
            for fate in IN_ANY_WAY
        ),
        *(f"fold: {fate}" for fate in ("sent again, done before", "full", "paused")),
    ),
)
