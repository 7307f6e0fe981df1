"""How is a read model kept in the file? Knows three tables, and what an edition is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from makegood.errors import StoreError
from makegood.journal.beside.models import (
    MODEL_PREFIX,
    Edition,
    EditionState,
    RowKept,
    RowKey,
    Rows,
    TornRow,
    Verdict,
    recipient_of,
)
from makegood.journal.lanes.naming import lane_named
from makegood.journal.lanes.rows import ENVELOPE, envelope_of
from makegood.journal.messages import Due, Subscription
from makegood.journal.sqlite.appending import MOVED
from makegood.journal.sqlite.lanes.finishing import pack_finished, write_finished
from makegood.journal.sqlite.lanes.operating import subscribe_to, unsubscribe_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.beside.models import Folded, NewEdition, RowWrite
    from makegood.journal.lanes.shown import Order
    from makegood.values.instants import Instant

# Columns are ours; values are bound.
# ruff: noqa: S608

__all__ = [
    "Stale",
    "begin_edition",
    "clear_retired",
    "editions_kept",
    "fill_edition",
    "fold_into",
    "history_of_edition",
    "page_of_rows",
    "promote_edition",
    "retire_edition",
    "rows_of_keys",
    "see_editions",
    "torn_rows",
]

_EDITION = (
    "model, number, fingerprint, types, state, until, filled, begun_at, seen_at, actor, because"
)
_ROW = "tenant, key, body, seq, revision, torn"

_OF_MODELS = f"delivery.recipient >= '{MODEL_PREFIX}' AND delivery.recipient < 'model;'"
"""What an index is made for, in its own words; otherwise it is not used."""

_types = msgspec.json.Decoder(tuple[str, ...])


class Stale(StoreError):
    """A row was written by somebody else since it was read."""


def begin_edition(connection: Connection, new: NewEdition, *, anew: bool, now: Instant) -> Edition:
    """Begin an edition, or return the one that there is."""
    there = editions_kept(connection, new.model)
    for each in reversed(there):
        is_it = each.fingerprint == new.fingerprint and each.state is not EditionState.RETIRED
        if is_it and not anew:
            return each
    number = max((each.number for each in there), default=0) + 1
    recipient = recipient_of(new.model, number)
    until = connection.execute("SELECT ifnull(max(seq), 0) FROM makegood_message").get
    connection.execute(
        f"""INSERT INTO makegood_edition (recipient, {_EDITION})
            VALUES (?, ?, ?, ?, ?, 'filling', ?, 0, ?, ?, ?, ?)""",
        (
            *(recipient, new.model, number, new.fingerprint, _json(new.types), until, now, now),
            *(new.actor, new.because),
        ),
    )
    wanted = [Subscription(recipient=recipient, type=name) for name in new.types]
    subscribe_to(connection, wanted, now)
    return _edition_of(connection, new.model, number)


def fill_edition(
    connection: Connection, model: str, number: int, *, limit: int, now: Instant
) -> bool:
    """Give an edition the next messages that were stored before; say whether there are more."""
    edition = _edition_of(connection, model, number)
    if edition.state is not EditionState.FILLING:
        return False
    looked_at = cast(
        "list[tuple[int, str, str, str, str, str | None, int | None, int | None]]",
        connection.execute(
            """
            SELECT seq, type, tenant, source, id, key, not_before, erased_at FROM makegood_message
             WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?
            """,
            (edition.filled, edition.until, limit + 1),
        ).fetchall(),
    )
    for seq, name, tenant, source, id, key, not_before, erased_at in looked_at[:limit]:
        if name not in edition.types or erased_at is not None:
            continue
        lane = lane_named(tenant, key, source, id)
        is_later = not_before is not None and not_before > now
        connection.execute(
            """
            INSERT INTO makegood_delivery (seq, recipient, lane, state, due_at)
            VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            (
                *(seq, edition.recipient, lane, "later" if is_later else "due"),
                not_before if is_later else now,
            ),
        )
        if not is_later:
            connection.execute(
                """INSERT INTO makegood_lane (recipient, lane, due_at) VALUES (?, ?, ?)
                       ON CONFLICT DO NOTHING""",
                (edition.recipient, lane, now),
            )
    has_more = len(looked_at) > limit
    connection.execute(
        "UPDATE makegood_edition SET filled = ?, state = ? WHERE model = ? AND number = ?",
        (
            looked_at[limit - 1][0] if has_more else edition.until,
            str(EditionState.FILLING if has_more else EditionState.CATCHING_UP),
            model,
            number,
        ),
    )
    return has_more


