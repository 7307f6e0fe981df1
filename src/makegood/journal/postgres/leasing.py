"""Who holds which run? Leases end by the server's clock; epochs say who may write.

A journal remembers which runs it holds, and only those are renewed: a claim whose answer was lost
ends with its lease instead of being renewed for ever. It also knows what it has left for others,
and has them rung.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.journal.postgres.working.doorbell import ANYBODY
from makegood.journal.protocol import Applied, Fenced, Leased, Leases
from makegood.values.limits import CLAIMS_TOGETHER_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place
    from makegood.journal.protocol import Append
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Holdings"]

_RENEWED_AT_ONCE_MAX = 2_000
"""The most runs whose leases are renewed in one round trip."""

_RENEWALS_MISSED_MAX = 12
"""How often in a row a run may be left out of a renewal before it is taken for lost."""


class Holdings:
    """The runs that this journal holds, for one worker or several.

    `ring` is told whom to ring, after a commit that left something for somebody else.
    """

    def __init__(self, place: Place, desk: Desk, *, ring: Callable[[str], None]) -> None:
        self._place = place
        self._desk = desk
        self._ring = ring
        self._held: dict[RunId, _Lease] = {}
        self._now = asyncio.get_running_loop().time
        self.workers: set[WorkerId] = set()
        """Those who asked for claims here."""

    def notice(self, append: Append, outcome: object) -> None:
        """Take notice of what became of an append: it took a run, gave it back, or lost it."""
        run, worker = append.run, append.worker
        if not isinstance(outcome, Applied):
            if isinstance(outcome, Fenced):
                self._forget(run, worker)
        elif append.release:
            self._forget(run, worker)
            if append.wake_at is not None and append.wake_at <= append.at:
                self._ring(ANYBODY)
        elif append.create is not None or append.local is not None:
            self._held[run] = _Lease(worker, self._now())

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
        asked_at = self._now()
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
                self._held[run] = _Lease(worker, asked_at)
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
            self._forget(run, worker)
        if runs:
            self._ring(ANYBODY)

    def aged(self, seconds: float) -> list[tuple[WorkerId, tuple[RunId, ...]]]:
        """Return the runs whose lease began so long ago, in batches of one worker each."""
        oldest = self._now() - seconds
        of_worker: dict[WorkerId, list[RunId]] = {}
        for run, lease in self._held.items():
            if lease.began_at <= oldest:
                of_worker.setdefault(lease.worker, []).append(run)
        return [
            (worker, tuple(runs[start : start + _RENEWED_AT_ONCE_MAX]))
            for worker, runs in of_worker.items()
            for start in range(0, len(runs), _RENEWED_AT_ONCE_MAX)
        ]

    def renewed(self, asked: Sequence[RunId], renewed: Collection[RunId], *, at: float) -> None:
        """Take notice of which leases began anew, by this loop's clock, of those asked for."""
        for run in asked:
            lease = self._held.get(run)
            if lease is None:
                # It was given back in the meantime.
                continue
            if run in renewed:
                lease.began_at = at
                lease.missed = 0
                continue
            lease.missed += 1
            if lease.missed > _RENEWALS_MISSED_MAX:
                # Somebody else has it, and the next append learns that; or a local step holds it
                # locked, and the append that ends the step begins a lease.
                del self._held[run]

    def _forget(self, run: RunId, worker: WorkerId) -> None:
        lease = self._held.get(run)
        if lease is not None and lease.worker == worker:
            del self._held[run]


class _Lease:
    """Who holds a run, since when, and how often in a row that could not be renewed."""

    __slots__ = ("began_at", "missed", "worker")

    def __init__(self, worker: WorkerId, began_at: float) -> None:
        self.worker = worker
        self.began_at = began_at
        self.missed = 0
