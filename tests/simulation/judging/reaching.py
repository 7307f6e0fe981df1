"""What a campaign must have met: each fault at each operation, and the situations that matter.

A campaign that finds nothing wrong has shown something only if it came by all of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.testing.simulation import KILLS, Fate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["REQUIRED", "missing"]

_UNKNOWN = (Fate.UNKNOWN_LOST, Fate.UNKNOWN_DONE)
_AGAIN = (Fate.AGAIN_LOST, Fate.AGAIN_DONE)
_REFUSED = (Fate.REFUSED, Fate.FULL)
_UNANSWERED = (Fate.SILENT, Fate.LATE)
_FATES: Mapping[str, tuple[Fate, ...]] = {
    "append": (*KILLS, Fate.PAUSE, *_UNKNOWN, *_AGAIN, *_REFUSED),
    "request": (*KILLS, Fate.PAUSE, *_UNKNOWN, *_UNANSWERED, Fate.DOUBLED, *_REFUSED),
    "lease": (*KILLS, Fate.PAUSE, *_UNKNOWN, *_REFUSED),
    "read": (*KILLS, Fate.PAUSE, *_UNANSWERED, Fate.REFUSED),
    "post": (*KILLS, *_UNKNOWN, *_UNANSWERED, *_REFUSED),
    "keep_plan": (*KILLS, *_UNKNOWN, *_UNANSWERED, *_REFUSED),
    "release": (*KILLS, *_UNKNOWN, *_REFUSED),
}
_SITUATIONS = (
    # Starts.
    "start: held at once",
    "start: posted",
    "start: another was first",
    "start: refused for its input",
    # Holders that change.
    "append: refused to a former holder",
    "append: refused for a post",
    "append: known by its token",
    "taken over while running",
    "taken over while asking",
    "taken over while undoing",
    "taken over while waiting",
    "handed back",
    "deploy between two holders",
    "another plan's run is left alone",
    # What happens to processes.
    "killed at any time",
    "paused at any time",
    "told to stop",
    "deployed",
    "clock put",
    "outage",
    # Doubt.
    "verdict: proceed",
    "verdict: retry_now",
    "verdict: abort",
    "verdict: undecided",
    "verdict: retry_fresh",
    "compensate_failed",
    "compensate_retry_scheduled",
    "stuck: ship",
    "stuck: capture",
    "stuck: charge",
    "stuck: its key is forgotten",
    "skipped: guard",
    "skipped: optional",
    "skipped: in doubt",
    "retry_scheduled",
    "undo_retry_scheduled",
    "undo_left",
    "node_kept",
    "node_stopped",
    # What people ask for.
    "cancel: accepted",
    "cancel: too late",
    "cancel: already undoing",
    "cancel: past the pivot",
    "cancel: parked",
    "cancel and node_done at once",
    "cancel and run_ended at once",
    "undo: accepted",
    "undo: already undoing",
    "undo: not completed",
    "undo: past the pivot",
    "undo: parked",
    # Ends.
    "ended: completed, None, none",
    "ended: failed, error, none",
    "ended: failed, error, undone",
    "ended: failed, deadline, none",
    "ended: failed, deadline, undone",
    "ended: cancelled, cancelled, none",
    "ended: cancelled, cancelled, undone",
    "ended: cancelled, reversed, undone",
    "parked: undo gave up",
    "parked: in doubt",
    "parked: unrecorded effect",
    "parked: poison",
    "parked: forward retries used up after the pivot",
)

REQUIRED = (
    *(f"{operation}: {fate}" for operation, fates in _FATES.items() for fate in sorted(fates)),
    *_SITUATIONS,
)
"""Everything that must have been met, as it is counted."""


def missing(reached: Mapping[str, int], required: Sequence[str] = REQUIRED) -> list[str]:
    """Return what was not met."""
    return [name for name in required if not reached.get(name)]