def fold_into(connection: Connection, folded: Folded) -> Verdict:
    """Write rows and marks, or nothing: raise `Stale` within a savepoint that is taken back."""
    try:
        packed = [pack_finished(each, each.outcome) for each in folded.finished]
        if packed:
            write_finished(connection, packed)
    except MOVED:
        return Verdict.FENCED
    for each in folded.rows:
        _write_row(connection, folded.recipient, each)
    for source in folded.sources:
        connection.execute(
            """INSERT INTO makegood_model_source (recipient, seq, key) VALUES (?, ?, ?)
                   ON CONFLICT DO UPDATE SET key = excluded.key""",
            (folded.recipient, source.seq, source.key),
        )
    return Verdict.WRITTEN


def rows_of_keys(
    connection: Connection, recipient: str, keys: Sequence[RowKey]
) -> tuple[RowKept, ...]:
    """Return rows by their keys."""
    found = connection.execute(
        f"""
        SELECT {_ROW} FROM makegood_model_row
         WHERE recipient = ? AND (tenant, key) IN (
                   SELECT value ->> 0, value ->> 1 FROM json_each(?))
        """,
        (recipient, _json([(each.tenant, each.key) for each in keys])),
    ).fetchall()
    return tuple(_row(values) for values in found)


def page_of_rows(
    connection: Connection, recipient: str, *, tenant: str, after: str | None, limit: int
) -> Rows:
    """Return one page of rows that are there."""
    found = connection.execute(
        f"""
        SELECT {_ROW} FROM makegood_model_row
         WHERE recipient = ?1 AND tenant = ?2 AND (?3 IS NULL OR key > ?3) AND body IS NOT NULL
         ORDER BY key LIMIT ?4
        """,
        (recipient, tenant, after, limit + 1),
    ).fetchall()
    rows = tuple(_row(values) for values in found[:limit])
    return Rows(rows=rows, next=rows[-1].at.key if len(found) > limit else None)


def history_of_edition(
    connection: Connection, recipient: str, *, key: RowKey | None, after: int, limit: int
) -> tuple[Due, ...]:
    """Return what was folded behind a number, in its order."""
    if key is None:
        found = connection.execute(
            f"""
            SELECT message.seq, {ENVELOPE} FROM makegood_delivery AS delivery
              JOIN makegood_message AS message ON message.seq = delivery.seq
             WHERE delivery.recipient = ? AND {_OF_MODELS} AND delivery.seq > ?
               AND delivery.state = 'done' AND message.erased_at IS NULL
             ORDER BY delivery.seq LIMIT ?
            """,
            (recipient, after, limit),
        ).fetchall()
    else:
        found = connection.execute(
            f"""
            SELECT message.seq, {ENVELOPE} FROM makegood_message AS message
              JOIN makegood_delivery AS delivery
                ON delivery.seq = message.seq AND delivery.recipient = ?
             WHERE message.key = ? AND message.tenant = ? AND message.seq > ?
               AND delivery.state = 'done' AND message.erased_at IS NULL
             ORDER BY message.seq LIMIT ?
            """,
            (recipient, key.key, key.tenant, after, limit),
        ).fetchall()
    return tuple(
        Due(seq=cast("int", values[0]), attempts=0, sending=0, message=envelope_of(values[1:]))
        for values in found
    )


def torn_rows(connection: Connection, recipients: Sequence[str], limit: int) -> tuple[TornRow, ...]:
    """Return rows of editions that are to be folded again."""
    found = connection.execute(
        f"""
        SELECT recipient, {_ROW} FROM makegood_model_row INDEXED BY makegood_model_row_torn
         WHERE torn AND recipient IN (SELECT value FROM json_each(?))
         ORDER BY recipient, tenant, key LIMIT ?
        """,
        (_json(list(recipients)), limit),
    ).fetchall()
    return tuple(
        TornRow(recipient=cast("str", recipient), row=_row(values)) for recipient, *values in found
    )


def promote_edition(connection: Connection, model: str, number: int) -> bool:
    """Let an edition serve if it has caught up; say whether it serves."""
    edition = _edition_of(connection, model, number)
    if edition.state is not EditionState.CATCHING_UP:
        return edition.state is EditionState.SERVING
    behind = connection.execute(
        """
        SELECT 1 FROM makegood_delivery AS delivery
          JOIN makegood_lane AS lane USING (recipient, lane)
         WHERE delivery.recipient = ? AND delivery.state = 'due' AND delivery.seq <= ?
           AND lane.blocked_by IS NULL
         LIMIT 1
        """,
        (edition.recipient, edition.until),
    ).fetchone()
    if behind is not None:
        return False
    connection.execute(
        "UPDATE makegood_edition SET state = 'serving' WHERE model = ? AND number = ?",
        (model, number),
    )
    for each in editions_kept(connection, model):
        if each.number < number and each.fingerprint == edition.fingerprint:
            _retire(connection, each)
    return True


