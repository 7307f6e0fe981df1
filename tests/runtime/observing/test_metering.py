"""What does OpenTelemetry see of how far messages are behind?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from makegood import Declined, InvalidInput, Metering, Receptors
from makegood.errors import StoreBusy
from makegood.journal.memory import MemoryJournal
from tests.runtime.receiving.shop import Paid, Reserved, quiet
from tests.runtime.world import World, turn_of_the_loop

if TYPE_CHECKING:
    from makegood.journal.messages import Lag

SECOND = timedelta(seconds=1)


class Seen:
    """What was told, by the name of the gauge and of whom it is."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def now(self) -> dict[tuple[str, str], float]:
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            (
                metric.name.rpartition(".")[2],
                str(point.attributes["makegood.receptor"]),
            ): point.value
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
            if point.attributes
        }


async def hear(event: Reserved) -> None:
    raise Declined


async def note(event: Paid) -> None: ...


async def some_turns() -> None:
    for _ in range(20):
        await turn_of_the_loop()


async def test_how_many_wait_and_since_when_is_told_of_everybody_who_has_subscribed() -> None:
    seen = Seen()
    async with World() as world:
        gone = await world.engine(Receptors("books").on(note))
        await gone.publish(Paid("order-0"))
        await quiet(gone)
        await world.close(gone)
        engine = await world.engine(Receptors("shop").on(hear))
        await engine.publish(Reserved("order-1"))
        await engine.publish(Paid("order-1"))
        await quiet(engine)
        world.clock.turn(timedelta(minutes=2))

        await Metering(engine, meter_provider=seen.provider).tell()

    assert seen.now() == {
        ("waiting", "books/note"): 1,
        ("lag", "books/note"): 120.0,
        ("dead", "books/note"): 0,
        ("waiting", "shop/hear"): 0,
        ("lag", "shop/hear"): 0.0,
        ("dead", "shop/hear"): 1,
    }


class _Busy(MemoryJournal):
    """A journal that is busy the second time that it is asked, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        lag = self.messages.lag

        async def moody() -> tuple[Lag, ...]:
            self.times += 1
            if self.times == 2:
                message = "a lock"
                raise StoreBusy(message)
            return await lag()

        self.messages.lag = moody  # type: ignore[method-assign]


async def test_it_is_told_again_and_again_until_it_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with World() as world:
        journal = _Busy()
        engine = await world.engine(Receptors("shop").on(hear), journal=journal)

        async with Metering(engine, every=5 * SECOND, meter_provider=Seen().provider):
            await some_turns()
            for _ in range(10):
                world.clock.turn(SECOND)
                await some_turns()
        world.clock.turn(60 * SECOND)
        await some_turns()

        assert journal.times == 3
        assert "how far messages are behind is not known now: a lock" in caplog.text


async def test_a_time_that_is_none_is_refused() -> None:
    async with World() as world:
        engine = await world.engine()

        with pytest.raises(InvalidInput, match="longer than nothing"):
            Metering(engine, every=timedelta(0))
