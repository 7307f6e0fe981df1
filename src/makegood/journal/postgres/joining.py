"""How is a run started in a caller's own transaction? As a post, on the caller's connection.

The post that starts a run is one call of the schema's function `post`, so it can travel on any
connection to the same database: it is there when the caller commits and never was when the caller
rolls back. The kinds of connection are told apart by modules that are loaded already, because
whoever has such a connection has imported its driver. Nothing here begins, ends or sets anything.
Nobody is rung either: a `NOTIFY` would make the caller's commit wait for every other commit that
notifies, and would forbid the caller to prepare the transaction. A worker finds the run by polling.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import asyncpg  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]

from makegood.errors import InvalidInput
from makegood.journal.protocol import Exists
from makegood.values.ids import RunId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection as PsycopgConnection
    from sqlalchemy.ext.asyncio import AsyncConnection as AlchemyConnection
    from sqlalchemy.ext.asyncio import AsyncSession as AlchemySession

    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place
    from makegood.journal.protocol import Post

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Joiner"]

# Any: the driver's classes, which checkers cannot read.
_driver: Any = asyncpg

_TYPES = (
    *("bigint", "text", "bytea", "bigint", "bytea", "text"),
    *("text", "text", "text", "text", "bigint", "text", "boolean"),
)
"""The types of what the statement binds: the store's number, and what `post` takes of a post."""

_NUMBERED = tuple(f"${number}" for number in range(1, len(_TYPES) + 1))
_UNNUMBERED = ("%s",) * len(_TYPES)
"""Its placeholders, as the drivers have them."""

_ANOTHER_DATABASE = frozenset({"3F000", "42P01", "42883"})
"""The server's codes for a schema, a table and a function that are not there."""

_ALCHEMY = "sqlalchemy.ext.asyncio"


