"""What keeps the engine's schema in a database in order? Looks, and changes it only when asked."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from makegood.journal.application.numbering import ENGINE, name_of, to_apply
from makegood.journal.postgres.connection import (
    ASYNCPG,
    TROUBLE,
    in_transaction,
    refusal_to_connect,
    within,
)
from makegood.journal.postgres.keeping.retaining import prunable_of
from makegood.journal.postgres.opening import (
    applied_migrations,
    number_of,
    prepare_database,
    refusal_of,
    scripts,
)
from makegood.journal.postgres.place import Place
from makegood.journal.postgres.upkeep.examining import Examiner
from makegood.journal.postgres.upkeep.script import script_of
from makegood.journal.upkeep import Bounds, Check, Schema, require_since

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from makegood.journal.postgres.connection import Connection, Driver
    from makegood.journal.protocol import Migration
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.

__all__ = ["PostgresUpkeep"]

_CLOSE_SECONDS_MAX = 5.0

_LOOK = "BEGIN READ ONLY"


class PostgresUpkeep:
    """The `Upkeep` of a journal in a schema of a PostgreSQL database."""

    def __init__(
        self, place: str | Place, *, driver: Driver = ASYNCPG, bounds: Bounds | None = None
    ) -> None:
        self._place = Place.of(place) if isinstance(place, str) else place
        self._driver = driver
        self._bounds = bounds or Bounds()

    def __repr__(self) -> str:
        return f"<PostgresUpkeep of {self._place.schema} at {self._place.shown}>"

    @property
    def where(self) -> str:
        """The schema, the host and the database."""
        return f"the schema {self._place.schema} of {self._place.shown}"

    async def schema(self, migrations: Sequence[Migration] = ()) -> Schema:
        """Say how far the schema is; nothing is made by asking."""
        number, missing = await self._missing(migrations)
        newest = len(scripts())
        own = tuple(name_of(ENGINE, each) for each in range(number + 1, newest + 1))
        tables = tuple(name_of(each.owner, each.number) for each in missing)
        return Schema(number=number, newest=newest, pending=own + tables)

    async def upgrade(self, migrations: Sequence[Migration] = ()) -> tuple[str, ...]:
        """Bring the schema to its newest number; it is made where there is none."""
        connection, applied = await prepare_database(self._place, migrations, driver=self._driver)
        await connection.close(timeout=_CLOSE_SECONDS_MAX)
        return applied

    async def script(
        self, migrations: Sequence[Migration] = (), *, since: int | None = None
    ) -> str:
        """Return as text what `upgrade` would do, for the program `psql`."""
        if since is None:
            number, missing = await self._missing(migrations)
        else:
            number, missing = require_since(since, len(scripts())), to_apply(migrations, ())
        return script_of(self._place, number, missing)

    async def examine(
        self,
        *,
        now: Callable[[], Instant],
        thorough: bool = False,  # noqa: ARG002 - a server has its own tools to read all it holds
    ) -> tuple[Check, ...]:
        """Look at the server, its settings, what holds it back, and at the schema."""
        return await Examiner(self._place, self._driver, self._bounds, now).examine()

    async def prunable(self, *, ended_before: Instant, now: Instant) -> int:
        """Return how many runs a prune would take."""
        async with self._connected() as connection:
            return await prunable_of(
                connection, self._place.schema, ended_before=ended_before, now=now
            )

    async def sweep(self) -> str | None:
        """Change nothing, for vacuum comes by itself; say what it is that waits for it."""
        return (
            "the server keeps what rows were before until it is vacuumed, and its archived log "
            "and its backups keep it until they expire"
        )

    async def _missing(self, migrations: Sequence[Migration]) -> tuple[int, list[Migration]]:
        """Return the schema's number, and which of these migrations were not applied."""
        schema = self._place.schema

        async def look(connection: Connection) -> tuple[int, set[tuple[str, int]]]:
            number = await number_of(connection, schema)
            has_tables = number > 0 and bool(migrations)
            return number, await applied_migrations(connection, schema) if has_tables else set()

        async with self._connected() as connection:
            number, applied = await in_transaction(connection, look, begin=_LOOK)
        return number, to_apply(migrations, applied)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Connection]:
        """Have a connection of one's own; what goes wrong with it is told as a store's trouble."""
        try:
            connection = await self._driver.connect(self._place)
        except TROUBLE as error:
            raise refusal_to_connect(self._place, error) from error
        try:
            async with within(connection, self._place.answer_seconds_max):
                yield connection
        except TROUBLE as error:
            raise refusal_of(self._place, error) from error
        finally:
            if not connection.is_closed():
                await connection.close(timeout=_CLOSE_SECONDS_MAX)
