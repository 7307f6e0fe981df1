"""What a campaign of worlds of the flow must have met; without it, nobody has looked there."""

from __future__ import annotations

from tests.simulation.flow.world import play
from tests.simulation.kinds.playing import Kind

__all__ = ["FLOW"]

FLOW = Kind(
    name="flow",
    play=play,
    required=(
        *(
            f"{workflow}: {status}"
            for workflow in ("fill", "gather", "ask_around", "deliver", "pack")
            for status in ("completed", "failed", "cancelled")
        ),
        *(f"a child has ended: {status}" for status in ("completed", "failed", "cancelled")),
        *(
            f"{operation}: {fate}"
            for operation in ("append", "request")
            for fate in (
                "killed before",
                "killed inside, not done",
                "killed inside, done",
                "killed after",
                "paused",
                "refused",
                "unknown, not done",
                "unknown, done",
            )
        ),
        "request: sent again, done before",
        "asked again under its key",
        "chosen: hand",
        "chosen: child",
        "a repeat went round",
        "a round turned back",
        "a round was not needed",
        "a child was cancelled",
        "a child was undone",
        "undone in a round by itself",
        "undone in a round with the run",
        "there was nothing to undo",
        "parked: poison",
        "parked: a child run is parked",
        "taken up after a sleep",
        "taken up from another",
    ),
)
