"""Whizbang's payment worker: the money is taken once, and given back when it is not wanted."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from payment_gateway import Captured, PaymentGateway, Refused, TestGateway
from payment_messages import (
    InventoryReserved,
    OrderCancelled,
    PaymentFailed,
    PaymentProcessed,
    PaymentRefunded,
    PaymentStatus,
    ProcessPayment,
    RefundPayment,
)
from payment_tables import PaymentTables
from payment_worker import BREAKER, payments, process_payment, refund_payment

from makegood import Declined, Engine, MessageOperator, Receptors, Service, testing
from makegood.payments import Money
from tests.runtime.receiving.shop import quiet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AMOUNT = Money(3_998, "USD")
PAYMENT = ProcessPayment("order-123", "payment-order-123", AMOUNT, "pm_card_visa")
RESERVED = InventoryReserved("order-123", AMOUNT)
CANCELLED = OrderCancelled("order-123")
PROCESSED = PaymentProcessed("order-123", "payment-order-123", "pi_1", AMOUNT)
SECOND = timedelta(seconds=1)


class ScriptedGateway:
    """A payment company with one answer."""

    def __init__(self, answer: Captured | Refused) -> None:
        self.answer = answer

    async def charge(self, amount: Money, method: str, *, key: str) -> Captured | Refused:
        return self.answer

    async def refund(self, transaction: str, amount: Money, *, key: str) -> str | Refused:
        return "re_1" if isinstance(self.answer, Captured) else self.answer


async def receive(receptor: Any, message: object, answer: Captured | Refused) -> testing.Received:
    """Let a receptor of the worker receive a message, with a gateway that answers so."""
    return await testing.receive(
        receptor, message, services={PaymentGateway: ScriptedGateway(answer)}
    )


# As the tutorial has them --------------------------------------------------------------------


async def test_a_valid_card_is_charged_and_it_is_said_so() -> None:
    received = await receive(process_payment, PAYMENT, Captured("pi_123456", AMOUNT))

    (event,) = received.messages
    assert isinstance(event, PaymentProcessed)
    assert (event.status, event.transaction_id) == (PaymentStatus.CAPTURED, "pi_123456")


async def test_a_card_that_is_declined_is_an_answer_and_is_told() -> None:
    refused = Refused("card_declined", "Your card was declined")
    received = await receive(process_payment, PAYMENT, refused)

    assert received.messages == (
        PaymentFailed("order-123", "payment-order-123", "card_declined", "Your card was declined"),
    )
    (write,) = received.writes
    assert write.parameters == ("card_declined", "payment-order-123")


async def test_another_amount_than_was_asked_for_is_not_taken_for_the_payment() -> None:
    with pytest.raises(Declined, match=r"1 USD .* were taken, and not 3998 USD"):
        await receive(process_payment, PAYMENT, Captured("pi_1", Money(1, "USD")))


async def test_a_refund_that_is_refused_is_no_refund() -> None:
    command = RefundPayment("order-123", "payment-order-123", "pi_1", AMOUNT)
    with pytest.raises(Declined, match="it is too old"):
        await receive(refund_payment, command, Refused("expired", "it is too old"))


# From end to end, on a file -------------------------------------------------------------------


class Worker:
    """A payment worker on a file, and what it has told."""

    def __init__(self, journal: str, gateway: TestGateway) -> None:
        self.gateway = gateway
        self.clock = testing.TurnableClock()
        self.told: list[object] = []
        self.engine = Engine(
            journal,
            services={PaymentGateway: Service(gateway, breaker=BREAKER)},
            extensions=[PaymentTables()],
            clock=self.clock,
        )

    async def tell(self, event: PaymentProcessed | PaymentFailed | PaymentRefunded) -> None:
        self.told.append(event)

    async def publish(self, *events: object) -> None:
        for event in events:
            await self.engine.publish(event)
        await quiet(self.engine)

    async def turn(self, by: timedelta) -> None:
        self.clock.turn(by)
        await quiet(self.engine)

    async def rows(self) -> dict[str, str]:
        """Return the status of each order's payment."""
        rows = await self.engine.read("SELECT order_id, status FROM payments ORDER BY order_id")
        return {str(order): str(status) for order, status in rows}

    async def dead(self) -> list[tuple[str, int]]:
        letters = await MessageOperator(self.engine).dead_letters()
        return [(letter.receptor, letter.attempts) for letter in letters]


@asynccontextmanager
async def at_work(folder: Path, gateway: TestGateway | None = None) -> AsyncIterator[Worker]:
    worker = Worker(f"sqlite:///{folder / 'payments.journal'}", gateway or TestGateway())
    async with worker.engine as engine:
        engine.serve(payments, Receptors("customers").on(worker.tell))
        yield worker


async def test_the_table_is_there_as_soon_as_the_service_has_started(tmp_path: Path) -> None:
    async with at_work(tmp_path) as worker:
        assert await worker.rows() == {}


async def test_an_order_is_paid_once_however_often_its_goods_are_reserved(tmp_path: Path) -> None:
    async with at_work(tmp_path) as worker:
        for _ in range(2):
            await worker.engine.publish(RESERVED, id="event-1")
        await worker.publish(RESERVED)

        assert worker.told == [PROCESSED]
        assert (await worker.rows(), worker.gateway.has) == ({"order-123": "captured"}, 3_998)


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(tmp_path: Path) -> None:
    async with at_work(tmp_path, TestGateway(outages=2)) as worker:
        await worker.publish(RESERVED)
        assert (worker.gateway.asked, worker.told) == (1, [])
        await worker.turn(2 * SECOND)
        assert worker.gateway.asked == 2
        await worker.turn(3 * SECOND)
        assert worker.gateway.asked == 2, "the second pause is twice as long"
        await worker.turn(SECOND)

        assert (worker.gateway.asked, len(worker.gateway.charges)) == (3, 1)
        assert worker.told == [PROCESSED]


