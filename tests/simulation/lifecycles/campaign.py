"""What a campaign of worlds of lifecycles must have met; without it, nobody has looked there."""

from __future__ import annotations

from tests.simulation.kinds.playing import Kind
from tests.simulation.lifecycles.world import play

__all__ = ["LIFECYCLES"]

LIFECYCLES = Kind(
    name="lifecycles",
    play=play,
    required=(
        *(f"order: {status}" for status in ("completed", "failed", "cancelled")),
        *(f"claim: {status}" for status in ("completed", "cancelled")),
        *(f"called for: {cause}" for cause in ("entry", "message", "timer", "again")),
        *(
            f"called: {handler}"
            for handler in (
                *("price", "settle", "change", "withdraw", "remind", "lapse"),
                *("packed", "poll", "close"),
            )
        ),
        *(f"a child has ended: {status}" for status in ("completed", "failed", "cancelled")),
        *(
            f"{operation}: {fate}"
            for operation in ("append", "request", "send")
            for fate in (
                "killed before",
                "killed inside, not done",
                "refused",
                "unknown, not done",
                "unknown, done",
            )
        ),
        *(f"at any time: {what}" for what in ("kill", "pause", "clock")),
        "a status was entered again",
        "its timers began anew",
        "paused by its failure",
        "one key for a second run",
        "a number that another order has",
        "a message is kept for nobody",
        "asked again under its key",
        "taken up from another",
    ),
    seldom=(
        "parked: poison",
        "a cancel came too late",
        "request: killed after",
        "request: killed inside, done",
    ),
)
