"""Which lanes may be taken, and what stands in them? Knows leases, not what a message means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from makegood.journal.lanes.dealing import handed_out, lanes_taken
from makegood.journal.lanes.rows import ENVELOPE, envelope_of
from makegood.journal.messages import Due, Held, LaneId
from makegood.journal.sqlite.rows import DUE_AT_ONCE, HELD
from makegood.values.limits import PROMOTED_AT_ONCE_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.values.ids import WorkerId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

# Columns are ours; values are bound.
# ruff: noqa: S608

__all__ = ["free_lanes", "give_lanes_back", "put_in_line", "stand_behind", "take_lanes"]

_NAMED = "(SELECT value ->> 0, value ->> 1 FROM json_each(?))"


class _DueLane(NamedTuple):
    lane: str
    due_at: Instant
    claims: int
    recipient: str


class _DueDelivery(NamedTuple):
    due_at: Instant
    handed: Due


def take_lanes(
    connection: Connection,
    worker: WorkerId,
    *,
    room: Mapping[str, int],
    per_lane: int,
    limit: int,
    now: Instant,
) -> tuple[Held, ...]:
    """Lease lanes that are due, dealt out among recipients, and hand out what is due in them."""
    _promote(connection, now)
    taken: list[_DueLane] = lanes_taken(
        lambda recipient, last, count: _due_of(connection, recipient, last, count, now=now),
        room=room,
        limit=limit,
    )
    if not taken:
        return ()
    named = _named(LaneId(each.recipient, each.lane) for each in taken)
    epoch = _hold(connection, worker, named)
    oldest = _oldest(connection, named, per_lane)
    held: list[Held] = []
    empty: list[LaneId] = []
    for each in taken:
        id = LaneId(each.recipient, each.lane)
        due = tuple(found.handed for found in handed_out(oldest.get(id, ()), now))
        if due:
            held.append(Held(id=id, epoch=epoch, claims=each.claims + 1, due=due))
        else:
            empty.append(id)
    if empty:
        give_lanes_back(connection, worker, empty, now)
    return tuple(held)


def give_lanes_back(
    connection: Connection, worker: WorkerId, lanes: Sequence[LaneId], now: Instant
) -> None:
    """Give lanes back, due as soon as what stands first in them, as if they had not been taken."""
    connection.execute(
        f"""
        UPDATE makegood_lane SET owner = NULL, claims = max(claims - 1, 0), due_at = {_BEHIND}
         WHERE owner = ? AND (recipient, lane) IN {_NAMED}
        """,
        (now, worker, _named(lanes)),
    )


def free_lanes(connection: Connection) -> None:
    """Make every held lane due: its holder was the process that owned the file, and is dead."""
    connection.execute(
        "UPDATE makegood_lane SET owner = NULL, due_at = ? WHERE owner IS NOT NULL", (DUE_AT_ONCE,)
    )


def put_in_line(connection: Connection, seq: int, id: LaneId, due_at: Instant) -> None:
    """Let a delivery that has just become due stand in its lane where its number places it."""
    connection.execute(
        """
        INSERT INTO makegood_lane (recipient, lane, due_at) VALUES (?1, ?2, ?3)
            ON CONFLICT (recipient, lane) DO UPDATE SET due_at = min(due_at, ?3)
         WHERE owner IS NULL AND due_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM makegood_delivery AS delivery
                            WHERE delivery.recipient = ?1 AND delivery.lane = ?2
                              AND delivery.state = 'due' AND delivery.seq < ?4)
        """,
        (id.recipient, id.lane, due_at, seq),
    )


def stand_behind(connection: Connection, seq: int, id: LaneId, at: Instant) -> None:
    """Let a lane go on that this dead letter has blocked, behind all that are due then."""
    connection.execute(
        """
        DELETE FROM makegood_lane
         WHERE recipient = ?1 AND lane = ?2 AND blocked_by = ?3 AND owner IS NULL
           AND NOT EXISTS (SELECT 1 FROM makegood_delivery AS delivery
                            WHERE delivery.recipient = ?1 AND delivery.lane = ?2
                              AND delivery.state = 'due')
        """,
        (id.recipient, id.lane, seq),
    )
    connection.execute(
        f"""
        UPDATE makegood_lane
           SET blocked_by = NULL, due_at = CASE WHEN owner IS NULL THEN {_BEHIND} ELSE due_at END
         WHERE recipient = ? AND lane = ? AND blocked_by = ?
        """,
        (at, id.recipient, id.lane, seq),
    )


_BEHIND = """
    max(?, (SELECT delivery.due_at FROM makegood_delivery AS delivery
             WHERE delivery.recipient = makegood_lane.recipient
               AND delivery.lane = makegood_lane.lane AND delivery.state = 'due'
             ORDER BY delivery.seq LIMIT 1))