async def test_a_declined_card_is_not_tried_again(tmp_path: Path) -> None:
    async with at_work(tmp_path) as worker:
        await worker.publish(InventoryReserved("order-123", AMOUNT, "pm_card_declined"))
        await worker.turn(timedelta(minutes=1))

        assert (worker.gateway.asked, await worker.rows()) == (1, {"order-123": "failed"})
        assert [type(event) for event in worker.told] == [PaymentFailed]
        assert await worker.dead() == []


async def test_a_payment_without_an_answer_waits_for_a_person_and_is_not_said_to_have_failed(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path, TestGateway(outages=4)) as worker:
        await worker.publish(RESERVED)
        for pause in (2, 4, 8):
            await worker.turn(pause * SECOND)
        assert (await worker.dead(), worker.told) == ([("payments/process_payment", 4)], [])
        assert await worker.rows() == {"order-123": "pending"}

        await MessageOperator(worker.engine).resend(
            receptor="payments/process_payment", actor="eve", because="the bank is back"
        )
        await quiet(worker.engine)

        assert (worker.told, len(worker.gateway.charges)) == ([PROCESSED], 1)


async def test_a_gateway_that_is_away_is_left_alone_until_one_call_has_found_it_again(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path, TestGateway(outages=6)) as worker:
        orders = [InventoryReserved(f"order-{number}", AMOUNT) for number in range(5)]
        await worker.publish(*orders)
        assert worker.gateway.asked == 5
        await worker.publish(InventoryReserved("order-5", AMOUNT))
        await worker.turn(20 * SECOND)
        assert worker.gateway.asked == 5, "the circuit is open"

        await worker.turn(11 * SECOND)
        assert worker.gateway.asked == 6, "one call looks whether it is back, and it is not"
        await worker.turn(31 * SECOND)
        await worker.turn(timedelta(minutes=1))

        assert set((await worker.rows()).values()) == {"captured"}
        assert worker.gateway.has == 6 * 3_998
        assert len(worker.gateway.charges) == 6


async def test_what_is_cancelled_after_it_was_paid_is_given_back_once(tmp_path: Path) -> None:
    async with at_work(tmp_path) as worker:
        await worker.publish(RESERVED)
        await worker.publish(CANCELLED, CANCELLED)

        refunded = PaymentRefunded("order-123", "payment-order-123", "re_1", AMOUNT)
        assert worker.told == [PROCESSED, refunded]
        assert (await worker.rows(), worker.gateway.has) == ({"order-123": "refunded"}, 0)
        assert len(worker.gateway.refunds) == 1


async def test_what_is_cancelled_before_it_was_paid_is_never_charged(tmp_path: Path) -> None:
    async with at_work(tmp_path) as worker:
        await worker.publish(CANCELLED, RESERVED)

        assert (worker.told, worker.gateway.asked) == ([], 0)
        assert await worker.rows() == {"order-123": "cancelled"}


async def test_what_is_cancelled_while_nobody_knows_whether_it_is_paid_is_given_back_at_once(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path, TestGateway(outages=1)) as worker:
        await worker.publish(RESERVED)
        await worker.publish(CANCELLED)
        assert (worker.told, worker.gateway.has) == ([], 3_998)
        await worker.turn(2 * SECOND)

        assert [type(event) for event in worker.told] == [PaymentProcessed, PaymentRefunded]
        assert (await worker.rows(), worker.gateway.has) == ({"order-123": "refunded"}, 0)


async def test_a_refund_that_is_refused_is_a_dead_letter_and_the_money_is_seen_on_its_way(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path) as worker:
        await worker.publish(RESERVED)
        charges, worker.gateway.charges = worker.gateway.charges, {}
        await worker.publish(CANCELLED)
        assert await worker.dead() == [("payments/refund_payment", 1)]
        assert await worker.rows() == {"order-123": "refunding"}

        worker.gateway.charges = charges
        await MessageOperator(worker.engine).resend(
            receptor="payments/refund_payment", actor="eve", because="it was found"
        )
        await quiet(worker.engine)
        assert (await worker.rows(), worker.gateway.has) == ({"order-123": "refunded"}, 0)


async def test_a_service_that_is_restarted_goes_on_where_it_was(tmp_path: Path) -> None:
    gateway = TestGateway(outages=1)
    async with at_work(tmp_path, gateway) as worker:
        await worker.publish(RESERVED)
        assert worker.told == []

    async with at_work(tmp_path, gateway) as worker:
        await worker.turn(2 * SECOND)

        assert (worker.told, len(gateway.charges)) == ([PROCESSED], 1)


async def test_everything_that_comes_of_an_event_is_found_by_its_correlation(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path) as worker:
        receipt = await worker.engine.publish(RESERVED, id="event-1")
        await quiet(worker.engine)
        traced = await MessageOperator(worker.engine).trace(receipt.correlation)

        names = [message.type.rpartition(".")[2] for message in traced]
        assert names == ["InventoryReserved", "ProcessPayment", "PaymentProcessed"]
        assert traced[1].causation == "event-1"
