"""How is it seen in OpenTelemetry how far messages are behind? Gauges that are told now and then.

The store is asked, not the engine: so one engine tells of every receptor, read model and route on
the store, wherever they are served, and of those that nobody serves.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from makegood.errors import InvalidInput, StoreError
from makegood.runtime.clock import pause
from makegood.runtime.engine import parts_of
from makegood.runtime.receiving.operating import MessageOperator
from makegood.runtime.telemetry import log
from makegood.values.instants import after, as_instant

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.metrics import MeterProvider

    from makegood.runtime.engine import Engine

try:
    from opentelemetry import metrics
except ModuleNotFoundError as missing:
    _MESSAGE = 'gauges are told to OpenTelemetry; run: pip install "makegood[opentelemetry]"'
    raise ModuleNotFoundError(_MESSAGE, name=missing.name) from None

__all__ = ["Metering"]

EVERY = timedelta(seconds=15)
"""How often the store is asked, unless somebody says otherwise."""


class Metering:
    """Tells OpenTelemetry how far receptors and routes are behind, for as long as it is entered.

        async with Engine(…) as engine, Metering(engine):

    For each of them, by the attribute `makegood.receptor`, `makegood.messages.waiting` is how many
    messages it is still to be given, `makegood.messages.lag` since how many seconds the oldest of
    them waits, and `makegood.messages.dead` how many dead letters it has. One engine of a store is
    enough; it is asked `every` so often, and left alone while it is busy.

    Without a `meter_provider` it is the global one.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        every: timedelta = EVERY,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        if every <= timedelta(0):
            message = f"every={every}; it must be longer than nothing"
            raise InvalidInput(message)
        self._engine = engine
        self._every = every
        meter = metrics.get_meter("makegood", meter_provider=meter_provider)
        self._waiting = meter.create_gauge(
            "makegood.messages.waiting", unit="{message}", description="messages still to be given"
        )
        self._lag = meter.create_gauge(
            "makegood.messages.lag", unit="s", description="age of the oldest message that waits"
        )
        self._dead = meter.create_gauge(
            "makegood.messages.dead", unit="{message}", description="dead letters"
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to tell."""
        self._task = asyncio.get_running_loop().create_task(self._work())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell nothing more."""
        assert self._task is not None, "it was entered"
        self._task.cancel()
        await asyncio.wait([self._task])

    async def tell(self) -> None:
        """Ask the store and tell now; raises what any question to the store raises."""
        now = parts_of(self._engine)[0].clock.now()
        for each in await MessageOperator(self._engine).lag():
            of = {"makegood.receptor": each.receptor}
            since = now if each.oldest_at is None else as_instant(each.oldest_at)
            self._waiting.set(each.waiting, of)
            self._lag.set(max(0.0, (now - since) / 1_000_000), of)
            self._dead.set(each.dead, of)

    async def _work(self) -> None:
        clock = parts_of(self._engine)[0].clock
        while True:
            try:
                await self.tell()
            except StoreError as error:
                log.warning("how far messages are behind is not known now: %s", error)
            await pause(clock, after(clock.now(), self._every))
