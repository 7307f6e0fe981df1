"""An order from cart to confirmation, on an engine of each store and the sandbox gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from makegood import Declined, Engine
from makegood import Outcome as RunOutcome
from makegood.commerce import (
    CustomerId,
    Delivery,
    Mailer,
    Order,
    OrderId,
    Orders,
    Shipment,
    place_order,
    stock_up,
)
from makegood.commerce.extension import commerce
from makegood.commerce.notification import AddressRefused, Email
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.protocol import Journal
from makegood.payments import (
    AuthorizeRequest,
    Capabilities,
    Gateway,
    GatewayRef,
    Money,
    Op,
    PaymentDetails,
    Snapshot,
    outcome,
)
from makegood.payments.gateways.sandbox import DECLINED_TOKEN, SandboxGateway
from tests.commerce.shop import copies, order

VISA = "tok_visa"
CUSTOMER = CustomerId("00001")
NOTHING = Order(
    id=OrderId("order-9"),
    customer=CUSTOMER,
    placed_on=date(1997, 1, 1),
    lines=(),
    total=Money(0, "USD"),
)


class Book:
    """The orders that customers placed."""

    def __init__(self, *orders: Order) -> None:
        self._orders = {placed.id: placed for placed in orders}

    async def find(self, order_id: OrderId) -> Order | None:
        return self._orders.get(order_id)


class Postbag:
    """A mailer that keeps every letter, unless it was told to fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.letters: list[Email] = []
        self._error = error

    async def send(self, email: Email, *, key: str) -> None:
        if self._error is not None:
            raise self._error
        self.letters.append(email)


class ForgetfulGateway:
    """A gateway whose first reply to each kind of request named is lost after the effect."""

    def __init__(self, gateway: Gateway, *lost: str) -> None:
        self._gateway = gateway
        self._lost = set(lost)
        self.asked: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return self._gateway.capabilities

    async def authorize(self, op: Op, request: AuthorizeRequest) -> outcome.Outcome:
        return self._reply("authorize", await self._gateway.authorize(op, request))

    async def capture(
        self, op: Op, ref: GatewayRef, amount: Money, *, final: bool = True
    ) -> outcome.Outcome:
        return self._reply("capture", await self._gateway.capture(op, ref, amount, final=final))

    async def cancel(self, op: Op, ref: GatewayRef, *, reason: str) -> outcome.Outcome:
        return self._reply("cancel", await self._gateway.cancel(op, ref, reason=reason))

    async def refund(
        self, op: Op, ref: GatewayRef, amount: Money, *, reason: str
    ) -> outcome.Outcome:
        return self._reply("refund", await self._gateway.refund(op, ref, amount, reason=reason))

    async def fetch(self, ref: GatewayRef) -> Snapshot | None:
        return await self._gateway.fetch(ref)

    async def find(self, op_id: str) -> Sequence[Snapshot]:
        self.asked.append("find")
        return await self._gateway.find(op_id)

    async def aclose(self) -> None:
        await self._gateway.aclose()

    def _reply(self, kind: str, answer: outcome.Outcome) -> outcome.Outcome:
        self.asked.append(kind)
        if kind not in self._lost:
            return answer
        self._lost.remove(kind)
        return outcome.Unknown("the reply was lost")


@dataclass(frozen=True, slots=True)
class Counter:
    """The shop's counter: an engine that serves, and what lies behind it."""

    engine: Engine
    gateway: ForgetfulGateway
    mailer: Postbag

    async def place(self, order_id: str, token: str = VISA) -> RunOutcome[Shipment]:
        call = place_order(OrderId(order_id), PaymentDetails(token=token), CUSTOMER)
        return await (await self.engine.start(call, key=order_id)).outcome()

    async def stock(self) -> dict[object, tuple[object, ...]]:
        rows = await self.engine.read("SELECT sku, on_hand, held FROM shop_stock")
        return {row[0]: row[1:] for row in rows}


class Ground(NamedTuple):
    """What a shop is opened on."""

    folder: Path
    journal: str | Journal


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.real)])
async def ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    if request.param != "postgres":
        address = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'shop.journal'}"}
        yield Ground(tmp_path, address[request.param])
        return
    world = await request.getfixturevalue("served").world()
    yield Ground(tmp_path, PostgresJournal(world.place))
    await world.close()


