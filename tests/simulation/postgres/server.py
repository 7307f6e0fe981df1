"""A PostgreSQL in memory: sessions, transactions, row locks, and a clock of its own.

It knows the statements that the journal sends, and no others. What it cannot show is what a real
server shows elsewhere: plans, triggers, the SQL itself. What it shows is every order in which
transactions of several processes can begin, wait, commit and be given up on.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from makegood.journal.protocol import Applied
from makegood.testing.simulation import START
from makegood.values.instants import Instant
from tests.simulation.postgres.faults import only_read, refusal, unreachable
from tests.simulation.postgres.functions import verdict_on
from tests.simulation.postgres.locks import Locks
from tests.simulation.postgres.rows import Transaction
from tests.simulation.postgres.session import Session, Stall
from tests.simulation.postgres.statements import understood
from tests.simulation.postgres.weather import SECOND

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Mapping, Sequence
    from random import Random

    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.protocol import Append, Leases, Post
    from makegood.testing.simulation import Lane, Simulation
    from makegood.values.ids import RunId
    from tests.simulation.judging.witness import Witness
    from tests.simulation.postgres.locks import LockWait, Rows
    from tests.simulation.postgres.rows import Row
    from tests.simulation.postgres.session import Message, Work

__all__ = ["Server"]

_HANG_UP_MICROS = 1_000
"""How soon a server learns that the process at the other end is dead."""

_NEVER_CHANGING = frozenset({"listen", "open", "read", "ring", "verdict", "watch"})
"""Statements that a server carries out which can only be read."""


class Server:
    """The server, and everything in it."""

    def __init__(
        self,
        simulation: Simulation,
        witness: Witness,
        *,
        stock: Mapping[str, int],
        sold: Callable[[str, str, int], None],
    ) -> None:
        self.store = simulation.store
        self.locks = Locks()
        self.locks.looked_at = self._looked_at
        self.sessions: list[Session] = []
        self.is_up = True
        self.is_only_read = False
        """It is no primary any more, as after a failover."""
        self.is_full = False
        self.posts: set[tuple[RunId, int]] = set()
        """Every post that was committed, by its run and its number."""
        self._simulation = simulation
        self._witness = witness
        self._tokens: set[tuple[RunId, bytes]] = set()
        """The token of every post that was committed."""
        self._together: set[bytes] = set()
        """The tokens of appends that were sent together with others."""
        self._carried_out: set[bytes] = set()
        """The tokens of appends whose steps were carried out, whatever became of that."""
        self.instead: Mapping[Callable[..., Rows], Callable[..., Rows]] = {}
        """What is carried out in the place of something that a schema lacks, to show that."""
        self._messages = self._leases = 0
        self.stored: Callable[[str], object] = lambda _message: None
        """Told of every message that is stored, when it is."""
        self.scheduled: Callable[[ScheduleRow], object] = lambda _row: None
        """Told of every schedule that is written, when it is."""
        self._told_refused: set[bytes] = set()
        """The tokens of appends of which somebody was told that they are not written."""
        self._shelf = Counter(stock)
        self._sold = sold
        """Told what was done to the application's tables, once it is committed."""

    def now(self) -> Instant:
        """Return the server's clock."""
        return Instant(START + self._simulation.loop.micros)

    def after(self, micros: int, callback: Callable[..., object]) -> asyncio.TimerHandle:
        """Call back outside of all processes."""
        loop = self._simulation.loop
        return loop.after(micros, callback, lane=loop.outside)

    def reached(self, situation: str) -> None:
        """Remember that a situation came about."""
        self._witness.reached[situation] += 1

    # Sessions -----------------------------------------------------------------------------------

    def connect(
        self,
        lane: Lane,
        *,
        release: int,
        lock_micros: int,
        ended: Callable[[], None],
        heard: Callable[[str], None],
    ) -> Session:
        """Return a new session; raise what a client gets to see that cannot have one."""
        if not self.is_up:
            raise unreachable()
        if self.is_only_read:
            raise only_read()
        session = Session(
            self, lane, release=release, lock_micros=lock_micros, ended=ended, heard=heard
        )
        self.sessions.append(session)
        return session

    def strike(
        self, chance: Random, happenings: Sequence[str | None], *, seconds_max: int
    ) -> str | None:
        """Let one of these happen, for at most so long, and name it; None is nothing."""
        what = chance.choice(happenings)
        micros = int(chance.random() ** 3 * seconds_max * SECOND)
        match what:
            case "down":
                self.go_down(micros)
            case "only read":
                self.be_only_read(micros)
            case "full":
                self.be_full(micros)
            case "ended":
                self.end_one(chance.randrange(100))
            case _:
                return None
        return f"happened to the server: {what}"

    def go_down(self, micros: int) -> None:
        """End all sessions at once, as an immediate stop does, and come up again."""
        self._tell("goes down")
        self.is_up = False
        for session in list(self.sessions):
            session.end()
        self.after(micros, self._come_up)

    def be_only_read(self, micros: int) -> None:
        """Refuse for a while whatever writes."""
        self._tell("can only be read")
        self.is_only_read = True
        self.after(micros, partial(setattr, self, "is_only_read", False))

    def be_full(self, micros: int) -> None:
        """Have no room for a while."""
        self._tell("is full")
        self.is_full = True
        self.after(micros, partial(setattr, self, "is_full", False))

    def end_one(self, number: int) -> None:
        """End a session from outside, one with a transaction if there is any."""
        open_ones = [session for session in self.sessions if session.transaction is not None]
        sessions = open_ones or self.sessions
        if sessions:
            if open_ones:
                self.reached("server: a transaction is ended from outside")
            sessions[number % len(sessions)].end()

    def _come_up(self) -> None:
        self._tell("comes up")
        self.is_up = True

    # Statements ---------------------------------------------------------------------------------

    def carry_out(self, session: Session, message: Message) -> Work:
        """Carry a statement out, and return its rows or raise its error."""
        word = message.query.split(maxsplit=1)[0].rstrip(";")
        begun = session.transaction
        if message.code is not None:
            if word in {"COMMIT", "ROLLBACK"} and "SAVEPOINT" not in message.query:
                self._take_back(session)
            elif begun is not None:
                begun.is_failed = True
            raise refusal(message.code)
        match word:
            case "BEGIN":
                session.transaction = Transaction(self.store, self.locks, session)
            case "ROLLBACK" if begun is not None and "SAVEPOINT" in message.query:
                begun.shelf = begun.shelf[: begun.saved]
                begun.is_failed = False
            case "ROLLBACK":
                self._take_back(session)
            case "RESET":
                self._take_back(session)
            case "SAVEPOINT" if begun is not None and not begun.is_failed:
                begun.saved = len(begun.shelf)
            case "COMMIT" if begun is not None and not begun.is_failed:
                session.transaction, session.single = None, begun
                yield from self._end(session, begun, message.stall)
            case "COMMIT":
                self._take_back(session)
            case _ if begun is not None:
                return (yield from self._within(begun, message))
            case _:
                return (yield from self._single(session, message))
        return []

    def _within(self, begun: Transaction, message: Message) -> Work:
        if begun.is_failed:
            raise refusal("25P02")
        try:
            return (yield from self._perform(begun, message))
        except Exception:
            begun.is_failed = True
            raise

    def _single(self, session: Session, message: Message) -> Work:
        session.single = single = Transaction(self.store, self.locks, session)
        try:
            rows = yield from self._perform(single, message)
        except Exception:
            session.single = None
            self.roll_back(single)
            raise
        yield from self._end(session, single, message.stall)
        return rows

    def _end(
        self, session: Session, transaction: Transaction, stall: int
    ) -> Generator[LockWait | Stall, None, None]:
        """Commit, or roll back when that is refused."""
        try:
            yield from self._commit(transaction, stall)
        except Exception:
            self.roll_back(transaction)
            raise
        finally:
            session.single = None

    def _perform(self, transaction: Transaction, message: Message) -> Work:
        statement = understood(message.query)
        if statement.operation not in _NEVER_CHANGING:
            if self.is_only_read:
                raise refusal("25006")
            if self.is_full:
                raise refusal("53100")
        carry_out = self.instead.get(statement.carry_out, statement.carry_out)
        return (yield from carry_out(self, transaction, *message.arguments))

    def _commit(
        self, transaction: Transaction, stall: int
    ) -> Generator[LockWait | Stall, None, None]:
        if any(self.count_on_shelf(transaction, order) < 0 for _, order, _ in transaction.shelf):
            self.reached("step: its commit is refused")
            raise refusal("23514")
        if stall:
            yield Stall(stall)
        transaction.commit()
        for operation, order, amount in transaction.shelf:
            self._shelf[order] += _ON_SHELF[operation]
            self._sold(operation, order, amount)
        self._let_go(transaction, "committed")

    def _take_back(self, session: Session) -> None:
        transaction, session.transaction = session.transaction, None
        if transaction is not None:
            self.roll_back(transaction)

    def roll_back(self, transaction: Transaction) -> None:
        """Forget all that a transaction has changed."""
        self._let_go(transaction, "rolled back")

    def _let_go(self, transaction: Transaction, how: str) -> None:
        freed = self.locks.release(transaction)
        session = transaction.session
        if freed and (session.is_given_up or session.lane.is_dead):
            self.reached(f"zombie: waited for, and {how}")
        for wait in freed:
            wait.wake()

    def holds(self, run: RunId, seq: int, facts: bytes) -> bool:
        """Say whether everybody sees these facts at this place of a run."""
        row = self.store.records.get(run)
        return row is not None and row.appends[seq - 1 : seq] == [facts]

    def told_refused(self, append: Append, told: str) -> None:
        """See that somebody was told that an append is not written, which must stay so."""
        if self._witness.has_written(append.run, append.token):
            self._witness.break_rule("what is refused is not written", told)
        self._told_refused.add(append.token)

    def _looked_at(self, holder: Transaction) -> None:
        session = holder.session
        if session.lane.is_dead and not session.is_given_up:
            self.after(_HANG_UP_MICROS, session.hang_up)

    # The application's tables -------------------------------------------------------------------

    def count_on_shelf(self, transaction: Transaction, order: str) -> int:
        """Return how much there is for an order, as a transaction sees it."""
        own = (_ON_SHELF[what] for what, whose, _ in transaction.shelf if whose == order)
        return self._shelf[order] + sum(own)

    # Ringing ------------------------------------------------------------------------------------

    def listen(self, session: Session) -> None:
        """Let a session hear every ring from now on."""
        session.is_listening = True

    def ring(self, whom: Sequence[str]) -> None:
        """Let everybody hear who is rung."""
        for session in self.sessions:
            if session.is_listening:
                for each in whom:
                    session.heard(each)

    # Messages -----------------------------------------------------------------------------------

    def next_message(self) -> int:
        """Draw the number of a message: nobody else is given it, whatever becomes of this one."""
        self._messages += 1
        return self._messages

    def next_lease(self) -> int:
        """Draw the number of a lease."""
        self._leases += 1
        return self._leases

    # What the witness sees ----------------------------------------------------------------------

    def sent(self, tokens: Sequence[bytes]) -> None:
        """See a batch of appends."""
        if len(tokens) > 1:
            self._together.update(tokens)
        elif tokens and tokens[0] in self._together:
            self.reached("batch: taken apart")

    def carried_out(self, token: bytes) -> None:
        """See a step's transaction that is about to be committed."""
        if token in self._carried_out:
            self.reached("step: carried out again")
        self._carried_out.add(token)

    def wrote(self, transaction: Transaction, append: Append) -> None:
        """Remember that an append fits, until it is committed."""
        transaction.notices.append(partial(self._see_written, transaction.session, append))

    def refused(self, transaction: Transaction, append: Append) -> None:
        """See an append that does not fit."""
        row: Any = self.store.records.get(append.run)  # Any: all records of the store are rows.
        holder = None
        if append.create is not None:
            holder = transaction.holder_of_key(append.create.workflow, append.create.key)
        session = transaction.session
        verdict = verdict_on(row, append, holder)
        if isinstance(verdict, Applied) and session.transaction is transaction:
            self.reached("step: known by its token")
        self._witness.appended(session.lane, session.release, append, row, verdict)

    def posted(self, transaction: Transaction, post: Post, number: int, token: bytes) -> None:
        """Remember a post, until it is committed."""
        transaction.notices.append(partial(self._see_posted, post, number, token))

    def leased(
        self, transaction: Transaction, leases: Leases, plans: Sequence[str], now: Instant
    ) -> None:
        """Remember what was claimed, until it is committed."""
        lane = transaction.session.lane

        def see(_before: Mapping[RunId, Row]) -> None:
            self._witness.leased(lane, leases, plans)
            self._witness.passed_by(plans, now)

        transaction.notices.append(see)

    def released(self, transaction: Transaction, runs: Sequence[RunId]) -> None:
        """Remember what was given back, until it is committed."""
        transaction.notices.append(lambda _before: self._witness.released(runs))

    def _see_written(self, session: Session, append: Append, before: Mapping[RunId, Row]) -> None:
        row: Any = before.get(append.run)  # Any: the witness looks at a few of its fields.
        if append.token in self._told_refused:
            told = f"{append.run} {append.seq} is written after all"
            self._witness.break_rule("what is refused is not written", told)
        verdict = verdict_on(self._row(append.run), append, None)
        self._witness.appended(session.lane, session.release, append, row, verdict)

    def _see_posted(
        self, post: Post, number: int, token: bytes, _before: Mapping[RunId, Row]
    ) -> None:
        if (post.run, token) in self._tokens:
            self._witness.break_rule("what was posted once is there once", f"{post.run} {number}")
        self._tokens.add((post.run, token))
        self.posts.add((post.run, number))
        self._witness.posted(post, number)

    def _row(self, run: RunId) -> Row | None:
        row: Any = self.store.records.get(run)  # Any: as above.
        found: Row | None = row
        return found

    def _tell(self, what: str) -> None:
        self.reached(f"server: {what}")
        self._simulation.tell("server", what)


_ON_SHELF = {"take": -1, "put back": 1, "note": 0}
"""What each operation does to the shelf."""