def retire_edition(connection: Connection, model: str, number: int, order: Order) -> bool:
    """End an edition; say whether it was not retired before."""
    found = [each for each in editions_kept(connection, model) if each.number == number]
    if not found or found[0].state is EditionState.RETIRED:
        return False
    connection.execute(
        "UPDATE makegood_edition SET actor = ?, because = ? WHERE model = ? AND number = ?",
        (order.actor, order.reason, model, number),
    )
    _retire(connection, found[0])
    return True


def clear_retired(connection: Connection, *, limit: int) -> bool:
    """Remove what is left of retired editions; say whether there is more."""
    for each in editions_kept(connection):
        if each.state is not EditionState.RETIRED:
            continue
        if _is_cleared(connection, each.recipient, limit):
            connection.execute(
                "DELETE FROM makegood_edition WHERE model = ? AND number = ?",
                (each.model, each.number),
            )
        else:
            return True
    return False


def editions_kept(connection: Connection, model: str | None = None) -> tuple[Edition, ...]:
    """Return editions, of one model or of all, sorted by model and number."""
    found = connection.execute(
        f"""SELECT {_EDITION} FROM makegood_edition WHERE ?1 IS NULL OR model = ?1
             ORDER BY model, number""",
        (model,),
    ).fetchall()
    return tuple(_edition(values) for values in found)


def see_editions(connection: Connection, editions: Sequence[Edition], now: Instant) -> None:
    """Say that somebody serves these editions."""
    for each in editions:
        connection.execute(
            "UPDATE makegood_edition SET seen_at = ? WHERE model = ? AND number = ?",
            (now, each.model, each.number),
        )


def _write_row(connection: Connection, recipient: str, row: RowWrite) -> None:
    if row.revision == 0:
        connection.execute(
            f"""INSERT INTO makegood_model_row (recipient, {_ROW}) VALUES (?, ?, ?, ?, ?, 1, 0)
                    ON CONFLICT DO NOTHING""",
            (recipient, row.at.tenant, row.at.key, row.body, row.seq),
        )
    else:
        connection.execute(
            """
            UPDATE makegood_model_row SET body = ?, seq = ?, revision = revision + 1, torn = 0
             WHERE recipient = ? AND tenant = ? AND key = ? AND revision = ?
            """,
            (row.body, row.seq, recipient, row.at.tenant, row.at.key, row.revision),
        )
    if connection.changes() != 1:
        raise Stale


def _retire(connection: Connection, edition: Edition) -> None:
    unsubscribe_from(connection, edition.recipient, edition.types)
    connection.execute(
        "UPDATE makegood_edition SET state = 'retired' WHERE model = ? AND number = ?",
        (edition.model, edition.number),
    )


def _is_cleared(connection: Connection, recipient: str, limit: int) -> bool:
    """Remove a part of what a recipient has; say whether nothing is left."""
    # Lanes come last: what waits for its time makes one as long as it is there.
    for statement in (
        """DELETE FROM makegood_model_row WHERE (recipient, tenant, key) IN (
               SELECT recipient, tenant, key FROM makegood_model_row
                WHERE recipient = ? LIMIT ?)""",
        f"""DELETE FROM makegood_delivery WHERE (seq, recipient) IN (
               SELECT delivery.seq, delivery.recipient FROM makegood_delivery AS delivery
                WHERE delivery.recipient = ? AND {_OF_MODELS} LIMIT ?)""",
        """DELETE FROM makegood_model_source WHERE (recipient, seq) IN (
               SELECT recipient, seq FROM makegood_model_source WHERE recipient = ? LIMIT ?)""",
        """DELETE FROM makegood_lane WHERE (recipient, lane) IN (
               SELECT recipient, lane FROM makegood_lane WHERE recipient = ? LIMIT ?)""",
    ):
        connection.execute(statement, (recipient, limit))
        if connection.changes() == limit:
            return False
    return True


def _edition_of(connection: Connection, model: str, number: int) -> Edition:
    found = connection.execute(
        f"SELECT {_EDITION} FROM makegood_edition WHERE model = ? AND number = ?", (model, number)
    ).fetchone()
    assert found is not None, "whoever asks for an edition was given it"
    return _edition(found)


# Any: a value of whatever type its column has.
def _edition(values: Sequence[Any]) -> Edition:
    model, number, fingerprint, types, state, until, filled, begun_at, seen_at, actor, why = values
    return Edition(
        model=model,
        number=number,
        fingerprint=fingerprint,
        types=_types.decode(types),
        state=EditionState(state),
        until=until,
        filled=filled,
        begun_at=begun_at,
        seen_at=seen_at,
        actor=actor,
        because=why,
    )


# Any: as above.
def _row(values: Sequence[Any]) -> RowKept:
    tenant, key, body, seq, revision, torn = values
    return RowKept(
        at=RowKey(tenant, key), body=body, seq=seq, revision=revision, is_torn=bool(torn)
    )


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()
