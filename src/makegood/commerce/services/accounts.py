"""Whether the books of five services, and of the companies that they ask, tell one story.

Nothing here asks an engine, or uses any of its code: that records kept apart agree is the proof.
They are compared, order by order, when their owners are at rest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from makegood.commerce.bookshelf import Rows, gateway_rows, shop_rows
from makegood.commerce.services.ordering import FINAL, Status

__all__ = ["Accounts", "Disputed", "Places", "reconcile"]

DISPUTED_MAX = 20
"""How many orders are named of which the books tell different stories."""

R = TypeVar("R")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where the books are: the address of each service's store, and the files of the companies."""

    stores: Mapping[str, str]
    """By the services' names; several may have one store."""
    gateway: str
    carrier: str
    mailer: str


class Disputed(msgspec.Struct, frozen=True, kw_only=True):
    """An order, or an article, of which two books tell different stories."""

    of: str
    problem: str


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """What all the books say together, money in minor units."""

    orders: int
    closed: int
    rejected: int
    cancelled: int
    refunded: int
    returned: int
    """Those of the refunded ones that were shipped before, and came back."""
    unfinished: int
    """Orders that stand anywhere else."""
    captured_minor: int
    """What the gateway has taken, in all."""
    given_back_minor: int
    """What of it the gateway has given back."""
    sold_minor: int
    """What the orders come to that are closed."""
    stock_delivered: int
    stock_available: int
    stock_shipped: int
    stock_held: int
    parcels: int
    """Parcels that the carrier has, and that were not stopped."""
    letters: int
    """Letters that the mail company has been given."""
    letters_failed: int
    """Letters that no attempt could send."""
    disputes: int
    disputed: tuple[Disputed, ...]
    """The first few of them."""

    @property
    def agree(self) -> bool:
        """Whether every order is final, and all books tell one story of it."""
        return not self.disputes and not self.unfinished


def reconcile(places: Places, *, placed: Collection[str] = ()) -> Accounts:
    """Read all books and compare them; `placed` are the orders that customers have placed.

    An address of PostgreSQL is not to be given inside an event loop, for one is run to read it.

    Raises `BooksMissing` when books are not there, and what `shop_rows` raises when a database
    cannot be asked.
    """
    return _Comparison(places).accounts(frozenset(placed))


class _Order(msgspec.Struct, frozen=True, array_like=True):
    id: str
    status: Status
    total: int
    captured: int
    refunded: int


class _Charge(msgspec.Struct, frozen=True, array_like=True):
    order: str
    status: str
    captured: int
    refunded: int


class _Paid(msgspec.Struct, frozen=True, array_like=True):
    """What the gateway did for one order."""

    order: str
    captured: int
    refunded: int
    held: int


class _Shipment(msgspec.Struct, frozen=True, array_like=True):
    order: str
    status: str
    is_told: int


_NOTHING_CHARGED = _Charge("", "", 0, 0)
_NOTHING_PAID = _Paid("", 0, 0, 0)
_NOTHING_SHIPPED = _Shipment("", "", 0)