"""
"""When a lane may be taken that is given back at a moment."""


def _due_of(
    connection: Connection, recipient: str, last: _DueLane | None, count: int, *, now: Instant
) -> list[_DueLane]:
    behind: tuple[Sql, Sql] = (-1, "") if last is None else (last.due_at, last.lane)
    found = connection.execute(
        """
        SELECT lane, due_at, claims, recipient FROM makegood_lane
         WHERE recipient = ? AND due_at IS NOT NULL AND due_at <= ? AND (due_at, lane) > (?, ?)
         ORDER BY due_at, lane LIMIT ?
        """,
        (recipient, now, *behind, count),
    ).fetchall()
    return [_DueLane._make(each) for each in cast("list[tuple[str, Instant, int, str]]", found)]


def _hold(connection: Connection, worker: WorkerId, named: str) -> int:
    """Lease lanes under a number that no lease had before, and return it."""
    epoch: int = connection.execute(
        """
        INSERT INTO makegood_meta (name, value) VALUES ('lease of lanes', 1)
            ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value
        """
    ).get
    connection.execute(
        f"""
        UPDATE makegood_lane SET epoch = ?, claims = claims + 1, owner = ?, due_at = ?
         WHERE (recipient, lane) IN {_NAMED}
        """,
        (epoch, worker, HELD, named),
    )
    return epoch


def _oldest(connection: Connection, named: str, per_lane: int) -> dict[LaneId, list[_DueDelivery]]:
    """Return the oldest of what is due in each of these lanes."""
    # Without the plus SQLite would go through everything that stands in a lane.
    found = connection.execute(
        f"""
        SELECT delivery.recipient, delivery.lane, delivery.due_at, delivery.seq, delivery.attempts,
               delivery.sending, {ENVELOPE}
          FROM json_each(?) AS named
         CROSS JOIN makegood_delivery AS delivery
          JOIN makegood_message AS message ON message.seq = delivery.seq
         WHERE +delivery.recipient = named.value ->> 0
           AND (delivery.seq, delivery.recipient) IN (
                   SELECT due.seq, due.recipient FROM makegood_delivery AS due
                    WHERE due.recipient = named.value ->> 0 AND due.lane = named.value ->> 1
                      AND due.state = 'due'
                    ORDER BY due.seq LIMIT ?)
         ORDER BY delivery.seq
        """,
        (named, per_lane),
    )
    oldest: dict[LaneId, list[_DueDelivery]] = {}
    for values in found:
        recipient, lane, due_at, seq, attempts, sending = cast(
            "tuple[str, str, Instant, int, int, int]", values[:6]
        )
        handed = Due(seq=seq, attempts=attempts, sending=sending, message=envelope_of(values[6:]))
        oldest.setdefault(LaneId(recipient, lane), []).append(_DueDelivery(due_at, handed))
    return oldest


def _promote(connection: Connection, now: Instant) -> None:
    """Give deliveries whose time has come their places in their lanes."""
    come = connection.execute(
        """
        SELECT seq, recipient, lane, due_at FROM makegood_delivery
         WHERE state = 'later' AND due_at <= ? ORDER BY due_at LIMIT ?
        """,
        (now, PROMOTED_AT_ONCE_MAX),
    ).fetchall()
    for seq, recipient, lane, due_at in cast("list[tuple[int, str, str, Instant]]", come):
        connection.execute(
            "UPDATE makegood_delivery SET state = 'due' WHERE seq = ? AND recipient = ?",
            (seq, recipient),
        )
        put_in_line(connection, seq, LaneId(recipient, lane), due_at)


def _named(lanes: Iterable[LaneId]) -> str:
    return msgspec.json.encode([(each.recipient, each.lane) for each in lanes]).decode()
