"""How is a halt kept in the file? Knows one table, and nothing of who looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.halting import HALT_COLUMNS, halt_of

if TYPE_CHECKING:
    from makegood.journal.application.connection import Connection
    from makegood.journal.halting import Halt, HaltKind, Lifting

__all__ = ["halts_kept", "keep_halt", "lift_halt"]

_SELECT = f"SELECT {HALT_COLUMNS} FROM makegood_halt"  # noqa: S608 - columns of ours


def keep_halt(connection: Connection, halt: Halt) -> Halt:
    """Keep a halt unless one stands that outlasts it, and return the one that is kept."""
    connection.execute(
        """
        INSERT INTO makegood_halt AS kept (kind, name, actor, reason, at, until)
        VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (kind, name) DO UPDATE
           SET actor = excluded.actor, reason = excluded.reason, at = excluded.at,
               until = excluded.until, lifted_by = NULL, lifted_because = NULL, lifted_at = NULL
         WHERE kept.lifted_at IS NOT NULL OR kept.until <= excluded.at
            OR (kept.until IS NOT NULL
                AND (excluded.until IS NULL OR excluded.until > kept.until))
        """,
        (halt.kind.value, halt.name, halt.actor, halt.reason, halt.at, halt.until),
    )
    kept = _halt_named(connection, halt.kind, halt.name)
    assert kept is not None, "a halt is kept for ever"
    return kept


def lift_halt(
    connection: Connection, kind: HaltKind, name: str, lifting: Lifting, *, of: str | None
) -> Halt | None:
    """Lift the halt that stands and return it; None where none does.

    One that this very lifting has lifted before is returned again.
    """
    connection.execute(
        """
        UPDATE makegood_halt SET lifted_by = ?1, lifted_because = ?2, lifted_at = ?3
         WHERE kind = ?4 AND name = ?5 AND lifted_at IS NULL
           AND (until IS NULL OR until > ?3) AND (?6 IS NULL OR actor = ?6)
        """,
        (lifting.actor, lifting.reason, lifting.at, kind.value, name, of),
    )
    kept = _halt_named(connection, kind, name)
    return kept if kept is not None and kept.lifted == lifting else None


def halts_kept(connection: Connection) -> tuple[Halt, ...]:
    """Return the newest halt of every kind and name."""
    found = connection.execute(f"{_SELECT} ORDER BY kind, name").fetchall()
    return tuple(halt_of(values) for values in found)


def _halt_named(connection: Connection, kind: HaltKind, name: str) -> Halt | None:
    found = connection.execute(
        f"{_SELECT} WHERE kind = ? AND name = ?", (kind.value, name)
    ).fetchone()
    return None if found is None else halt_of(found)