class _Comparison:
    """All books, read at once."""

    def __init__(self, places: Places) -> None:
        stores = places.stores
        orders, lines, steps = shop_rows(stores["orders"], _ORDERS)
        stock, reservations, reserved = shop_rows(stores["stock"], _STOCK)
        charges, ledger = shop_rows(stores["payments"], _CHARGES)
        (shipments,) = shop_rows(stores["shipping"], _SHIPMENTS)
        (notifications,) = shop_rows(stores["notifications"], _LETTERS)
        self.orders = {each.id: each for each in _typed(orders, _Order)}
        self.lines = _grouped(lines)
        self.steps = _grouped(steps)
        self.stock = cast("list[tuple[str, int, int]]", stock)
        self.reservations = dict(cast("list[tuple[str, str]]", reservations))
        self.reserved = _grouped(reserved)
        self.charges = {each.order: each for each in _typed(charges, _Charge)}
        self.ledger = _grouped(ledger)
        self.shipments = {each.order: each for each in _typed(shipments, _Shipment)}
        self.notifications = _grouped(notifications)
        paid = gateway_rows(Path(places.gateway), _GATEWAY)
        self.paid = {each.order: each for each in _typed(paid, _Paid)}
        parcels = gateway_rows(Path(places.carrier), _CARRIER)
        self.parcels = {reference for (reference,) in cast("list[tuple[str]]", parcels)}
        letters = gateway_rows(Path(places.mailer), _MAILER)
        self.letters = cast("list[tuple[str, str, int]]", letters)

    def accounts(self, placed: frozenset[str]) -> Accounts:
        """Compare everything."""
        found = [*self._disputes(placed)]
        standing = Counter(order.status for order in self.orders.values())
        shipped = sum(self._shipped().values())
        held = sum(
            quantity
            for order, status in self.reservations.items()
            if status in _HOLDING
            for _, quantity in cast("list[tuple[str, int]]", self.reserved[order])
        )
        sent = Counter(status for each in self.notifications.values() for _, status in each)
        return Accounts(
            orders=len(self.orders),
            closed=standing[Status.CLOSED],
            rejected=standing[Status.REJECTED],
            cancelled=standing[Status.CANCELLED],
            refunded=standing[Status.REFUNDED],
            returned=sum(map(self._has_come_back, self.orders)),
            unfinished=sum(n for status, n in standing.items() if status not in FINAL),
            captured_minor=sum(each.captured for each in self.paid.values()),
            given_back_minor=sum(each.refunded for each in self.paid.values()),
            sold_minor=sum(
                order.total for order in self.orders.values() if order.status is Status.CLOSED
            ),
            stock_delivered=sum(delivered for _, _, delivered in self.stock),
            stock_available=sum(available for _, available, _ in self.stock),
            stock_shipped=shipped,
            stock_held=held,
            parcels=len(self.parcels),
            letters=sum(count for _, _, count in self.letters),
            letters_failed=sent["failed"],
            disputes=len(found),
            disputed=tuple(found[:DISPUTED_MAX]),
        )

    def _disputes(self, placed: frozenset[str]) -> Iterator[Disputed]:
        for missing in sorted(placed - self.orders.keys()):
            yield Disputed(of=missing, problem="was placed, and nobody has it")
        for order in self.orders.values():
            for problem in self._about(order):
                yield Disputed(of=order.id, problem=problem)
        yield from self._strangers()
        yield from self._about_stock()
        yield from self._about_letters()

    def _about(self, order: _Order) -> Iterator[str]:
        """Say what is wrong with one order."""
        if order.status not in FINAL:
            yield f"is {order.status}, which is no end"
        if not self._is_told_without_gaps(order):
            yield "has a history that does not lead to where it stands"
        yield from self._about_money(order)
        yield from self._about_goods(order)
        expected = self._expected_letters(order)
        kinds = {cast("str", kind) for kind, _ in self.notifications[order.id]}
        if kinds != expected:
            yield f"has letters about {_list(kinds)}, and not about {_list(expected)}"

    def _is_told_without_gaps(self, order: _Order) -> bool:
        before = ""
        for number, step in enumerate(sorted(self.steps[order.id]), start=1):
            if step[:2] != (number, before):
                return False
            before = cast("str", step[2])
        return before == order.status

    def _about_money(self, order: _Order) -> Iterator[str]:
        charge = self.charges.get(order.id, _NOTHING_CHARGED)
        paid = self.paid.get(order.id, _NOTHING_PAID)
        entries = cast("list[tuple[str, int]]", self.ledger[order.id])
        said = {
            "the order": (order.captured, order.refunded),
            "the charge": (charge.captured, charge.refunded),
            "the gateway": (paid.captured, paid.refunded),
        }
        if len(set(said.values())) > 1:
            told = "; ".join(f"{who}: {took} − {gave}" for who, (took, gave) in said.items())
            yield f"has several stories of its money: {told}"
        kept = paid.captured - paid.refunded
        if kept != (order.total if order.status is Status.CLOSED else 0):
            yield f"is {order.status} at {order.total}, and the gateway has {kept} of it"
        if paid.held:
            yield "has money held that is neither taken nor let go of"
        accounts = Counter[str]()
        for account, amount in entries:
            accounts[account] += amount
        if (accounts["gateway"], accounts["customer"]) != (kept, -kept):
            yield f"has {dict(accounts)} in the ledger, and the gateway has {kept}"

    def _about_goods(self, order: _Order) -> Iterator[str]:
        status = self.reservations.get(order.id, "")
        shipment = self.shipments.get(order.id, _NOTHING_SHIPPED)
        is_closed = order.status is Status.CLOSED
        was_sent = is_closed or self._has_come_back(order.id)
        if (status == "shipped") != is_closed or status in _HOLDING:
            yield f"is {order.status}, and its goods are {status or 'unheard of'}"
        if is_closed and sorted(self.lines[order.id]) != sorted(self.reserved[order.id]):
            yield "was sent other goods than were ordered"
        if (shipment.status == "booked") != was_sent:
            yield f"is {order.status}, and its shipment is {shipment.status or 'unheard of'}"
        if (order.id in self.parcels) != was_sent:
            yield f"is {order.status}, and the carrier has {'a' if not was_sent else 'no'} parcel"

    def _has_come_back(self, order: str) -> bool:
        return any(step[2] == Status.RETURNING for step in self.steps[order])

    def _expected_letters(self, order: _Order) -> set[str]:
        """Return about what the customer is to be told, by what all others have written down."""
        charge = self.charges.get(order.id, _NOTHING_CHARGED)
        was_taken_on = any(step[2] == Status.CREATED for step in self.steps[order.id])
        kinds = {
            "created": was_taken_on,
            "rejected": order.status is Status.REJECTED,
            "cancelled": order.status in {Status.CANCELLED, Status.REFUNDED}
            and not self._has_come_back(order.id),
            "declined": charge.status == "declined",
            "refunded": charge.status == "settled" and charge.captured > 0,
            "shipped": bool(self.shipments.get(order.id, _NOTHING_SHIPPED).is_told),
        }
        return {kind for kind, is_expected in kinds.items() if is_expected}

    def _strangers(self) -> Iterator[Disputed]:
        """Name what the others have written down about orders that there are not."""
        others = {
            "goods": self.reservations.keys(),
            "a charge": self.charges.keys(),
            "a payment": self.paid.keys(),
            "a shipment": self.shipments.keys(),
            "a parcel": self.parcels,
            "letters": {order for order, each in self.notifications.items() if each},
        }
        for what, known in others.items():
            for order in sorted(known - self.orders.keys()):
                yield Disputed(of=order, problem=f"has {what}, and is no order")

    def _about_stock(self) -> Iterator[Disputed]:
        shipped, held = self._shipped(), Counter[str]()
        for order, status in self.reservations.items():
            if status in _HOLDING:
                for sku, quantity in cast("list[tuple[str, int]]", self.reserved[order]):
                    held[sku] += quantity
        for sku, available, delivered in self.stock:
            if delivered != available + shipped[sku] + held[sku]:
                problem = (
                    f"{delivered} came in, {available} are there, {shipped[sku]} were shipped, "
                    f"{held[sku]} are held"
                )
                yield Disputed(of=sku, problem=problem)

    def _about_letters(self) -> Iterator[Disputed]:
        """Count the letters: each that was sent is with the mail company, once."""
        for customer, subject, count in self.letters:
            if count > 1:
                yield Disputed(of=customer, problem=f"was written {count} times: {subject}")
        sent = sum(status == "sent" for each in self.notifications.values() for _, status in each)
        given = sum(count for _, _, count in self.letters)
        # One that has failed for us may have arrived all the same.
        failed = sum(map(len, self.notifications.values())) - sent
        if not sent <= given <= sent + failed:
            yield Disputed(of="letters", problem=f"{sent} were sent, and {given} were given")

    def _shipped(self) -> Counter[str]:
        shipped = Counter[str]()
        for order, status in self.reservations.items():
            if status == "shipped":
                for sku, quantity in cast("list[tuple[str, int]]", self.reserved[order]):
                    shipped[sku] += quantity
        return shipped


