"""Who holds which run? Leases end by the server's clock; epochs say who may write.

A journal remembers which runs it holds, and only those are renewed. It also knows what it has left
for others, and has them rung.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.postgres.working.doorbell import ANYBODY
from makegood.journal.protocol import Applied, Fenced, Leased, Leases
from makegood.values.limits import CLAIMS_TOGETHER_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.working.leaseholds import Leaseholds
    from makegood.journal.protocol import Append
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Holdings"]


class Holdings:
    """The runs that this journal holds, for one worker or several.

    `ring` is told whom to ring, after a commit that left something for somebody else.
    """

    def __init__(
        self,
        place: Place,
        desk: Desk,
        leaseholds: Leaseholds[RunId],
        *,
        ring: Callable[[str], None],
    ) -> None:
        self._place = place
        self._desk = desk
        self._ring = ring
        self._leaseholds = leaseholds
        self.workers: set[WorkerId] = set()
        """Those who asked for claims here."""

    def notice(self, append: Append, outcome: object) -> None:
        """Take notice of what became of an append: it took a run, gave it back, or lost it."""
        run, worker = append.run, append.worker
        if not isinstance(outcome, Applied):
            if isinstance(outcome, Fenced):
                self._leaseholds.forget(run, worker)
        elif append.release:
            self._leaseholds.forget(run, worker)
            if append.wake_at is not None and append.wake_at <= append.at:
                self._ring(ANYBODY)
        elif append.create is not None or append.local is not None:
            self._leaseholds.hold(run, worker, at=self._leaseholds.now())

    def posted(self, holder: str | None) -> None:
        """Take notice of a post that was stored, to a run which somebody holds or nobody."""
        if holder is None:
            self._ring(ANYBODY)
        elif holder not in self.workers:
            self._ring(holder)

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Claim what is due, and name held runs that were posted to."""
        self.workers.add(worker)
        asked_at = self._leaseholds.now()
        rows = await self._desk.ask(
            lambda connection: connection.fetch(
                f'SELECT * FROM "{self._place.schema}".lease($1, $2, $3, $4, $5, $6, $7)',
                worker,
                list(room),
                list(room.values()),
                limit,
                now,
                self._place.lease_micros,
                CLAIMS_TOGETHER_MAX,
            )
        )
        claimed: list[Leased] = []
        rung: list[RunId] = []
        for kind, run, epoch, fingerprint, claims in rows:
            if kind == "claimed":
                self._leaseholds.hold(run, worker, at=asked_at)
                leased = Leased(run=run, epoch=epoch, fingerprint=fingerprint, claims=claims)
                claimed.append(leased)
            else:
                rung.append(run)
        return Leases(claimed=tuple(claimed), rung=tuple(rung))

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back, due at once, without counting the claim."""

        async def give_back(connection: Connection) -> None:
            await connection.execute(
                f'SELECT "{self._place.schema}".release($1, $2, $3)',
                worker,
                list(runs),
                now,
            )

        await self._desk.ask(give_back)
        for run in runs:
            self._leaseholds.forget(run, worker)
        if runs:
            self._ring(ANYBODY)
