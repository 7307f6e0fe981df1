"""What is halted, as this engine last saw it: what it may not claim and not go on with.

The journal is asked before runs are claimed, at most once in the longest wait of a worker, so that
a halt that somebody else has wanted is seen here within that time. One that is wanted through this
engine is seen at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.halting import EVERY_ENGINE, HaltKind
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from makegood.journal.halting import Halt
    from makegood.journal.protocol import Journal
    from makegood.values.instants import Instant

__all__ = ["Halts"]


class Halts:
    """The halts on a store, for the engine of this name."""

    def __init__(
        self, journal: Journal, *, engine: str, now: Callable[[], Instant], age_max: timedelta
    ) -> None:
        self._journal = journal
        self._engine = engine
        self._now = now
        self._age_max = age_max
        self.known: tuple[Halt, ...] = ()
        """What was halted when the journal was last asked; mostly nothing, which is seen fast."""
        self._asked_at: Instant | None = None

    def __repr__(self) -> str:
        return f"<Halts: {len(self.standing())} stand>"

    async def look(self) -> None:
        """Ask the journal, unless it was asked not long ago."""
        now = self._now()
        if self._asked_at is None or now >= after(self._asked_at, self._age_max):
            await self.look_now()

    async def look_now(self) -> None:
        """Ask the journal."""
        asked_at = self._now()
        self.known = await self._journal.halts()
        self._asked_at = asked_at

    def standing(self) -> tuple[Halt, ...]:
        """Return the halts that stand, as far as is known here."""
        now = self._now()
        return tuple(halt for halt in self.known if halt.stands(now))

    def holds(self, workflow: str) -> bool:
        """Say whether nothing of a workflow may go on here."""
        return bool(self.known) and self._holds(HaltKind.WORKFLOW, workflow)

    def holds_schedule(self, name: str) -> bool:
        """Say whether no slot of a schedule may be taken here."""
        return bool(self.known) and self._holds(HaltKind.SCHEDULE, name)

    def holds_receptor(self, name: str) -> bool:
        """Say whether nothing is received here by a receptor, or by any of its group."""
        if not self.known:
            return False
        return (
            self._of(HaltKind.RECEPTOR, name)
            or self._of(HaltKind.RECEPTOR, name.partition("/")[0])
            or self._of(HaltKind.ENGINE, self._engine)
            or self._of(HaltKind.ENGINE, EVERY_ENGINE)
        )

    def of_services(self) -> tuple[Halt, ...]:
        """Return the newest halt of every service, whether it stands or not."""
        if not self.known:
            return ()
        return tuple(halt for halt in self.known if halt.kind is HaltKind.SERVICE)

    def _holds(self, kind: HaltKind, name: str) -> bool:
        return (
            self._of(kind, name)
            or self._of(HaltKind.ENGINE, self._engine)
            or self._of(HaltKind.ENGINE, EVERY_ENGINE)
        )

    def _of(self, kind: HaltKind, name: str) -> bool:
        now = self._now()
        return any(
            halt.kind is kind and halt.name == name and halt.stands(now) for halt in self.known
        )
