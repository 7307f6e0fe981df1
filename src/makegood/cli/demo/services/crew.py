"""How the services are started, killed and started again, until every order has ended.

This side opens no store: it hears how each service stands, and asks the broker what it still has
for whom. That is over when every order has ended and nobody has anything left to do, seen twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from makegood.cli.demo.life import Failed, Life, started
from makegood.cli.demo.services.told import BROKER, ServiceJob, Standing, Started, Told
from makegood.decision.retry import Chance
from makegood.errors import MakegoodError
from makegood.runtime.clock import SystemClock, pause
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.cli.demo.services.broker import Broker

__all__ = ["Crew", "News"]

BROKER_AWAY_SECONDS_MAX = 1.0
"""How long the broker stays away when it was killed, drawn up to this."""

QUIET_LOOKS = 2
"""How often in a row nobody may have anything to do before it is over."""

LOOK_EVERY = timedelta(milliseconds=200)

STUCK_SECONDS = 120.0
"""Where nothing has changed for so long, nothing will any more: the books say what is missing."""

_told_type = msgspec.json.Decoder[Told](Told)


class News(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is."""

    placed: int
    final: int
    killed: str | None = None
    """Who was killed just now."""


class Crew:
    """The services of one day, each at its place."""

    def __init__(
        self,
        jobs: Sequence[ServiceJob],
        broker: Broker | None,
        hear: Callable[[News], None],
        *,
        crashes: int,
    ) -> None:
        self._places = {job.service: _Place(job) for job in jobs}
        self._broker = broker
        self._hear = hear
        self._crashes = crashes
        self._day = jobs[0].day
        self._clock = SystemClock()
        self.kills: Counter[str] = Counter()
        self.is_stuck = False
        """Whether it was given up, because nothing changed any more."""

    @property
    def repeated(self) -> int:
        """How many messages were carried more often than they had to be, as far as was told."""
        return sum(place.repeated for place in self._places.values())

    @property
    def moved(self) -> int:
        """How many messages reached somebody out of their order, as far as was told."""
        return sum(place.moved for place in self._places.values())

    async def work(self) -> None:
        """Have all orders ended, through all kills; raises `MakegoodError` where it cannot be."""
        try:
            async with asyncio.TaskGroup() as group:
                places = self._places.values()
                filling = [group.create_task(place.keep_filled()) for place in places]
                await asyncio.gather(*(place.is_at_work.wait() for place in places))
                if self._broker is not None:
                    # Everybody is there before the broker is, and what is to be sent waits.
                    await self._broker.start()
                await self._strike()
                await self._rest()
                for task in filling:
                    task.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    # Killing ------------------------------------------------------------------------------------

    async def _strike(self) -> None:
        """Kill somebody whenever so many orders have ended."""
        chance = Chance(self._day.seed)
        for number in range(self._crashes):
            share = (number + chance.fraction("moment", number)) / (self._crashes + 1)
            await self._until(int(share * self._day.orders))
            victim = self._victim(number, chance)
            self.kills[victim] += 1
            self._tell(killed=victim)
            if victim == BROKER:
                away = chance.fraction("away", number) * BROKER_AWAY_SECONDS_MAX
                await self._kill_broker(away)
            else:
                self._places[victim].kill()
                await self._places[victim].is_at_work.wait()

    def _victim(self, number: int, chance: Chance) -> str:
        """Return who is next: everybody once, in an order that is drawn, before anybody again."""
        names = [*self._places]
        if self._broker is not None:
            names.append(BROKER)
        turn, place = divmod(number, len(names))
        return sorted(names, key=lambda name: chance.fraction(name, turn))[place]

    async def _kill_broker(self, away: float) -> None:
        assert self._broker is not None
        await self._broker.kill()
        await pause(self._clock, after(self._clock.now(), timedelta(seconds=away)))
        await self._broker.start()

    # Waiting ------------------------------------------------------------------------------------

    @property
    def _final(self) -> int:
        return max(place.final for place in self._places.values())

    @property
    def _placed(self) -> int:
        return max(place.placed for place in self._places.values())

    async def _until(self, final: int) -> None:
        """Wait until so many orders have ended."""
        watch = _Watch(self._clock)
        while self._final < final and not self.is_stuck:
            await self._look()
            self.is_stuck = watch.is_stuck(self._seen())

    async def _rest(self) -> None:
        """Wait until every order has ended and nobody has anything to do."""
        watch, quiet = _Watch(self._clock), 0
        while quiet < QUIET_LOOKS and not self.is_stuck:
            for place in self._places.values():
                place.is_heard.clear()
            # What the broker has for somebody is asked first: then it is with them, or was.
            left = 0 if self._broker is None else await self._broker.left()
            await asyncio.gather(*(place.is_heard.wait() for place in self._places.values()))
            waiting = sum(place.waiting for place in self._places.values())
            is_over = self._final == self._day.orders and not left and not waiting
            quiet = quiet + 1 if is_over else 0
            self.is_stuck = watch.is_stuck((*self._seen(), left, waiting))
            self._tell()

    async def _look(self) -> None:
        await pause(self._clock, after(self._clock.now(), LOOK_EVERY))
        self._tell()

    def _seen(self) -> tuple[int, ...]:
        return (self._placed, self._final)

    def _tell(self, *, killed: str | None = None) -> None:
        self._hear(News(placed=self._placed, final=self._final, killed=killed))


class _Watch:
    """Notices when nothing changes any more."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._seen: tuple[int, ...] = ()
        self._since = clock.now()

    def is_stuck(self, seen: tuple[int, ...]) -> bool:
        """Say whether this is what has been seen for too long."""
        if seen != self._seen:
            self._seen, self._since = seen, self._clock.now()
        return (self._clock.now() - self._since) / 1_000_000 > STUCK_SECONDS


class _Place:
    """Where one process after the other is one service."""

    def __init__(self, job: ServiceJob) -> None:
        self._job = job
        self._life: Life[Told] | None = None
        self._stands = Standing(waiting=0, dead=0, repeated=0, moved=0)
        self._repeated_before = 0
        self._moved_before = 0
        self.is_at_work = asyncio.Event()
        """Set while whoever stands here is open."""
        self.is_heard = asyncio.Event()
        """Set when it has said how it stands, since somebody has cleared it."""

    @property
    def placed(self) -> int:
        return self._stands.placed

    @property
    def final(self) -> int:
        return self._stands.final

    @property
    def waiting(self) -> int:
        return self._stands.waiting

    @property
    def repeated(self) -> int:
        return self._repeated_before + self._stands.repeated

    @property
    def moved(self) -> int:
        return self._moved_before + self._stands.moved

    async def keep_filled(self) -> None:
        """Start a process, and another one whenever it was killed, until this is cancelled."""
        life = 0
        while True:
            life += 1
            job = msgspec.json.encode(replace(self._job, life=life))
            module = "makegood.cli.demo.services.child"
            async with started(module, job, _told_type) as self._life:
                while (told := await self._life.listen()) is not None:
                    self._take(told)
            self._repeated_before, self._moved_before = self.repeated, self.moved
            # It counts from the beginning; how many orders have ended does not become less.
            self._stands = replace(self._stands, repeated=0, moved=0, waiting=1)

    def kill(self) -> None:
        """Kill whoever stands here."""
        assert self._life is not None, "whoever is at work is alive"
        self.is_at_work.clear()
        self._life.kill()

    def _take(self, told: Told) -> None:
        match told:
            case Failed(reason=reason):
                raise MakegoodError(reason)
            case Started():
                self.is_at_work.set()
            case Standing():
                self._stands = told
                self.is_heard.set()