_HOLDING = frozenset({"held", "firm"})

_ORDERS = (
    "SELECT id, status, total_minor, captured_minor, refunded_minor FROM service_order ORDER BY id",
    "SELECT order_id, sku, quantity FROM service_order_line",
    "SELECT order_id, step, from_status, to_status FROM service_order_history",
)
_STOCK = (
    "SELECT sku, available, delivered FROM service_stock ORDER BY sku",
    "SELECT order_id, status FROM service_reservation",
    "SELECT order_id, sku, quantity FROM service_reservation_line",
)
_CHARGES = (
    "SELECT order_id, status, captured_minor, refunded_minor FROM service_charge",
    "SELECT order_id, account, amount_minor FROM service_ledger",
)
_SHIPMENTS = ("SELECT order_id, status, is_told FROM service_shipment",)
_LETTERS = ("SELECT order_id, kind, status FROM service_notification",)
_GATEWAY = (
    "SELECT reference, sum(captured), sum(refunded), sum(authorized > captured + voided) "
    "FROM sandbox_payment GROUP BY reference"
)
_CARRIER = "SELECT reference FROM paper_parcel WHERE status IN ('booked', 'gone')"
_MAILER = "SELECT customer, subject, count(*) FROM paper_letter GROUP BY customer, subject"


def _typed(rows: Rows, kind: type[R]) -> list[R]:
    return msgspec.convert(rows, type=list[kind])  # type: ignore[valid-type]


def _grouped(rows: Rows) -> Mapping[str, list[tuple[str | int | None, ...]]]:
    """Return the rest of each row by what stands first in it."""
    found = defaultdict[str, list[tuple[str | int | None, ...]]](list)
    for row in rows:
        found[cast("str", row[0])].append(row[1:])
    return found


def _list(kinds: Collection[str]) -> str:
    return ", ".join(sorted(kinds)) or "nothing"
