"""A shop for tests: its tables on each store, and a transaction over them as a step gets it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import apsw
import asyncpg

from makegood import Transaction
from makegood.commerce import CustomerId, Line, Order, OrderId, Sku
from makegood.commerce.extension import commerce
from makegood.commerce.inventory import Consignment, Delivery, receive_delivery
from makegood.journal.postgres.steps.application import changed_rows, rows_of
from makegood.payments import Money
from tests.journal.postgres.served import Served

Sql = str | int | float | bytes | None


class FileTables:
    """The shop's tables in a SQLite file; every statement is a transaction of its own."""

    def __init__(self, path: Path | None = None) -> None:
        self.connection = apsw.Connection(str(path or ":memory:"))
        self.connection.execute("PRAGMA foreign_keys = ON")
        for migration in commerce.migrations:
            self.connection.execute(migration.sql)

    async def execute(self, sql: str, *parameters: Sql) -> int:
        self.connection.execute(sql, parameters)
        return self.connection.changes()

    async def fetch(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        return list(self.connection.execute(sql, parameters))


class ServedTables:
    """The same in PostgreSQL."""

    def __init__(self, connection: Any, schema: str) -> None:  # Any: the driver's connection
        self._connection = connection
        self._schema = schema

    async def execute(self, sql: str, *parameters: Sql) -> int:
        return await changed_rows(self._connection, self._schema, sql, parameters)

    async def fetch(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        return await rows_of(self._connection, self._schema, sql, parameters)


class Shop:
    """The shop's tables, which are a `Transaction` themselves."""

    def __init__(self, tables: Transaction, store: str = "") -> None:
        self._tables = tables
        self.store = store
        """The file, or the address of the database."""

    async def execute(self, sql: str, *parameters: Sql) -> int:
        return await self._tables.execute(sql, *parameters)

    async def fetch(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        return await self._tables.fetch(sql, *parameters)

    async def stock(self) -> dict[Sql, tuple[Sql, ...]]:
        """Return how many copies of each article are on hand, and how many of them held."""
        rows = await self.fetch("SELECT sku, on_hand, held FROM shop_stock")
        return {row[0]: row[1:] for row in rows}

    async def receive(self, *consignments: Consignment, name: str = "monday") -> int:
        delivery = Delivery(id=name, consignments=consignments)
        return await receive_delivery(delivery, transaction=self)


def shop_in_file(path: Path) -> Shop:
    return Shop(FileTables(path), str(path))


@asynccontextmanager
async def shop_served(served: Served) -> AsyncIterator[Shop]:
    """Give a shop in a schema of its own."""
    world = await served.world()
    connection: Any = await asyncpg.connect(world.dsn)
    try:
        for migration in commerce.migrations:
            await connection.execute(migration.sql)
        tables = ServedTables(connection, world.place.schema)
        yield Shop(tables, f"{world.dsn}&schema={world.place.schema}")
    finally:
        await connection.close()
        await world.close()


def copies(sku: str, quantity: int, *, blocked: bool = False) -> Consignment:
    return Consignment(sku=Sku(sku), quantity=quantity, blocked=blocked)


def order(number: int = 1, *, price: int = 500, **quantities: int) -> Order:
    """Return an order for so many copies of each article, each line at the price given."""
    lines = tuple(
        Line(sku=Sku(sku), quantity=quantity, price=Money(price, "USD"))
        for sku, quantity in quantities.items()
    )
    return Order(
        id=OrderId(f"order-{number}"),
        customer=CustomerId("00001"),
        placed_on=date(1997, 1, 1),
        lines=lines,
        total=Money(price * len(lines), "USD"),
    )
