"""The shop's outside: the sandbox gateway's own books in memory, letters, and placed orders."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from makegood.commerce import CustomerId, Mailer, Order, OrderId, Orders
from makegood.commerce.notification import Email
from makegood.extension import Command, Migration
from makegood.payments import (
    AuthorizeRequest,
    Capabilities,
    Gateway,
    GatewayRef,
    Money,
    Op,
    Snapshot,
    outcome,
)
from makegood.payments.gateways.sandbox import CAPABILITIES
from makegood.payments.gateways.sandbox_books import Books, Cancel, Capture, Hold, Refund
from tests.commerce.shop import order
from tests.simulation.crashing.outside import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.journal.memory import MemoryStore
    from tests.simulation.crashing.outside import Asking, Foresight

__all__ = ["BLOCKED", "CUSTOMER", "GOOD", "STOCK", "BooksGateway", "ShopOutside", "shop_services"]

CUSTOMER = CustomerId("00001")
GOOD = OrderId("order-1")
BLOCKED = OrderId("order-2")
"""An order with an article that the warehouse refuses to ship, once everything is paid."""

_ORDERS = {GOOD: order(1, cd_1=1, cd_2=2), BLOCKED: order(2, cd_1=1, cd_3=1)}
_DELIVERED = [("cd_1", 3, 0), ("cd_2", 2, 0), ("cd_3", 1, 0)]
"""The stock before the first order: how many copies are on hand, and how many of them held."""
_MORNING = datetime(2026, 1, 1, tzinfo=UTC)


class Stock:
    """What the warehouse holds before the first order."""

    name = "stock"
    migrations: Sequence[Migration] = (
        Migration(
            owner="stock",
            number=1,
            sql="INSERT INTO shop_stock (sku, on_hand, blocked) "
            "VALUES ('cd_1', 3, 0), ('cd_2', 2, 0), ('cd_3', 1, 1)",
        ),
    )
    commands: Sequence[Command] = ()


STOCK = Stock()


class ShopOutside:
    """Everybody whom the shop asks: the gateway, the mail company, and its own order book."""

    def __init__(self, wanted: OrderId | None, foresight: Foresight) -> None:
        self._wanted = wanted
        """The order that is to be shipped; None: nothing must be left of it."""
        self._foresight = foresight
        self._books = Books(Path(":memory:"))
        self._letters: dict[str, Email] = {}
        self._wrong: list[str] = []

    def take(self, request: Request) -> object:
        """Do what is asked."""
        match request.about:
            case Hold() | Capture() | Cancel() | Refund():
                self._look_at(request)
                with self._books.together():
                    return self._books.apply(
                        request.key, request.about, declined=False, now=_MORNING
                    )
            case GatewayRef(id=payment):
                return self._books.fetch(payment)
            case Email() as email:
                self._look_at(request)
                return self._letters.setdefault(request.key, email)
            case _ if request.operation == "find":
                return self._books.find(request.key)
            case _:
                return _ORDERS.get(OrderId(request.key))

    def violations(self, store: MemoryStore) -> Iterator[str]:
        """Compare the gateway's books, the shop's tables and the letters with one another."""
        yield from self._wrong
        rows = store.scratch().rows
        entries = rows_of(self._books, "SELECT kind FROM sandbox_entry ORDER BY n")
        paid = rows_of(
            self._books, "SELECT reference, captured, refunded, authorized FROM sandbox_payment"
        )
        shipped = rows("SELECT order_id, value_minor FROM shop_shipment WHERE status='shipped'", ())
        told = rows("SELECT order_id FROM shop_notification", ())
        stock = rows("SELECT sku, on_hand, held FROM shop_stock ORDER BY sku", ())
        reservations = rows("SELECT status FROM shop_reservation", ())
        letters = [letter.customer for letter in self._letters.values()]
        wanted = self._wanted
        seen = (entries, paid, shipped, told, stock, reservations, letters)
        must: tuple[object, ...]
        if wanted is None:
            # That nothing is held any more is in `captured`: what was taken was given back.
            must = (
                [("authorize",), ("capture",), ("refund",)],
                [(BLOCKED, 1000, 1000, 1000)],
                [],
                [],
                _DELIVERED,
                [("released",)],
                [],
            )
        else:
            must = (
                [("authorize",), ("capture",)],
                [(wanted, 1000, 0, 1000)],
                [(wanted, 1000)],
                [(wanted,)],
                [("cd_1", 2, 0), ("cd_2", 0, 0), ("cd_3", 1, 0)],
                [("committed",)],
                [CUSTOMER],
            )
        for what, has, needs in zip(_WHAT, seen, must, strict=True):
            if has != needs:
                yield f"{what}: {has}, and it should be {needs}"

    def _look_at(self, request: Request) -> None:
        wrong = self._foresight(request.key)
        if wrong is not None:
            self._wrong.append(f"{request.operation}: {wrong}")


_WHAT = (
    "the gateway's entries",
    "the payments (captured, refunded, authorized)",
    "shipments",
    "notifications",
    "stock",
    "reservations",
    "letters",
)


def rows_of(books: Books, sql: str) -> list[tuple[object, ...]]:
    """Return rows of the gateway's books."""
    return [tuple(row) for row in books._run(sql)]


def shop_services(way: Asking) -> dict[type, object]:
    """Return what the shop's steps need, in one process."""
    return {Gateway: BooksGateway(way), Orders: _OrderBook(way), Mailer: _Post(way)}


class _OrderBook:
    def __init__(self, way: Asking) -> None:
        self._way = way

    async def find(self, order_id: OrderId) -> Order | None:
        found: Order | None = await self._way.ask(Request(operation="order", key=order_id))
        return found


class _Post:
    def __init__(self, way: Asking) -> None:
        self._way = way

    async def send(self, email: Email, *, key: str) -> None:
        await self._way.ask(Request(operation="letter", key=key, about=email))


class BooksGateway:
    """A `Gateway` whose every request goes over the way given, to the sandbox's own books."""

    def __init__(self, way: Asking) -> None:
        self._way = way

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def authorize(self, op: Op, request: AuthorizeRequest) -> outcome.Outcome:
        hold = Hold(amount=request.amount, token=request.token, reference=request.reference)
        return await self._move("authorize", op, hold)

    async def capture(
        self, op: Op, ref: GatewayRef, amount: Money, *, final: bool = True
    ) -> outcome.Outcome:
        return await self._move("capture", op, Capture(payment=ref.id, amount=amount, final=final))

    async def cancel(self, op: Op, ref: GatewayRef, *, reason: str) -> outcome.Outcome:
        return await self._move("cancel", op, Cancel(payment=ref.id))

    async def refund(
        self, op: Op, ref: GatewayRef, amount: Money, *, reason: str
    ) -> outcome.Outcome:
        return await self._move("refund", op, Refund(payment=ref.id, amount=amount))

    async def fetch(self, ref: GatewayRef) -> Snapshot | None:
        found: Snapshot | None = await self._way.ask(
            Request(operation="fetch", key=ref.id, about=ref)
        )
        return found

    async def find(self, op_id: str) -> Sequence[Snapshot]:
        found: Sequence[Snapshot] = await self._way.ask(Request(operation="find", key=op_id))
        return found

    async def aclose(self) -> None:
        """There is nothing to close: the books are the outside's."""

    async def _move(self, operation: str, op: Op, request: object) -> outcome.Outcome:
        answer: outcome.Outcome = await self._way.ask(
            Request(operation=operation, key=op.key, about=request)
        )
        return answer
