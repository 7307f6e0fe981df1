"""How is an append written with its step's own statements or body? In their transaction.

Each has a connection and a transaction of its own, whose COMMIT carries the append: a step that
waits for a lock, or a constraint that is looked at last, is nobody else's concern. A local body
is driven from here: what it awaits of its `Transaction` comes out of the coroutine as a request,
and anything else that comes out has awaited something else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from makegood.errors import (
    InvalidInput,
    StepTimeout,
    StoreBusy,
    StoreFailed,
    StoreFull,
    WritesRefused,
)
from makegood.journal.outage import Outage
from makegood.journal.postgres.appending import verdict_instead, write
from makegood.journal.postgres.connection import (
    TROUBLE,
    Fault,
    Patience,
    fault_of,
    is_lost,
    roll_back,
    said,
)
from makegood.journal.postgres.steps.application import changed_rows, refusal_of, rows_of
from makegood.journal.protocol import Applied, Refused

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Sequence

    from makegood.journal.postgres.appending import AppendJob
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place
    from makegood.journal.protocol import Append, LocalWork, Verdict
    from makegood.values.injectable import Sql

# The schema is a plain name, checked in `place`; values are bound.

__all__ = ["Steps"]

_TRIES_MAX = 5
"""How often a transaction is tried that others get in the way of."""


class Steps:
    """Writes appends that bring statements or a body."""

    def __init__(self, place: Place, desk: Desk) -> None:
        self._place = place
        self._desk = desk
        self._outage = Outage(place.shown)

    async def outcome_of(self, job: AppendJob) -> Verdict | BaseException:
        """Write the append; return its verdict, or what its waiter is to be raised.

        A transaction whose end is not known is applied again, like any append: its token tells
        whether it was committed.
        """
        attempt = _Attempt(self._place, job)
        patience = Patience()
        tries = 0
        while True:
            try:
                outcome = await self._desk.once(attempt.apply, seconds=attempt.seconds, bare=True)
            except _BodyEnded as ended:
                return ended.reason
            except TROUBLE as error:
                fault = fault_of(error)
                if fault is Fault.FULL:
                    where = self._place.shown
                    return StoreFull(f"the disk of {where} is full; free some room, then go on")
                if fault is Fault.REFUSED:
                    message = f"the append cannot be stored: {said(error)}; give other values"
                    return InvalidInput(message)
                if fault is Fault.BROKEN:
                    raise StoreFailed(said(error)) from error
                if fault is Fault.AGAIN:
                    tries += 1
                    if tries == _TRIES_MAX:
                        return StoreBusy(f"others are in the way ({said(error)}); try again later")
                self._outage.tell("a step", said(error))
            else:
                self._outage.is_over()
                return outcome
            await patience.wait()


class _Attempt:
    """One append with its step, to be applied as often as its transaction is lost."""

    def __init__(self, place: Place, job: AppendJob) -> None:
        self._place = place
        self._job = job
        self._append: Append = job.append
        self._decided: bytes | None = None
        """What was decided for the step when its commit was refused: it is not run again."""
        local = self._append.local
        body_seconds = 0.0 if local is None else max(0.0, local.timeout_seconds)
        self.seconds: float = body_seconds + place.answer_seconds_max

    async def apply(self, connection: Connection) -> Verdict:
        """Write the append and what comes with it, or nothing of both."""
        # The body has its own deadline, which is kept here; the server's is for when we are gone.
        limit = round((self.seconds + self._place.answer_seconds_max) * 1000)
        await connection.execute(f"BEGIN; SET LOCAL statement_timeout = {limit}")
        try:
            verdict = await self._inside(connection)
            if isinstance(verdict, Applied):
                verdict = await self._commit(connection, verdict)
        except BaseException as error:
            await roll_back(connection, error)
            raise
        if not isinstance(verdict, Applied):
            await connection.execute("ROLLBACK")
        return verdict

    async def _inside(self, connection: Connection) -> Verdict:
        append, schema = self._append, self._place.schema
        lease_micros = self._place.lease_micros
        if await write(connection, schema, (self._job,), lease_micros):
            return await verdict_instead(connection, schema, append)
        if append.writes:
            refusal = await refusal_of(connection, schema, append.writes)
            if refusal is not None:
                return Refused(refusal)
        if append.local is None:
            return Applied()
        facts = self._decided or await _facts_of_local(connection, schema, append.local)
        await connection.execute(
            f'SELECT "{schema}".record_local($1, $2, $3, $4, $5, $6, $7)',
            append.run,
            append.seq,
            append.epoch,
            append.token,
            append.at,
            facts,
            lease_micros,
        )
        return Applied(facts)

    async def _commit(self, connection: Connection, verdict: Verdict) -> Verdict:
        """Commit; a constraint that is looked at only here refuses this append alone."""
        try:
            await connection.execute("COMMIT")
        except TROUBLE as error:
            if fault_of(error) is not Fault.REFUSED:
                raise
            local = self._append.local
            if local is None:
                return Refused(str(error))
            self._decided = local.failed(WritesRefused(str(error)))
            return await self.apply(connection)
        return verdict


async def _facts_of_local(connection: Connection, schema: str, local: LocalWork) -> bytes:
    """Run the body and return its facts, or those of its failure once its writes are undone."""
    transaction = _OpenTransaction()
    await connection.execute("SAVEPOINT makegood_local")
    try:
        drive = _Drive(connection, schema, local.timeout_seconds)
        return await drive.to_its_end(local.run(transaction))
    except _StoreLost as lost:
        raise lost.reason from None
    except Exception as error:
        if isinstance(error, _BodyEnded):
            raise
        await connection.execute("ROLLBACK TO SAVEPOINT makegood_local")
        return local.failed(error)
    finally:
        transaction.is_open = False


class _StoreLost(Exception):
    """The store failed under a body; what the body makes of it does not matter."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


