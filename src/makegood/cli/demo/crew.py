"""How several processes carry out the orders that this one places, and how they are killed.

Each worker is a process with an engine, a gateway and a mailer of its own. One that is killed is
followed at once by another, and what it was at is taken up by whoever lives.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.cli.demo.crashes import moments, placed_by
from makegood.cli.demo.life import Failed, Job, Part, living
from makegood.cli.demo.shop import Queue, place_orders
from makegood.cli.demo.tally import Killed, Opened
from makegood.decision.retry import Chance
from makegood.errors import MakegoodError
from makegood.runtime.clock import SystemClock, pause
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.cli.demo.life import Life, Told
    from makegood.cli.demo.shop import Day, Evening
    from makegood.cli.demo.tally import News, Tally

__all__ = ["keep_shop_with_workers"]


async def keep_shop_with_workers(
    day: Day,
    tally: Tally,
    hear: Callable[[News], None],
    *,
    workers: int,
    clock: Callable[[], float],
) -> Evening:
    """Place the orders here and have workers carry them out, of whom some are killed on the way.

    `hear` passes on to the tally, which says how many. Raises `MakegoodError` when a worker
    cannot work.
    """
    queue = Queue(day.sample, placed_max=0)
    places = [_Place() for _ in range(workers)]
    try:
        async with asyncio.TaskGroup() as group:
            filling = [group.create_task(place.keep_filled(day)) for place in places]
            await asyncio.gather(*(place.is_at_work.wait() for place in places))
            strikes = _Strikes(tally, hear, places)
            killing = group.create_task(strikes.fall(queue, seed=day.seed))
            evening = await place_orders(day, queue, strikes.hear, clock=clock, rest=killing)
            for task in filling:
                task.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return evening


class _Place:
    """Where one worker after the other stands."""

    def __init__(self) -> None:
        self.is_at_work = asyncio.Event()
        """Set while whoever stands here has an engine that is open."""
        self._life: Life[Told] | None = None

    async def keep_filled(self, day: Day) -> None:
        """Start a worker, and another one whenever it was killed, until this is cancelled."""
        while True:
            async with living(Job(part=Part.WORKER, day=day)) as self._life:
                while (told := await self._life.listen()) is not None:
                    if isinstance(told, Failed):
                        raise MakegoodError(told.reason)
                    assert isinstance(told, Opened), "a worker tells of no orders"
                    self.is_at_work.set()

    def kill(self) -> None:
        """Kill whoever stands here."""
        assert self._life is not None, "whoever is at work is alive"
        self.is_at_work.clear()
        self._life.kill()


class _Strikes:
    """The kills, between which so many orders end as the moments say."""

    def __init__(
        self, tally: Tally, hear: Callable[[News], None], places: Sequence[_Place]
    ) -> None:
        self._tally = tally
        self._hear = hear
        self._places = places
        self._is_open = asyncio.Event()
        self._is_heard = asyncio.Event()

    def hear(self, news: News) -> None:
        """Pass on what happens, and look whether a moment has come."""
        self._hear(news)
        if isinstance(news, Opened):
            self._is_open.set()
        self._is_heard.set()

    async def fall(self, queue: Queue, *, seed: int) -> None:
        """Kill a worker at every moment, and then let all orders be placed."""
        tally, chance, clock = self._tally, Chance(seed), SystemClock()
        await self._is_open.wait()
        for number, moment in enumerate(moments(tally.orders, tally.crashes, seed=seed)):
            queue.allow(placed_by(moment, tally))
            while tally.ended < moment.ended:
                self._is_heard.clear()
                await self._is_heard.wait()
            await pause(clock, after(clock.now(), timedelta(seconds=moment.open_seconds)))
            struck = self._places[int(chance.fraction("struck", number) * len(self._places))]
            struck.kill()
            self._hear(Killed())
            await struck.is_at_work.wait()
        queue.allow(tally.orders)
