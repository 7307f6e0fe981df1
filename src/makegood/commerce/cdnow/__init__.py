"""Real purchases to try the shop on: the CDNOW data set of Fader and Hardie."""

from __future__ import annotations

from makegood.commerce.cdnow.purchases import (
    CATALOGUE_TITLES,
    MalformedRow,
    Purchase,
    order_of,
    parse_row,
    read_rows,
    spread,
    title,
)

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
