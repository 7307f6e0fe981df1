"""What a campaign of worlds of moving must have met; without it, nobody has looked there."""

from __future__ import annotations

from tests.simulation.kinds.playing import Kind
from tests.simulation.moving.world import play

__all__ = ["MOVING"]

MOVING = Kind(
    name="moving",
    play=play,
    required=(
        *(f"a run: {status}" for status in ("completed", "failed", "cancelled")),
        *(f"ended by edition {number}" for number in (1, 3)),
        *(f"at any time: {what}" for what in ("deploy", "stop", "kill", "pause")),
        *(f"not retried: {answer}" for answer in ("already undoing", "not begun", "too late")),
        "adopt: smooth",
        "handed over to another definition",
        "retried from a step",
        "done again after it was taken back",
        "taken up from another",
        "asked again under its key",
        "declined",
    ),
    seldom=(
        *(f"adopt: {fate}" for fate in ("killed after", "killed inside, done", "unknown, done")),
        "ended by edition 2",
        "not retried: in doubt",
    ),
)
