"""Shipping: held copies leave once, and come back when they are recalled."""

from __future__ import annotations

import pytest

from makegood.commerce import (
    Reservation,
    ShipmentRefused,
    fulfil_order,
    recall_shipment,
    release_inventory,
    reserve_inventory,
)
from makegood.payments import Money
from tests.commerce.shop import Shop, copies, order

ORDER = order(1, cd_1=2, cd_2=1)


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    await shop.receive(copies("cd_1", 3), copies("cd_2", 1))
    return shop


@pytest.fixture
async def reservation(shop: Shop) -> Reservation:
    return await reserve_inventory(ORDER, transaction=shop)


async def test_held_copies_leave_with_the_value_of_the_order(
    shop: Shop, reservation: Reservation
) -> None:
    shipment = await fulfil_order(ORDER, reservation, transaction=shop)
    assert shipment.value == Money(1000, "USD")
    assert await shop.stock() == {"cd_1": (1, 0), "cd_2": (0, 0)}
    shipped = await shop.fetch("SELECT order_id, value_minor, status FROM shop_shipment")
    assert shipped == [("order-1", 1000, "shipped")]


async def test_a_recalled_shipment_is_on_hand_again_and_recalled_once(
    shop: Shop, reservation: Reservation
) -> None:
    shipment = await fulfil_order(ORDER, reservation, transaction=shop)
    for _ in range(2):
        await recall_shipment(shipment, transaction=shop)
    await release_inventory(reservation, transaction=shop)
    assert await shop.stock() == {"cd_1": (3, 0), "cd_2": (1, 0)}
    assert await shop.fetch("SELECT status FROM shop_shipment") == [("recalled",)]
    assert await shop.fetch("SELECT status FROM shop_reservation") == [("returned",)]


async def test_copies_that_were_let_go_of_are_not_shipped(
    shop: Shop, reservation: Reservation
) -> None:
    await release_inventory(reservation, transaction=shop)
    with pytest.raises(ShipmentRefused, match="nothing is held for order-1"):
        await fulfil_order(ORDER, reservation, transaction=shop)


async def test_one_reservation_is_shipped_once(shop: Shop, reservation: Reservation) -> None:
    await fulfil_order(ORDER, reservation, transaction=shop)
    with pytest.raises(ShipmentRefused):
        await fulfil_order(ORDER, reservation, transaction=shop)


async def test_a_blocked_title_stays_in_the_warehouse(shop: Shop) -> None:
    await shop.receive(copies("cd_3", 1, blocked=True), name="tuesday")
    wanted = order(2, cd_3=1)
    held = await reserve_inventory(wanted, transaction=shop)
    with pytest.raises(ShipmentRefused, match="has blocked cd_3"):
        await fulfil_order(wanted, held, transaction=shop)
    assert (await shop.stock())["cd_3"] == (1, 1)
