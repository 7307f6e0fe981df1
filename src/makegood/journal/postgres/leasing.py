"""Who holds which run? Leases end by the server's clock; epochs say who may write.

A journal remembers which runs it holds and renews those, so that a claim whose answer was lost
ends with its lease instead of being renewed for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.journal.protocol import Applied, Fenced, Leased, Leases
from makegood.values.ids import RunId
from makegood.values.limits import CLAIMS_TOGETHER_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place
    from makegood.journal.protocol import Append
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Holdings"]

_LOOKS_PER_LEASE = 6
"""A lease is renewed when it is a third over at the latest."""

_RENEWED_AT_ONCE_MAX = 2_000
_LEASES_UNTIL_FORGOTTEN = 2


class Holdings:
    """The runs that this journal holds, for one worker or several."""

    def __init__(self, place: Place, desk: Desk) -> None:
        self._place = place
        self._desk = desk
        self._renewed: dict[RunId, float] = {}
        """When the lease of each run held here was last known to begin, by this loop's clock."""
        self._owners: dict[RunId, WorkerId] = {}
        self._now = asyncio.get_running_loop().time
        self._look_again_at = 0.0
        """Before this moment no lease needs to be renewed."""

    def notice(self, append: Append, outcome: object) -> None:
        """Take notice of what became of an append: it took a run, gave it back, or lost it."""
        run, worker = append.run, append.worker
        if not isinstance(outcome, Applied):
            if isinstance(outcome, Fenced) and self._owners.get(run) == worker:
                self._forget(run)
        elif append.release:
            self._forget(run)
        elif append.create is not None or append.local is not None:
            self._hold(run, worker)

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Renew what is due to be renewed, claim what is due, and name held runs posted to."""
        await self._renew(worker)
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
                self._hold(run, worker)
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
            if self._owners.get(run) == worker:
                self._forget(run)

    async def _renew(self, worker: WorkerId) -> None:
        aged = self._aged(worker)
        if not aged:
            return
        rows = await self._desk.ask(
            lambda connection: connection.fetch(
                f'SELECT * FROM "{self._place.schema}".renew($1, $2, $3)',
                worker,
                aged,
                self._place.lease_micros,
            )
        )
        self._take_notice(aged, {RunId(run) for (run,) in rows})

    def _aged(self, worker: WorkerId) -> list[RunId]:
        """Return the runs whose lease is to be renewed now, the first ones when they are many."""
        now = self._now()
        if now < self._look_again_at:
            return []
        oldest = now - self._place.lease_seconds / _LOOKS_PER_LEASE
        self._look_again_at = now + self._place.lease_seconds / _LOOKS_PER_LEASE
        aged = [
            run
            for run, renewed in self._renewed.items()
            if renewed <= oldest and self._owners[run] == worker
        ]
        if len(aged) > _RENEWED_AT_ONCE_MAX:
            self._look_again_at = now
        return aged[:_RENEWED_AT_ONCE_MAX]

    def _take_notice(self, aged: Sequence[RunId], renewed: set[RunId]) -> None:
        now = self._now()
        for run in aged:
            if run not in self._renewed:
                # It was given back in the meantime.
                continue
            if run in renewed:
                self._renewed[run] = now
            elif now - self._renewed[run] > self._place.lease_seconds * _LEASES_UNTIL_FORGOTTEN:
                # Somebody else has it, or will have; the next append learns it.
                self._forget(run)
            else:
                # A transaction held it locked, for a short while.
                self._look_again_at = now

    def _hold(self, run: RunId, worker: WorkerId) -> None:
        self._renewed[run] = self._now()
        self._owners[run] = worker

    def _forget(self, run: RunId) -> None:
        self._renewed.pop(run, None)
        self._owners.pop(run, None)
