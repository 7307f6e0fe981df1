"""Every way of the corrected table is gone by some order, and the books agree at its end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from order_companies import State
from order_machine import orders
from order_messages import (
    AcceptPartial,
    CancelOrder,
    CarrierReported,
    ChooseMethod,
    DeclinePartial,
    ReturnReceived,
    SendNotification,
)
from order_parcel import TOO_LATE
from order_record import Status
from order_return import RETURN_WINDOW

from makegood import Declined, OutcomeUnknown, Unavailable, lint
from makegood.payments import Money
from makegood.testing import AfterEffect
from tests.examples.ordering import Shop, an_order, ordered

if TYPE_CHECKING:
    from order_record import Order

    from tests.examples.ordering import Trouble

AWAY = Unavailable("nobody is there")
LOST = AfterEffect(OutcomeUnknown("the reply was lost"))
SILENT = OutcomeUnknown("there was no reply")
NO = Declined("no")

CANCEL = CancelOrder("it is not wanted any more")
TAKEN, DECLINED = partial(Shop.decide, state=State.DONE), partial(Shop.decide, state=State.REFUSED)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

TABLE = """
CREATED VALIDATED REJECTED CANCELLING
VALIDATED INVENTORY_RESERVED PARTIAL_OFFERED REJECTED CANCELLING
PARTIAL_OFFERED INVENTORY_RESERVED CANCELLING
INVENTORY_RESERVED PAYMENT_PROCESSING PAYMENT_PROCESSED PAYMENT_FAILED PAYMENT_UNKNOWN CANCELLING
PAYMENT_PROCESSING PAYMENT_PROCESSED PAYMENT_FAILED PAYMENT_UNKNOWN CANCELLING
PAYMENT_UNKNOWN PAYMENT_PROCESSED PAYMENT_FAILED CANCELLING
PAYMENT_FAILED INVENTORY_RESERVED CANCELLING
PAYMENT_PROCESSED SHIPPING CANCELLING
SHIPPING FULFILLED CANCELLING
FULFILLED DELIVERED RETURNING
DELIVERED RETURNING CLOSED
RETURNING DELIVERED REFUNDED
CANCELLING CANCELLED REFUNDED
"""
TOLD: dict[str | tuple[str, str], str] = {
    "VALIDATED": "we have it",
    "REJECTED": "it is rejected",
    "PARTIAL_OFFERED": "a part of it is in stock",
    "PAYMENT_FAILED": "was declined",
    "FULFILLED": "it is on its way",
    ("FULFILLED", "DELIVERED"): "it is delivered",
    ("FULFILLED", "RETURNING"): "the parcel is lost",
    ("RETURNING", "DELIVERED"): "is paid back",
    ("RETURNING", "REFUNDED"): "is paid back",
    ("CANCELLING", "REFUNDED"): "you are given your money back",
    "CANCELLED": "it is cancelled",
}
"""What the customer is told when a status is entered, or entered from another one."""
WAYS = {
    (line.split()[0], status) for line in TABLE.strip().splitlines() for status in line.split()[1:]
}


@dataclass(frozen=True)
class Story:
    """What happens to an order, and how it ends."""

    order: Order
    happenings: tuple[object, ...]
    path: str
    has: int = 0
    """How much money the bank has of us in the end, in minor units."""
    troubles: dict[str, tuple[Trouble, ...]] = field(default_factory=dict)
    sold: int = 0
    """How many articles are gone in the end."""


LAPTOP = an_order()
SLOW = an_order(method="slow_card")
MANY = an_order(("desktop", 7), method="debit_card", customer="bert")
PAID = "INVENTORY_RESERVED PAYMENT_PROCESSED SHIPPING FULFILLED"
REPORT = CarrierReported(at=Shop().now)
NEVER_CHARGED = "CREATED VALIDATED INVENTORY_RESERVED"

STORIES = {
    "all goes well": Story(
        LAPTOP,
        (REPORT, RETURN_WINDOW),
        f"CREATED VALIDATED {PAID} DELIVERED CLOSED",
        has=9_999,
        sold=1,
    ),
    "the claimed total is wrong": Story(
        replace(LAPTOP, total=Money(9_998, "USD")), (), "CREATED REJECTED"
    ),
    "it is cancelled before it is checked": Story(
        LAPTOP, (CANCEL,), "CREATED CANCELLING CANCELLED", troubles={"warehouse.price": (AWAY,)}
    ),
    "nothing is in stock": Story(an_order(("out_of_stock", 1)), (), "CREATED VALIDATED REJECTED"),
    "it is cancelled before anything is held": Story(
        LAPTOP,
        (CANCEL,),
        "CREATED VALIDATED CANCELLING CANCELLED",
        troubles={"warehouse.hold": (AWAY,)},
    ),
    "a part is in stock and wanted": Story(
        MANY,
        (AcceptPartial(), REPORT, RETURN_WINDOW),
        f"CREATED VALIDATED PARTIAL_OFFERED {PAID} DELIVERED CLOSED",
        has=750_000,
        sold=5,
    ),
    "a part is in stock and not wanted": Story(
        MANY, (DeclinePartial(),), "CREATED VALIDATED PARTIAL_OFFERED CANCELLING CANCELLED"
    ),
    "nobody says whether a part is wanted": Story(
        MANY, (DAY,), "CREATED VALIDATED PARTIAL_OFFERED CANCELLING CANCELLED"
    ),
    "it is cancelled while the bank cannot be reached": Story(
        LAPTOP,
        (CANCEL,),
        f"{NEVER_CHARGED} CANCELLING CANCELLED",
        troubles={"bank.charge": (AWAY,)},
    ),
    "what was held is gone before the charge": Story(
        MANY,
        (Shop.sell_everything, AcceptPartial()),
        "CREATED VALIDATED PARTIAL_OFFERED INVENTORY_RESERVED CANCELLING CANCELLED",
        sold=10,
    ),
    "the bank takes its time": Story(
        SLOW,
        (TAKEN, MINUTE, REPORT, RETURN_WINDOW),
        f"{NEVER_CHARGED} PAYMENT_PROCESSING PAYMENT_PROCESSED SHIPPING FULFILLED DELIVERED CLOSED",
        has=9_999,
        sold=1,
    ),
    "the bank takes its time and declines, and the customer goes": Story(
        SLOW,
        (DECLINED, MINUTE, ChooseMethod(None)),
        f"{NEVER_CHARGED} PAYMENT_PROCESSING PAYMENT_FAILED CANCELLING CANCELLED",
    ),
    "it is cancelled while the bank takes its time": Story(
        SLOW, (CANCEL,), f"{NEVER_CHARGED} PAYMENT_PROCESSING CANCELLING CANCELLED"
    ),
    "it is cancelled when the bank has just taken the money": Story(
        SLOW,
        (TAKEN, CANCEL),
        f"{NEVER_CHARGED} PAYMENT_PROCESSING CANCELLING REFUNDED",
    ),
    "the bank is silent for five minutes and has taken the money then": Story(
        SLOW,
        (5 * MINUTE, TAKEN, MINUTE),
        f"{NEVER_CHARGED} PAYMENT_PROCESSING PAYMENT_UNKNOWN PAYMENT_PROCESSED SHIPPING FULFILLED",
        has=9_999,
        sold=1,
    ),
    "the bank is silent until the charge is called off": Story(
        SLOW,
        (6 * MINUTE, HOUR),
        f"{NEVER_CHARGED} PAYMENT_PROCESSING PAYMENT_UNKNOWN PAYMENT_FAILED CANCELLING CANCELLED",
    ),
    "the reply of the charge is lost": Story(
        LAPTOP,
        (MINUTE,),
        f"{NEVER_CHARGED} PAYMENT_UNKNOWN PAYMENT_PROCESSED SHIPPING FULFILLED",
        has=9_999,
        sold=1,
        troubles={"bank.charge": (LOST,)},
    ),
    "it is cancelled while nobody knows whether it is paid": Story(
        LAPTOP,
        (CANCEL,),
        f"{NEVER_CHARGED} PAYMENT_UNKNOWN CANCELLING CANCELLED",
        troubles={"bank.charge": (SILENT,)},
    ),
    "the customer chooses another method": Story(
        an_order(method="invalid_card"),
        (ChooseMethod("debit_card"),),
        f"{NEVER_CHARGED} PAYMENT_FAILED {PAID}",
        has=9_999,
        sold=1,
    ),
    "three methods in a row are declined": Story(
        an_order(method="invalid_card"),
        (ChooseMethod("invalid_card"), ChooseMethod("invalid_card")),
        f"{NEVER_CHARGED}{' PAYMENT_FAILED INVENTORY_RESERVED' * 2} PAYMENT_FAILED "
        "CANCELLING CANCELLED",
    ),
    "no other method is chosen in half an hour": Story(
        an_order(method="invalid_card"),
        (HOUR,),
        f"{NEVER_CHARGED} PAYMENT_FAILED CANCELLING CANCELLED",
    ),
    "it is cancelled when it is paid and no carrier can be reached": Story(
        LAPTOP,
        (CANCEL,),
        f"{NEVER_CHARGED} PAYMENT_PROCESSED CANCELLING REFUNDED",
        troubles={"carrier.send": (AWAY,)},
    ),
    "the carrier refuses": Story(
        an_order(address="Atlantis"),
        (),
        f"{NEVER_CHARGED} PAYMENT_PROCESSED SHIPPING CANCELLING REFUNDED",
    ),
    "the reply of the carrier is lost": Story(
        LAPTOP,
        (),
        f"CREATED VALIDATED {PAID}",
        has=9_999,
        sold=1,
        troubles={"carrier.send": (LOST,)},
    ),
    "it is cancelled before the carrier has it": Story(
        LAPTOP,
        (CANCEL,),
        f"{NEVER_CHARGED} PAYMENT_PROCESSED SHIPPING CANCELLING REFUNDED",
        troubles={"carrier.send": (SILENT,)},
    ),
    "it is cancelled when it is on its way": Story(
        LAPTOP,
        (CANCEL, REPORT, RETURN_WINDOW),
        f"CREATED VALIDATED {PAID} DELIVERED CLOSED",
        has=9_999,
        sold=1,
    ),
    "the parcel is lost": Story(
        LAPTOP,
        (replace(REPORT, is_lost=True),),
        f"CREATED VALIDATED {PAID} RETURNING REFUNDED",
        sold=1,
    ),
    "a part of it comes back": Story(
        an_order(("laptop", 3)),
        (REPORT, ReturnReceived((replace(LAPTOP.lines[0], quantity=2),)), RETURN_WINDOW),
        f"CREATED VALIDATED {PAID} DELIVERED RETURNING DELIVERED CLOSED",
        has=9_999,
        sold=1,
    ),
    "all of it comes back": Story(
        LAPTOP,
        (REPORT, ReturnReceived(LAPTOP.lines)),
        f"CREATED VALIDATED {PAID} DELIVERED RETURNING REFUNDED",
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_an_order_goes_its_way_and_the_books_agree(name: str) -> None:
    story, shop = STORIES[name], Shop()
    async with ordered(story.order, shop, *story.happenings, troubles=story.troubles) as order:
        assert [status.name for status in order.moves] == story.path.split()
        assert shop.bank.has == story.has
        assert 10 - shop.warehouse.stock.total() == story.sold
        assert shop.warehouse.holds == {}


def test_the_stories_go_every_way_of_the_table() -> None:
    gone = {way for story in STORIES.values() for way in pairwise(story.path.split())}
    assert gone == WAYS


@pytest.mark.parametrize("name", STORIES)
async def test_whatever_means_something_to_the_customer_is_told_with_the_move(name: str) -> None:
    story, shop = STORIES[name], Shop()
    async with ordered(story.order, shop, *story.happenings, troubles=story.troubles) as order:
        letters = [each for each in order.emitted if isinstance(each, SendNotification)]
        texts = [each.text for each in letters if each.text != TOO_LATE]
        ways = [(left.name, entered.name) for left, entered in pairwise(order.moves)]
        wanted = [TOLD.get(way) or TOLD.get(way[1]) for way in ways]
        parts = [part for part in wanted if part is not None]
        assert len(texts) == len(parts)
        assert all(part in text for part, text in zip(parts, texts, strict=True))
        assert {each.customer for each in letters} <= {story.order.customer}


def test_the_machine_has_exactly_the_statuses_and_ways_of_the_table() -> None:
    machine = orders.plan.nodes[0].machine
    assert machine is not None
    ways = {
        (status, to)
        for handler in machine.handlers
        for status in handler.statuses
        for to in handler.to
    }
    assert (len(machine.statuses), len(WAYS)) == (17, 35)
    assert ways == WAYS
    assert machine.terminal == ("REJECTED", "CANCELLED", "REFUNDED", "CLOSED")


def test_nothing_looks_wrong_with_the_machine() -> None:
    assert lint(orders) == ()


def test_every_status_before_the_pivot_can_be_cancelled_and_every_status_comes_to_an_end() -> None:
    before = {status.name for status in Status} - {
        "FULFILLED", "DELIVERED", "RETURNING", "CANCELLING",
        "REJECTED", "CANCELLED", "REFUNDED", "CLOSED",
    }  # fmt: skip
    assert {left for left, entered in WAYS if entered == "CANCELLING"} == before
    ending = {"REJECTED", "CANCELLED", "REFUNDED", "CLOSED"}
    for _ in Status:
        ending |= {left for left, entered in WAYS if entered in ending}
    assert ending == {status.name for status in Status}
