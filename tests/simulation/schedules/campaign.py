"""What a campaign of worlds of schedules must have met; without it, nobody has looked there."""

from __future__ import annotations

from tests.simulation.kinds.playing import Kind
from tests.simulation.schedules.world import play

__all__ = ["SCHEDULES"]

SCHEDULES = Kind(
    name="schedules",
    play=play,
    required=(
        *(f"misfire: {policy}" for policy in ("skip", "once", "all")),
        *(f"overlap: {policy}" for policy in ("skip", "queue", "cancel", "allow")),
        *(f"a run: {status}" for status in ("completed", "cancelled", "waiting")),
        *(f"at any time: {what}" for what in ("kill", "pause", "stop", "all killed")),
        *(
            f"keep_schedule: {fate}"
            for fate in ("killed before", "killed inside, not done", "refused")
        ),
        "a slot was taken",
        "a slot was skipped",
        "several slots were skipped at once",
        "a slot waited",
        "a run was cancelled for the next slot",
        "a slot could not be taken",
        "a schedule was over",
        "a slot was taken for one who had died",
        *(f"a slot of messages was {what}" for what in ("taken", "skipped")),
        "a slot of messages was taken for one who had died",
        "a message: done",
    ),
    seldom=(
        "a message was received anew",
        "a slot of messages could not be taken",
        *(
            f"{operation}: {fate}"
            for operation in ("keep_schedule", "post", "publish")
            for fate in (
                *("killed before", "killed inside, not done", "killed inside, done"),
                *("killed after", "refused", "full", "unknown, not done", "unknown, done"),
            )
        ),
    ),
)
