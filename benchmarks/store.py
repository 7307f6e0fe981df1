"""Where are journals made, used once and removed? In memory, in a folder, or on a server."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from benchmarks.database import connected

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["Counted", "Store", "store_of"]

_SETTINGS = {
    # What a server has that nobody has tuned, instead of what suits tests.
    "autovacuum": "on",
    "shared_buffers": "128MB",
}
_TOLD = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "shared_buffers")

_SESSIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'
"""
_COUNTS = """
SELECT xact_commit, tup_inserted + tup_updated + tup_deleted,
       (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint
  FROM pg_stat_database WHERE datname = $1
"""

_SECONDS_TO_LEAVE_MAX = 10.0
_SECONDS_BETWEEN_LOOKS = 0.01


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a server counted in one database; one minus another is what happened in between."""

    commits: int
    """Those that only read among them."""
    rows: int
    """Rows that were inserted, updated or deleted."""
    wal_bytes: int
    """What the whole server wrote to its log, for whichever database."""

    def __sub__(self, before: Counted) -> Counted:
        """Return what was counted since."""
        return Counted(
            commits=self.commits - before.commits,
            rows=self.rows - before.rows,
            wal_bytes=self.wal_bytes - before.wal_bytes,
        )


class Store(Protocol):
    """Makes fresh journals, which are removed when they were used."""

    def fresh(self) -> AbstractContextManager[str]:
        """Return the address of a journal that nobody has used, for the time of a `with`."""
        ...

    def counted(self, url: str) -> Counted | None:
        """Return what was counted in a fresh journal, once all have left it; None: nothing is."""
        ...

    def told(self) -> Mapping[str, str]:
        """Return what is to be read beside the figures: the server, and how it is set."""
        ...


@contextmanager
def store_of(kind: str, folder: Path, *, server: str | None = None) -> Generator[Store, None, None]:
    """Provide a store; a PostgreSQL server is started for the time, unless one is named."""
    if kind != "postgres":
        yield _Files(None if kind == "memory" else folder)
    elif server is not None:
        yield _Server(server)
    else:
        from makegood.testing.servers import PostgresServer

        with PostgresServer(settings=_SETTINGS) as started:
            yield _Server(started.url())


class _Files:
    """Journals in SQLite files, which go when their folder goes, or without one in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._made = 0

    @contextmanager
    def fresh(self) -> Generator[str, None, None]:
        self._made += 1
        if self._folder is None:
            yield "memory://"
        else:
            yield f"sqlite:///{self._folder.absolute() / str(self._made)}.journal"

    def counted(self, url: str) -> None:
        del url

    def told(self) -> Mapping[str, str]:
        return {}


class _Server:
    """Journals in databases of their own, on one PostgreSQL server."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def fresh(self) -> Generator[str, None, None]:
        name = f"makegood_benchmark_{secrets.token_hex(8)}"
        asyncio.run(self._execute(f'CREATE DATABASE "{name}"'))
        try:
            yield urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))
        finally:
            asyncio.run(self._execute(f'DROP DATABASE "{name}" WITH (FORCE)'))

    def counted(self, url: str) -> Counted:
        return asyncio.run(self._counted(urlsplit(url).path.removeprefix("/")))

    def told(self) -> Mapping[str, str]:
        return asyncio.run(self._told())

    async def _execute(self, statement: str) -> None:
        async with connected(self._url) as connection:
            await connection.execute(statement)

    async def _counted(self, database: str) -> Counted:
        """Ask from another database, so that the question is not among what is counted."""
        async with connected(self._url) as connection:
            # A session reports what it did when it ends, at the latest.
            async with asyncio.timeout(_SECONDS_TO_LEAVE_MAX):
                while True:
                    if await connection.fetchval(_SESSIONS, database) == 0:
                        break
                    await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            commits, rows, wal_bytes = await connection.fetchrow(_COUNTS, database)
        return Counted(commits=commits, rows=rows, wal_bytes=wal_bytes)

    async def _told(self) -> Mapping[str, str]:
        async with connected(self._url) as connection:
            version: str = await connection.fetchval("SHOW server_version")
            set_to = [f"{name}={await connection.fetchval(f'SHOW {name}')}" for name in _TOLD]
        return {"server": f"PostgreSQL {version}", "server_settings": " ".join(set_to)}
