"""The worlds of schedules on the simulated server: lanes and schedules, with runs beside them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from makegood.errors import StoreError
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from makegood.journal.protocol import Applied
from tests.simulation.kinds.weather import SECOND
from tests.simulation.postgres.driver import SimulatedDriver
from tests.simulation.postgres.keeping import Told
from tests.simulation.postgres.server import Server
from tests.simulation.postgres.statements import SCHEMA
from tests.simulation.postgres.weather import ServerWeather

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.halting import Halt
    from makegood.journal.protocol import Append, Journal, Post, Verdict
    from makegood.testing.simulation import Host
    from makegood.values.ids import RunId
    from tests.simulation.schedules.judging import Diary
    from tests.simulation.schedules.keeping import Keep
    from tests.simulation.schedules.world import World

__all__ = ["OnServer", "on_server"]

Instead = Mapping[Callable[..., Any], Callable[..., Any]]
"""What a statement does in the place of what it should. Any: its rows."""
NOTHING: Instead = {}

_HAPPENINGS = ("down", "only read", "full", "ended", *(None,) * 8)
_LOOKS_EVERY = SECOND


class Onlooker:
    """Sees what is committed, in the place of a `Witness`, and writes it into a diary."""

    def __init__(self, diary: Diary) -> None:
        self.reached: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._diary = diary
        self._written: set[tuple[RunId, bytes]] = set()

    def break_rule(self, rule: str, told: str) -> None:
        """Put a broken rule on record."""
        self.wrong.append(f"{rule}: {told}")

    def has_written(self, run: RunId, token: bytes) -> bool:
        """Say whether an append was written."""
        return (run, token) in self._written

    # Any: who wrote it, and over what, is looked at by others.
    def appended(
        self, _lane: Any, _release: int, append: Append, _row: Any, verdict: Verdict
    ) -> None:
        """See an append, and what became of it."""
        if isinstance(verdict, Applied):
            self._written.add((append.run, append.token))
            self._diary.appends(append)

    def posted(self, post: Post, _number: int) -> None:
        """See a post."""
        if post.create is not None:
            self._diary.begins(post.run)

    def leased(self, *_seen: object) -> None:
        """See runs being claimed, of which others judge."""

    passed_by = released = leased


def on_server(instead: Instead) -> Keep:
    """Return worlds on the simulated server, whose schema does something in another way."""
    return partial(OnServer, instead=instead)


class _Begun(Told):
    """A journal of which whoever begins asks again what it has to know first."""

    _has_begun = False

    async def halts(self) -> tuple[Halt, ...]:
        """Return what is halted; a process that cannot begin with it is begun again."""
        while True:
            try:
                halts: tuple[Halt, ...] = await self._journal.halts()
            except StoreError as error:
                if self._has_begun:
                    raise
                self._note("beginning", error)
            else:
                self._has_begun = True
                return halts
            await asyncio.sleep(1.0)


class OnServer:
    """One simulated server, and the ways of the processes to it."""

    def __init__(self, world: World, instead: Instead = NOTHING) -> None:
        self._world = world
        simulation = world.simulation
        self._chance = chance = simulation.chance("server")
        self.witness = Onlooker(world.diary)
        self.wrong: Sequence[str] = self.witness.wrong
        self.reached = self.witness.reached
        self._place = Place(
            dsn="postgresql://simulated/schedules",
            schema=SCHEMA,
            answer_seconds_max=chance.choice((2.0, 6.0)),
            lock_seconds_max=chance.choice((1.0, 3.0)),
            connections_max=chance.choice((1, 4)),
        )
        patience_micros = round(self._place.answer_seconds_max * SECOND)
        self.late_micros = 30 * SECOND
        """A statement may be waited for, and be asked again; a lease must run out."""
        # Any: it sees what a witness is shown.
        witness: Any = self.witness
        self.server = Server(simulation, witness, stock={}, sold=lambda *_: None)
        self.server.instead = instead
        self.server.stored = world.diary.begins
        self.server.scheduled = world.diary.stands
        self._weather = ServerWeather(chance, patience_micros=patience_micros)
        simulation.loop.after(_LOOKS_EVERY, self._look_after, lane=simulation.loop.outside)

    def journal(self, host: Host) -> Journal:
        """Return the journal of a new process."""
        driver = SimulatedDriver(
            self._world.simulation, self.server, host, self._weather, release=1
        )
        # Any: of a world it looks at who watches alone.
        watched: Any = self
        return _Begun(PostgresJournal(self._place, driver=driver), host, watched, self.server)

    def happen(self) -> Iterable[str]:
        """Let something happen to the server, perhaps."""
        what = self.server.strike(self._chance, _HAPPENINGS, seconds_max=10)
        return () if what is None else (what,)

    def be_calm(self, *, is_calm: bool) -> None:
        """Let nothing go wrong, or anything again."""
        self._weather.is_calm = is_calm

    def _look_after(self) -> None:
        """End processes whose store has failed, as whoever watches over them does."""
        for host in self._world.workers:
            if host.engine is not None and host.engine._shell.failure is not None:
                self.reached["an engine whose store had failed"] += 1
                host.kill()
        loop = self._world.simulation.loop
        loop.after(_LOOKS_EVERY, self._look_after, lane=loop.outside)