class _BodyEnded(Exception):
    """A body has raised what ends more than itself; it is for whoever waits for the append."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason


class _Request:
    """What a body awaits of its transaction: the one thing that may come out of it."""

    __slots__ = ("is_fetch", "parameters", "sql")

    def __init__(self, sql: str, parameters: tuple[Sql, ...], *, is_fetch: bool) -> None:
        self.sql = sql
        self.parameters = parameters
        self.is_fetch = is_fetch

    # Any: what is sent in is a number or rows, as was asked for.
    def __await__(self) -> Generator[_Request, Any, Any]:
        answer = yield self
        return answer


class _OpenTransaction:
    """A `Transaction` whose requests are carried out by whoever drives the body."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True

    async def execute(self, sql: str, *parameters: Sql) -> int:
        """Run one statement and return how many rows it changed."""
        changed: int = await self._request(sql, parameters, is_fetch=False)
        return changed

    async def fetch(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Run one query and return its rows."""
        rows: list[tuple[Sql, ...]] = await self._request(sql, parameters, is_fetch=True)
        return rows

    def _request(self, sql: str, parameters: tuple[Sql, ...], *, is_fetch: bool) -> _Request:
        if not self.is_open:
            message = "the transaction ended with its step; use it only inside the step's body"
            raise InvalidInput(message)
        return _Request(sql, parameters, is_fetch=is_fetch)


class _Drive:
    """Takes a body from request to request, within its time."""

    def __init__(self, connection: Connection, schema: str, seconds: float) -> None:
        self._connection = connection
        self._schema = schema
        self._seconds = seconds
        self._now = asyncio.get_running_loop().time
        self._deadline = self._now() + seconds
        self._is_rolled_back = False
        """A statement of the body failed, which ends a transaction in PostgreSQL."""

    async def to_its_end(self, body: Coroutine[Any, Any, bytes]) -> bytes:
        """Return the body's facts, or raise what it raises."""
        answer: object = None
        error: Exception | None = None
        try:
            while True:
                try:
                    asked: object = body.send(answer) if error is None else body.throw(error)
                except StopIteration as end:
                    self._require_whole()
                    facts: bytes = end.value
                    return facts
                except Exception:
                    raise
                except BaseException as reason:  # noqa: BLE001 - for whoever waits for the append
                    raise _BodyEnded(reason) from None
                if not isinstance(asked, _Request):
                    message = (
                        "a local step may await only its transaction; do other work in a step of "
                        "its own"
                    )
                    raise InvalidInput(message)
                answer, error = await self._answer(asked)
        finally:
            body.close()

    async def _answer(self, asked: _Request) -> tuple[object, Exception | None]:
        """Carry out what a body asks for; return the answer, or what to raise in the body."""
        self._require_time()
        if self._is_rolled_back:
            return None, _rolled_back()
        perform = rows_of if asked.is_fetch else changed_rows
        try:
            return await perform(
                self._connection,
                self._schema,
                asked.sql,
                asked.parameters,
                seconds=self._deadline - self._now(),
            ), None
        except InvalidInput as error:
            # It was refused before it was sent.
            return None, error
        except TimeoutError:
            raise self._too_late() from None
        except TROUBLE as error:
            if is_lost(self._connection, error):
                raise _StoreLost(error) from error
            self._is_rolled_back = True
            return None, error

    def _require_whole(self) -> None:
        self._require_time()
        if self._is_rolled_back:
            raise _rolled_back()

    def _require_time(self) -> None:
        if self._now() > self._deadline:
            raise self._too_late()

    def _too_late(self) -> StepTimeout:
        return StepTimeout(
            f"the local step took longer than {self._seconds:g} s; nothing of it was written"
        )


def _rolled_back() -> InvalidInput:
    return InvalidInput("an earlier statement of this step has rolled the transaction back")
