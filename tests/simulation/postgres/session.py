"""What a server keeps for one connection: a transaction, and one statement after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.simulation.postgres.faults import refusal
from tests.simulation.postgres.locks import LockWait

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from makegood.testing.simulation import Lane
    from tests.simulation.postgres.rows import Transaction
    from tests.simulation.postgres.server import Server

__all__ = ["Message", "Session", "Stall", "Work"]

IDLE_MICROS = 10_000_000
"""How long a transaction may stand idle: `idle_in_transaction_session_timeout`."""
CHECK_MICROS = 5_000_000
"""When a server that works notices that its client has gone: `client_connection_check_interval`."""

PostgresError: type[Exception] = asyncpg.PostgresError


class Message:
    """One statement on its way, what is to go wrong with it at the server, and who is answered."""

    __slots__ = ("answered", "arguments", "code", "query", "stall")

    def __init__(
        self,
        query: str,
        arguments: Sequence[Any],  # Any: whatever is bound.
        answered: Callable[[object], None],
        *,
        code: str | None,
        stall: int,
    ) -> None:
        self.query = query
        self.arguments = arguments
        self.answered = answered
        """Told, at the server, of the rows or of the error."""
        self.code = code
        """The error with which the server refuses it."""
        self.stall = stall
        """How long its commit takes, in microseconds, while it holds its locks."""


class Stall:
    """A commit that takes long: what it wrote is seen by nobody, and stays locked."""

    __slots__ = ("micros",)

    def __init__(self, micros: int) -> None:
        self.micros = micros


Work = Generator[LockWait | Stall, None, list[Any]]
"""Whatever a session is busy with. Any: its rows."""


class Session:
    """A backend. Everything in it happens outside of all processes."""

    def __init__(
        self,
        server: Server,
        lane: Lane,
        *,
        release: int,
        lock_micros: int,
        ended: Callable[[], None],
        heard: Callable[[str], None],
    ) -> None:
        self.lane = lane
        """The process at the other end."""
        self.release = release
        """The release of the program that runs there."""
        self.transaction: Transaction | None = None
        """What was begun and is not ended."""
        self.single: Transaction | None = None
        """The transaction of a statement that is one by itself."""
        self.is_ended = False
        self.is_given_up = False
        """Its client has let go of the connection, whatever is under way here."""
        self.is_listening = False
        self.heard = heard
        """Told at the server of every ring, once it listens."""
        self._server = server
        self._lock_micros = lock_micros
        self._ended = ended
        self._messages: deque[Message] = deque()
        self._message: Message | None = None
        self._work: Work | None = None
        self._wait: LockWait | None = None
        self._timer: asyncio.TimerHandle | None = None

    def arrive(self, message: Message) -> None:
        """Take a statement."""
        if not self.is_ended:
            self._messages.append(message)
            if self._work is None:
                self._begin_next()

    def hang_up(self) -> None:
        """Learn that the client has closed the connection: soon, or when there is time to look."""
        self.is_given_up = True
        if self._work is None:
            self.end()
        elif self._wait is not None:
            self._server.after(CHECK_MICROS, self._end_if_waiting)

    def cancel(self) -> None:
        """End the statement that is at work, as its client asks on another connection."""
        if self._wait is not None:
            self._stop_waiting()
            self._go_on(refusal("57014"))

    def end(self) -> None:
        """End the session: what was not committed is rolled back."""
        if self.is_ended:
            return
        self.is_ended = True
        self._stop_waiting()
        left = [each for each in (self.transaction, self.single) if each is not None]
        if self._work is not None:
            self._work.close()
            self._work = None
        self.transaction = self.single = None
        for transaction in left:
            self._server.roll_back(transaction)
        self._messages.clear()
        self._server.sessions.remove(self)
        self._ended()

    def _begin_next(self) -> None:
        self._stop_waiting()
        self._message = message = self._messages.popleft()
        self._work = self._server.carry_out(self, message)
        self._go_on()

    def _go_on(self, error: Exception | None = None) -> None:
        work = self._work
        if work is None:
            # It was ended in between.
            return
        try:
            held_up = next(work) if error is None else work.throw(error)
        except StopIteration as end:
            self._answer(end.value)
        except PostgresError as refused:
            self._answer(refused)
        else:
            self._hold_up(held_up)

    def _hold_up(self, held_up: LockWait | Stall) -> None:
        if isinstance(held_up, Stall):
            self._server.after(held_up.micros, self._go_on)
        elif self._server.locks.wait(held_up, self._woken):
            self._wait = held_up
            self._timer = self._server.after(self._lock_micros, self._wait_too_long)
        else:
            self._server.reached("wait: all for each other")
            self._go_on(refusal("40P01"))

    def _woken(self) -> None:
        self._stop_waiting()
        self._server.after(0, self._go_on)

    def _wait_too_long(self) -> None:
        self._stop_waiting()
        self._server.reached("wait: too long")
        self._go_on(refusal("55P03"))

    def _stop_waiting(self) -> None:
        wait, self._wait = self._wait, None
        if wait is not None:
            self._server.locks.give_up(wait)
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _answer(self, outcome: object) -> None:
        message, self._message = self._message, None
        self._work = None
        assert message is not None
        message.answered(outcome)
        is_fatal = getattr(outcome, "sqlstate", None) in {"57P01", "25P03"}
        if is_fatal or self.is_given_up:
            self.end()
        elif self._messages:
            self._begin_next()
        elif self.transaction is not None:
            self._timer = self._server.after(IDLE_MICROS, self.end)

    def _end_if_waiting(self) -> None:
        if self._wait is not None:
            self.end()