class Joiner:
    """Starts runs of one store on the connections of callers."""

    def __init__(self, place: Place, desk: Desk) -> None:
        self._place = place
        self._desk = desk
        self._store: int | None = None
        """The number that this store gave itself when it was made."""

    async def post(self, post: Post, connection: object) -> int | Exists:
        """Post the start of a run inside the transaction that is open on the connection."""
        new = post.create
        assert new is not None, "only a start is posted in a transaction of the caller's"
        if self._store is None:
            self._store = await self._desk.ask(self._number_of_store)
        # Nobody sends this again when its answer is lost, so the run's own number will do as the
        # token of its first post.
        token = UUID(post.run).bytes
        values = (
            *(self._store, post.run, post.body, post.at, token, post.status),
            *(new.workflow, new.key, new.fingerprint, new.input_hash, new.created_at, new.subject),
            new.key_until_ended,
        )
        rows = await self._rows_on(connection, values)
        if not rows:
            raise self._of_another_store()
        ((number, other, other_hash),) = rows
        if other is not None:
            return Exists(RunId(other), other_hash)
        assert number is not None, "a run that was just made can be posted to"
        return int(number)

    async def _rows_on(self, connection: object, values: tuple[object, ...]) -> Sequence[Any]:
        """Run the statement as this kind of connection does it; return its rows."""
        if isinstance(connection, _driver.Connection | _driver.pool.PoolConnectionProxy):
            return await self._on_asyncpg(connection, values)
        if _is_of(connection, "psycopg", "AsyncConnection"):
            psycopg = cast("PsycopgConnection[Any]", connection)  # Any: whatever its rows are.
            return await self._on_psycopg(psycopg, values)
        if _is_of(connection, _ALCHEMY, "AsyncSession"):
            connection = await cast("AlchemySession", connection).connection()
        if _is_of(connection, _ALCHEMY, "AsyncConnection"):
            return await self._on_alchemy(cast("AlchemyConnection", connection), values)
        kind = type(connection)
        message = (
            f"no run can be started within a {kind.__module__}.{kind.__qualname__}; give a "
            "connection of asyncpg, a psycopg.AsyncConnection, or an AsyncConnection or "
            "AsyncSession of SQLAlchemy"
        )
        raise InvalidInput(message)

    # Any: asyncpg has no types.
    async def _on_asyncpg(self, connection: Any, values: tuple[object, ...]) -> Sequence[Any]:
        # A connection that is lost is in no transaction either, and says itself what became of it.
        if not connection.is_closed() and not connection.is_in_transaction():
            raise _without_transaction("use it inside `async with connection.transaction():`")
        try:
            rows: Sequence[Any] = await connection.fetch(self._sql(_NUMBERED), *values)
        except _driver.PostgresError as error:
            if error.sqlstate in _ANOTHER_DATABASE:
                raise self._of_another_store() from error
            raise
        return rows

    async def _on_psycopg(
        self,
        connection: PsycopgConnection[Any],  # Any: whatever its rows are.
        values: tuple[object, ...],
    ) -> Sequence[Any]:
        import psycopg  # noqa: PLC0415 - the caller has it, and few others do
        from psycopg.rows import tuple_row  # noqa: PLC0415

        is_idle = connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        if connection.autocommit and is_idle:
            raise _without_transaction("use it inside `async with connection.transaction():`")
        # Its own cursor: those of the connection may have other placeholders, and other rows.
        async with psycopg.AsyncCursor(connection, row_factory=tuple_row) as cursor:
            try:
                await cursor.execute(self._sql(_UNNUMBERED).encode(), values)
                return await cursor.fetchall()
            except psycopg.Error as error:
                if error.sqlstate in _ANOTHER_DATABASE:
                    raise self._of_another_store() from error
                raise

    async def _on_alchemy(
        self, connection: AlchemyConnection, values: tuple[object, ...]
    ) -> Sequence[Any]:
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - as above

        dialect = connection.dialect
        placeholders = {"asyncpg": _NUMBERED, "psycopg": _UNNUMBERED}.get(dialect.driver)
        if dialect.name != "postgresql" or placeholders is None:
            message = (
                f"no run can be started within a connection of {dialect.name}+{dialect.driver}; "
                "give one of postgresql+asyncpg or postgresql+psycopg"
            )
            raise InvalidInput(message)
        # Any: each of its drivers has an adapter of its own, and all of them have this property.
        adapter: Any = (await connection.get_raw_connection()).dbapi_connection
        if adapter.autocommit:
            raise _without_transaction("give it another isolation level than AUTOCOMMIT")
        try:
            return (await connection.exec_driver_sql(self._sql(placeholders), values)).all()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in _ANOTHER_DATABASE:
                raise self._of_another_store() from error
            raise

    def _sql(self, places: Sequence[str]) -> str:
        """Return the statement, which posts nothing where the store has another number.

        The condition stands among what the function is given, so that whatever the planner makes
        of the join, the function is not called before the condition has been looked at.
        """
        schema = self._place.schema
        store, run, *others = [
            f"CAST({place} AS {kind})" for place, kind in zip(places, _TYPES, strict=True)
        ]
        return f"""
            SELECT posted.n, posted.other, posted.other_hash
              FROM "{schema}".meta AS store,
                   LATERAL "{schema}".post(
                       CASE WHEN store.value = {store} THEN ARRAY[{run}] ELSE '{{}}' END,
                       {", ".join(f"ARRAY[{other}]" for other in others)}
                   ) AS posted
             WHERE store.name = 'store'
            """

    async def _number_of_store(self, connection: Connection) -> int:
        number: int = await connection.fetchval(
            f'SELECT value FROM "{self._place.schema}".meta WHERE name = $1', "store"
        )
        return number

    def _of_another_store(self) -> InvalidInput:
        return InvalidInput(
            f"the connection is not to the journal in {self._place.schema} at {self._place.shown}; "
            "give one to the same database"
        )


def _is_of(connection: object, module: str, name: str) -> bool:
    """Say whether it is of a class whose module may not even be installed."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(connection, kind)


def _without_transaction(remedy: str) -> InvalidInput:
    return InvalidInput(
        f"the connection has no open transaction for the run to be started in; {remedy}"
    )
