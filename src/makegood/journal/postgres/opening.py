"""May this database be used, and how does its schema come about? No run, no batch.

The schema's number is a row in its table `meta`. Whoever opens the journal brings it to the
newest number, in one transaction under a lock that the others wait for. Where nothing is to be
applied, opening needs no right to define tables.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput, StoreRefused
from makegood.journal.application.numbering import ENGINE, name_of, to_apply
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

__all__ = [
    "DURABLE",
    "SERVER_MAJOR_MIN",
    "applied_migrations",
    "lock_of",
    "number_of",
    "open_database",
    "prepare_database",
    "refusal_of",
    "require_version",
    "scripts",
    "statements_from",
]

SERVER_MAJOR_MIN = 16
"""The oldest server on which the tests were run; they run on 18."""

_MIGRATION_SECONDS_MAX = 600.0
"""How long all migrations together may take, waiting for another one's included."""

DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
"""Settings without which an acknowledged append may be lost."""

_INSUFFICIENT_PRIVILEGE = "42501"

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
    connection, _applied = await prepare_database(place, migrations, own=own, driver=driver)
    return connection


async def prepare_database(
    place: Place,
    migrations: Sequence[Migration],
    *,
    own: Sequence[str] | None = None,
    driver: Driver = ASYNCPG,
) -> tuple[Connection, tuple[str, ...]]:
    """Do what `open_database` does, and return also the names of the migrations it applied."""
    try:
        connection = await driver.connect(place)
    except TROUBLE as error:
        raise refusal_to_connect(place, error) from error
    try:
        async with within(connection, _MIGRATION_SECONDS_MAX):
            applied = await _make_schema(
                connection, place, migrations, scripts() if own is None else own
            )
    except BaseException as error:
        connection.terminate()
        if isinstance(error, TROUBLE) and not isinstance(error, InvalidInput):
            raise refusal_of(place, error) from error
        raise
    return connection, applied


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
    for name in DURABLE:
        if await connection.fetchval(f"SHOW {name}") == "off":
            message = (
                f"{place.shown} has {name} = off, which loses what was acknowledged; set it on"
            )
            raise StoreRefused(message)
    if await connection.fetchval("SHOW client_min_messages") == "error":
        message = (
            f"{place.shown} has client_min_messages = error, which hides that a commit was not "
            "confirmed by a standby; set it to warning"
        )
        raise StoreRefused(message)


async def _make_schema(
    connection: Connection, place: Place, migrations: Sequence[Migration], own: Sequence[str]
) -> tuple[str, ...]:
    """Bring everything to its newest number; return the names of what was applied."""
    schema = place.schema
    applied: list[str] = []

    async def make(connection: Connection) -> None:
        await _require_durable(connection, place)
        await connection.execute(f"SELECT {lock_of(schema)}")
        number = await number_of(connection, schema)
        _require_known(schema, number, len(own))
        applied.extend(name_of(ENGINE, each) for each in range(number + 1, len(own) + 1))
        await _bring_to_newest(connection, place, number, own)
        missing = to_apply(migrations, await applied_migrations(connection, schema))
        applied.extend(name_of(each.owner, each.number) for each in missing)
        await _migrate_application(connection, schema, missing)

    begin = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"
    await in_transaction(connection, make, begin=begin)
    return tuple(applied)


def lock_of(schema: str) -> str:
    """Return the call that waits for whoever migrates this schema, until the transaction ends."""
    return f"pg_advisory_xact_lock(hashtextextended('makegood ' || '{schema}', 0))"


def _require_known(schema: str, number: int, newest: int) -> None:
    if number > newest:
        message = (
            f"the schema {schema} has number {number} and this version of makegood knows only "
            f"{newest}; upgrade makegood"
        )
        raise StoreRefused(message)


async def _bring_to_newest(
    connection: Connection, place: Place, number: int, own: Sequence[str]
) -> None:
    if number == len(own):
        return
    before = await connection.fetchval("SHOW search_path")
    # Whoever was given a schema may not be allowed to make one.
    is_made = await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", place.schema)
    try:
        for statements in statements_from(number, own, schema=place.schema, is_made=is_made):
            await connection.execute(statements)
    except TROUBLE as error:
        if number == 0 or getattr(error, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
            raise
        message = (
            f"the schema {place.schema} of {place.shown} has number {number}, this program needs "
            f"{len(own)}, and this user may not change it ({said(error)}); run `makegood db "
            "upgrade` as its owner"
        )
        raise StoreRefused(message) from error
    await connection.execute("SELECT set_config('search_path', $1, true)", before)


def statements_from(
    number: int, own: Sequence[str], *, schema: str, is_made: bool = False
) -> list[str]:
    """Return what brings a schema with this number to the newest, in order.

    They leave the schema first in the search path of their transaction.
    """
    if number >= len(own):
        return []
    making = [] if number or is_made else [f'CREATE SCHEMA IF NOT EXISTS "{schema}"']
    meta = [
        "CREATE TABLE meta (name text PRIMARY KEY, value bigint NOT NULL)",
        "INSERT INTO meta VALUES ('schema', 0)",
    ]
    return [
        *making,
        f'SET LOCAL search_path = "{schema}", pg_temp',
        *([] if number else meta),
        *own[number:],
        f"UPDATE meta SET value = {len(own)} WHERE name = 'schema'",
    ]


async def number_of(connection: Connection, schema: str) -> int:
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


async def applied_migrations(connection: Connection, schema: str) -> set[tuple[str, int]]:
    """Return which migrations of the application's own tables were applied."""
    rows = await connection.fetch(f'SELECT owner, number FROM "{schema}".migration')
    return {(owner, number) for owner, number in rows}


async def _migrate_application(
    connection: Connection, schema: str, missing: Sequence[Migration]
) -> None:
    """Apply each migration of the application's own tables, in order."""
    for migration in missing:
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


def refusal_of(place: Place, error: Exception) -> Exception:
    """Return the error that tells a person why a schema cannot be used."""
    if fault_of(error) is Fault.GONE:
        return refusal_to_connect(place, error)
    return StoreRefused(
        f"the schema {place.schema} of {place.shown} cannot be made or read ({said(error)}); "
        "look at the rights of this user"
    )
