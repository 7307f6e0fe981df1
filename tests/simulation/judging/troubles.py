"""What a campaign on PostgreSQL must have met: each mishap at each operation, and what follows.

What runs and people can come by is for the campaign in memory. Here it is what the journal decides
when its server or the way there is in trouble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.postgres.weather import IN_THE_WAY, KILLS, Mishap

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REQUIRED"]

_CUT = (Mishap.LOST, Mishap.UNANSWERED, Mishap.SILENT, Mishap.LATE)
_SLOW = (Mishap.STALLED, Mishap.SLOW)
_REFUSED = (*IN_THE_WAY, Mishap.FULL, Mishap.ONLY_READ, Mishap.ENDED)
_MISHAPS: Mapping[str, tuple[Mishap, ...]] = {
    "append": (*KILLS, Mishap.PAUSE, *_CUT, *_SLOW, *_REFUSED),
    "post": (*_CUT, *_SLOW, *_REFUSED),
    "lease": (*KILLS, Mishap.PAUSE, *_CUT, *_SLOW, *_REFUSED),
    "renew": (*KILLS, Mishap.PAUSE, *_CUT, *_SLOW, *_REFUSED),
    "local": (*KILLS, Mishap.PAUSE, *_CUT, *_REFUSED),
    "commit": (*KILLS, Mishap.PAUSE, *_CUT, *_SLOW, *_REFUSED),
    "read": (*_CUT, Mishap.ENDED),
    "keep_plan": (*_CUT, *_SLOW, *_REFUSED),
    "listen": (*_CUT, Mishap.ENDED),
    "ring": (*_CUT, Mishap.ENDED),
    "connect": (Mishap.LOST, Mishap.CROWDED),
}
_SITUATIONS = (
    # What happens to the server.
    "happened to the server: down",
    "happened to the server: only read",
    "happened to the server: full",
    "happened to the server: ended",
    "server: a transaction is ended from outside",
    # Transactions that nobody waits for any more, and those that wait for them.
    "zombie: waited for, and committed",
    "zombie: waited for, and rolled back",
    "wait: too long",
    "renew: it is locked",
    "renew: it is somebody else's",
    "lease: it is locked",
    # What is written again.
    "append: known by its token",
    "batch: taken apart",
    "step: known by its token",
    "step: carried out again",
    "step: its commit is refused",
    # What is told, and nothing else may be.
    "told of opening: StoreBusy",
    "told of opening: StoreRefused",
    "told of an append: StoreBusy",
    "told of an append: StoreFull",
    "told of an append: StoreFailed",
    "told of a post: StoreBusy",
    "told of a post: StoreFull",
    "told of a lease: StoreBusy",
    "told of a lease: StoreFull",
    "told of a lease: StoreFailed",
    "told of a read: StoreBusy",
    # Holders that change.
    "append: refused to a former holder",
    "append: refused for a post",
    "start: held at once",
    "start: posted",
    "start: another was first",
    "handed back",
    "taken over while running",
    "taken over while undoing",
    "killed at any time",
    "paused at any time",
    "told to stop",
    "deployed",
    "clock put",
    # Ends.
    "ended: completed, None, none",
    "ended: failed, error, none",
    "ended: failed, error, undone",
    "ended: cancelled, cancelled, undone",
    "ended: cancelled, reversed, undone",
    "parked: in doubt",
    "parked: undo gave up",
    "parked: unrecorded effect",
)

REQUIRED = (
    *(
        f"{operation}: {mishap}"
        for operation, mishaps in _MISHAPS.items()
        for mishap in sorted(mishaps)
    ),
    *_SITUATIONS,
)
"""Everything that must have been met, as it is counted."""
