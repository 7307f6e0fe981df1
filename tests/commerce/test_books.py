"""The comparison of the books: it agrees only when money and goods tell one story."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from makegood import StoreRefused
from makegood.commerce import fulfil_order, release_inventory, reserve_inventory
from makegood.commerce.books import Books, BooksMissing, Disagreement, gateway_path, reconcile
from makegood.commerce.bookshelf import shop_rows
from makegood.commerce.extension import AGREE, DISAGREE, MISTAKE, books
from makegood.payments import Money
from makegood.payments.gateways.sandbox_books import Books as GatewayBooks
from makegood.payments.gateways.sandbox_books import Capture, Hold, Refund, Request
from makegood.payments.outcome import Succeeded
from tests.commerce.shop import Shop, copies, order, shop_in_file
from tests.journal.postgres.served import Served

MORNING = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Evening:
    """The shop's books and the gateway's, side by side, as a day of trade left them."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        self.shop = shop
        self.store = shop.store
        # That of a database would lie in the current directory.
        self.gateway_path = folder / gateway_path(self.store).name
        self.gateway = GatewayBooks(self.gateway_path)

    async def reconcile(self, *left_out: str) -> Books:
        """Compare the books, in a thread: a database is read in a loop of its own."""
        return await asyncio.to_thread(
            reconcile, self.store, left_out=left_out, gateway=self.gateway_path
        )

    async def command(self, store: str | None = None, **options: Any) -> int:
        """Run the command, for the same reason in a thread."""
        asked = store or self.store
        return await asyncio.to_thread(books, asked, gateway=self.gateway_path, **options)

    def move(self, key: str, request: Request) -> str:
        answer = self.gateway.apply(key, request, declined=False, now=MORNING)
        assert isinstance(answer, Succeeded)
        return answer.snapshot.ref.id

    def hold(self, number: int, minor: int) -> str:
        amount = Money(minor, "USD")
        request = Hold(amount=amount, token="tok_visa", reference=f"order-{number}")
        return self.move(f"hold-{number}", request)

    def capture(self, number: int, payment: str, minor: int) -> None:
        request = Capture(payment=payment, amount=Money(minor, "USD"), final=True)
        self.move(f"capture-{number}", request)

    def refund(self, number: int, payment: str, minor: int) -> None:
        self.move(f"refund-{number}", Refund(payment=payment, amount=Money(minor, "USD")))

    async def ship(self, number: int) -> None:
        placed = order(number, cd_1=1)
        reservation = await reserve_inventory(placed, transaction=self.shop)
        await fulfil_order(placed, reservation, transaction=self.shop)


@pytest.fixture
async def evening(tmp_path: Path, shop: Shop) -> Evening:
    """Three orders of 500: one shipped and paid, one refunded, one let go of."""
    evening = Evening(tmp_path, shop)
    await evening.shop.receive(copies("cd_1", 10))
    evening.capture(1, evening.hold(1, 500), 500)
    await evening.ship(1)
    payment = evening.hold(2, 500)
    evening.capture(2, payment, 500)
    evening.refund(2, payment, 500)
    reservation = await reserve_inventory(order(3, cd_1=1), transaction=evening.shop)
    await release_inventory(reservation, transaction=evening.shop)
    return evening


async def test_books_of_an_honest_day_agree(evening: Evening) -> None:
    found = await evening.reconcile()
    assert found.agree
    assert found == Books(
        captured_minor=1000,
        refunded_minor=500,
        gateway_net_minor=500,
        shipped_minor=500,
        holds_left=0,
        stock_in=10,
        stock_on_hand=9,
        stock_shipped=1,
        stock_held=0,
        stock_balance=0,
        disagreements=(),
        left_out=(),
    )


async def test_goods_that_left_unpaid_are_found(evening: Evening) -> None:
    await evening.ship(4)
    found = await evening.reconcile()
    assert not found.agree
    assert found.disagreements == (
        Disagreement(order="order-4", gateway_net_minor=0, shipped_minor=500),
    )


