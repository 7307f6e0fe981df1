"""The five services, each with an engine and a file of its own, and a broker between them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from makegood import Config, Engine, MessageOperator, Receptors
from makegood.cli.demo.services.day import Day, products
from makegood.cli.demo.services.unruly import UnrulyTransport
from makegood.commerce import Mailer
from makegood.commerce.services.accounts import Accounts, Places, reconcile
from makegood.commerce.services.carrier import Carrier
from makegood.commerce.services.outside import PaperCarrier, PaperMailer
from makegood.commerce.services.town import Service, services
from makegood.messaging.in_process import InProcessBroker
from makegood.payments import Gateway
from makegood.payments.gateways.sandbox import Faults, SandboxGateway
from makegood.testing import TurnableClock
from tests.runtime.receiving.shop import dead_letters
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from makegood import Transport
    from makegood.journal.messages import Delivery

__all__ = ["Apart"]

ROUNDS_MAX = 900
LOOPS_MAX = 2_000_000
TURNS_AT_REST = 30
SETTLED_ROUNDS = 8
"""For how long nobody may have anything to do: longer than anything is with the broker."""

ROUND = timedelta(milliseconds=500)


class Apart:
    """Five engines that share a clock and a broker."""

    def __init__(
        self,
        folder: Path,
        day: Day,
        *,
        instead: Mapping[str, Receptors] | None = None,
        around: Callable[[Transport], Transport] = lambda transport: transport,
    ) -> None:
        self.day = day
        self.folder = folder
        self.clock = TurnableClock()
        self.broker = InProcessBroker()
        self._instead = instead or {}
        self._around = around
        self._services = services(held_for=timedelta(minutes=30))
        self._open = AsyncExitStack()
        self._lives = 0
        self._settled = 0
        self.engines: dict[str, Engine] = {}
        self.letters: list[Delivery] = []

    async def __aenter__(self) -> Self:
        faults = Faults(rate=self.day.faults, seed=self.day.seed)
        gateway = SandboxGateway(self.folder / "gateway", faults=faults, slow=timedelta(0))
        self._asked: dict[type, object] = {
            Gateway: await self._open.enter_async_context(gateway),
            Carrier: self._open.enter_context(PaperCarrier(self.folder / "c", faults=faults)),
            Mailer: self._open.enter_context(PaperMailer(self.folder / "m", faults=faults)),
        }
        for service in self._services:
            await self.open(service)
        return self

    async def __aexit__(self, *reason: object) -> None:
        for engine in self.engines.values():
            await engine.__aexit__(None, None, None)
        self.engines = {}
        await self._open.aclose()

    async def open(self, service: Service) -> None:
        """Open a service, which is unruly in its own way each time."""
        self._lives += 1
        engine = Engine(
            f"sqlite:///{self.folder / service.name}",
            services=self._asked,
            extensions=[service.extension],
            clock=self.clock,
            config=Config(message_source=f"shop.{service.name}", shutdown_grace=timedelta(0)),
        )
        self.engines[service.name] = await engine.__aenter__()
        unruly = UnrulyTransport(self.broker.transport(), seed=f"{service.name} {self._lives}")
        route = service.route(self._around(unruly), among=self._services)
        engine.serve(self._instead.get(service.name, service.receptors), route)

    async def replace(self, name: str) -> None:
        """Close a service in the middle of its work, and open it again."""
        await self.engines[name].__aexit__(None, None, None)
        await self.open(next(each for each in self._services if each.name == name))

    async def play(self, *, rounds: int = ROUNDS_MAX) -> None:
        """Place all orders, and have all of them ended, if they can be in so many rounds."""
        for product in products(self.day):
            await self.engines["stock"].publish(product)
        assert await self.until(self._is_stocked), "the prices of all articles become known"
        for number in range(self.day.orders):
            placing = self.day.placing(number)
            orders = self.engines["orders"]
            await orders.publish(placing.order)
            if placing.cancelled_after is not None:
                await orders.publish(placing.cancel, after=placing.cancelled_after)
        await self.until(self._is_over, rounds=rounds)
        await self.until(self._is_settled, rounds=rounds)

    async def until(
        self, condition: Callable[[], Awaitable[bool]], *, rounds: int = ROUNDS_MAX
    ) -> bool:
        """Let time pass until something holds; False where it never does."""
        for _ in range(rounds):
            await self._rest()
            if await condition():
                return True
            self.clock.turn(ROUND)
        return False

    async def _rest(self) -> None:
        """Let everything happen for which no time must pass."""
        at_rest = 0
        for _ in range(LOOPS_MAX):
            await turn_of_the_loop()
            is_at_rest = all(engine.is_at_rest for engine in self.engines.values())
            at_rest = at_rest + 1 if is_at_rest else 0
            if at_rest > TURNS_AT_REST:
                return
        message = "the services do not come to rest"
        raise AssertionError(message)

    async def accounts(self) -> Accounts:
        """Close everything, and compare the books."""
        for engine in self.engines.values():
            self.letters += await dead_letters(engine)
        stores = {name: f"sqlite:///{self.folder / name}" for name in self.engines}
        await self.__aexit__()
        places = Places(
            stores=stores,
            gateway=str(self.folder / "gateway"),
            carrier=str(self.folder / "c"),
            mailer=str(self.folder / "m"),
        )
        return reconcile(places, placed=frozenset(self.day.placed()))

    async def _is_stocked(self) -> bool:
        ((known,),) = await self.engines["orders"].read("SELECT count(*) FROM service_price")
        return known == len(products(self.day))

    async def _is_over(self) -> bool:
        """Say whether every order has ended."""
        ((ended,),) = await self.engines["orders"].read(
            "SELECT count(*) FROM service_order "
            "WHERE status IN ('closed', 'rejected', 'cancelled', 'refunded')"
        )
        return ended == self.day.orders

    async def _is_settled(self) -> bool:
        """Say whether nobody has anything to receive or to send."""
        lags = [
            lag for engine in self.engines.values() for lag in await MessageOperator(engine).lag()
        ]
        self._settled = 0 if any(lag.waiting for lag in lags) else self._settled + 1
        return self._settled == SETTLED_ROUNDS
