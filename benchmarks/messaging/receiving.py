"""What a message costs: stored, received, and what it is answered with stored too.

Clients publish in a closed loop, each message with a key of its own; a receptor answers each with
one message. The clock stops when all are received and their answers durable. The other side of the
comparison does the same beside a key whose messages fail again and again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, ClassVar

from benchmarks.measurement import Figures
from benchmarks.throughput.floor import measure_floor
from benchmarks.throughput.measuring import floor_at
from makegood import Engine, MessageOperator, Receptors, Retry, Unavailable, injected

if TYPE_CHECKING:
    from benchmarks.store import Store

__all__ = ["Answered", "Asked", "Tally", "answer", "measure_messages", "until_durable"]

POISON = "poison"
"""The key of the messages that fail."""

POISONED = 16
"""How many of them there are, one behind the other."""

WAITS = 3
"""How often a message waits until something is durable: stored, taken, and marked."""

_TEXT = "x" * 80


@dataclass(frozen=True, slots=True)
class Asked:
    """About 100 bytes."""

    message_name: ClassVar[str] = "benchmark.Asked"

    number: int
    text: str = _TEXT


@dataclass(frozen=True, slots=True)
class Answered:
    """As many."""

    message_name: ClassVar[str] = "benchmark.Answered"

    number: int
    text: str = _TEXT


class Tally:
    """Counts what was answered."""

    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self.is_reached = asyncio.Event()

    def count(self) -> None:
        """Count one more."""
        self._left -= 1
        if self._left == 0:
            self.is_reached.set()


async def answer(event: Asked, *, tally: Tally = injected) -> Answered:
    """Answer what is asked; what has a negative number is poison."""
    if event.number < 0:
        raise Unavailable
    tally.count()
    return Answered(event.number, event.text)


def measure_messages(
    store: Store, *, messages: int, clients: int, repeat: int, has_floor: bool = False
) -> Figures:
    """Return how many messages a second go through, alone and beside a key that fails.

    The sides take turns, so that all meet the same weather. The floor is a bare loop on the same
    kind of store, with as many durable waits for each message: stored, taken, marked.
    """
    alone: list[tuple[float, float]] = []
    beside: list[tuple[float, float]] = []
    floor: list[float] = []
    for _ in range(repeat):
        alone.append(_measured(store, messages, clients, is_poisoned=False))
        beside.append(_measured(store, messages, clients, is_poisoned=True))
        if has_floor:
            floor.append(_measured_floor(store, messages, clients))
    rate, poisoned = (median(rate for rate, _cpu in side) for side in (alone, beside))
    cpu, poisoned_cpu = (median(cpu for _rate, cpu in side) for side in (alone, beside))
    figures: Figures = {
        "messages": messages,
        "concurrency": clients,
        "messages_per_second": round(rate, 1),
        "messages_per_second_min": round(min(each for each, _cpu in alone), 1),
        "messages_per_second_max": round(max(each for each, _cpu in alone), 1),
        "cpu_us_per_message": round(cpu, 1),
        "beside_poison_per_second": round(poisoned, 1),
        "beside_poison_ratio": round(poisoned / rate, 3),
        "beside_poison_cpu_us": round(poisoned_cpu, 1),
    }
    if floor:
        figures["floor_per_second"] = round(median(floor), 1)
        figures["times_floor"] = round(rate / median(floor), 3)
    return figures


def _measured(
    store: Store, messages: int, clients: int, *, is_poisoned: bool
) -> tuple[float, float]:
    """Return the rate, and the microseconds of processor time that a message took."""
    with store.fresh() as url:
        return asyncio.run(_go_through(url, messages, clients, is_poisoned=is_poisoned))


def _measured_floor(store: Store, messages: int, clients: int) -> float:
    with store.fresh() as url:
        sample = asyncio.run(
            measure_floor(
                floor_at(url), appends=WAITS, runs=messages, clients=clients, warmup=clients
            )
        )
    return messages / sample.seconds


async def _go_through(
    url: str, messages: int, clients: int, *, is_poisoned: bool
) -> tuple[float, float]:
    retry = Retry(attempts=1_000, delay=timedelta(milliseconds=50), factor=1.0, jitter=False)
    tally = Tally(messages)
    async with Engine(journal=url, services={Tally: tally}) as engine:
        engine.serve(Receptors("benchmark").on(answer, retry=retry))
        poisoned = POISONED if is_poisoned else 0
        for number in range(poisoned):
            await engine.publish(Asked(-1 - number), key=POISON)
        started, cpu = time.perf_counter(), time.process_time()
        await _publish(engine, range(messages), clients)
        await tally.is_reached.wait()
        await until_durable(engine, left=poisoned)
        seconds = time.perf_counter() - started
        return messages / seconds, (time.process_time() - cpu) / messages * 1e6


async def _publish(engine: Engine, numbers: range, clients: int) -> None:
    """Publish with so many clients at once, each in a closed loop."""
    left = iter(numbers)

    async def client() -> None:
        for number in left:
            await engine.publish(Asked(number), key=f"key-{number}")

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


async def until_durable(engine: Engine, *, left: int) -> None:
    """Wait until the store knows that no more than so many are still to be received."""
    operator = MessageOperator(engine)
    for _ in range(_LOOKS_MAX):
        if sum(lag.waiting for lag in await operator.lag()) <= left:
            return
        # A store in memory answers at once, and nobody else would have a turn.
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
    message = "what was answered does not become durable"
    raise AssertionError(message)


_LOOKS_MAX = 10_000
_SECONDS_BETWEEN_LOOKS = 0.002
