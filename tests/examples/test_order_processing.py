"""What the table of an order does not say: who is waited for, and what happens only once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from order_carrier import Parcel
from order_companies import State, Taken
from order_doubt import refund_stray
from order_letters import Desk, Post, notifications, operations
from order_machine import orders
from order_messages import (
    CancelOrder,
    CarrierReported,
    ChooseMethod,
    PaymentReported,
    ReturnReceived,
    SendNotification,
)
from order_parcel import TOO_LATE
from order_processing import SAMPLES, take_report
from order_record import Line, Status, total_of
from order_return import RETURN_WINDOW

from makegood import (
    Declined,
    Engine,
    Filter,
    MessageOperator,
    OutcomeUnknown,
    Unavailable,
    testing,
)
from makegood.payments import Money
from makegood.testing import AfterEffect
from tests.examples.ordering import Shop, an_order, ordered
from tests.runtime.receiving.shop import quiet

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

LAPTOP = an_order()
SLOW = an_order(method="slow_card")
REPORT = CarrierReported(at=Shop().now)


async def test_the_three_orders_of_the_sample_end_as_they_should() -> None:
    shop = Shop()
    ends = []
    for sample in SAMPLES:
        async with ordered(sample, shop) as order:
            ends.append((order.status, order.record.method))

    assert ends == [
        (Status.FULFILLED, "credit_card"),
        (Status.FULFILLED, "debit_card"),
        (Status.REJECTED, "credit_card"),
    ]
    taken = [each for each in shop.bank.charges.values() if each.state is State.DONE]
    assert [each.amount.minor for each in taken] == [9_999, 150_000]
    declined = [each for each in shop.bank.charges.values() if each.state is State.REFUSED]
    assert [each.amount.minor for each in declined] == [150_000]
    assert shop.bank.refunds == {}


async def test_what_cannot_be_given_back_keeps_the_goods_waiting_for_nothing() -> None:
    shop = Shop()
    troubles: dict[str, tuple[Trouble, ...]] = {"carrier.send": (AWAY,), "bank.refund": (NO,)}
    async with ordered(LAPTOP, shop, CANCEL, troubles=troubles) as order:
        assert (order.run_status, order.status) == ("paused", Status.CANCELLING)
        assert (shop.bank.has, shop.warehouse.stock["laptop"]) == (9_999, 5)

        await order.resume(reason="the bank is asked again")
        assert (order.run_status, order.status) == ("completed", Status.REFUNDED)
        assert shop.bank.has == 0


async def test_a_bank_that_is_away_for_long_keeps_the_goods_waiting_for_nothing() -> None:
    shop = Shop()
    troubles: dict[str, tuple[Trouble, ...]] = {
        "carrier.send": (AWAY,),
        "bank.refund": (AWAY,) * 7,
    }
    async with ordered(LAPTOP, shop, CANCEL, HOUR, troubles=troubles) as order:
        assert (order.run_status, order.status) == ("paused", Status.CANCELLING)
        assert (shop.bank.has, shop.warehouse.stock["laptop"]) == (9_999, 5)

        await order.resume(reason="the bank is asked again")
        await order.turn(HOUR)
        assert (order.run_status, order.status) == ("completed", Status.REFUNDED)
        assert shop.bank.has == 0


async def test_nothing_is_refunded_or_released_while_the_parcel_may_be_on_its_way() -> None:
    shop = Shop()
    shop.carrier.parcels = _Refusing()
    async with ordered(LAPTOP, shop, troubles={"carrier.call_back": (NO,)}) as order:
        assert (order.run_status, order.status) == ("paused", Status.CANCELLING)
        assert shop.bank.has == 9_999
        assert len(shop.warehouse.holds) == 1


class _Refusing(dict[str, Parcel]):
    """The books of a carrier that refuses every parcel."""

    def __setitem__(self, reference: str, parcel: Parcel) -> None:
        super().__setitem__(reference, replace(parcel, state=State.REFUSED))


async def test_another_amount_than_was_asked_for_ships_nothing_and_waits_for_a_person() -> None:
    shop = Shop()

    def takes_too_little(shop: Shop) -> None:
        [key] = shop.bank.charges
        shop.bank.charges[key] = Taken(State.DONE, Money(1, "USD"))

    async with ordered(SLOW, shop, takes_too_little, MINUTE) as order:
        assert (order.run_status, order.status) == ("paused", Status.PAYMENT_PROCESSING)
        assert shop.carrier.parcels == {}

        await order.resume(reason="I have looked, and it is still so")
        assert order.run_status == "paused"


async def test_a_charge_that_nobody_can_explain_waits_for_a_person_and_keeps_its_status() -> None:
    shop = Shop()
    shop.bank.charges = _Pending()
    async with ordered(LAPTOP, shop, 4 * HOUR, troubles={"bank.charge": (LOST,)}) as order:
        assert (order.run_status, order.status) == ("paused", Status.PAYMENT_UNKNOWN)
        assert len(shop.warehouse.holds) == 1
        assert shop.carrier.parcels == {}


class _Pending(dict[str, Taken]):
    """The books of a bank that decides about nothing."""

    def __setitem__(self, key: str, taken: Taken) -> None:
        super().__setitem__(key, replace(taken, state=State.PENDING))


async def test_a_carrier_that_says_nothing_waits_for_a_person() -> None:
    shop = Shop()
    async with ordered(LAPTOP, shop, 4 * HOUR, troubles={"carrier.send": (SILENT,)}) as order:
        assert (order.run_status, order.status) == ("paused", Status.SHIPPING)
        assert (shop.bank.has, len(shop.warehouse.holds)) == (9_999, 1)


async def test_a_parcel_of_which_nothing_is_heard_waits_for_a_person_and_then_again() -> None:
    shop = Shop()
    async with ordered(LAPTOP, shop, 31 * DAY) as order:
        assert (order.run_status, order.status) == ("paused", Status.FULFILLED)

        await order.resume(reason="the carrier looks for it")
        assert (order.run_status, [*order.timers]) == ("waiting", ["chase"])


async def test_a_report_of_the_bank_is_asked_about_and_not_believed() -> None:
    shop = Shop()
    async with ordered(SLOW, shop) as order:
        [key] = shop.bank.charges
        await order.send(PaymentReported(key))
        assert order.status is Status.PAYMENT_PROCESSING

        TAKEN(shop)
        await order.send(PaymentReported(key))
        assert order.status is Status.FULFILLED


@pytest.mark.parametrize("happenings", [(), (ChooseMethod("debit_card"),)])
async def test_a_charge_that_was_given_up_and_takes_money_after_all_is_given_back_once(
    happenings: tuple[object, ...],
) -> None:
    shop = Shop()
    async with ordered(SLOW, shop, DECLINED, MINUTE, *happenings) as order:
        first = next(iter(shop.bank.charges))
        paid = shop.bank.has
        shop.bank.charges[first] = Taken(State.DONE, LAPTOP.total)
        for _ in range(2):
            await order.send(PaymentReported(first))

        assert [*shop.bank.refunds] == [f"stray-{first}"]
        assert shop.bank.has == paid


@pytest.mark.parametrize("is_its_own", [False, True])
async def test_a_capture_for_an_order_that_has_ended_is_given_back_unless_it_is_its_own(
    *, is_its_own: bool
) -> None:
    shop = Shop()
    ended = LAPTOP if is_its_own else an_order(("out_of_stock", 1))
    async with Engine("memory://", services={**shop.services, Post: Post()}) as engine:
        engine.serve(orders, refund_stray, notifications)
        run = await engine.start(orders(ended))
        if is_its_own:
            await engine.send(CarrierReported(REPORT.at - RETURN_WINDOW), key=ended.id)
        assert (await run.outcome()).is_completed
        charge = next(iter(shop.bank.charges), "charge-1")
        shop.bank.charges[charge] = Taken(State.DONE, LAPTOP.total)
        for number in (1, 2):
            await take_report(engine, ended.id, charge, id=f"report-{number}")
        refunds = (await engine.list(Filter(workflow="refund_stray"))).rows
        for row in refunds:
            await engine.run(row.run).result()

        assert len(refunds) == (0 if is_its_own else 1)
        assert shop.bank.has == (9_999 if is_its_own else 0)


async def test_an_operator_who_cancels_the_run_itself_has_all_of_it_undone() -> None:
    shop = Shop()
    async with ordered(LAPTOP, shop, troubles={"carrier.send": (SILENT,)}) as order:
        assert order.status is Status.SHIPPING
        await order.cancel(reason="it is a fraud")

        assert (order.run_status, order.undone) == (
            "cancelled",
            ("send_parcel", "charge", "reserve"),
        )
        assert (shop.bank.has, shop.warehouse.stock["laptop"]) == (0, 5)
        assert {each.state for each in shop.carrier.parcels.values()} == {State.REFUSED}


async def test_a_cancel_that_comes_twice_cancels_once() -> None:
    shop = Shop()
    async with ordered(LAPTOP, shop, troubles={"carrier.send": (AWAY,)}) as order:
        for _ in range(2):
            await order.send(CANCEL, id="click-1")

        assert order.status is Status.REFUNDED
        assert (shop.bank.has, len(shop.bank.refunds)) == (0, 1)


async def test_no_more_comes_back_than_was_sent() -> None:
    line, shop = LAPTOP.lines[0], Shop()
    returns = (
        ReturnReceived((replace(line, quantity=2),)),
        ReturnReceived((Line("desktop", 1, line.price),)),
        ReturnReceived(()),
    )
    async with ordered(LAPTOP, shop, REPORT, *returns) as order:
        assert order.status is Status.DELIVERED
        assert (shop.bank.has, shop.bank.refunds) == (9_999, {})


@pytest.mark.parametrize(
    "called", ["warehouse.price", "warehouse.hold", "warehouse.keep", "bank.charge", "carrier.send"]
)
async def test_a_reply_that_is_lost_is_made_good_and_everything_happens_once(called: str) -> None:
    shop = Shop()
    async with ordered(LAPTOP, shop, MINUTE, troubles={called: (LOST,)}) as order:
        assert order.status is Status.FULFILLED
        assert (shop.bank.has, len(shop.bank.charges)) == (9_999, 1)
        assert (shop.warehouse.stock["laptop"], len(shop.carrier.parcels)) == (4, 1)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (replace(LAPTOP, lines=()), "there are no lines"),
        (an_order(("laptop", 0)), "cannot be bought"),
        (replace(LAPTOP, lines=(Line("laptop", 1, Money(1, "USD")),)), "costs 9999 USD"),
        (replace(LAPTOP, lines=(Line("nothing", 1, Money(1, "USD")),)), "nothing costs None"),
        (replace(LAPTOP, lines=(*LAPTOP.lines, Line("cable", 1, Money(1, "EUR")))), "currencies"),
        (replace(LAPTOP, total=total_of(LAPTOP.lines) + Money(1, "USD")), "add up to 9999 USD"),
        (replace(LAPTOP, address=""), "there is no address"),
        (replace(LAPTOP, method=""), "there is no method of payment"),
    ],
)
async def test_an_order_that_is_wrong_is_rejected_with_the_reason(
    order: Order, reason: str
) -> None:
    shop = Shop()
    async with ordered(order, shop) as rejected:
        assert rejected.moves == (Status.CREATED, Status.REJECTED)
        assert reason in str(rejected.record.reasons)
        assert shop.bank.charges == {}


async def test_a_customer_who_cancels_too_late_is_told_so() -> None:
    async with ordered(LAPTOP, Shop(), CANCEL, REPORT, CANCEL) as order:
        texts = [each.text for each in order.emitted if isinstance(each, SendNotification)]
        assert texts.count(TOO_LATE) == 2


async def test_a_second_cancel_is_heard_and_changes_nothing() -> None:
    shop = Shop()
    shop.bank.charges = _Pending()
    async with ordered(SLOW, shop, CANCEL, CANCEL) as order:
        assert (order.status, order.kept) == (Status.CANCELLING, ())


async def test_a_letter_is_sent_once_for_each_command() -> None:
    post = Post()
    command = SendNotification("ann", "order-1", "we have it")
    for _ in range(2):
        await testing.receive(notifications, command, services={Post: post}, id="command-1")
    assert post.sent == {"ann": ["order-1: we have it"]}


async def test_a_letter_that_cannot_be_sent_is_a_dead_letter_and_the_order_goes_on() -> None:
    class Strike(Post):
        async def send(self, customer: str, text: str, *, key: str) -> None:
            raise Declined("the post is on strike")

    shop = Shop()
    async with Engine("memory://", services={**shop.services, Post: Strike()}) as engine:
        engine.serve(orders, notifications)
        run = await engine.start(orders(LAPTOP))
        reached = await run.await_status(Status.FULFILLED)
        await quiet(engine)
        letters = await MessageOperator(engine).dead_letters()

    assert reached.what == "reached"
    assert {letter.receptor for letter in letters} == {"notifications/notify"}
    assert len(letters) == 2


async def test_those_who_operate_are_told_of_ends_and_of_what_needs_a_person() -> None:
    shop, desk = Shop(), Desk()
    shop.bank.charges = _Wrong()
    services = {**shop.services, Post: Post(), Desk: desk}
    async with Engine("memory://", services=services) as engine:
        engine.serve(orders, notifications, operations)
        await (await engine.start(orders(an_order(("out_of_stock", 1))))).result()
        paused = await engine.start(orders(LAPTOP))
        await paused.await_status(Status.PAYMENT_PROCESSING)
        await quiet(engine)

    assert len(desk.lines) == 2
    assert desk.lines[0].startswith("order-1 ended in REJECTED after 0:00:0")
    assert desk.lines[1].startswith("order-1 needs a person in PAYMENT_PROCESSING: the bank took 1")


class _Wrong(dict[str, Taken]):
    """The books of a bank that takes another amount."""

    def __setitem__(self, key: str, taken: Taken) -> None:
        super().__setitem__(key, replace(taken, amount=Money(1, "USD")))
