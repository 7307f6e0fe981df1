"""Where a store's two sets of books are, and how they are read: without the engine, only to look.

The shop's are tables beside the engine's, in a SQLite file or in a PostgreSQL database. The
gateway's are somebody else's: always a SQLite file of their own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import apsw

from makegood import InvalidInput, StoreBusy, StoreRefused

__all__ = ["BooksMissing", "Rows", "gateway_path", "gateway_rows", "is_address", "shop_rows"]

Rows = list[tuple[str | int | None, ...]]

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_PORT = 5432

_ENGINES = ("schema", "pooled", "lease_seconds")
"""What an address says to the engine, and the driver does not know."""

_CONNECT_SECONDS_MAX = 10
_ANSWER_SECONDS_MAX = 60

_NO_TABLE = "42P01"
_NO_DATABASE = "3D000"
_CONNECTION_LOST = ("08", "57")
"""What the server's codes of a connection that ended begin with."""


class BooksMissing(Exception):
    """Books are not there, or are not what they should be."""


def is_address(store: str) -> bool:
    """Say whether a store is named by the address of a PostgreSQL database, and not by a path."""
    return store.startswith(_POSTGRES)


def gateway_path(store: str | Path) -> Path:
    """Return where the sandbox's books of a store are: beside its file.

    Those of a database lie in the current directory, in a file that is named after its host,
    port, name and schema: `makegood-demo-127.0.0.1-5432-shop-makegood.sandbox`.
    """
    if isinstance(store, str) and is_address(store):
        return Path(f"makegood-demo-{_Server.of(store).name}.sandbox")
    path = _path(store)
    return path.with_name(path.name + ".sandbox")


def gateway_rows(path: Path, sql: str) -> Rows:
    """Ask the gateway's books; `BooksMissing` when they are not there."""
    [rows] = _file_rows(path, (sql,))
    return rows


def shop_rows(store: str, statements: Sequence[str]) -> Sequence[Rows]:
    """Ask the shop's books, all statements of one state of them.

    Raises `BooksMissing` when they are not there, `InvalidInput` for an address that cannot be
    read, and `StoreBusy` or `StoreRefused` when the database does not answer or lets nobody in.
    """
    if not is_address(store):
        return _file_rows(_path(store), statements)
    return asyncio.run(_database_rows(_Server.of(store), statements))


def _path(store: str | Path) -> Path:
    return store if isinstance(store, Path) else Path(store.removeprefix(_SQLITE))


def _file_rows(path: Path, statements: Sequence[str]) -> Sequence[Rows]:
    if not path.is_file():
        message = f"there are no books at {path}; `makegood demo --store …` keeps some"
        raise BooksMissing(message)
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as books:
            # Everything is read of one state.
            _rows(books, "BEGIN")
            return [_rows(books, sql) for sql in statements]
    except apsw.Error as error:
        message = f"the books at {path} cannot be read: {error}"
        raise BooksMissing(message) from error


def _rows(books: apsw.Connection, sql: str) -> Rows:
    # apsw's annotation of `execute` names a type that the typing of Python 3.11 lacks.
    rows = books.execute(sql)  # pyright: ignore[reportUnknownMemberType]
    return [cast("tuple[str | int | None, ...]", row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """The address of a database taken apart."""

    dsn: str = field(repr=False)
    """As the driver takes it. It may hold a password, so it is never shown."""
    shown: str
    name: str
    """What its files are named after."""

    @classmethod
    def of(cls, address: str) -> _Server:
        try:
            parts = urlsplit(address)
            said = dict(parse_qsl(parts.query))
            host, port = parts.hostname or "local", parts.port or _PORT
        except ValueError as error:
            message = f"the address of the PostgreSQL database cannot be read: {error}"
            raise InvalidInput(message) from None
        rest = urlencode({name: value for name, value in said.items() if name not in _ENGINES})
        # The driver takes the user's name for a database that is not named.
        database = parts.path.strip("/") or parts.username or "default"
        schema = said.get("schema", "makegood")
        return cls(
            dsn=urlunsplit(parts._replace(query=rest)),
            shown=f"{host}:{port}/{database}",
            name=re.sub(r"[^\w.-]+", "_", f"{host}-{port}-{database}-{schema}"),
        )


async def _database_rows(server: _Server, statements: Sequence[str]) -> Sequence[Rows]:
    driver = _driver()
    try:
        connection = await driver.connect(
            server.dsn,
            timeout=_CONNECT_SECONDS_MAX,
            command_timeout=_ANSWER_SECONDS_MAX,
            # What stands between may be a pooler, which hands prepared statements to others.
            statement_cache_size=0,
        )
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return [[tuple(row) for row in await connection.fetch(sql)] for sql in statements]
        finally:
            await connection.close(timeout=_CONNECT_SECONDS_MAX)
    except (OSError, ValueError, driver.PostgresError, driver.InterfaceError) as error:
        raise _told(server, error) from error


def _driver() -> Any:  # Any: checkers cannot read the driver.
    """Return the driver, which is an optional extra."""
    try:
        return import_module("asyncpg")
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        message = 'PostgreSQL is reached by asyncpg; run: pip install "makegood[postgres]"'
        raise StoreRefused(message) from None


def _told(server: _Server, error: Exception) -> Exception:
    """Return what a person is told of an error of the driver, the server or the network."""
    code = getattr(error, "sqlstate", None)
    said = str(error) or type(error).__name__
    if code == _NO_TABLE:
        message = f"there are no books in {server.shown}; `makegood demo --store …` keeps some"
        return BooksMissing(message)
    if code == _NO_DATABASE:
        message = f"{server.shown} does not exist; name the database of a demonstration"
        return BooksMissing(message)
    if isinstance(error, ValueError):
        return InvalidInput(f"the address of {server.shown} cannot be used: {said}")
    if code is None or code.startswith(_CONNECTION_LOST):
        message = f"{server.shown} cannot be reached ({said}); start it, or look at the address"
        return StoreBusy(message)
    return StoreRefused(f"the books in {server.shown} may not be read ({said})")
