"""An order that is watched in every way: counted, measured, traced, noted and followed.

None of it changes what becomes of the order. The spans need `pip install opentelemetry-sdk`.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from makegood import (
    Declined,
    Engine,
    Event,
    Invocation,
    Tracing,
    carried,
    injected,
    note,
    step,
    workflow,
)

tenant: ContextVar[str] = ContextVar("tenant")


class Shop:
    """Stands for the shop, which keeps books by tenant."""

    def __init__(self, *, has_stock: bool = True) -> None:
        self.has_stock = has_stock
        self.paid: Counter[str] = Counter()


async def charge_card(cents: int, *, shop: Shop = injected) -> int:
    """Take the money, for the tenant of the request."""
    shop.paid[tenant.get()] += cents
    return cents


async def refund_card(charged: int, *, shop: Shop = injected) -> None:
    """Give the money back, to the same tenant."""
    shop.paid[tenant.get()] -= charged


async def ship_article(sku: str, *, shop: Shop = injected) -> str:
    """Send the article, if there is one."""
    if not shop.has_stock:
        raise Declined(f"no {sku} is left")
    return f"{sku} is on its way"


charge = step(charge_card, undo=refund_card)
ship = step(ship_article, irreversible="a parcel cannot be recalled")


@workflow(strict=True)
def sell(sku: str, cents: int) -> str:
    """Sell an article, and put the offer on record."""
    charged = charge(cents)
    note("offer", {"sku": sku, "charged": charged})
    return ship.after(charged)(sku)


class Watch:
    """Everything that is seen of the runs of one engine."""

    def __init__(self) -> None:
        self.facts: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.tracing = Tracing(provider)

    def count(self, event: Event) -> None:
        """Observe: count facts by their kind."""
        self.facts[type(event.fact).__name__] += 1

    async def measure(
        self, invocation: Invocation, proceed: Callable[[], Awaitable[object]], /
    ) -> object:
        """Intercept: measure each call by a clock that nobody sets."""
        began = asyncio.get_running_loop().time()
        try:
            return await proceed()
        finally:
            name = f"{invocation.direction} {invocation.path}"
            self.seconds[name] = asyncio.get_running_loop().time() - began

    def engine(self, shop: Shop) -> Engine:
        """Return an engine that is watched."""
        return Engine(
            "memory://",
            services={Shop: shop},
            observers=[self.count],
            interceptors=[self.tracing, self.measure],
            carriers=[self.tracing, carried(tenant)],
        )


async def main() -> None:
    """Sell to a tenant, once with stock and once without."""
    for shop in (Shop(), Shop(has_stock=False)):
        watch = Watch()
        async with watch.engine(shop) as engine:
            engine.serve(sell)
            tenant.set("acme")
            run = await engine.start(sell("CD-1", 999))
            seen = [event async for event in run.events()]
            assert seen[1:] == [event async for event in run.events(after=seen[0].position)]
            print(await run.progress(), dict(shop.paid), sorted(watch.seconds))


if __name__ == "__main__":
    asyncio.run(main())
