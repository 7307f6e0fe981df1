"""How is a local body run inside a transaction of the server? Knows no append and no message.

It is driven from here: what it awaits of its `Transaction` comes out of the coroutine as a request,
and anything else that comes out has awaited something else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from makegood.errors import InvalidInput, StepTimeout
from makegood.journal.postgres.connection import TROUBLE, is_lost
from makegood.journal.postgres.steps.application import changed_rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Sequence

    from makegood.journal.application.local import LocalBody
    from makegood.journal.postgres.connection import Connection
    from makegood.values.injectable import Sql

__all__ = ["BodyEnded", "result_of_local"]

T = TypeVar("T")


async def result_of_local(connection: Connection, schema: str, local: LocalBody[T]) -> T:
    """Run the body and return what it gives, or that of its failure once its writes are undone.

    Raises what the store raises, and `BodyEnded` for what ends more than a body.
    """
    transaction = _OpenTransaction()
    await connection.execute("SAVEPOINT makegood_local")
    try:
        drive = _Drive(connection, schema, local.timeout_seconds)
        return await drive.to_its_end(local.run(transaction))
    except _StoreLost as lost:
        raise lost.reason from None
    except Exception as error:
        if isinstance(error, BodyEnded):
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


class BodyEnded(Exception):
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

    async def to_its_end(self, body: Coroutine[Any, Any, T]) -> T:
        """Return what the body gives, or raise what it raises."""
        answer: object = None
        error: Exception | None = None
        try:
            while True:
                try:
                    asked: object = body.send(answer) if error is None else body.throw(error)
                except StopIteration as end:
                    self._require_whole()
                    given: T = end.value
                    return given
                except Exception:
                    raise
                except BaseException as reason:  # noqa: BLE001 - for whoever waits for the append
                    raise BodyEnded(reason) from None
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
