"""What does a journal hold under leases, and since when? It renews those, and no others.

So a claim whose answer was lost ends with its lease instead of being renewed for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from makegood.values.ids import WorkerId

__all__ = ["Leaseholds"]

_RENEWED_AT_ONCE_MAX = 2_000
"""The most leases that are renewed in one round trip."""

_RENEWALS_MISSED_MAX = 12
"""How often in a row something may be left out of a renewal before it is taken for lost."""

K = TypeVar("K", bound="Hashable")


class Leaseholds(Generic[K]):
    """What is held, by its id, for one worker or several."""

    def __init__(self) -> None:
        self._held: dict[K, _Lease] = {}
        self.now = asyncio.get_running_loop().time
        """This loop's clock, by which leases are told to be old."""

    def hold(self, id: K, worker: WorkerId, *, at: float) -> None:
        """Take notice of a lease that began, at the latest, at a moment of this loop's clock."""
        self._held[id] = _Lease(worker, at)

    def forget(self, id: K, worker: WorkerId) -> None:
        """Take notice of one that this worker has no more."""
        lease = self._held.get(id)
        if lease is not None and lease.worker == worker:
            del self._held[id]

    def aged(self, seconds: float) -> list[tuple[WorkerId, tuple[K, ...]]]:
        """Return what was leased so long ago, in batches of one worker each."""
        oldest = self.now() - seconds
        of_worker: dict[WorkerId, list[K]] = {}
        for id, lease in self._held.items():
            if lease.began_at <= oldest:
                of_worker.setdefault(lease.worker, []).append(id)
        return [
            (worker, tuple(ids[start : start + _RENEWED_AT_ONCE_MAX]))
            for worker, ids in of_worker.items()
            for start in range(0, len(ids), _RENEWED_AT_ONCE_MAX)
        ]

    def renewed(self, asked: Sequence[K], renewed: Collection[K], *, at: float) -> None:
        """Take notice of which leases began anew, by this loop's clock, of those asked for."""
        for id in asked:
            lease = self._held.get(id)
            if lease is None:
                # It was given back in the meantime.
                continue
            if id in renewed:
                lease.began_at = at
                lease.missed = 0
                continue
            lease.missed += 1
            if lease.missed > _RENEWALS_MISSED_MAX:
                # Somebody else has it, and what is written next learns that; or a local body holds
                # it locked, and what ends the body begins a lease.
                del self._held[id]


class _Lease:
    """Who holds something, since when, and how often in a row that could not be renewed."""

    __slots__ = ("began_at", "missed", "worker")

    def __init__(self, worker: WorkerId, began_at: float) -> None:
        self.worker = worker
        self.began_at = began_at
        self.missed = 0
