"""What would an upgrade run? The same statements as text, for somebody who has the rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.application.numbering import terminated
from makegood.journal.postgres.opening import lock_of, scripts, statements_from
from makegood.journal.postgres.steps.guard import Permission, permitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.postgres.place import Place
    from makegood.journal.protocol import Migration

# The schema is a plain name, checked in `place`; an owner's name is quoted here.
# ruff: noqa: S608

__all__ = ["script_of"]


def script_of(place: Place, number: int, missing: Sequence[Migration]) -> str:
    """Return the SQL that brings a schema with this number to the newest, in one transaction."""
    schema = place.schema
    own = scripts()
    statements = statements_from(number, own, schema=schema)
    if not statements and not missing:
        return f"-- The schema {schema} is up to date: there is nothing to apply.\n"
    head = (
        f"-- Brings the schema {schema} from {number} to {len(own)}. Run it as its owner:\n"
        "--\n--     psql -X -v ON_ERROR_STOP=1 -f this.sql"
    )
    begin = "BEGIN;\nSET LOCAL statement_timeout = 0;\nSET LOCAL lock_timeout = 0;"
    lock = f"-- Whoever else migrates this schema is waited for.\nSELECT {lock_of(schema)};"
    guard = [_expects(schema, number)] if number else []
    parts = [head, begin, lock, *guard, *(terminated(each) for each in statements)]
    if missing:
        parts.append("SET LOCAL search_path TO DEFAULT;")
    for migration in missing:
        owner = migration.owner.replace("'", "''")
        parts.append(terminated(permitted(migration.sql, Permission.DEFINE, schema=schema)))
        values = f"('{owner}', {migration.number})"
        parts.append(f'INSERT INTO "{schema}".migration (owner, number) VALUES {values};')
    return "\n\n".join([*parts, "COMMIT;"]) + "\n"


def _expects(schema: str, number: int) -> str:
    """Return what ends the script where the schema has another number by now."""
    return f"""DO $$
BEGIN
    IF (SELECT value FROM "{schema}".meta WHERE name = 'schema') <> {number} THEN
        RAISE EXCEPTION 'the schema {schema} is not at {number} any more; print the script again';
    END IF;
END $$;"""
