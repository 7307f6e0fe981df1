"""A process that is one of the services, or all of them, until its standard input ends.

Whoever started it may kill it at any moment, and starts another one on the same store.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from makegood import Config, Engine, MessageOperator, StoreBusy, TransportDown
from makegood.cli.demo.life import Failed
from makegood.cli.demo.services.day import SENDS_BACK, products
from makegood.cli.demo.services.told import ALL, BUS, ServiceJob, Standing, Started, Told
from makegood.cli.demo.services.unruly import UnrulyTransport
from makegood.commerce import Mailer, OrderId
from makegood.commerce.services.carrier import Carrier
from makegood.commerce.services.messages import OrderCreated, ReturnReceived
from makegood.commerce.services.ordering import FINAL
from makegood.commerce.services.outside import PaperCarrier, PaperMailer
from makegood.commerce.services.town import in_one_process, services, topics_of
from makegood.errors import MakegoodError
from makegood.payments import Gateway
from makegood.payments.gateways.sandbox import Faults, SandboxGateway
from makegood.runtime.clock import SystemClock, pause
from makegood.runtime.transporting.transport import Outbound
from makegood.values.instants import after
from makegood.values.messages import message_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from makegood.extension import Extension

__all__ = ["GARBAGE", "KEEPS_ORDERS", "main"]

KEEPS_ORDERS = frozenset({"orders", ALL})

KEEPS_STOCK = frozenset({"stock", ALL})

GARBAGE = 3
"""How many things are sent to the broker that are no messages."""

LOOK_EVERY = timedelta(milliseconds=100)
"""How often a service says how it stands, and looks whether more orders may be placed."""

POLL_MAX = timedelta(milliseconds=250)

BROKER_SECONDS = 1.5
"""How long an answer of the broker may take; what was with a process that is killed comes again
after twice as long."""


def main(asked: BinaryIO, answers: int) -> None:
    """Be the service that is asked for, and write how it stands to a descriptor."""

    def tell(told: Told) -> None:
        os.write(answers, msgspec.json.encode(told) + b"\n")

    # Once the pipe is broken, or the work was cancelled, nobody is left who could be told.
    with contextlib.suppress(asyncio.CancelledError, BrokenPipeError):
        job = msgspec.json.decode(asked.readline(), type=ServiceJob)
        try:
            asyncio.run(_serve_until(job, asked, tell))
        except (MakegoodError, OSError) as error:
            tell(Failed(f"{job.service}: {error}"))


async def _serve_until(job: ServiceJob, asked: BinaryIO, tell: Callable[[Told], None]) -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    work = loop.create_task(_serve(job, tell))

    def go_home() -> None:
        loop.remove_reader(asked)
        work.cancel()

    loop.add_reader(asked, go_home)
    await work


async def _serve(job: ServiceJob, tell: Callable[[Told], None]) -> None:
    async with AsyncExitStack() as stack:
        bus = None if job.broker is None else _bus(job, job.broker)
        engine = await stack.enter_async_context(await _engine(job, stack))
        found = services(held_for=timedelta(seconds=job.held_for_seconds))
        if bus is None:
            receptors, _ = in_one_process(found)
            engine.serve(*receptors)
        else:
            mine = next(each for each in found if each.name == job.service)
            engine.serve(mine.receptors, mine.route(bus, among=found))
        if job.service in KEEPS_STOCK:
            await _stock(job, engine)
        tell(Started())
        await _stand(job, engine, bus, tell)


async def _engine(job: ServiceJob, stack: AsyncExitStack) -> Engine:
    """Return the engine, with the companies that this service asks."""
    faults = Faults(rate=job.day.faults, seed=job.day.seed)
    asked: dict[type, object] = {}
    if job.service in {"payments", ALL}:
        gateway = SandboxGateway(Path(job.companies.gateway), faults=faults)
        asked[Gateway] = await stack.enter_async_context(gateway)
    if job.service in {"shipping", ALL}:
        carrier = PaperCarrier(Path(job.companies.carrier), faults=faults)
        asked[Carrier] = stack.enter_context(carrier)
    if job.service in {"notifications", ALL}:
        mailer = PaperMailer(Path(job.companies.mailer), faults=faults)
        asked[Mailer] = stack.enter_context(mailer)
    return Engine(
        job.store,
        services=asked,
        extensions=_extensions(job.service),
        config=Config(message_source=f"shop.{job.service}", poll_max=POLL_MAX),
    )


def _extensions(service: str) -> list[Extension]:
    return [each.extension for each in services() if service in {each.name, ALL}]


def _bus(job: ServiceJob, broker: str) -> UnrulyTransport:
    # Who has no broker needs no client of one.
    from makegood.messaging.nats import NatsTransport  # noqa: PLC0415

    transport = NatsTransport(
        broker,
        stream=BUS,
        subjects=topics_of(services()),
        timeout_seconds=BROKER_SECONDS,
    )
    seed = f"{job.day.seed} {job.service} {job.life}"
    return UnrulyTransport(transport, seed=seed)


async def _stand(
    job: ServiceJob, engine: Engine, bus: UnrulyTransport | None, tell: Callable[[Told], None]
) -> None:
    """Say how the service stands, again and again, and place orders where it keeps them."""
    clock, operator = SystemClock(), MessageOperator(engine)
    customers = _Customers(job, engine) if job.service in KEEPS_ORDERS else None
    # Whoever dies in between does it again, and the same is known again.
    litter = _Litter(bus) if bus is not None and job.service in KEEPS_ORDERS else None
    while True:
        # A store that is busy is asked again; what it does not say now it says then.
        with contextlib.suppress(StoreBusy):
            if customers is not None:
                await customers.go_on()
            if litter is not None:
                await litter.go_on()
            lags = await operator.lag()
            tell(
                Standing(
                    waiting=sum(lag.waiting for lag in lags),
                    dead=sum(lag.dead for lag in lags),
                    repeated=0 if bus is None else bus.repeated,
                    moved=0 if bus is None else bus.moved,
                    placed=0 if customers is None else customers.placed,
                    final=0 if customers is None else customers.final,
                )
            )
        await pause(clock, after(clock.now(), LOOK_EVERY))


async def _stock(job: ServiceJob, engine: Engine) -> None:
    """Have the articles made, each once."""
    for product in products(job.day):
        await engine.publish(product, id=f"product {product.sku}")


class _Litter:
    """Sends what is no message, once, to a topic to which the notification service listens."""

    def __init__(self, bus: UnrulyTransport) -> None:
        self._bus = bus
        self._sent = 0

    async def go_on(self) -> None:
        """Send what was not sent yet, as soon as the broker is there."""
        with contextlib.suppress(TransportDown):
            while self._sent < GARBAGE:
                name = f"garbage {self._sent}"
                body = f"\N{LATIN SMALL LETTER E WITH DIAERESIS} {name}".encode("latin-1")
                topic = message_name(OrderCreated)
                await self._bus.send(Outbound(topic=topic, id=name, name=name, key=None, body=body))
                self._sent += 1


class _Customers:
    """Place the orders of the day, so many at once."""

    def __init__(self, job: ServiceJob, engine: Engine) -> None:
        self._day = job.day
        self._unfinished_max = job.unfinished_max
        self._engine = engine
        self._articles = len(products(job.day))
        self.placed = 0
        self.final = 0
        self._published = 0
        """Of how many orders, from the first, it is known that they were placed."""

    async def go_on(self) -> None:
        """Place what may be placed now, once the prices of all articles are known."""
        day = self._day
        ((known,),) = await self._engine.read("SELECT count(*) FROM service_price")
        if known != self._articles:
            return
        rows = await self._engine.read("SELECT status, count(*) FROM service_order GROUP BY status")
        standing = dict(cast("list[tuple[str, int]]", rows))
        self.placed = sum(standing.values())
        self.final = sum(standing.get(status, 0) for status in FINAL) - await self._send_back()
        room = min(day.orders, self.final + self._unfinished_max)
        placing = (self._place(number) for number in range(self._published, room))
        for outcome in await asyncio.gather(*placing, return_exceptions=True):
            if outcome is not None:
                # Those that were placed are known by their ids when all are placed again.
                raise outcome
        self._published = max(self._published, room)

    async def _send_back(self) -> int:
        """Have sent back what is to come back; return how many orders that is to be heard of."""
        rows = await self._engine.read(
            "SELECT id FROM service_order WHERE status = 'closed' AND customer_id LIKE ?",
            f"{SENDS_BACK}-%",
        )
        for (order,) in cast("list[tuple[OrderId]]", rows):
            await self._engine.publish(ReturnReceived(order_id=order), id=f"return {order}")
        return len(rows)

    async def _place(self, number: int) -> None:
        """Place an order, under an id of its own: whoever dies in between does it once more."""
        placing = self._day.placing(number)
        await self._engine.publish(placing.order, id=f"place {placing.order.order_id}")
        if placing.cancelled_after is not None:
            await self._engine.publish(
                placing.cancel,
                id=f"cancel {placing.order.order_id}",
                after=placing.cancelled_after,
            )


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.fileno())
