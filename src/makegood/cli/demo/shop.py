"""How the demonstration keeps shop: stock comes in, then every order is placed at the engine.

It is an ordinary user of makegood: it gives the engine its services, starts each order under the
order's own key, and waits. Placing and carrying out are one process's work, or that of several.
It knows no terminal.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from makegood import Call, Config, Engine, FailureKind, Filter, Outcome, RunRow, StoreBusy
from makegood.cli.demo.tally import Began, Ended, Ending, Opened, ending_of
from makegood.commerce import (
    CustomerId,
    Delivery,
    Mailer,
    Order,
    OrderId,
    Orders,
    Shipment,
    place_order,
)
from makegood.commerce import stock_up as receive
from makegood.commerce.bookshelf import is_address
from makegood.commerce.cdnow import CATALOGUE_TITLES, Purchase, order_of, title
from makegood.commerce.extension import commerce
from makegood.commerce.inventory import Consignment
from makegood.commerce.notification import SandboxMailer
from makegood.payments import Gateway, PaymentDetails
from makegood.payments.gateways.sandbox import Faults, SandboxGateway
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from makegood.cli.demo.tally import ShopNews

__all__ = ["Day", "Evening", "OrderBook", "Queue", "carry_out", "keep_shop", "place_orders"]

STOCK_TENTHS = 9
"""How many tenths of the copies that are wanted are in stock: some orders come too late."""

BLOCKED_PER_FAULT = 10
"""How many titles the warehouse blocks at a rate of faults of 1."""

TRIES_MAX = 12
"""How often an order is started and waited for while the store is busy, which takes seconds."""

POLL_MAX = timedelta(milliseconds=250)
"""How soon a worker on PostgreSQL looks for work at the latest: often enough to renew a lease of
a few seconds on a busy machine."""


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sold, and what is to go wrong."""

    store: str
    """The journal's address."""
    gateway: Path
    """The gateway's books."""
    sample: Sequence[Purchase]
    """The purchases that become orders."""
    known: Sequence[Purchase]
    """All purchases, so that orders left from an earlier day can be finished too."""
    seed: int
    faults: float
    at_once: int
    """How many orders are placed at the same time."""
    placed: int | None = None
    """How many orders of the sample are placed, after which the shop stays open until its process
    is killed; None: all of them, and then it closes."""


class Evening(msgspec.Struct, frozen=True, kw_only=True, tag="evening"):
    """What is known once all orders have ended."""

    crashes: int
    seconds: float
    in_doubt: int
    parked: tuple[str, ...]
    """The orders that wait for a person, those of earlier days included."""


class OrderBook:
    """The orders that customers have placed: each purchase is one."""

    def __init__(self, purchases: Sequence[Purchase]) -> None:
        self._purchases = {f"order-{purchase.line}": purchase for purchase in purchases}

    async def find(self, order_id: OrderId) -> Order | None:
        """Return the order, or None."""
        purchase = self._purchases.get(order_id)
        return None if purchase is None else order_of(purchase)


class Queue:
    """The purchases that wait to become orders, of which so many may be placed by now.

    Any number of clerks take from it with `async for`; None: all may be placed.
    """

    def __init__(self, sample: Sequence[Purchase], *, placed_max: int | None = None) -> None:
        self._sample = sample
        self._taken = 0
        self._placed_max = len(sample) if placed_max is None else placed_max
        self._is_raised = asyncio.Event()

    def allow(self, placed_max: int) -> None:
        """Let so many be placed, counted from the first."""
        self._placed_max = placed_max
        self._is_raised.set()
        self._is_raised = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Purchase:
        while self._taken >= self._placed_max and self._taken < len(self._sample):
            await self._is_raised.wait()
        if self._taken == len(self._sample):
            raise StopAsyncIteration
        self._taken += 1
        return self._sample[self._taken - 1]


async def keep_shop(
    day: Day, tell: Callable[[ShopNews], None], *, clock: Callable[[], float]
) -> Evening:
    """Place every order of the day and return when all have ended and the engine has closed.

    `tell` hears when the shop is open, and of each order when it begins and when it ends.
    """
    async with _at_work(day) as engine:
        began = await _open(engine, day, tell, clock)
        queue = Queue(day.sample, placed_max=day.placed)
        in_doubt = await _place_all(engine, queue, tell, at_once=day.at_once)
        if day.placed is not None:
            await asyncio.Event().wait()
        return await _evening(engine, in_doubt=in_doubt, seconds=lambda: clock() - began)


async def carry_out(day: Day, tell: Callable[[ShopNews], None]) -> None:
    """Carry out the orders that others place, until this is cancelled."""
    async with _at_work(day):
        tell(Opened())
        await asyncio.Event().wait()


async def place_orders(
    day: Day,
    queue: Queue,
    tell: Callable[[ShopNews], None],
    *,
    clock: Callable[[], float],
    rest: Awaitable[None],
) -> Evening:
    """Place every order of the queue for others to carry out, and return when all have ended.

    When `rest` is over too, the orders are looked at again, and one that has ended in another
    way since is told of once more.
    """
    endings: dict[str, Ending] = {}

    def note(news: ShopNews) -> None:
        if isinstance(news, Ended):
            endings[news.order] = news.ending
        tell(news)

    async with Engine(day.store, extensions=[commerce], work=False) as engine:
        began = await _open(engine, day, note, clock)
        in_doubt = await _place_all(engine, queue, note, at_once=day.at_once)
        await rest
        for row in await _rows(engine):
            ending = ending_of(status=row.status, rollback=row.rollback)
            if endings.get(row.key or "", ending) is not ending:
                tell(Ended(row.key or "", ending))
        return await _evening(engine, in_doubt=in_doubt, seconds=lambda: clock() - began)


