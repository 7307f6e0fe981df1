"""A shop for tests: its tables in a SQLite file, and a transaction over them as a step gets it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import apsw

from makegood.commerce import CustomerId, Line, Order, OrderId, Sku
from makegood.commerce.extension import commerce
from makegood.commerce.inventory import Consignment, Delivery, receive_delivery
from makegood.payments import Money

Sql = str | int | float | bytes | None


class Shop:
    """The shop's tables. It is a `Transaction` itself: what raises inside `step` is taken back."""

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

    def rows(self, sql: str) -> list[tuple[Sql, ...]]:
        return list(self.connection.execute(sql))

    def stock(self) -> dict[Sql, tuple[Sql, ...]]:
        """Return how many copies of each article are on hand, and how many of them held."""
        return {row[0]: row[1:] for row in self.rows("SELECT sku, on_hand, held FROM shop_stock")}

    async def receive(self, *consignments: Consignment, name: str = "monday") -> int:
        delivery = Delivery(id=name, consignments=consignments)
        return await receive_delivery(delivery, transaction=self)


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