async def test_money_for_goods_that_never_left_is_found(evening: Evening) -> None:
    evening.capture(4, evening.hold(4, 700), 700)
    found = await evening.reconcile()
    assert not found.agree
    assert found.disagreements == (
        Disagreement(order="order-4", gateway_net_minor=700, shipped_minor=0),
    )


async def test_two_mistakes_that_cancel_out_are_found(evening: Evening) -> None:
    await evening.ship(4)
    evening.capture(5, evening.hold(5, 500), 500)
    found = await evening.reconcile()
    assert found.gateway_net_minor == found.shipped_minor
    assert not found.agree
    assert [item.order for item in found.disagreements] == ["order-4", "order-5"]


async def test_money_that_is_still_held_on_a_card_is_found(evening: Evening) -> None:
    evening.hold(4, 500)
    found = await evening.reconcile()
    assert (found.agree, found.holds_left) == (False, 1)


async def test_copies_that_are_still_held_are_found(evening: Evening) -> None:
    await reserve_inventory(order(4, cd_1=2), transaction=evening.shop)
    found = await evening.reconcile()
    assert (found.agree, found.stock_held) == (False, 2)


async def test_copies_that_were_lost_are_found(evening: Evening) -> None:
    await evening.shop.execute("UPDATE shop_stock SET on_hand = on_hand - 1")
    found = await evening.reconcile()
    assert (found.agree, found.stock_balance) == (False, 1)


async def test_an_order_that_waits_for_a_person_is_left_out_of_both_sides(
    evening: Evening,
) -> None:
    await reserve_inventory(order(4, cd_1=2), transaction=evening.shop)
    evening.hold(4, 1000)
    await evening.ship(5)
    found = await evening.reconcile("order-5", "order-4")
    assert found.agree
    assert found.left_out == ("order-4", "order-5")
    assert (found.gateway_net_minor, found.stock_held, found.holds_left) == (500, 0, 0)


async def test_books_that_a_gateway_never_kept_are_named(evening: Evening) -> None:
    evening.gateway_path.unlink()
    with pytest.raises(BooksMissing, match=f"no books at {evening.gateway_path}"):
        await evening.reconcile()


@pytest.mark.parametrize("missing", ["shop.journal", "shop.journal.sandbox"])
def test_books_that_are_not_there_are_named(missing: str, tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    shop_in_file(store)
    GatewayBooks(gateway_path(store)).close()
    path = tmp_path / missing
    path.unlink()
    with pytest.raises(BooksMissing, match=f"no books at {path}"):
        reconcile(store)


def test_a_file_that_is_no_books_is_named(tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    for path in (store, gateway_path(store)):
        path.write_text("not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(BooksMissing, match="cannot be read"):
        reconcile(store)


async def test_reading_the_books_changes_nothing(evening: Evening) -> None:
    before = await evening.shop.stock()
    await evening.reconcile()
    assert await evening.shop.stock() == before
    with pytest.raises((BooksMissing, StoreRefused), match=r"read-?only"):
        await asyncio.to_thread(shop_rows, evening.store, ["DELETE FROM shop_stock"])


async def test_the_command_tells_by_its_status_whether_they_agree(
    evening: Evening, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await evening.command() == AGREE
    assert "the books agree" in capsys.readouterr().out
    await evening.ship(4)
    assert await evening.command() == DISAGREE
    assert "order-4: the gateway has 0, goods worth 500 left" in capsys.readouterr().out
    assert await evening.command(leave_out=("order-4",), json=True) == AGREE
    assert '"books_agree":true' in capsys.readouterr().out


@pytest.mark.real
async def test_a_database_without_a_shop_has_no_books(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    for address in (f"{served.url}?search_path=pg_temp", f"{served.url}_of_nobody"):
        assert await asyncio.to_thread(books, address) == MISTAKE
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert f"127.0.0.1:{served.port}/postgres" in told


def test_books_that_are_nowhere_are_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert books(str(tmp_path / "other")) == MISTAKE
    assert "no books at" in capsys.readouterr().err