@asynccontextmanager
async def _at_work(day: Day) -> AsyncGenerator[Engine]:
    """Give an engine that carries out orders, with a gateway and a mailer of its own."""
    faults = Faults(rate=day.faults, seed=day.seed)
    gateway = SandboxGateway(day.gateway, faults=faults)
    services: dict[type, object] = {
        Gateway: gateway,
        Orders: OrderBook(day.known),
        Mailer: SandboxMailer(faults),
    }
    config = Config(poll_max=POLL_MAX) if is_address(day.store) else Config()
    async with (
        gateway,
        Engine(day.store, services=services, extensions=[commerce], config=config) as engine,
    ):
        engine.serve(receive, place_order)
        yield engine


async def _open(
    engine: Engine, day: Day, tell: Callable[[ShopNews], None], clock: Callable[[], float]
) -> float:
    """Take the stock in, say that the shop is open, and return when that was."""
    delivery = delivery_for(day)
    await (await engine.start(receive(delivery), key=delivery.id)).result()
    tell(Opened(await engine.crashes()))
    return clock()


async def _evening(engine: Engine, *, in_doubt: int, seconds: Callable[[], float]) -> Evening:
    """Wait for what earlier days left, and say how everything stands."""
    await _finish_earlier_days(engine)
    taken = seconds()
    parked = [row.key or row.run for row in await _rows(engine, status="parked")]
    return Evening(
        crashes=await engine.crashes(),
        seconds=taken,
        in_doubt=in_doubt,
        parked=tuple(sorted(parked)),
    )


def delivery_for(day: Day) -> Delivery:
    """Return what comes into the stock: nearly what the orders want, and some of it blocked.

    Its id says all that it was made from, so a day that is taken up again is not stocked twice.
    """
    wanted = Counter(line.sku for sold in day.sample for line in order_of(sold).lines)
    blocked_titles = round(day.faults * BLOCKED_PER_FAULT)
    blocked = {title((day.seed + n) % CATALOGUE_TITLES) for n in range(blocked_titles)}
    consignments = [
        Consignment(sku=sku, quantity=-(-copies * STOCK_TENTHS // 10), blocked=sku in blocked)
        for sku, copies in sorted(wanted.items())
    ]
    delivery_id = f"delivery-for-{len(day.sample)}-orders-seed-{day.seed}-faults-{day.faults}"
    return Delivery(id=delivery_id, consignments=tuple(consignments))


async def _place_all(
    engine: Engine, queue: Queue, tell: Callable[[ShopNews], None], *, at_once: int
) -> int:
    """Place the orders, so many at once, and return how many of them are in doubt."""
    try:
        async with asyncio.TaskGroup() as group:
            clerks = [group.create_task(_clerk(engine, queue, tell)) for _ in range(at_once)]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return sum(clerk.result() for clerk in clerks)


async def _clerk(engine: Engine, queue: Queue, tell: Callable[[ShopNews], None]) -> int:
    """Place one order after the other, taking each from those that still wait."""
    in_doubt = 0
    async for purchase in queue:
        order_id = OrderId(f"order-{purchase.line}")
        details = PaymentDetails(token=f"tok_{purchase.customer}")
        call = place_order(order_id, details, CustomerId(purchase.customer))
        tell(Began(order_id))
        outcome = await _outcome_of(engine, call, key=order_id)
        ending = ending_of(status=outcome.status, rollback=outcome.rollback)
        tell(Ended(order_id, ending, _reason(ending, outcome)))
        # The letter alone may stay in doubt without a person having to settle it.
        in_doubt += ending is Ending.PARKED and bool(outcome.in_doubt)
    return in_doubt


async def _outcome_of(engine: Engine, call: Call[Shipment], *, key: str) -> Outcome[Shipment]:
    """Start an order and wait for its end, again where the store was busy: it has one key."""
    tries = 0
    while True:
        try:
            return await (await engine.start(call, key=key)).outcome()
        except StoreBusy:
            tries += 1
            if tries == TRIES_MAX:
                raise


def _reason(ending: Ending, outcome: Outcome[Shipment]) -> str | None:
    """Return why an order was not completed, in words that can be counted."""
    failure = outcome.failure
    if ending is Ending.COMPLETED:
        return None
    if failure is None:
        return outcome.cause
    if ending is Ending.PARKED:
        return f"{outcome.reason}: {failure.type.rpartition('.')[2]}"
    if failure.kind is FailureKind.IN_DOUBT:
        return "answer lost, and nothing had happened"
    return failure.type.rpartition(".")[2]


async def _finish_earlier_days(engine: Engine) -> None:
    """Wait for orders of another sample that a killed process left in this store."""
    for row in await _rows(engine, unfinished=True):
        if row.status != "parked":
            await engine.run(row.run).outcome()


async def _rows(
    engine: Engine, *, status: str | None = None, unfinished: bool | None = None
) -> list[RunRow]:
    """Return all rows of orders of one kind, page by page."""
    found: list[RunRow] = []
    wanted = Filter(
        workflow=place_order.plan.workflow,
        statuses=frozenset({status} if status else ()),
        unfinished=unfinished,
        limit=PAGE_RUNS_MAX,
    )
    while True:
        page = await engine.list(wanted)
        found += page.rows
        if page.next is None:
            return found
        wanted = msgspec.structs.replace(wanted, after=page.next)
