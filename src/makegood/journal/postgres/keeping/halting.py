"""How is a halt kept in the store? Knows one table, and nothing of who looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.halting import HALT_COLUMNS, halt_of

if TYPE_CHECKING:
    from makegood.journal.halting import Halt, HaltKind, Lifting
    from makegood.journal.postgres.connection import Connection

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["halts_kept", "keep_halt", "lift_halt"]

_SELECT = f"SELECT {HALT_COLUMNS}"


async def keep_halt(connection: Connection, schema: str, halt: Halt) -> Halt:
    """Keep a halt unless one stands that outlasts it, and return the one that is kept."""
    await connection.execute(
        f"""
        INSERT INTO "{schema}".halt AS kept (kind, name, actor, reason, at, until)
        VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (kind, name) DO UPDATE
           SET actor = excluded.actor, reason = excluded.reason, at = excluded.at,
               until = excluded.until, lifted_by = NULL, lifted_because = NULL, lifted_at = NULL
         WHERE kept.lifted_at IS NOT NULL OR kept.until <= excluded.at
            OR (kept.until IS NOT NULL
                AND (excluded.until IS NULL OR excluded.until > kept.until))
        """,
        *(halt.kind.value, halt.name, halt.actor, halt.reason, halt.at, halt.until),
    )
    kept = await _halt_named(connection, schema, halt.kind, halt.name)
    assert kept is not None, "a halt is kept for ever"
    return kept


async def lift_halt(
    connection: Connection,
    schema: str,
    kind: HaltKind,
    name: str,
    *,
    lifting: Lifting,
    of: str | None,
) -> Halt | None:
    """Lift the halt that stands and return it; None where none does.

    One that this very lifting has lifted before is returned again.
    """
    await connection.execute(
        f"""
        UPDATE "{schema}".halt SET lifted_by = $1, lifted_because = $2, lifted_at = $3
         WHERE kind = $4 AND name = $5 AND lifted_at IS NULL
           AND (until IS NULL OR until > $3) AND ($6::text IS NULL OR actor = $6)
        """,
        *(lifting.actor, lifting.reason, lifting.at, kind.value, name, of),
    )
    kept = await _halt_named(connection, schema, kind, name)
    return kept if kept is not None and kept.lifted == lifting else None


async def halts_kept(connection: Connection, schema: str) -> tuple[Halt, ...]:
    """Return the newest halt of every kind and name."""
    found = await connection.fetch(f'{_SELECT} FROM "{schema}".halt ORDER BY kind, name')
    return tuple(halt_of(tuple(values)) for values in found)


async def _halt_named(
    connection: Connection, schema: str, kind: HaltKind, name: str
) -> Halt | None:
    found = await connection.fetchrow(
        f'{_SELECT} FROM "{schema}".halt WHERE kind = $1 AND name = $2', kind.value, name
    )
    return None if found is None else halt_of(tuple(found))
