"""How do the benchmarks themselves speak to PostgreSQL? What is used of asyncpg, with types.

Its connections have none of the bounds that the journal sets on its own: a fill takes minutes.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]

from makegood.journal.postgres.place import Place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

__all__ = ["Database", "connected"]

_CONNECT_SECONDS_MAX = 10.0

# Any: the driver's functions, which checkers cannot read; their answers are named below.
_driver: Any = asyncpg


class Database(Protocol):
    """A connection to PostgreSQL; see asyncpg's reference for each of these."""

    # Any: what is bound, and what is answered, is of whatever type its column has.
    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement, or a script without parameters, and return its tag."""
        ...

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Run a statement and return its rows."""
        ...

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """Run a statement and return its first row."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Run a statement and return the first value of its first row."""
        ...

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[object]],
        columns: Sequence[str],
        schema_name: str,
    ) -> str:
        """Insert rows as fast as the server takes them."""
        ...


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Database, None]:
    """Connect to the database of a journal's address, with the server's own settings."""
    connection = await _driver.connect(Place.of(url).dsn, timeout=_CONNECT_SECONDS_MAX)
    try:
        yield connection
    finally:
        await connection.close()
