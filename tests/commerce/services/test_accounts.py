"""That the comparison of all books finds what is wrong with any one of them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from makegood.commerce.services.outside import REFUSED_ADDRESS
from tests.commerce.services.street import Street, order_for

if TYPE_CHECKING:
    from pathlib import Path


async def test_books_that_tell_one_story_agree(tmp_path: Path) -> None:
    street = await _played(tmp_path)

    accounts = await street.accounts()

    assert accounts.agree
    assert (accounts.orders, accounts.closed, accounts.refunded) == (3, 2, 1)
    assert (accounts.sold_minor, accounts.captured_minor) == (1000, 1500)
    assert (accounts.stock_delivered, accounts.stock_available, accounts.stock_shipped) == (9, 7, 2)
    assert (accounts.parcels, accounts.letters) == (2, 7)


@pytest.mark.parametrize(
    ("book", "change", "found"),
    [
        ("gateway", "UPDATE sandbox_payment SET refunded = 0", "several stories of its money"),
        ("gateway", "UPDATE sandbox_payment SET captured = 0, refunded = 0", "has money held"),
        ("gateway", "UPDATE sandbox_payment SET reference = 'order-9'", "and is no order"),
        ("carrier", "DELETE FROM paper_parcel", "the carrier has no parcel"),
        ("carrier", "UPDATE paper_parcel SET reference = 'x' || reference", "has a parcel, and"),
        ("mailer", "DELETE FROM paper_letter WHERE rowid % 2", "were given"),
        ("mailer", "INSERT INTO paper_letter SELECT key || 'x', customer, subject FROM paper_letter"
         " LIMIT 1", "was written 2 times"),
        ("store", "UPDATE service_order SET status = 'paid'", "which is no end"),
        ("store", "UPDATE service_order SET status = 'closed'", "does not lead to where it stands"),
        ("store", "UPDATE service_order SET captured_minor = 1, refunded_minor = 0", "the order"),
        ("store", "UPDATE service_stock SET available = available - 1", "9 came in, 6 are there"),
        ("store", "UPDATE service_stock SET available = available + 1", "9 came in, 8 are there"),
        ("store", "UPDATE service_reservation SET status = 'held'", "its goods are held"),
        ("store", "UPDATE service_reservation_line SET quantity = 2", "other goods than were"),
        ("store", "UPDATE service_shipment SET status = 'refused'", "its shipment is refused"),
        ("store", "DELETE FROM service_ledger WHERE movement = 'refund'", "in the ledger"),
        ("store", "DELETE FROM service_notification WHERE kind = 'shipped'", "not about created"),
    ],
)  # fmt: skip
async def test_books_that_tell_another_story_do_not(
    tmp_path: Path, book: str, change: str, found: str
) -> None:
    street = await _played(tmp_path)
    await street.__aexit__()
    with closing(apsw.Connection(str(tmp_path / book))) as changed:
        changed.execute(change)

    accounts = await street.accounts()

    assert not accounts.agree
    assert any(found in each.problem for each in accounts.disputed), accounts.disputed


async def test_an_order_that_was_placed_and_that_nobody_has_is_named(tmp_path: Path) -> None:
    street = await _played(tmp_path)
    street.placed.append("order-7")

    accounts = await street.accounts()

    assert [each.of for each in accounts.disputed] == ["order-7"]


async def _played(folder: Path) -> Street:
    """Have two orders shipped, and one that the carrier refuses."""
    async with Street(folder) as street:
        await street.stock(9)
        await street.place(order_for(1))
        await street.place(order_for(2))
        await street.place(order_for(3, address=REFUSED_ADDRESS))
        await street.rest()
    return street
