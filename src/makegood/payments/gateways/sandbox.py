"""A gateway that moves no real money: it keeps books in a file, honours keys and fails by seed.

It stands in for a company across the network, so its file is its own and no engine opens it. What
it answered is durable first: killing the process loses neither the money's whereabouts nor keys.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from makegood.payments import outcome
from makegood.payments.errors import GatewayUnavailable
from makegood.payments.gateway import Capabilities, OperationKind
from makegood.payments.gateways.sandbox_books import (
    DECLINED_TOKEN,
    Cancel,
    Capture,
    Hold,
    Refund,
)
from makegood.payments.gateways.sandbox_desk import Desk
from makegood.payments.gateways.sandbox_faults import Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from makegood.payments.gateway import AuthorizeRequest, Op
    from makegood.payments.gateways.sandbox_books import Books, Request
    from makegood.payments.money import Money
    from makegood.payments.outcome import GatewayRef, Outcome, Snapshot

__all__ = ["DECLINED_TOKEN", "Fault", "Faults", "SandboxGateway"]

CAPABILITIES = Capabilities(
    partial_capture=True,
    partial_refund=True,
    dedupe=dict.fromkeys(OperationKind, "key"),
    lookup_consistent_after=timedelta(0),
)

T = TypeVar("T")


class SandboxGateway:
    """A `Gateway` for tests, demonstrations and development, kept in the SQLite file at `path`.

    `faults` says how often requests go wrong and by which seed; a slow reply takes `slow`. Use it
    with `async with`. Requests that come at the same time share one commit of its books.
    """

    def __init__(
        self,
        path: Path,
        *,
        faults: Faults | None = None,
        slow: timedelta = timedelta(milliseconds=50),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._faults = faults or Faults()
        self._slow = slow
        self._sleep = sleep
        self._clock = clock
        self._desk = Desk(path)

    def __repr__(self) -> str:
        return f"SandboxGateway({str(self._path)!r}, faults={self._faults!r})"

    async def __aenter__(self) -> Self:
        await self._desk.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def capabilities(self) -> Capabilities:
        """What this gateway can do: everything, by key, and found at once."""
        return CAPABILITIES

    async def authorize(self, op: Op, request: AuthorizeRequest) -> Outcome:
        """Hold money on a card; `DECLINED_TOKEN` is always declined."""
        declined = self._faults.declines(op.key)
        hold = Hold(amount=request.amount, token=request.token, reference=request.reference)
        return await self._move(op, hold, declined=declined)

    async def capture(
        self, op: Op, ref: GatewayRef, amount: Money, *, final: bool = True
    ) -> Outcome:
        """Take money that is held; `final` lets go of what is not taken."""
        return await self._move(op, Capture(payment=ref.id, amount=amount, final=final))

    async def cancel(self, op: Op, ref: GatewayRef, *, reason: str) -> Outcome:
        """Let go of money that is held; `Conflict("captured")` when it is taken already."""
        del reason  # The sandbox has nobody to tell it to.
        return await self._move(op, Cancel(payment=ref.id))

    async def refund(self, op: Op, ref: GatewayRef, amount: Money, *, reason: str) -> Outcome:
        """Give back money that was taken."""
        del reason
        return await self._move(op, Refund(payment=ref.id, amount=amount))

    async def fetch(self, ref: GatewayRef) -> Snapshot | None:
        """Return a payment as it is now, or None."""
        return await self._look(f"fetch {ref.id}", lambda books: books.fetch(ref.id))

    async def find(self, op_id: str) -> Sequence[Snapshot]:
        """Return the payments that carry an operation of ours."""
        return await self._look(f"find {op_id}", lambda books: books.find(op_id))

    async def aclose(self) -> None:
        """Finish what is under way and close the books."""
        await self._desk.close()

    async def _move(self, op: Op, request: Request, *, declined: bool = False) -> Outcome:
        """Take a request that moves money, and let it go wrong where its time has come."""

        def work(books: Books) -> tuple[Outcome, Fault | None]:
            fault = self._faults.draw(op.key, books.count_ask(op.key))
            if fault is Fault.UNAVAILABLE:
                return outcome.NotSent("the connection was refused"), None
            answer = books.apply(op.key, request, declined=declined, now=self._clock())
            return answer, fault

        answer, fault = await self._desk.visit(work)
        match fault:
            case Fault.REPLY_LOST:
                return outcome.Unknown("the connection was closed before the reply")
            case Fault.ERROR_500:
                return outcome.Unknown("the reply was an error 500")
            case Fault.SLOW:
                return await self._slowly(answer, op.deadline)
            case Fault.UNAVAILABLE | None:
                return answer

    async def _slowly(self, answer: Outcome, deadline: timedelta) -> Outcome:
        """Answer late, or too late for a caller who waits no longer than the deadline."""
        await self._sleep(min(self._slow, deadline).total_seconds())
        if self._slow >= deadline:
            return outcome.Unknown(f"there was no reply within {deadline}")
        return answer

    async def _look(self, key: str, look: Callable[[Books], T]) -> T:
        """Take a request that only asks: a lost reply is no worse than none to it."""

        def work(books: Books) -> tuple[T, Fault | None]:
            fault = self._faults.draw(key, books.count_ask(key))
            return look(books), fault

        found, fault = await self._desk.visit(work)
        if fault in {None, Fault.SLOW}:
            return found
        message = f"the sandbox could not be asked: {fault}"
        raise GatewayUnavailable(message)
