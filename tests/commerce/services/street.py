"""The five services in one process, on one file and a clock that is turned, and whom they ask."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from makegood import Config, Engine
from makegood.commerce import CustomerId, Mailer, OrderId, Sku
from makegood.commerce.services.accounts import Accounts, Places, reconcile
from makegood.commerce.services.carrier import Carrier
from makegood.commerce.services.messages import CreateOrder, CreateProduct, Wanted
from makegood.commerce.services.outside import PaperCarrier, PaperMailer
from makegood.commerce.services.town import in_one_process, services
from makegood.payments import Gateway, Money, PaymentDetails, outcome
from makegood.payments.gateways.sandbox import Faults, SandboxGateway
from makegood.testing import TurnableClock
from tests.runtime.receiving.shop import quiet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from makegood.payments import AuthorizeRequest, GatewayRef, Op, Snapshot
    from makegood.payments.gateway import Capabilities
    from makegood.payments.outcome import Outcome

__all__ = ["DoubtfulCarrier", "DoubtfulGateway", "Street", "dollars", "order_for"]

HELD_FOR = timedelta(minutes=15)
TURNS_MAX = 400


def dollars(amount: int) -> Money:
    return Money(amount * 100, "USD")


def order_for(
    number: int, copies: int = 1, *, card: str = "tok", address: str = "1 Lane"
) -> CreateOrder:
    """Return an order for copies of the one article that there is."""
    return CreateOrder(
        order_id=OrderId(f"order-{number}"),
        customer_id=CustomerId("anna"),
        lines=(Wanted(sku=Sku("cd"), quantity=copies),),
        claimed_total=dollars(5 * copies),
        payment=PaymentDetails(token=card),
        address=address,
    )


class DoubtfulGateway:
    """A gateway that does what it is asked, and loses as many answers as it is told to."""

    def __init__(self, within: SandboxGateway) -> None:
        self._within = within
        self.lost = 0
        self.losing = frozenset({"authorize", "capture", "cancel", "refund"})
        """Which answers are lost, as long as some are."""
        self.asked: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return self._within.capabilities

    async def authorize(self, op: Op, request: AuthorizeRequest) -> Outcome:
        return self._told("authorize", await self._within.authorize(op, request))

    async def capture(
        self, op: Op, ref: GatewayRef, amount: Money, *, final: bool = True
    ) -> Outcome:
        return self._told("capture", await self._within.capture(op, ref, amount, final=final))

    async def cancel(self, op: Op, ref: GatewayRef, *, reason: str) -> Outcome:
        return self._told("cancel", await self._within.cancel(op, ref, reason=reason))

    async def refund(self, op: Op, ref: GatewayRef, amount: Money, *, reason: str) -> Outcome:
        return self._told("refund", await self._within.refund(op, ref, amount, reason=reason))

    async def fetch(self, ref: GatewayRef) -> Snapshot | None:
        return await self._within.fetch(ref)

    async def find(self, op_id: str) -> Sequence[Snapshot]:
        return await self._within.find(op_id)

    async def aclose(self) -> None:
        await self._within.aclose()

    def _told(self, asked: str, answer: Outcome) -> Outcome:
        self.asked.append(asked)
        if self.lost and asked in self.losing:
            self.lost -= 1
            return outcome.Unknown("the reply was lost")
        return answer


class DoubtfulCarrier:
    """A carrier that does what it is asked, and loses as many answers as it is told to."""

    def __init__(self, within: PaperCarrier) -> None:
        self._within = within
        self.lost: list[BaseException] = []
        """What is raised instead of the next answers, the booking made all the same."""
        self.unsent: list[BaseException] = []
        """What is raised instead of booking at all."""
        self.asked: list[str] = []

    async def book(self, reference: str, address: str) -> str:
        self.asked.append("book")
        if self.unsent:
            raise self.unsent.pop(0)
        tracking = await self._within.book(reference, address)
        if self.lost:
            raise self.lost.pop(0)
        return tracking

    async def find(self, reference: str) -> str | None:
        self.asked.append("find")
        return await self._within.find(reference)

    async def cancel(self, reference: str) -> bool:
        self.asked.append("cancel")
        return await self._within.cancel(reference)


class Street:
    """An engine with all five services; what is told of them is told when it has closed."""

    def __init__(self, folder: Path, *, faults: Faults | None = None) -> None:
        self.folder = folder
        self.clock = TurnableClock()
        self._faults = faults or Faults()
        self._open = AsyncExitStack()
        self.placed: list[str] = []

    async def __aenter__(self) -> Self:
        folder, faults = self.folder, self._faults
        sandbox = SandboxGateway(folder / "gateway", faults=faults, slow=timedelta(0))
        self.gateway = DoubtfulGateway(await self._open.enter_async_context(sandbox))
        carrier = self._open.enter_context(PaperCarrier(folder / "carrier", faults=faults))
        self.carrier = DoubtfulCarrier(carrier)
        mailer = self._open.enter_context(PaperMailer(folder / "mailer", faults=faults))
        served, extensions = in_one_process(services(held_for=HELD_FOR))
        engine = Engine(
            f"sqlite:///{folder / 'store'}",
            services={Gateway: self.gateway, Carrier: self.carrier, Mailer: mailer},
            extensions=extensions,
            clock=self.clock,
            config=Config(shutdown_grace=timedelta(0)),
        )
        self.engine = await self._open.enter_async_context(engine)
        self.engine.serve(*served)
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._open.aclose()

    async def stock(self, copies: int) -> None:
        product = CreateProduct(sku=Sku("cd"), price=dollars(5), initial_stock=copies)
        await self.engine.publish(product)
        await self.rest()

    async def place(self, order: CreateOrder) -> None:
        self.placed.append(order.order_id)
        await self.engine.publish(order, id=f"place {order.order_id}")

    async def rest(self) -> None:
        """Let everything happen for which no time must pass."""
        await quiet(self.engine)

    async def pass_time(self, passed: timedelta = timedelta(minutes=10)) -> None:
        """Let time pass, in steps in which everything that is due happens."""
        step = passed / 60
        for _ in range(60):
            await self.rest()
            self.clock.turn(step)
        await self.rest()

    async def status(self, number: int) -> str:
        rows = await self.engine.read(
            "SELECT status FROM service_order WHERE id = ?", f"order-{number}"
        )
        return str(rows[0][0])

    async def history(self, number: int) -> list[str]:
        rows = await self.engine.read(
            "SELECT to_status FROM service_order_history WHERE order_id = ? ORDER BY step",
            f"order-{number}",
        )
        return [str(status) for (status,) in rows]

    async def letters(self, number: int) -> set[str]:
        rows = await self.engine.read(
            "SELECT kind FROM service_notification WHERE order_id = ?", f"order-{number}"
        )
        return {str(kind) for (kind,) in rows}

    async def accounts(self) -> Accounts:
        """Close everything, and compare the books."""
        await self._open.aclose()
        names = ("orders", "stock", "payments", "shipping", "notifications")
        places = Places(
            stores=dict.fromkeys(names, f"sqlite:///{self.folder / 'store'}"),
            gateway=str(self.folder / "gateway"),
            carrier=str(self.folder / "carrier"),
            mailer=str(self.folder / "mailer"),
        )
        return reconcile(places, placed=self.placed)
