"""The order flow of five services, row by row of what may go wrong in it, and the books agree."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from makegood.commerce.orders import CustomerId, OrderId
from makegood.commerce.services.carrier import CarrierInDoubt, CarrierUnavailable
from makegood.commerce.services.messages import (
    CancelOrder,
    ChargePayment,
    PaymentFailed,
    ReleaseInventory,
    ReservationExpired,
    ReserveInventory,
    ReturnReceived,
    VoidPayment,
)
from makegood.commerce.services.outside import REFUSED_ADDRESS
from makegood.payments.gateways.sandbox import DECLINED_TOKEN, Faults
from tests.commerce.services.street import Street, dollars, order_for
from tests.runtime.receiving.shop import dead_letters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    async with Street(tmp_path) as street:
        await street.stock(10)
        yield street


def cancel(number: int) -> CancelOrder:
    return CancelOrder(order_id=OrderId(f"order-{number}"), reason="I changed my mind")


async def test_an_order_is_reserved_paid_shipped_and_told_of(street: Street) -> None:
    await street.place(order_for(1, 3))
    await street.rest()

    path = ["created", "charging", "paid", "shipping", "closed"]
    assert await street.history(1) == path
    assert await street.letters(1) == {"created", "shipped"}
    accounts = await street.accounts()
    assert accounts.disputed == ()
    assert (accounts.closed, accounts.captured_minor, accounts.stock_available) == (1, 1500, 7)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lines": ()}, "it asks for nothing"),
        ({"claimed_total": dollars(4)}, "it comes to 500 USD"),
        ({"address": " "}, "it says not where to"),
    ],
)
async def test_an_order_that_is_wrong_is_rejected_and_nothing_is_done(
    street: Street, change: dict[str, object], reason: str
) -> None:
    await street.place(replace(order_for(1), **change))  # type: ignore[arg-type]
    await street.rest()

    rows = await street.engine.read("SELECT status, reason FROM service_order")
    assert rows[0][0] == "rejected"
    assert str(rows[0][1]).startswith(reason)
    assert await street.letters(1) == {"rejected"}
    assert (await street.accounts()).disputed == ()


async def test_of_an_order_of_which_a_part_is_not_there_nothing_is_held(street: Street) -> None:
    await street.place(order_for(1, 11))
    await street.rest()

    assert await street.status(1) == "rejected"
    assert street.gateway.asked == []
    accounts = await street.accounts()
    assert (accounts.disputed, accounts.stock_available) == ((), 10)


async def test_a_declined_card_lets_go_of_the_goods_once(street: Street) -> None:
    await street.place(order_for(1, 4, card=DECLINED_TOKEN))
    await street.rest()
    event = PaymentFailed(
        order_id=OrderId("order-1"), customer_id=CustomerId("anna"), reason="again"
    )
    await street.engine.publish(event, key="order-1")
    await street.rest()

    assert await street.status(1) == "cancelled"
    assert await street.letters(1) == {"created", "declined", "cancelled"}
    rows = await street.engine.read("SELECT available FROM service_stock")
    assert rows[0][0] == 10


async def test_nobody_ships_or_lets_go_while_a_payment_is_unknown(street: Street) -> None:
    street.gateway.lost = 5
    await street.place(order_for(1))
    await street.rest()

    assert await street.status(1) == "in doubt"
    rows = await street.engine.read("SELECT status FROM service_reservation")
    assert rows == [("held",)]
    assert street.carrier.asked == []

    await street.pass_time(timedelta(minutes=3))
    assert await street.history(1) == [
        *("created", "charging", "in doubt", "paid", "shipping", "closed")
    ]
    assert (await street.accounts()).disputed == ()


async def test_an_order_that_is_cancelled_while_its_payment_is_unknown_is_settled_first(
    street: Street,
) -> None:
    street.gateway.lost = 2
    await street.place(order_for(1))
    await street.rest()
    await street.engine.publish(cancel(1))
    await street.pass_time(timedelta(minutes=3))

    assert await street.status(1) in {"cancelled", "refunded"}
    rows = await street.engine.read("SELECT cause FROM service_order_history ORDER BY step")
    released = [cause for (cause,) in rows].index("commerce.InventoryReleased")
    assert str(rows[released - 1][0]).startswith("commerce.Payment")
    assert (await street.accounts()).disputed == ()


async def test_a_carrier_that_refuses_has_the_money_given_back(street: Street) -> None:
    await street.place(order_for(1, address=f"{REFUSED_ADDRESS} 7"))
    await street.rest()

    assert await street.status(1) == "refunded"
    assert await street.letters(1) == {"created", "refunded", "cancelled"}
    accounts = await street.accounts()
    assert accounts.disputed == ()
    assert (accounts.captured_minor, accounts.given_back_minor) == (500, 500)


async def test_a_parcel_that_nobody_knows_of_is_looked_up_and_found(street: Street) -> None:
    street.carrier.lost = [CarrierInDoubt("the reply was lost")]
    await street.place(order_for(1))
    await street.rest()
    assert await street.status(1) == "shipping"

    await street.pass_time(timedelta(minutes=1))
    assert await street.status(1) == "closed"
    assert street.carrier.asked == ["book", "find"]
    assert (await street.accounts()).disputed == ()


async def test_a_parcel_that_is_not_found_is_stopped_before_the_money_goes_back(
    street: Street,
) -> None:
    street.carrier.unsent = [CarrierInDoubt("the reply was lost")]
    await street.place(order_for(1))
    await street.pass_time(timedelta(minutes=1))

    assert await street.status(1) == "refunded"
    assert street.carrier.asked == ["book", "find", "cancel"]
    assert (await street.accounts()).disputed == ()


async def test_a_carrier_that_is_away_is_asked_again(street: Street) -> None:
    street.carrier.unsent = [CarrierUnavailable("away")] * 3
    await street.place(order_for(1))
    await street.pass_time(timedelta(minutes=2))

    assert await street.status(1) == "closed"
    assert street.carrier.asked == ["book"] * 4
    assert (await street.accounts()).disputed == ()


async def test_a_hold_that_is_over_lets_go_and_a_payment_that_comes_late_is_given_back(
    street: Street,
) -> None:
    street.gateway.lost = 1_000
    street.gateway.losing = frozenset({"capture"})
    await street.place(order_for(1, 10))
    await street.pass_time(timedelta(minutes=14))
    assert await street.status(1) == "in doubt"
    await street.pass_time(timedelta(minutes=4))
    await street.pass_time(timedelta(minutes=5))

    assert await street.status(1) == "refunded"
    accounts = await street.accounts()
    assert (accounts.disputed, accounts.stock_available) == ((), 10)


async def test_goods_that_were_let_go_of_are_held_again_when_the_money_is_there(
    street: Street,
) -> None:
    street.gateway.lost = 1_000
    await street.place(order_for(1, 10))
    await street.pass_time(timedelta(minutes=16))
    assert await street.engine.read(_HELD) == [("expired", 10)]

    command = ReserveInventory(
        order_id=OrderId("order-1"), lines=order_for(1, 10).lines, is_firm=True
    )
    await street.engine.publish(command, key="order-1")
    await street.rest()

    assert await street.engine.read(_HELD) == [("firm", 0)]


async def test_what_was_released_is_not_held_by_a_wish_that_was_overtaken(street: Street) -> None:
    order = order_for(1, 10)
    await street.engine.publish(ReleaseInventory(order_id=order.order_id), key="order-1")
    command = ReserveInventory(order_id=order.order_id, lines=order.lines)
    await street.engine.publish(command, key="order-1")
    await street.rest()

    assert await street.engine.read(_HELD) == [("released", 10)]


async def test_a_charge_that_is_void_before_it_began_never_begins(street: Street) -> None:
    order = order_for(1)
    void = VoidPayment(order_id=order.order_id, customer_id=order.customer_id)
    await street.engine.publish(void, key="order-1")
    charge = ChargePayment(
        order_id=order.order_id,
        customer_id=order.customer_id,
        amount=order.claimed_total,
        payment=order.payment,
    )
    await street.engine.publish(charge, key="order-1")
    await street.rest()

    assert street.gateway.asked == []
    assert await street.engine.read("SELECT status FROM service_charge") == [("settled",)]


_HELD = "SELECT status, available FROM service_reservation, service_stock"


async def test_one_wins_of_a_cancellation_and_the_carrier(tmp_path: Path) -> None:
    async with Street(tmp_path) as street:
        await street.stock(40)
        for number in range(40):
            await street.place(order_for(number))
        await street.engine.publish(cancel(0))
        for number in range(1, 40):
            await street.engine.publish(cancel(number), after=timedelta(milliseconds=number))
        await street.pass_time(timedelta(seconds=1))

        accounts = await street.accounts()
        assert accounts.disputed == ()
        assert accounts.orders == accounts.closed + accounts.cancelled + accounts.refunded


async def test_what_is_sent_back_is_restocked_and_its_money_given_back(street: Street) -> None:
    await street.place(order_for(1, 3))
    await street.place(order_for(2))
    await street.rest()
    await street.engine.publish(ReturnReceived(order_id=OrderId("order-1")))
    await street.rest()

    assert (await street.history(1))[-3:] == ["returning", "returning", "refunded"]
    assert await street.status(1) == "refunded"
    assert await street.letters(1) == {"created", "shipped", "refunded"}
    accounts = await street.accounts()
    assert (accounts.disputed, accounts.returned) == ((), 1)
    assert (accounts.stock_available, accounts.stock_shipped) == (9, 1)
    assert (accounts.captured_minor, accounts.given_back_minor) == (2000, 1500)


async def test_what_comes_back_and_was_never_sent_is_a_dead_letter(street: Street) -> None:
    await street.place(order_for(1, card=DECLINED_TOKEN))
    await street.rest()
    await street.engine.publish(ReturnReceived(order_id=OrderId("order-1")))
    await street.rest()

    (dead,) = await dead_letters(street.engine)
    assert (dead.id.recipient, dead.reason) == ("orders/follow", "declined")


async def test_what_is_heard_of_an_order_that_nobody_has_is_a_dead_letter(street: Street) -> None:
    await street.engine.publish(ReservationExpired(order_id=OrderId("order-9")), key="order-9")
    await street.rest()

    (dead,) = await dead_letters(street.engine)
    assert (dead.id.recipient, dead.reason) == ("orders/follow", "declined")


async def test_the_books_agree_whatever_goes_wrong_outside(tmp_path: Path) -> None:
    async with Street(tmp_path, faults=Faults(rate=0.3, seed=11)) as street:
        await street.stock(60)
        for number in range(80):
            street_address = f"{REFUSED_ADDRESS}" if number % 13 == 0 else "1 Lane"
            await street.place(order_for(number, address=street_address))
        await street.pass_time(timedelta(minutes=12))

        assert await dead_letters(street.engine) == []
        accounts = await street.accounts()
        assert accounts.disputed == ()
        assert (accounts.orders, accounts.unfinished) == (80, 0)
        kinds = (accounts.closed, accounts.rejected, accounts.cancelled, accounts.refunded)
        assert all(kinds), kinds
