"""May this database be used, and how does its schema come about? No run, no batch.

The schema's number is a row in its table `meta`. Whoever opens the journal brings it to the
newest number, in one transaction under a lock that the others wait for.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput, StoreRefused
from makegood.journal.numbering import to_apply
from makegood.journal.postgres.connection import (
    ASYNCPG,
    TROUBLE,
    Fault,
    fault_of,
    in_transaction,
    only_read,
    refusal_to_connect,
    said,
    within,
)
from makegood.journal.postgres.steps.guard import Permission, permitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.postgres.connection import Connection, Driver
    from makegood.journal.postgres.place import Place
    from makegood.journal.protocol import Migration

__all__ = ["SERVER_MAJOR_MIN", "open_database", "require_version", "scripts"]

SERVER_MAJOR_MIN = 16
"""The oldest server on which the tests were run; they run on 18."""

_MIGRATION_SECONDS_MAX = 600.0
"""How long all migrations together may take, waiting for another one's included."""

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
"""Settings without which an acknowledged append may be lost."""

# The schema is a plain name, checked in `place`.
# ruff: noqa: S608


async def open_database(
    place: Place,
    migrations: Sequence[Migration],
    *,
    own: Sequence[str] | None = None,
    driver: Driver = ASYNCPG,
) -> Connection:
    """Connect, look at the server, make or migrate the schema; return the connection.

    `own` are the engine's own scripts, of which an older program knows only the first.
    """
    try:
        connection = await driver.connect(place)
    except TROUBLE as error:
        raise refusal_to_connect(place, error) from error
    try:
        async with within(connection, _MIGRATION_SECONDS_MAX):
            await _make_schema(connection, place, migrations, scripts() if own is None else own)
    except BaseException as error:
        connection.terminate()
        if isinstance(error, TROUBLE) and not isinstance(error, InvalidInput):
            raise _refusal(place, error) from error
        raise
    return connection


def require_version(major: int) -> None:
    """Raise `StoreRefused` for a server that is too old."""
    if major < SERVER_MAJOR_MIN:
        message = f"the server is PostgreSQL {major}; upgrade it to {SERVER_MAJOR_MIN} or newer"
        raise StoreRefused(message)


def scripts() -> list[str]:
    """Return the numbered scripts of the schema, in order."""
    folder = files("makegood.journal.postgres").joinpath("schema")
    named = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".sql")}
    return [named[name].read_text(encoding="utf-8") for name in sorted(named)]


async def _require_durable(connection: Connection, place: Place) -> None:
    require_version(int(await connection.fetchval("SHOW server_version_num")) // 10_000)
    if await connection.fetchval("SHOW transaction_read_only") == "on":
        raise StoreRefused(only_read(place))
    for name in _DURABLE:
        if await connection.fetchval(f"SHOW {name}") == "off":
            message = (
                f"{place.shown} has {name} = off, which loses what was acknowledged; set it on"
            )
            raise StoreRefused(message)


async def _make_schema(
    connection: Connection, place: Place, migrations: Sequence[Migration], own: Sequence[str]
) -> None:
    schema = place.schema

    async def make(connection: Connection) -> None:
        await _require_durable(connection, place)
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('makegood ' || $1, 0))", schema
        )
        await _bring_to_newest(connection, schema, own)
        await _migrate_application(connection, schema, migrations)

    begin = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"
    await in_transaction(connection, make, begin=begin)


async def _bring_to_newest(connection: Connection, schema: str, own: Sequence[str]) -> None:
    number = await _number_of(connection, schema)
    if number > len(own):
        message = (
            f"the schema {schema} has number {number} and this version of makegood knows only "
            f"{len(own)}; upgrade makegood"
        )
        raise StoreRefused(message)
    if number == len(own):
        return
    before = await connection.fetchval("SHOW search_path")
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    await connection.execute(f'SET LOCAL search_path = "{schema}", pg_temp')
    if number == 0:
        await connection.execute("CREATE TABLE meta (name text PRIMARY KEY, value bigint NOT NULL)")
        await connection.execute("INSERT INTO meta VALUES ('schema', 0)")
    for script in own[number:]:
        await connection.execute(script)
    await connection.execute("UPDATE meta SET value = $1 WHERE name = 'schema'", len(own))
    await connection.execute("SELECT set_config('search_path', $1, true)", before)


async def _number_of(connection: Connection, schema: str) -> int:
    """Return the schema's number, 0 for one that is not there; refuse another program's."""
    if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{schema}.meta"):
        number: int = await connection.fetchval(
            f'SELECT value FROM "{schema}".meta WHERE name = $1', "schema"
        )
        return number
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace($1))", schema
    ):
        message = f"the schema {schema} is not a journal of makegood; name another one"
        raise StoreRefused(message)
    return 0


async def _migrate_application(
    connection: Connection, schema: str, migrations: Sequence[Migration]
) -> None:
    """Apply each migration of the application's own tables once, in order."""
    rows = await connection.fetch(f'SELECT owner, number FROM "{schema}".migration')
    for migration in to_apply(migrations, {(owner, number) for owner, number in rows}):
        try:
            await connection.execute(permitted(migration.sql, Permission.DEFINE, schema=schema))
        except TROUBLE as error:
            if fault_of(error) is Fault.GONE:
                raise
            message = f"migration {migration.number} of {migration.owner!r} failed: {error}"
            raise StoreRefused(message) from error
        await connection.execute(
            f'INSERT INTO "{schema}".migration (owner, number) VALUES ($1, $2)',
            migration.owner,
            migration.number,
        )


def _refusal(place: Place, error: Exception) -> Exception:
    if fault_of(error) is Fault.GONE:
        return refusal_to_connect(place, error)
    return StoreRefused(
        f"the schema {place.schema} of {place.shown} cannot be made or read ({said(error)}); "
        "look at the rights of this user"
    )
