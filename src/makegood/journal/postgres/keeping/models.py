"""How is a read model kept in the store? Knows three tables, and what an edition is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.beside.models import (
    MODEL_PREFIX,
    Edition,
    EditionState,
    RowKept,
    RowKey,
    Rows,
    TornRow,
    recipient_of,
)
from makegood.journal.lanes.naming import lane_named
from makegood.journal.lanes.rows import ENVELOPE, envelope_of
from makegood.journal.messages import Due, Subscription
from makegood.journal.postgres.lanes.operating import subscribe_to, unsubscribe_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.beside.models import NewEdition, RowSource, RowWrite
    from makegood.journal.lanes.shown import Order
    from makegood.journal.postgres.connection import Connection, Row
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = [
    "begin_edition",
    "clear_retired",
    "editions_kept",
    "fill_edition",
    "history_of_edition",
    "page_of_rows",
    "promote_edition",
    "retire_edition",
    "rows_of_keys",
    "see_editions",
    "torn_rows",
    "write_rows",
    "write_sources",
]

_EDITION = (
    "model, number, fingerprint, types, state, until, filled, begun_at, seen_at, actor, because"
)
_ROW = "tenant, key, body, seq, revision, torn"
_OF_MODELS = f"delivery.recipient >= '{MODEL_PREFIX}' AND delivery.recipient < 'model;'"
"""What an index is made for, in its own words; otherwise it is not used."""


async def begin_edition(
    connection: Connection, schema: str, new: NewEdition, *, anew: bool, now: Instant
) -> Edition:
    """Begin an edition, or return the one that there is; in a transaction that is open.

    Whoever stores messages has either ended by then, and what it stored is filled in, or sees the
    subscription: nobody is between the two.
    """
    there = await editions_kept(connection, schema, new.model)
    found = _live(there, new.fingerprint)
    if found is not None and not anew:
        return found
    await connection.execute(f'LOCK TABLE "{schema}".subscription IN ACCESS EXCLUSIVE MODE')
    there = await editions_kept(connection, schema, new.model)
    found = _live(there, new.fingerprint)
    if found is not None and not anew:
        return found
    number = max((each.number for each in there), default=0) + 1
    row = await connection.fetchrow(
        f"""
        INSERT INTO "{schema}".edition ({_EDITION})
        SELECT $1, $2, $3, $4, 'filling', coalesce(max(seq), 0), 0, $5, $5, $6, $7
          FROM "{schema}".message
        RETURNING {_EDITION}
        """,
        *(new.model, number, new.fingerprint, list(new.types), now, new.actor, new.because),
    )
    recipient = recipient_of(new.model, number)
    wanted = [Subscription(recipient=recipient, type=name) for name in new.types]
    await subscribe_to(connection, schema, wanted, now)
    assert row is not None, "what was inserted is returned"
    return _edition(row)


async def fill_edition(
    connection: Connection, schema: str, *, model: str, number: int, limit: int, now: Instant
) -> bool:
    """Give an edition messages that were stored before, in a transaction that is open."""
    edition = await _locked(connection, schema, model, number)
    if edition.state is not EditionState.FILLING:
        return False
    looked_at = await connection.fetch(
        f"""
        SELECT seq, type, tenant, source, id, key, not_before, erased_at FROM "{schema}".message
         WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3
        """,
        *(edition.filled, edition.until, limit + 1),
    )
    given = [
        (seq, lane_named(tenant, key, source, id), not_before)
        for seq, name, tenant, source, id, key, not_before, erased_at in looked_at[:limit]
        if name in edition.types and erased_at is None
    ]
    recipient = edition.recipient
    lanes = sorted({lane for _, lane, not_before in given if (not_before or 0) <= now})
    await connection.execute(
        f"""
        INSERT INTO "{schema}".lane (recipient, lane, due_at)
        SELECT $1, lane, $3 FROM unnest($2::text[]) AS given (lane)
            ON CONFLICT (recipient, lane) DO UPDATE SET due_at = lane.due_at WHERE false
        """,
        *(recipient, lanes, now),
    )
    await connection.execute(
        f"""
        INSERT INTO "{schema}".delivery (seq, recipient, lane, state, due_at)
        SELECT seq, $1, lane, CASE WHEN not_before > $5 THEN 'later' ELSE 'due' END,
               greatest(not_before, $5)
          FROM unnest($2::bigint[], $3::text[], $4::bigint[]) AS given (seq, lane, not_before)
            ON CONFLICT DO NOTHING
        """,
        recipient,
        *([each[place] for each in given] for place in range(3)),
        now,
    )
    has_more = len(looked_at) > limit
    await connection.execute(
        f'UPDATE "{schema}".edition SET filled = $3, state = $4 WHERE model = $1 AND number = $2',
        *(model, number, looked_at[limit - 1][0] if has_more else edition.until),
        str(EditionState.FILLING if has_more else EditionState.CATCHING_UP),
    )
    return has_more


async def write_rows(
    connection: Connection, schema: str, recipient: str, rows: Sequence[RowWrite]
) -> bool:
    """Write rows over the revisions that were read; say whether all of them had these."""
    written = await connection.fetchval(
        f'SELECT written FROM "{schema}".fold_rows($1, $2, $3, $4, $5, $6)',
        recipient,
        [each.at.tenant for each in rows],
        [each.at.key for each in rows],
        [each.body for each in rows],
        [each.seq for each in rows],
        [each.revision for each in rows],
    )
    return bool(written == len(rows))


async def write_sources(
    connection: Connection, schema: str, recipient: str, sources: Sequence[RowSource]
) -> None:
    """Say to which rows messages went whose own key is another."""
    await connection.execute(
        f"""
        INSERT INTO "{schema}".model_source (recipient, seq, key)
        SELECT $1, * FROM unnest($2::bigint[], $3::text[])
            ON CONFLICT (recipient, seq) DO UPDATE SET key = excluded.key
        """,
        recipient,
        [each.seq for each in sources],
        [each.key for each in sources],
    )


async def rows_of_keys(
    connection: Connection, schema: str, *, recipient: str, keys: Sequence[RowKey]
) -> tuple[RowKept, ...]:
    """Return rows by their keys."""
    found = await connection.fetch(
        f"""
        SELECT {_ROW} FROM "{schema}".model_row
         WHERE recipient = $1
           AND (tenant, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))
        """,
        recipient,
        [each.tenant for each in keys],
        [each.key for each in keys],
    )
    return tuple(_row(row) for row in found)


async def page_of_rows(
    connection: Connection,
    schema: str,
    *,
    recipient: str,
    tenant: str,
    after: str | None,
    limit: int,
) -> Rows:
    """Return one page of rows that are there."""
    found = await connection.fetch(
        f"""
        SELECT {_ROW} FROM "{schema}".model_row
         WHERE recipient = $1 AND tenant = $2 AND key > $3 AND body IS NOT NULL
         ORDER BY key LIMIT $4
        """,
        *(recipient, tenant, after or "", limit + 1),
    )
    rows = tuple(_row(row) for row in found[:limit])
    return Rows(rows=rows, next=rows[-1].at.key if len(found) > limit else None)


async def history_of_edition(
    connection: Connection,
    schema: str,
    *,
    recipient: str,
    key: RowKey | None,
    after: int,
    limit: int,
) -> tuple[Due, ...]:
    """Return what was folded behind a number, in its order."""
    of_key = "" if key is None else "AND message.key = $4 AND message.tenant = $5"
    found = await connection.fetch(
        f"""
        SELECT message.seq, {ENVELOPE} FROM "{schema}".delivery AS delivery
          JOIN "{schema}".message AS message ON message.seq = delivery.seq
         WHERE delivery.recipient = $1 AND {_OF_MODELS} AND delivery.seq > $2
           AND delivery.state = 'done' AND message.erased_at IS NULL {of_key}
         ORDER BY delivery.seq LIMIT $3
        """,
        *(recipient, after, limit),
        *(() if key is None else (key.key, key.tenant)),
    )
    return tuple(
        Due(seq=row[0], attempts=0, sending=0, message=envelope_of(tuple(row)[1:])) for row in found
    )


async def torn_rows(
    connection: Connection, schema: str, *, recipients: Sequence[str], limit: int
) -> tuple[TornRow, ...]:
    """Return rows of editions that are to be folded again."""
    found = await connection.fetch(
        f"""
        SELECT {_ROW}, recipient FROM "{schema}".model_row
         WHERE torn AND recipient = ANY ($1::text[]) ORDER BY recipient, tenant, key LIMIT $2
        """,
        *(list(recipients), limit),
    )
    return tuple(TornRow(recipient=row["recipient"], row=_row(row)) for row in found)


async def promote_edition(connection: Connection, schema: str, *, model: str, number: int) -> bool:
    """Let an edition serve if it has caught up, in a transaction that is open."""
    edition = await _locked(connection, schema, model, number)
    if edition.state is not EditionState.CATCHING_UP:
        return edition.state is EditionState.SERVING
    behind = await connection.fetchval(
        f"""
        SELECT EXISTS (
            SELECT FROM "{schema}".delivery AS delivery
              JOIN "{schema}".lane AS lane
                ON lane.recipient = delivery.recipient AND lane.lane = delivery.lane
             WHERE delivery.recipient = $1 AND {_OF_MODELS} AND delivery.state = 'due'
               AND delivery.seq <= $2 AND lane.blocked_by IS NULL)
        """,
        *(edition.recipient, edition.until),
    )
    if behind:
        return False
    await connection.execute(
        f"""UPDATE "{schema}".edition SET state = 'serving' WHERE model = $1 AND number = $2""",
        *(model, number),
    )
    for each in await editions_kept(connection, schema, model):
        if each.number < number and each.fingerprint == edition.fingerprint:
            await _retire(connection, schema, each)
    return True


async def retire_edition(
    connection: Connection, schema: str, *, model: str, number: int, order: Order
) -> bool:
    """End an edition, in a transaction that is open; say whether it was not retired before."""
    found = await connection.fetchrow(
        f"""
        UPDATE "{schema}".edition SET actor = $3, because = $4
         WHERE model = $1 AND number = $2 AND state <> 'retired' RETURNING {_EDITION}
        """,
        *(model, number, order.actor, order.reason),
    )
    if found is None:
        return False
    await _retire(connection, schema, _edition(found))
    return True


async def clear_retired(connection: Connection, schema: str, *, limit: int) -> bool:
    """Remove what is left of retired editions, in a transaction; say whether there is more."""
    for each in await editions_kept(connection, schema):
        if each.state is not EditionState.RETIRED:
            continue
        for table, columns in (
            ("model_row", "recipient, tenant, key"),
            ("delivery", "seq, recipient"),
            ("model_source", "recipient, seq"),
            ("lane", "recipient, lane"),
        ):
            index = f"AND {_OF_MODELS}" if table == "delivery" else ""
            removed = await connection.fetch(
                f"""
                DELETE FROM "{schema}".{table} WHERE ({columns}) IN (
                    SELECT {columns} FROM "{schema}".{table} WHERE recipient = $1 {index} LIMIT $2)
                RETURNING 1
                """,
                *(each.recipient, limit),
            )
            if len(removed) == limit:
                return True
        await connection.execute(
            f'DELETE FROM "{schema}".edition WHERE model = $1 AND number = $2',
            *(each.model, each.number),
        )
    return False


async def editions_kept(
    connection: Connection, schema: str, model: str | None = None
) -> tuple[Edition, ...]:
    """Return editions, of one model or of all, sorted by model and number."""
    found = await connection.fetch(
        f"""
        SELECT {_EDITION} FROM "{schema}".edition
         WHERE $1::text IS NULL OR model = $1 ORDER BY model, number
        """,
        model,
    )
    return tuple(_edition(row) for row in found)


async def see_editions(
    connection: Connection, schema: str, *, editions: Sequence[Edition], now: Instant
) -> None:
    """Say that somebody serves these editions."""
    await connection.execute(
        f"""
        UPDATE "{schema}".edition SET seen_at = greatest(seen_at, $3)
         WHERE (model, number) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))
        """,
        [each.model for each in editions],
        [each.number for each in editions],
        now,
    )


def _live(there: Sequence[Edition], fingerprint: str) -> Edition | None:
    live = [each for each in there if each.state is not EditionState.RETIRED]
    return next((each for each in reversed(live) if each.fingerprint == fingerprint), None)


async def _locked(connection: Connection, schema: str, model: str, number: int) -> Edition:
    row = await connection.fetchrow(
        f"""
        SELECT {_EDITION} FROM "{schema}".edition WHERE model = $1 AND number = $2 FOR UPDATE
        """,
        *(model, number),
    )
    assert row is not None, "whoever asks for an edition was given it"
    return _edition(row)


async def _retire(connection: Connection, schema: str, edition: Edition) -> None:
    await unsubscribe_from(connection, schema, edition.recipient, edition.types)
    await connection.execute(
        f"""UPDATE "{schema}".edition SET state = 'retired' WHERE model = $1 AND number = $2""",
        *(edition.model, edition.number),
    )


def _edition(row: Row) -> Edition:
    model, number, fingerprint, types, state, until, filled, begun_at, seen_at, actor, why = row
    return Edition(
        model=model,
        number=number,
        fingerprint=fingerprint,
        types=tuple(types),
        state=EditionState(state),
        until=until,
        filled=filled,
        begun_at=begun_at,
        seen_at=seen_at,
        actor=actor,
        because=why,
    )


def _row(row: Row) -> RowKept:
    tenant, key, body, seq, revision, torn = tuple(row)[:6]
    return RowKept(
        at=RowKey(tenant, key),
        body=None if body is None else bytes(body),
        seq=seq,
        revision=revision,
        is_torn=torn,
    )