@asynccontextmanager
async def opened(
    ground: Ground, *lost: str, mailer: Postbag | None = None
) -> AsyncIterator[Counter]:
    """Open a shop with two good titles and a blocked one."""
    mailer = mailer or Postbag()
    async with SandboxGateway(ground.folder / "books") as sandbox:
        gateway = ForgetfulGateway(sandbox, *lost)
        book = Book(order(1, cd_1=1, cd_2=2), order(2, cd_1=1, cd_3=1), order(3, cd_1=9), NOTHING)
        services: dict[type, object] = {Gateway: gateway, Orders: book, Mailer: mailer}
        async with Engine(ground.journal, services=services, extensions=[commerce]) as engine:
            engine.serve(stock_up, place_order)
            items = (copies("cd_1", 3), copies("cd_2", 2), copies("cd_3", 1, blocked=True))
            delivery = Delivery(id="monday", consignments=items)
            await (await engine.start(stock_up(delivery), key=delivery.id)).result()
            yield Counter(engine, gateway, mailer)


ALL_BACK = {"cd_1": (3, 0), "cd_2": (2, 0), "cd_3": (1, 0)}


async def test_a_good_order_is_paid_shipped_and_confirmed(ground: Ground) -> None:
    async with opened(ground) as shop:
        ended = await shop.place("order-1")
        assert ended.status == "completed"
        assert ended.value is not None
        assert ended.value.value == Money(1000, "USD")
        assert await shop.stock() == ALL_BACK | {"cd_1": (2, 0), "cd_2": (0, 0)}
        assert [letter.customer for letter in shop.mailer.letters] == [CUSTOMER]
        told = await shop.engine.read("SELECT order_id FROM shop_notification")
        assert told == [("order-1",)]


async def test_the_same_order_placed_twice_is_one_order(ground: Ground) -> None:
    async with opened(ground) as shop:
        first = await shop.place("order-1")
        second = await shop.place("order-1")
        assert (first.run, first.value) == (second.run, second.value)
        assert shop.gateway.asked == ["authorize", "capture"]


@pytest.mark.parametrize(
    ("order_id", "why"),
    [("order-9", "EmptyOrder"), ("order-8", "UnknownOrder"), ("order-3", "OutOfStock")],
)
async def test_an_order_that_the_shop_refuses_needs_no_undoing(
    order_id: str, why: str, ground: Ground
) -> None:
    async with opened(ground) as shop:
        ended = await shop.place(order_id)
        assert (ended.status, ended.rollback, [*ended.undone]) == ("failed", "none", [])
        assert isinstance(ended.error, Declined)
        assert type(ended.error).__name__ == why
        assert await shop.stock() == ALL_BACK
        assert shop.gateway.asked == []


async def test_a_declined_card_gives_the_copies_back(ground: Ground) -> None:
    async with opened(ground) as shop:
        ended = await shop.place("order-1", DECLINED_TOKEN)
        assert (ended.status, ended.rollback) == ("failed", "undone")
        assert [*ended.undone] == ["reserve_inventory"]
        assert await shop.stock() == ALL_BACK
        assert shop.mailer.letters == []


async def test_an_order_that_cannot_be_shipped_gets_its_money_back_first(ground: Ground) -> None:
    async with opened(ground) as shop:
        ended = await shop.place("order-2")
        assert (ended.status, ended.rollback) == ("failed", "undone")
        assert [*ended.undone] == ["capture_payment", "authorize_payment", "reserve_inventory"]
        assert shop.gateway.asked == ["authorize", "capture", "refund", "cancel"]
        assert await shop.stock() == ALL_BACK


@pytest.mark.parametrize("error", [AddressRefused("no such address"), ValueError("a defect")])
async def test_a_letter_that_fails_never_refunds_a_paid_order(
    error: Exception, ground: Ground
) -> None:
    async with opened(ground, mailer=Postbag(error)) as shop:
        ended = await shop.place("order-1")
        assert (ended.status, [*ended.undone]) == ("completed", [])
        assert shop.gateway.asked == ["authorize", "capture"]
        assert [*ended.skipped] == ["send_confirmation"]


async def test_lost_replies_are_looked_up_and_nothing_is_done_twice(ground: Ground) -> None:
    async with opened(ground, "authorize", "capture") as shop:
        ended = await shop.place("order-1")
        assert ended.status == "completed"
        assert shop.gateway.asked == ["authorize", "find", "capture", "find"]


async def test_a_completed_order_can_be_taken_back_whole(ground: Ground) -> None:
    async with opened(ground) as shop:
        call = place_order(OrderId("order-1"), PaymentDetails(token=VISA), CUSTOMER)
        run = await shop.engine.start(call, key="order-1")
        await run.result()
        ended = await run.undo(reason="the customer changed their mind")
        assert (ended.status, ended.cause) == ("cancelled", "reversed")
        assert [*ended.undone] == [
            "fulfil_order",
            "capture_payment",
            "authorize_payment",
            "reserve_inventory",
        ]
        assert [*ended.kept] == ["send_confirmation"]
        assert await shop.stock() == ALL_BACK
        shipped = await shop.engine.read("SELECT status FROM shop_shipment")
        assert shipped == [("recalled",)]
