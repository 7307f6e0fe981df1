"""The example in which two workflows speak to each other by messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import wait_for_parcel
from wait_for_parcel import Shop, place, ship

from makegood import Declined, Engine, WaitTimedOut, testing
from makegood.journal.memory import MemoryJournal

if TYPE_CHECKING:
    from collections.abc import Sequence


async def both(order: Sequence[str]) -> tuple[Shop, str]:
    """Begin both workflows in this order, and return what became of the order."""
    shop = Shop()
    calls = {"place": place("order-1"), "ship": ship("order-1")}
    async with Engine(MemoryJournal(), services={Shop: shop}) as engine:
        engine.serve(place, ship)
        runs = {name: await engine.start(calls[name]) for name in order}
        await runs["ship"].result()
        return shop, str(await runs["place"].result())


@pytest.mark.parametrize("order", [("place", "ship"), ("ship", "place")])
async def test_the_message_finds_the_order_whichever_begins_first(order: Sequence[str]) -> None:
    shop, said = await both(order)

    assert said == "order-1 is on its way as parcel-of-order-1"
    assert (shop.held, shop.taken) == (set(), {"order-1"})


async def test_the_money_is_let_go_when_nothing_is_shipped_in_time() -> None:
    shop = Shop()

    outcome = await testing.run(place("order-1"), services={Shop: shop})

    assert (outcome.status, type(outcome.error)) == ("failed", WaitTimedOut)
    assert (shop.held, shop.taken, outcome.undone) == (set(), set(), ["hold_money"])


async def test_nobody_is_told_of_a_parcel_that_could_not_be_packed() -> None:
    shop = Shop()

    outcome = await testing.run(
        ship("order-1"), services={Shop: shop}, fail={"pack_parcel": Declined("broken")}
    )

    assert outcome.status == "failed"
    assert shop.packed == set()


def test_the_example_says_in_its_text_what_it_is_about() -> None:
    assert "messages" in (wait_for_parcel.__doc__ or "")
