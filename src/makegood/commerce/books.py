"""Whether the shop's books and the gateway's tell one story.

Nothing here asks the engine, or uses any of its code: that two records kept apart agree is the
proof. They are compared when their owners are at rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast

import msgspec

from makegood.commerce.bookshelf import (
    BooksMissing,
    Rows,
    gateway_path,
    gateway_rows,
    shop_rows,
)

__all__ = ["Books", "BooksMissing", "Disagreement", "gateway_path", "reconcile"]

DISAGREEMENTS_MAX = 20
"""How many orders are named of which the two books tell different stories."""


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


SHIPPED = "SELECT order_id, value_minor FROM shop_shipment WHERE status = 'shipped'"
DELIVERED = "SELECT CAST(sum(quantity) AS BIGINT) FROM shop_delivery"
STOCK = "SELECT CAST(sum(on_hand) AS BIGINT), CAST(sum(held) AS BIGINT) FROM shop_stock"
RESERVED = """
SELECT order_id, status, CAST(sum(quantity) AS BIGINT)
  FROM shop_reservation JOIN shop_reservation_line ON reservation_id = id
 WHERE status IN ('held', 'committed')
 GROUP BY order_id, status
"""
"""What is asked of the shop's books, in whichever database they are: a sum of wide integers has a
type of its own in PostgreSQL, and is made one of them again."""

PAYMENTS = """
SELECT reference, sum(captured), sum(refunded), sum(authorized > captured + voided)
  FROM sandbox_payment
 GROUP BY reference
"""
"""What is asked of the gateway's."""


def reconcile(
    store: str | Path, *, left_out: Collection[str] = (), gateway: Path | None = None
) -> Books:
    """Read both books and compare them, without the orders in `left_out`.

    `store` is the journal's file or the address of its database, and `gateway` the gateway's
    books where they are not at `gateway_path(store)`. An address is not to be given inside an
    event loop, for one is run to read it.

    Raises `BooksMissing` when books are not there or are not what they should be, and what
    `shop_rows` raises when the database cannot be asked.
    """
    out = frozenset(left_out)
    shipments, delivered, stock, reserved = shop_rows(
        str(store), (SHIPPED, DELIVERED, STOCK, RESERVED)
    )
    shipped, copies = _shipped(shipments, out), _stock(delivered, stock, reserved, out)
    payments = _payments(gateway_rows(gateway or gateway_path(store), PAYMENTS), out)
    net = {order: paid.captured - paid.refunded for order, paid in payments.items()}
    captured = sum(paid.captured for paid in payments.values())
    refunded = sum(paid.refunded for paid in payments.values())
    return Books(
        captured_minor=captured,
        refunded_minor=refunded,
        gateway_net_minor=captured - refunded,
        shipped_minor=sum(shipped.values()),
        holds_left=sum(paid.holds for paid in payments.values()),
        stock_in=copies.delivered,
        stock_on_hand=copies.on_hand,
        stock_shipped=copies.shipped,
        stock_held=copies.held,
        stock_balance=copies.delivered - copies.on_hand - copies.shipped,
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


def _payments(rows: Rows, out: frozenset[str]) -> dict[str, _Paid]:
    found = (cast("tuple[str, int, int, int]", row) for row in rows)
    return {
        reference: _Paid(captured, refunded, holds)
        for reference, captured, refunded, holds in found
        if reference not in out
    }


def _shipped(rows: Rows, out: frozenset[str]) -> dict[str, int]:
    found = (cast("tuple[str, int]", row) for row in rows)
    return {order: value for order, value in found if order not in out}


def _stock(delivered: Rows, stock: Rows, reserved: Rows, out: frozenset[str]) -> _Stock:
    """Count the copies. What is held for an order left out is on hand, and not counted as held."""
    by_status = {"held": 0, "committed": 0}
    for order, status, quantity in reserved:
        if status == "committed" or order in out:
            by_status[cast("str", status)] += cast("int", quantity)
    [(copies_in,)] = delivered
    [(on_hand, held)] = stock
    return _Stock(
        delivered=_total(copies_in),
        on_hand=_total(on_hand),
        shipped=by_status["committed"],
        held=_total(held) - by_status["held"],
    )


def _total(found: str | int | None) -> int:
    """Return a sum, which is none at all of no rows."""
    return cast("int | None", found) or 0


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
