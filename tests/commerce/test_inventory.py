"""Stock: no copy is promised twice, and what is let go of is there again."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood import Declined
from makegood.commerce import (
    Delivery,
    OutOfStock,
    Reservation,
    fulfil_order,
    recall_shipment,
    release_inventory,
    reserve_inventory,
)
from makegood.commerce.inventory import receive_delivery
from tests.commerce.shop import FileTables, Shop, copies, order


async def test_a_delivery_is_on_hand_and_adds_to_what_was(shop: Shop) -> None:
    assert await shop.receive(copies("cd_1", 3), copies("cd_2", 1)) == 4
    await shop.receive(copies("cd_1", 2), name="tuesday")
    assert await shop.stock() == {"cd_1": (5, 0), "cd_2": (1, 0)}


async def test_one_delivery_does_not_come_in_twice(shop: Shop) -> None:
    await shop.receive(copies("cd_1", 3))
    with pytest.raises((apsw.ConstraintError, asyncpg.UniqueViolationError)):
        await shop.receive(copies("cd_1", 3))


async def test_copies_are_held_for_an_order_and_stay_on_hand(shop: Shop) -> None:
    await shop.receive(copies("cd_1", 3), copies("cd_2", 1))
    reservation = await reserve_inventory(order(1, cd_1=2, cd_2=1), transaction=shop)
    assert reservation.order == "order-1"
    assert await shop.stock() == {"cd_1": (3, 2), "cd_2": (1, 1)}


@pytest.mark.parametrize("wanted", [{"cd_1": 4}, {"cd_1": 1, "cd_2": 1}])
async def test_an_order_for_more_than_is_left_is_out_of_stock(
    wanted: dict[str, int], shop: Shop
) -> None:
    await shop.receive(copies("cd_1", 3))
    with pytest.raises(OutOfStock, match="for order-1") as caught:
        await reserve_inventory(order(1, price=500, **wanted), transaction=shop)
    assert isinstance(caught.value, Declined)


async def test_the_last_copy_is_held_for_one_order_only(shop: Shop) -> None:
    await shop.receive(copies("cd_1", 1))
    await reserve_inventory(order(1, cd_1=1), transaction=shop)
    with pytest.raises(OutOfStock):
        await reserve_inventory(order(2, cd_1=1), transaction=shop)


async def test_what_is_let_go_of_can_be_held_again(shop: Shop) -> None:
    await shop.receive(copies("cd_1", 1))
    reservation = await reserve_inventory(order(1, cd_1=1), transaction=shop)
    for _ in range(2):
        await release_inventory(reservation, transaction=shop)
    assert await shop.stock() == {"cd_1": (1, 0)}
    await reserve_inventory(order(2, cd_1=1), transaction=shop)
    assert await shop.stock() == {"cd_1": (1, 1)}


async def test_what_was_never_held_is_not_let_go_of(shop: Shop) -> None:
    await shop.receive(copies("cd_1", 1))
    held = await reserve_inventory(order(1, cd_1=1), transaction=shop)
    stranger = Reservation(id=type(held.id)("reservation-order-2"), order=order(2, cd_1=1).id)
    await release_inventory(stranger, transaction=shop)
    assert await shop.stock() == {"cd_1": (1, 1)}


class Witness:
    """A transaction that notes in which order articles are changed."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.changed: list[object] = []

    async def execute(self, sql: str, *parameters: str | float | bytes | None) -> int:
        if "shop_stock" in sql:
            self.changed += [name for name in parameters if str(name).startswith("cd_")]
        return await self._shop.execute(sql, *parameters)

    async def fetch(
        self, sql: str, *parameters: str | float | bytes | None
    ) -> Sequence[tuple[str | int | float | bytes | None, ...]]:
        return await self._shop.fetch(sql, *parameters)


async def test_articles_are_changed_in_one_order_so_that_transactions_never_embrace(
    shop: Shop,
) -> None:
    witness = Witness(shop)
    items = (copies("cd_3", 2), copies("cd_1", 2), copies("cd_2", 2))
    delivery = Delivery(id="monday", consignments=items)
    await receive_delivery(delivery, transaction=witness)
    shipped, released = order(1, cd_3=1, cd_1=1, cd_2=1), order(2, cd_2=1, cd_3=1, cd_1=1)
    reservation = await reserve_inventory(shipped, transaction=witness)
    shipment = await fulfil_order(shipped, reservation, transaction=witness)
    await recall_shipment(shipment, transaction=witness)
    held = await reserve_inventory(released, transaction=witness)
    await release_inventory(held, transaction=witness)
    assert witness.changed == ["cd_1", "cd_2", "cd_3"] * 6


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "release", "ship", "recall"]),
        st.integers(min_value=1, max_value=4),
        st.integers(min_value=1, max_value=3),
    ),
    max_size=40,
)


@given(ACTS)
async def test_whatever_is_done_no_copy_is_lost_or_promised_twice(
    acts: list[tuple[str, int, int]],
) -> None:
    tables = FileTables()
    shop = Shop(tables)
    await shop.receive(copies("cd_1", 5))
    orders, reservations, shipments = {}, {}, {}
    for act, number, quantity in acts:
        with tables.connection:
            if act == "reserve" and number not in orders:
                placed = order(number, cd_1=quantity)
                left = 5 - await held_or_shipped(shop)
                if quantity > left:
                    continue
                orders[number] = placed
                reservations[number] = await reserve_inventory(placed, transaction=shop)
            elif act == "release" and number in reservations:
                await release_inventory(reservations[number], transaction=shop)
            elif act == "ship" and await is_held(shop, number):
                shipments[number] = await fulfil_order(
                    orders[number], reservations[number], transaction=shop
                )
            elif act == "recall" and number in shipments:
                await recall_shipment(shipments[number], transaction=shop)
    on_hand, held = (await shop.stock())["cd_1"]
    shipped = await copies_in(shop, "committed")
    promised = await copies_in(shop, "held")
    assert (on_hand, shipped, held) == (5 - shipped, shipped, promised)


async def copies_in(shop: Shop, status: str) -> int:
    rows = await shop.fetch(
        "SELECT quantity FROM shop_reservation_line JOIN shop_reservation "
        "ON id = reservation_id WHERE status = ?",
        status,
    )
    return sum(int(quantity or 0) for (quantity,) in rows)


async def held_or_shipped(shop: Shop) -> int:
    on_hand, held = (await shop.stock())["cd_1"]
    return 5 - int(on_hand or 0) + int(held or 0)


async def is_held(shop: Shop, number: int) -> bool:
    sql = "SELECT status FROM shop_reservation WHERE order_id = ?"
    return await shop.fetch(sql, f"order-{number}") == [("held",)]
