"""Callers with a transaction of their own, one for each kind of connection that may be given."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

__all__ = ["KINDS", "Caller"]


@dataclass
class Caller:
    """A connection, and what its owner does with it."""

    connection: Any  # Any: of whatever kind it is.
    execute: Callable[[str], Awaitable[object]]
    commit: Callable[[], Awaitable[object]]
    rollback: Callable[[], Awaitable[object]]
    errors: tuple[type[Exception], ...]
    """What the driver raises."""


async def _begun_on_asyncpg(connection: Any) -> Caller:  # Any: asyncpg has no types.
    await connection.execute("BEGIN")
    return Caller(
        connection,
        connection.execute,
        partial(connection.execute, "COMMIT"),
        partial(connection.execute, "ROLLBACK"),
        (asyncpg.PostgresError, asyncpg.InterfaceError),
    )


@asynccontextmanager
async def on_asyncpg(url: str) -> AsyncGenerator[Caller]:
    connection = await asyncpg.connect(url)
    try:
        yield await _begun_on_asyncpg(connection)
    finally:
        connection.terminate()


@asynccontextmanager
async def on_a_pool(url: str) -> AsyncGenerator[Caller]:
    pool = await asyncpg.create_pool(url, min_size=0)
    try:
        yield await _begun_on_asyncpg(await pool.acquire())
    finally:
        pool.terminate()


@asynccontextmanager
async def on_psycopg(url: str) -> AsyncGenerator[Caller]:
    """Use rows and placeholders of the caller's choice, which are not those of the statement."""
    connection = await psycopg.AsyncConnection.connect(
        url, row_factory=dict_row, cursor_factory=psycopg.AsyncRawCursor
    )
    try:
        yield Caller(
            connection,
            lambda sql: connection.execute(sql.encode()),
            connection.commit,
            connection.rollback,
            (psycopg.Error,),
        )
    finally:
        await connection.close()


@asynccontextmanager
async def on_alchemy(url: str, *, driver: str) -> AsyncGenerator[Caller]:
    engine = create_async_engine(_with_driver(url, driver), poolclass=NullPool)
    async with engine.connect() as connection:
        yield Caller(
            connection,
            lambda sql: connection.execute(text(sql)),
            connection.commit,
            connection.rollback,
            (SQLAlchemyError,),
        )
    await engine.dispose()


@asynccontextmanager
async def on_a_session(url: str, *, driver: str) -> AsyncGenerator[Caller]:
    engine = create_async_engine(_with_driver(url, driver), poolclass=NullPool)
    async with AsyncSession(engine) as session:
        yield Caller(
            session,
            lambda sql: session.execute(text(sql)),
            session.commit,
            session.rollback,
            (SQLAlchemyError,),
        )
    await engine.dispose()


def _with_driver(url: str, driver: str) -> str:
    return f"postgresql+{driver}:{url.partition(':')[2]}"


KINDS: dict[str, Callable[[str], AbstractAsyncContextManager[Caller]]] = {
    "asyncpg": on_asyncpg,
    "asyncpg-pool": on_a_pool,
    "psycopg": on_psycopg,
    "sqlalchemy-asyncpg": partial(on_alchemy, driver="asyncpg"),
    "sqlalchemy-psycopg": partial(on_alchemy, driver="psycopg"),
    "session-asyncpg": partial(on_a_session, driver="asyncpg"),
    "session-psycopg": partial(on_a_session, driver="psycopg"),
}
