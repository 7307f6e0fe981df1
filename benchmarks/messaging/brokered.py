"""What a message costs that comes by NATS and is answered by NATS, with a store between.

The messages are in the stream before the clock starts, as those of another service would be. They
are stored before they are acknowledged, received, and answered; the answers are sent, confirmed and
marked. The clock stops when the broker keeps all answers and the store has nothing left to do. The
broker is a real one, on the same machine, and takes its part of the processors.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measurement import Figures
from benchmarks.messaging.receiving import Answered, Asked, Tally, answer, until_durable
from makegood import Engine, Receptors, Route
from makegood.messaging.nats import NatsTransport
from makegood.runtime.transporting.transport import Outbound
from makegood.testing.servers import NatsServer
from makegood.values.envelope import Origin, write_cloudevent
from makegood.values.instants import Instant
from makegood.values.schemas import Schema, seal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.store import Store
    from makegood.runtime.transporting.transport import Arrived

__all__ = ["measure_brokered"]

_AT_ONCE = 256
"""How many messages are put into the stream at once."""

_SECONDS_TO_COUNT_MAX = 60.0

_ASKED, _ANSWERED = "asked", "answered"


def measure_brokered(store: Store, *, messages: int, repeat: int) -> Figures:
    """Return how many messages a second come by NATS, are received, and go out by it."""
    measured = [_measured(store, messages) for _ in range(repeat)]
    rates = [rate for rate, _cpu in measured]
    return {
        "messages": messages,
        "messages_per_second": round(median(rates), 1),
        "messages_per_second_min": round(min(rates), 1),
        "messages_per_second_max": round(max(rates), 1),
        "cpu_us_per_message": round(median(cpu for _rate, cpu in measured), 1),
    }


def _measured(store: Store, messages: int) -> tuple[float, float]:
    """Return the rate, and the microseconds of this process's processor time for a message."""
    with store.fresh() as url, NatsServer() as server:
        return asyncio.run(_go_through(url, server.url, messages))


async def _go_through(url: str, broker: str, messages: int) -> tuple[float, float]:
    outside, tally = _transport(broker), Tally(messages)
    await _fill(outside, messages)
    route = Route("broker", _transport(broker), sends={Answered: _ANSWERED}, hears=[_ASKED])
    async with Engine(journal=url, services={Tally: tally}) as engine:
        started, cpu = time.perf_counter(), time.process_time()
        engine.serve(Receptors("benchmark").on(answer), route)
        await tally.is_reached.wait()
        await until_durable(engine, left=0)
        seconds, busy = time.perf_counter() - started, time.process_time() - cpu
    await _require_answers(outside, messages)
    await outside.close()
    return messages / seconds, busy / messages * 1e6


async def _require_answers(outside: NatsTransport, messages: int) -> None:
    """Fail unless the broker keeps every answer."""
    counted = Tally(messages)

    async def count(batch: Sequence[Arrived]) -> None:
        for _ in batch:
            counted.count()

    listens = asyncio.ensure_future(
        outside.listen([_ANSWERED], group="count", batch=_AT_ONCE, take=count)
    )
    try:
        async with asyncio.timeout(_SECONDS_TO_COUNT_MAX):
            await counted.is_reached.wait()
    finally:
        listens.cancel()
        await asyncio.wait([listens])


def _transport(broker: str) -> NatsTransport:
    return NatsTransport(broker, stream="benchmark", subjects=[_ASKED, _ANSWERED])


async def _fill(outside: NatsTransport, messages: int) -> None:
    """Put messages into the stream, each with a key of its own."""
    schema, room = Schema(Asked), asyncio.Semaphore(_AT_ONCE)

    async def send(number: int) -> None:
        name = f"asked-{number}"
        origin = Origin(correlation=name, causation=name)
        envelope = seal(
            schema, Asked(number), origin, id=name, source="outside", at=Instant(1), key=name
        )
        async with room:
            body = write_cloudevent(envelope)
            await outside.send(Outbound(topic=_ASKED, id=name, name=name, key=name, body=body))

    await asyncio.gather(*(send(number) for number in range(messages)))
