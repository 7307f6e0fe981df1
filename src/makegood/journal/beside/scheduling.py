"""What is kept of schedules: how far each has come. Knows no times, and nothing of what they start.

Whoever looks after a schedule writes where it stands then over where it stood, and is refused if
somebody else was quicker.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from makegood.values.instants import Instant

__all__ = ["KeepsSchedules", "ScheduleRow"]


class ScheduleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule, as it is kept."""

    name: str
    version: int
    """How often it was written, this time included."""
    wake_at: Instant | None
    """When somebody is to look at it; None where nothing more will come."""
    body: bytes
    """How it stands, as JSON."""


class KeepsSchedules(Protocol):
    """What every journal also keeps: schedules, by their names.

    1. `keep_schedule` writes a schedule over the version before it, and version 1 where there is
       none of its name. Anything else that is there stays, and the answer is False. It is durable
       before it returns, and may be asked again when an answer was lost, with the same outcome.
    2. `schedules` gives all of them, sorted by name.
    3. `forget_schedule` removes one, and says whether there was one.
    """

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands; say whether that was done (1)."""
        ...

    async def schedules(self) -> tuple[ScheduleRow, ...]:
        """Return all schedules (2)."""
        ...

    async def forget_schedule(self, name: str) -> bool:
        """Remove a schedule; say whether there was one (3)."""
        ...
