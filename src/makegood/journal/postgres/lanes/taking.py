"""Who holds which lane? Leases end by the server's clock, as those of runs do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.lanes.dealing import handed_out
from makegood.journal.lanes.naming import listening_as
from makegood.journal.lanes.rows import envelope_of
from makegood.journal.messages import Due, Held, LaneId
from makegood.journal.protocol import Fenced
from makegood.values.limits import CLAIMS_TOGETHER_MAX, PROMOTED_AT_ONCE_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from makegood.journal.messages import Finished
    from makegood.journal.postgres.connection import Connection, Row
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.working.leaseholds import Leaseholds
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["LanesHeld"]

_LANE_COUNT = 8
"""How many columns come before those of an envelope."""


class LanesHeld:
    """The lanes that this journal holds. `ring` is called when others may take something."""

    def __init__(
        self,
        place: Place,
        desk: Desk,
        leaseholds: Leaseholds[LaneId],
        *,
        ring: Callable[[], None],
    ) -> None:
        self._place = place
        self._desk = desk
        self._leaseholds = leaseholds
        self._ring = ring

    def notice(self, finished: Finished, outcome: object) -> None:
        """Take notice of what became of a lane: it was given back, or lost."""
        if finished.release or isinstance(outcome, Fenced):
            self._leaseholds.forget(finished.id, finished.worker)

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        """Lease lanes that are due."""
        schema = self._place.schema
        asked_at = self._leaseholds.now()

        async def ask(connection: Connection) -> list[Row]:
            return await connection.fetch(
                f'SELECT * FROM "{schema}".take_lanes($1, $2, $3, $4, $5, $6, $7, $8, $9)',
                *(worker, list(room), list(room.values()), limit, per_lane, now),
                *(self._place.lease_micros, CLAIMS_TOGETHER_MAX, PROMOTED_AT_ONCE_MAX),
            )

        rows = await self._desk.ask(ask)
        held: list[Held] = []
        empty: list[LaneId] = []
        for id, of_lane in _by_lane(rows).items():
            first = of_lane[0]
            due = [_DueDelivery(row) for row in of_lane if row[_SEQ] is not None]
            handed = tuple(each.handed for each in handed_out(due, now))
            if handed:
                self._leaseholds.hold(id, worker, at=asked_at)
                held.append(Held(id=id, epoch=first[2], claims=first[3], due=handed))
            else:
                empty.append(id)
        if empty:
            await self.release(worker, empty, now=now)
        return tuple(held)

    async def claim_listening(self, name: str, worker: WorkerId, *, now: Instant) -> bool:
        """Lease the lane that stands for listening under a name; say whether it is held now."""
        schema, id = self._place.schema, listening_as(name)
        asked_at = self._leaseholds.now()

        async def ask(connection: Connection) -> list[Row]:
            # What is held is renewed as every lane is; by the server's clock it is somebody's else.
            return await connection.fetch(
                f"""
                INSERT INTO "{schema}".lane AS there (recipient, lane, owner, epoch, due_at)
                VALUES ($1, $2, $3, nextval('"{schema}".lane_epoch'),
                        "{schema}".server_now() + $4)
                    ON CONFLICT (recipient, lane) DO UPDATE
                   SET owner = excluded.owner, epoch = excluded.epoch, due_at = excluded.due_at
                 WHERE there.owner IS NULL OR there.owner = excluded.owner
                    OR there.due_at <= "{schema}".server_now()
                RETURNING epoch
                """,
                *(id.recipient, id.lane, worker, self._place.lease_micros),
            )

        del now
        is_held = bool(await self._desk.ask(ask))
        if is_held:
            self._leaseholds.hold(id, worker, at=asked_at)
        else:
            self._leaseholds.forget(id, worker)
        return is_held

    async def release(self, worker: WorkerId, lanes: Sequence[LaneId], *, now: Instant) -> None:
        """Give lanes back that were not worked on."""

        async def give_back(connection: Connection) -> None:
            await connection.execute(
                f'SELECT "{self._place.schema}".release_lanes($1, $2, $3, $4)',
                worker,
                [each.recipient for each in lanes],
                [each.lane for each in lanes],
                now,
            )

        await self._desk.ask(give_back)
        for each in lanes:
            self._leaseholds.forget(each, worker)
        if lanes:
            self._ring()


_SEQ = 5


class _DueDelivery:
    """What is due, and when it became so."""

    __slots__ = ("due_at", "handed")

    def __init__(self, row: Row) -> None:
        self.due_at: Instant = row[4]
        self.handed = Due(
            seq=row[_SEQ],
            attempts=row[6],
            sending=row[7],
            message=envelope_of(tuple(row)[_LANE_COUNT:]),
        )


def _by_lane(rows: Sequence[Row]) -> dict[LaneId, list[Row]]:
    found: dict[LaneId, list[Row]] = {}
    for row in rows:
        found.setdefault(LaneId(row[0], row[1]), []).append(row)
    return found
