"""A PostgreSQL for the journals' tests: one server, and in it two schemas for every test."""

from __future__ import annotations

import asyncio
import itertools
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from makegood.testing.servers import PostgresServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

    from makegood.journal.protocol import Journal, Migration

__all__ = ["PostgresWorld", "Served", "eventually", "served_here"]

GIVEN = "MAKEGOOD_TEST_POSTGRES"
"""Names a database to use instead of a server that is started here."""

# What is served here is real, and waited for.
pytestmark = pytest.mark.real

_SECONDS_MAX = 30
_SECONDS_BETWEEN_LOOKS = 0.02

_numbers = itertools.count(1)


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again, in real time, until it is so."""
    async with asyncio.timeout(_SECONDS_MAX):
        while True:
            if await look():
                return
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)


class Served:
    """A database that can be used, and how to come by a place in it that nobody else has."""

    def __init__(self, url: str, *, is_ours: bool) -> None:
        self.url = url
        self._is_ours = is_ours
        self._emptied: dict[tuple[tuple[str, Any], ...], list[PostgresWorld]] = {}
        """By how their journals are set."""

    @property
    def port(self) -> int:
        """The port of the server."""
        port = urlsplit(self.url).port
        return 5432 if port is None else port

    async def world(self, *, port: int | None = None, **settings: Any) -> PostgresWorld:
        """Return a world of its own: a schema for the engine, and one for the application.

        Its journals reach the server at another `port`, where something stands between.
        """
        name = f"{os.getpid()}_{next(_numbers)}"
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f'CREATE SCHEMA "shop_{name}"')
        finally:
            await connection.close()
        joint = "&" if "?" in self.url else "?"
        dsn = f"{self.url}{joint}search_path=shop_{name}"
        behind = dsn if port is None else dsn.replace(f":{self.port}/", f":{port}/")
        place = Place(dsn=behind, schema=f"engine_{name}", **settings)
        return PostgresWorld(place, dsn, is_ours=self._is_ours)

    @asynccontextmanager
    async def lent(self, **settings: Any) -> AsyncGenerator[PostgresWorld]:
        """Give a world that others may have had, emptied: to make a schema takes the longest.

        It is for tests that leave nothing behind but rows and tables of an application.
        """
        emptied = self._emptied.setdefault(tuple(sorted(settings.items())), [])
        world = emptied.pop() if emptied else await self.world(**settings)
        place = world.place
        try:
            yield world
        finally:
            await world.close()
        if self._is_ours:
            world.place = place
            await world.empty()
            emptied.append(world)


@contextmanager
def served_here() -> Iterator[Served]:
    """Use the database that the environment names, or a server of our own."""
    given = os.environ.get(GIVEN)
    if given:
        yield Served(given, is_ours=False)
        return
    with PostgresServer() as server:
        yield Served(server.url(), is_ours=True)


_EMPTYING = """
SET session_replication_role = replica;
SET client_min_messages = warning;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT tablename FROM pg_tables
         WHERE schemaname = '{schema}' AND tablename <> 'meta'
    LOOP
        EXECUTE format('DELETE FROM "{schema}".%I', name);
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = '{schema}' LOOP
        PERFORM setval(format('"{schema}".%I', name), 1, false);
    END LOOP;
END $$;
DROP SCHEMA "{shop}" CASCADE;
CREATE SCHEMA "{shop}";
"""


class PostgresWorld:
    """Workers on one schema."""

    def __init__(self, place: Place, dsn: str, *, is_ours: bool) -> None:
        self.place = place
        self.dsn = dsn
        self._is_ours = is_ours
        self.journals: list[PostgresJournal] = []

    async def open(
        self, *, work: bool = True, migrations: Sequence[Migration] = ()
    ) -> PostgresJournal:
        journal = PostgresJournal(self.place)
        await journal.open(work=work, migrations=migrations)
        self.journals.append(journal)
        return journal

    async def kill(self, journal: Journal) -> None:
        """Let the time of every lease run out; what still runs of the worker is a zombie."""
        await self.sql("UPDATE run SET wake_at = 0 WHERE owner IS NOT NULL")
        await self.sql("UPDATE lane SET due_at = 0 WHERE owner IS NOT NULL")

    @asynccontextmanager
    async def outside(self) -> AsyncGenerator[Any]:  # Any: the driver's connection
        """Connect to the engine's schema, as somebody from outside."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(f"SET search_path = {self.place.schema}")
            yield connection
        finally:
            await connection.close()

    async def sql(self, statement: str, *parameters: object) -> Any:  # Any: the driver's rows
        """Run a statement in the engine's schema, as somebody from outside."""
        async with self.outside() as connection:
            return await connection.fetch(statement, *parameters)

    async def now(self) -> int:
        """Return the server's clock."""
        rows = await self.sql("SELECT server_now()")
        return int(rows[0][0])

    async def close(self) -> None:
        """Close what is open, and remove the schemas from a server that outlives the tests."""
        for journal in self.journals:
            await journal.close()
        if self._is_ours:
            return
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute("SET client_min_messages = warning")
            await connection.execute(
                f"DROP SCHEMA IF EXISTS {self.place.schema}, {self._shop} CASCADE"
            )
        finally:
            await connection.close()

    async def empty(self) -> None:
        """Remove what was written since the schema was made, and the application's tables."""
        self.journals.clear()
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(_EMPTYING.format(schema=self.place.schema, shop=self._shop))
        finally:
            await connection.close()

    @property
    def _shop(self) -> str:
        return self.place.schema.replace("engine_", "shop_")
