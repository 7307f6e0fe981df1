"""The driver of a simulated process: connections and pools whose every round trip may go wrong.

It behaves as asyncpg does, with one difference: it protects nobody from using a connection again
on which an answer is owed. Answers come in their order, so the old one is taken for the new one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from makegood.journal.postgres.connection import TROUBLE
from makegood.testing.simulation import current_lane
from tests.simulation.postgres.faults import closed, lost, refusal
from tests.simulation.postgres.session import Message
from tests.simulation.postgres.statements import understood
from tests.simulation.postgres.weather import KILLS, REFUSALS, Fortune, Mishap, Trip

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.journal.postgres.connection import Row
    from makegood.journal.postgres.place import Place
    from makegood.testing.simulation import Host, Simulation
    from tests.simulation.postgres.server import Server
    from tests.simulation.postgres.session import Session
    from tests.simulation.postgres.weather import ServerWeather

# The driver's methods take their own time-outs.
# ruff: noqa: ASYNC109

__all__ = ["SimulatedConnection", "SimulatedDriver", "SimulatedPool"]


_AT_ONCE = Fortune(there=0, back=0)
"""A round trip that takes no time."""


class SimulatedDriver:
    """Makes the connections of one process."""

    def __init__(
        self,
        simulation: Simulation,
        server: Server,
        host: Host,
        weather: ServerWeather,
        *,
        release: int,
    ) -> None:
        self.simulation = simulation
        self.server = server
        self.host = host
        self.weather = weather
        self.release = release
        """The release of the program that runs in the process."""

    async def connect(self, place: Place) -> SimulatedConnection:
        """Connect to the server."""
        connection = SimulatedConnection(self)
        async with asyncio.timeout(place.answer_seconds_max):
            await connection.begin(place)
        return connection

    async def pool_of(self, place: Place) -> SimulatedPool:
        """Return a pool that connects when it is first used."""
        return SimulatedPool(self, place)


class SimulatedConnection:
    """One connection, in the lane of the process that made it."""

    def __init__(self, driver: SimulatedDriver) -> None:
        self._driver = driver
        self._lane = current_lane()
        self._session: Session | None = None
        self._is_closed = False
        self._is_deaf = False
        """Nothing is heard on it any more."""
        self._is_half_open = False
        """The server does not learn that it is closed."""
        self._is_steps = False
        """A step's own transaction is under way."""
        self._listener: Callable[[str], object] = _ignore
        self._farewell: Callable[[SimulatedConnection], object] = _ignore
        self._owed: deque[asyncio.Future[Any]] = deque()  # Any: rows.
        self._clear_at = 0
        """Before this moment nothing arrives that is sent from now on: it would overtake."""

    async def begin(self, place: Place) -> None:
        """Have a session made."""
        made: asyncio.Future[Session] = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            try:
                session: object = self._driver.server.connect(
                    self._lane,
                    release=self._driver.release,
                    lock_micros=round(place.lock_seconds_max * 1_000_000),
                    ended=self._end_of_session,
                    heard=self._ring,
                )
            except TROUBLE as error:
                session = error
            if fortune.mishap is not Mishap.UNANSWERED:
                self._inside(300, _give, made, session)

        fortune = self._decide("connect")
        if fortune.mishap in REFUSALS:
            self._inside(fortune.there, _give, made, refusal(fortune.mishap.value))
        elif fortune.mishap is not Mishap.LOST:
            self._outside(fortune.there, arrive)
        self._session = await made

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement and return its tag."""
        rows = await self._ask(query, args, timeout)
        return f"{query.split(maxsplit=1)[0]} {len(rows)}"

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Row]:
        """Run a statement and return its rows."""
        rows: list[Row] = await self._ask(query, args, timeout)
        return rows

    async def fetchrow(self, query: str, *args: Any) -> Row | None:
        """Run a statement and return its first row."""
        rows = await self._ask(query, args, None)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Run a statement and return the first value of its first row."""
        row = await self.fetchrow(query, *args)
        return None if row is None else row[0]

    # Any: rows, of which there are none.
    def come_clean(self) -> asyncio.Future[Any]:
        """End whatever was begun on it: at once, unless something happens on the way."""
        if self._lane.is_dead:
            return self._unsent()
        fortune = self._decide("reset")
        if fortune.mishap is Mishap.SMOOTH and not self._owed:
            fortune = _AT_ONCE
        return self._arrive("RESET ALL", (), fortune)

    def is_closed(self) -> bool:
        """Whether the connection is known to be closed."""
        return self._is_closed

    async def add_listener(self, channel: str, callback: Callable[..., object]) -> None:
        """Call back with the connection, a process, the channel and what was said on it."""
        self._listener = partial(callback, self, 0, channel)
        await self.execute(f'LISTEN "{channel}"')

    def add_termination_listener(self, callback: Callable[..., object]) -> None:
        """Call back once the connection is closed, by whichever side."""
        self._farewell = callback

    def add_log_listener(self, callback: Callable[..., None]) -> None:
        """Never call back: this server warns of nothing."""

    def remove_log_listener(self, callback: Callable[..., None]) -> None:
        """Do so no more."""

    async def close(self, *, timeout: float) -> None:
        """Say good-bye and close."""
        self.terminate()

    def terminate(self) -> None:
        """Close the socket at once."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._session is not None:
            self._session.is_given_up = True
            if not self._is_half_open:
                self._outside(300, self._session.hang_up)
        self._lose()
        self._farewell(self)

    # Any: what is bound is whatever the statement's parameters are; so are the rows.
    async def _ask(self, query: str, arguments: tuple[Any, ...], timeout: float | None) -> Any:
        if self._is_closed:
            raise closed()
        answer = self._send(query, arguments)
        if timeout is None:
            return await answer
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(answer)
        except TimeoutError:
            # The answer is still owed, and is thrown away when it comes.
            if self._session is not None:
                self._outside(300, self._session.cancel)
            raise

    # Any: as above.
    def _send(self, query: str, arguments: tuple[Any, ...]) -> asyncio.Future[Any]:
        if self._lane.is_dead:
            return self._unsent()
        operation = self._operation_of(query)
        fortune = self._decide(operation)
        if operation == "open" and fortune.mishap is Mishap.SMOOTH:
            # There are many of these, and no other process has a part in them.
            fortune = _AT_ONCE
        return self._arrive(query, arguments, fortune)

    # Any: as above.
    def _arrive(
        self, query: str, arguments: tuple[Any, ...], fortune: Fortune
    ) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._owed.append(answer)
        session = self._session
        assert session is not None
        self._is_half_open = self._is_half_open or fortune.is_half_open
        match fortune.mishap:
            case Mishap.KILL_BEFORE | Mishap.KILL_INSIDE_LOST:
                return answer
            case Mishap.LOST:
                self._inside(fortune.there + fortune.back, self.terminate)
                return answer
            case _:
                pass
        mishap = fortune.mishap
        message = Message(
            query,
            arguments,
            partial(self._done, fortune),
            code=mishap.value if mishap in REFUSALS else None,
            stall=fortune.stall,
        )
        if fortune is _AT_ONCE:
            session.arrive(message)
        else:
            self._outside(self._in_order(fortune.there), session.arrive, message)
        return answer

    # Any: as above.
    def _unsent(self) -> asyncio.Future[Any]:
        """Return the answer to what a dead process would send while it is taken apart: none."""
        return self._driver.simulation.loop.create_future()

    def _operation_of(self, query: str) -> str:
        """Return what a round trip is called where mishaps are drawn."""
        word = query.split(maxsplit=1)[0].rstrip(";").lower()
        match word:
            case "begin":
                self._is_steps = query.startswith("BEGIN; SET LOCAL statement_timeout = ") and (
                    not query.endswith("= 0")
                )
                return "local" if self._is_steps else "open"
            case "commit" | "rollback" if "SAVEPOINT" not in query:
                return word if self._is_steps else "open"
            case _:
                return "local" if self._is_steps else understood(query).operation

    def _decide(self, operation: str) -> Fortune:
        host, simulation = self._driver.host, self._driver.simulation
        fortune = self._driver.weather.decide(Trip(host=host.name, operation=operation))
        simulation.reached[operation, fortune.mishap.value] += 1
        simulation.tell(host.name, operation, fortune.mishap.value)
        if fortune.mishap in KILLS and fortune.mishap is not Mishap.KILL_AFTER:
            self._kill()
        return fortune

    def _done(self, fortune: Fortune, outcome: object) -> None:
        """Carry an answer back. This happens at the server."""
        session = self._session
        assert session is not None
        match fortune.mishap:
            case Mishap.KILL_AFTER:
                self._kill()
                return
            case Mishap.UNANSWERED:
                self._inside(fortune.back, self.terminate)
                return
            case Mishap.SILENT:
                self._is_deaf = True
                return
            case Mishap.PAUSE if not self._lane.is_dead:
                self._driver.host.pause()
            case _:
                pass
        if fortune.mishap is Mishap.SMOOTH:
            # The way there has taken the time of both.
            self._take(outcome)
        else:
            self._inside(fortune.back, self._take, outcome)

    def _take(self, outcome: object) -> None:
        """Give an answer to whoever has waited longest."""
        while self._owed and self._owed[0].done():
            # Nobody waits for it: the next one takes what comes.
            self._owed.popleft()
        if self._owed and not (self._is_deaf or self._is_closed):
            _give(self._owed.popleft(), outcome)

    def _end_of_session(self) -> None:
        if not self._is_deaf:
            self._inside(300, self.terminate)

    def _ring(self, whom: str) -> None:
        if not self._is_deaf:
            self._inside(300, self._hear, whom)

    def _hear(self, whom: str) -> None:
        if not self._is_closed:
            self._listener(whom)

    def _lose(self) -> None:
        owed, self._owed = self._owed, deque()
        for answer in owed:
            _give(answer, lost())

    def _kill(self) -> None:
        if not self._lane.is_dead:
            self._driver.host.kill()

    def _in_order(self, there: int) -> int:
        now = self._driver.simulation.loop.micros
        self._clear_at = max(self._clear_at, now + there)
        return self._clear_at - now

    def _outside(self, micros: int, callback: Callable[..., object], *arguments: object) -> None:
        loop = self._driver.simulation.loop
        loop.after(micros, callback, *arguments, lane=loop.outside)

    def _inside(self, micros: int, callback: Callable[..., object], *arguments: object) -> None:
        self._driver.simulation.loop.after(micros, callback, *arguments, lane=self._lane)


class SimulatedPool:
    """A pool: a connection that comes back is made clean, or is closed."""

    def __init__(self, driver: SimulatedDriver, place: Place) -> None:
        self._driver = driver
        self._place = place
        self._free: list[SimulatedConnection] = []
        self._generation = 0
        self._generations: dict[SimulatedConnection, int] = {}
        self._at_work = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> SimulatedConnection:
        """Take a connection."""
        while self._at_work >= self._place.connections_max:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._next_turn()
                raise
        self._at_work += 1
        try:
            while self._free:
                connection = self._free.pop()
                if not connection.is_closed():
                    if self._generations[connection] == self._generation:
                        return connection
                    connection.terminate()
                del self._generations[connection]
            connection = await self._driver.connect(self._place)
        except BaseException:
            self._leave()
            raise
        self._generations[connection] = self._generation
        return connection

    # Any: one of its connections, or what an ablation has put around it.
    async def release(self, connection: Any, *, timeout: float) -> None:
        """Give one back."""
        try:
            if not connection.is_closed() and self._generations[connection] == self._generation:
                clean = connection.come_clean()
                if not clean.done():
                    async with asyncio.timeout(timeout):
                        await clean
        except BaseException:
            connection.terminate()
            raise
        finally:
            if connection.is_closed() or self._generations[connection] != self._generation:
                connection.terminate()
                del self._generations[connection]
            else:
                self._free.append(connection)
            self._leave()

    async def expire_connections(self) -> None:
        """Have every connection replaced before it is used again."""
        self._generation += 1

    async def close(self) -> None:
        """Wait until all are given back, and close them."""
        while self._at_work:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.terminate()

    def terminate(self) -> None:
        """Close all of them at once."""
        for connection in list(self._generations):
            connection.terminate()

    def _leave(self) -> None:
        self._at_work -= 1
        self._next_turn()

    def _next_turn(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


def _ignore(_what: object) -> None:
    """Do nothing."""


# Any: rows, or a session.
def _give(answer: asyncio.Future[Any], outcome: Any) -> None:
    if answer.done():
        return
    if isinstance(outcome, BaseException):
        answer.set_exception(outcome)
        # Whoever waits for it may have died.
        answer.exception()
    else:
        answer.set_result(outcome)
