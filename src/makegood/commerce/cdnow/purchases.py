"""Which purchases the CDNOW data set holds, and which order of ours each of them makes.

A row says how many CDs a customer bought and what they cost together. Which CDs is not known, so
each is given a title of a small catalogue and its share of the dollars, to the cent.
"""

from __future__ import annotations

import lzma
import re
from datetime import date
from hashlib import blake2b
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from makegood.commerce.orders import CustomerId, Line, Order, OrderId, Sku
from makegood.payments import Money, split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "CATALOGUE_TITLES",
    "MalformedRow",
    "Purchase",
    "order_of",
    "parse_row",
    "read_rows",
    "spread",
    "title",
]

CATALOGUE_TITLES = 100
"""How many titles the shop sells; no row of the data set has more CDs than that."""

HEADER_LINES = 1

_ROW = re.compile(
    r"\s*(?P<customer>\d{1,10})\s+(?P<date>\d{8})\s+(?P<items>\d{1,3})"
    r"\s+(?P<dollars>\d{1,7})\.(?P<cents>\d{2})\s*",
    re.ASCII,
)


class Purchase(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of the data set: what one customer bought on one day."""

    line: int
    """The number of the line in the file, the header being line 1."""
    customer: str
    placed_on: date
    items: int
    cents: int


class MalformedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is no purchase, and why."""

    line: int
    why: str


def read_rows(path: Path | None = None) -> Sequence[Purchase | MalformedRow]:
    """Return the rows of a file of purchases in its order; without a path, of the data set."""
    if path is None:
        packed = resources.files("makegood.commerce.cdnow").joinpath("purchases.txt.xz")
        text = lzma.decompress(packed.read_bytes()).decode("ascii")
    else:
        text = path.read_text(encoding="utf-8", errors="replace")
    rows = text.splitlines()[HEADER_LINES:]
    return [parse_row(line, row) for line, row in enumerate(rows, start=HEADER_LINES + 1)]


def parse_row(line: int, row: str) -> Purchase | MalformedRow:
    """Return the purchase that a row describes; dollars become cents as text, never as a float."""
    found = _ROW.fullmatch(row)
    if found is None:
        why = f"{row[:60]!r} is not customer, date, number of CDs and dollars with two decimals"
        return MalformedRow(line=line, why=why)
    try:
        placed_on = date.fromisoformat(found["date"])
    except ValueError:
        return MalformedRow(line=line, why=f"{found['date']} is not a date (YYYYMMDD)")
    items = int(found["items"])
    if items > CATALOGUE_TITLES:
        why = f"{items} CDs are more than the {CATALOGUE_TITLES} titles of the catalogue"
        return MalformedRow(line=line, why=why)
    cents = int(found["dollars"] + found["cents"])
    customer = found["customer"]
    return Purchase(line=line, customer=customer, placed_on=placed_on, items=items, cents=cents)


def order_of(purchase: Purchase) -> Order:
    """Return the order that a purchase makes: a line for each CD, adding up to its dollars."""
    order_id = OrderId(f"order-{purchase.line}")
    total = Money(purchase.cents, "USD")
    prices = split(total, [1] * purchase.items) if purchase.items else ()
    first = int.from_bytes(blake2b(order_id.encode(), digest_size=4).digest())
    lines = tuple(
        Line(sku=title((first + index) % CATALOGUE_TITLES), quantity=1, price=price)
        for index, price in enumerate(prices)
    )
    return Order(
        id=order_id,
        customer=CustomerId(purchase.customer),
        placed_on=purchase.placed_on,
        lines=lines,
        total=total,
    )


def title(number: int) -> Sku:
    """Return what the shop calls the catalogue's title of that number, counted from 0."""
    return Sku(f"cd-{number:02d}")


def spread(rows: Sequence[Purchase], orders: int, *, seed: int) -> Sequence[Purchase]:
    """Return so many rows at even distances over all of them; the seed says where to begin."""
    assert 0 < orders <= len(rows), "whoever asks for more rows than there are is told so before"
    start = int.from_bytes(blake2b(str(seed).encode(), digest_size=8).digest()) % len(rows)
    return [rows[(start + index * len(rows)) // orders % len(rows)] for index in range(orders)]
