"""Whether the shop's books and the gateway's tell one story.

Both are SQLite files, opened here for reading only and after their owners have closed them. Nothing
here asks the engine, or uses any of its code: that two records kept apart agree is the proof.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import apsw
import msgspec

__all__ = ["Books", "BooksMissing", "Disagreement", "gateway_path", "reconcile"]

DISAGREEMENTS_MAX = 20
"""How many orders are named of which the two books tell different stories."""


class BooksMissing(Exception):
    """A file of books is not there, or is not what it should be."""


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """One order of which the two books tell different stories, in minor units."""

    order: str
    gateway_net_minor: int
    shipped_minor: int


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What the two books say, leaving out the orders that wait for a person."""

    captured_minor: int
    refunded_minor: int
    gateway_net_minor: int
    """What the gateway took and did not give back."""
    shipped_minor: int
    """What the goods that left are worth."""
    holds_left: int
    """How many cards have money held on them that is neither taken nor let go of."""
    stock_in: int
    """How many copies were delivered."""
    stock_on_hand: int
    stock_shipped: int
    stock_held: int
    """How many copies are held for orders."""
    stock_balance: int
    """Copies that came in and are neither on hand nor shipped: none, or something was lost."""
    disagreements: tuple[Disagreement, ...]
    """Orders whose shipment and payment differ, the first few of them."""
    left_out: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether money and goods add up, order by order and together, and nothing is held."""
        return (
            self.gateway_net_minor == self.shipped_minor
            and self.holds_left == 0
            and self.stock_balance == 0
            and self.stock_held == 0
            and not self.disagreements
        )


def gateway_path(store: Path) -> Path:
    """Return where the sandbox's books of a store lie: beside it."""
    return store.with_name(store.name + ".sandbox")


def reconcile(store: Path, *, left_out: Collection[str] = ()) -> Books:
    """Read both books and compare them, without the orders in `left_out`.

    Raises `BooksMissing` when a file is not there or is not the books that it should be.
    """
    out = frozenset(left_out)
    try:
        with closing(_opened(store)) as shop, closing(_opened(gateway_path(store))) as gateway:
            shipped, stock = _shipped(shop, out), _stock(shop, out)
            payments = _payments(gateway, out)
    except apsw.Error as error:
        message = f"the books of {store} cannot be read: {error}"
        raise BooksMissing(message) from error
    net = {order: paid.captured - paid.refunded for order, paid in payments.items()}
    captured = sum(paid.captured for paid in payments.values())
    refunded = sum(paid.refunded for paid in payments.values())
    return Books(
        captured_minor=captured,
        refunded_minor=refunded,
        gateway_net_minor=captured - refunded,
        shipped_minor=sum(shipped.values()),
        holds_left=sum(paid.holds for paid in payments.values()),
        stock_in=stock.delivered,
        stock_on_hand=stock.on_hand,
        stock_shipped=stock.shipped,
        stock_held=stock.held,
        stock_balance=stock.delivered - stock.on_hand - stock.shipped,
        disagreements=_disagreements(net, shipped),
        left_out=tuple(sorted(out)),
    )


class _Paid(msgspec.Struct, frozen=True):
    """What the gateway did for one order."""

    captured: int
    refunded: int
    holds: int


class _Stock(msgspec.Struct, frozen=True):
    """How many copies there were, and where they are."""

    delivered: int
    on_hand: int
    shipped: int
    held: int


def _opened(path: Path) -> apsw.Connection:
    if not path.is_file():
        message = f"there are no books at {path}; `makegood demo --store …` keeps some"
        raise BooksMissing(message)
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)


def _payments(gateway: apsw.Connection, out: frozenset[str]) -> dict[str, _Paid]:
    sql = (
        "SELECT reference, sum(captured), sum(refunded), sum(authorized > captured + voided) "
        "FROM sandbox_payment GROUP BY reference"
    )
    found = (cast("tuple[str, int, int, int]", row) for row in _rows(gateway, sql))
    return {
        reference: _Paid(captured, refunded, holds)
        for reference, captured, refunded, holds in found
        if reference not in out
    }


def _shipped(shop: apsw.Connection, out: frozenset[str]) -> dict[str, int]:
    sql = "SELECT order_id, value_minor FROM shop_shipment WHERE status = 'shipped'"
    found = (cast("tuple[str, int]", row) for row in _rows(shop, sql))
    return {order: value for order, value in found if order not in out}


def _stock(shop: apsw.Connection, out: frozenset[str]) -> _Stock:
    """Count the copies. What is held for an order left out is on hand, and not counted as held."""
    delivered = _total(shop, "SELECT sum(quantity) FROM shop_delivery")
    on_hand = _total(shop, "SELECT sum(on_hand) FROM shop_stock")
    held = _total(shop, "SELECT sum(held) FROM shop_stock")
    by_status = {"held": 0, "committed": 0}
    sql = (
        "SELECT order_id, status, sum(quantity) FROM shop_reservation "
        "JOIN shop_reservation_line ON reservation_id = id "
        "WHERE status IN ('held', 'committed') GROUP BY order_id, status"
    )
    for order, status, quantity in _rows(shop, sql):
        if status == "committed" or order in out:
            by_status[cast("str", status)] += cast("int", quantity)
    return _Stock(delivered, on_hand, by_status["committed"], held - by_status["held"])


def _total(shop: apsw.Connection, sql: str) -> int:
    [(total,)] = _rows(shop, sql)
    return cast("int | None", total) or 0


def _rows(books: apsw.Connection, sql: str) -> list[tuple[str | int | None, ...]]:
    # apsw's annotation of `execute` names a type that the typing of Python 3.11 lacks.
    rows = books.execute(sql)  # pyright: ignore[reportUnknownMemberType]
    return [cast("tuple[str | int | None, ...]", row) for row in rows]


def _disagreements(net: Mapping[str, int], shipped: Mapping[str, int]) -> tuple[Disagreement, ...]:
    orders = sorted(net.keys() | shipped.keys())
    found = (
        Disagreement(
            order=order, gateway_net_minor=net.get(order, 0), shipped_minor=shipped.get(order, 0)
        )
        for order in orders
        if net.get(order, 0) != shipped.get(order, 0)
    )
    return tuple(one for _, one in zip(range(DISAGREEMENTS_MAX), found, strict=False))
