"""A shop whose orders end in every way, in a journal whose times and ids are always the same."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from makegood import (
    Abort,
    Config,
    Declined,
    Engine,
    Failure,
    OutcomeUnknown,
    Retry,
    Unavailable,
    Undecided,
    injected,
    step,
    workflow,
)
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.testing import TurnableClock
from makegood.values.ids import RunId, WorkerId
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

__all__ = [
    "FATES",
    "CountedIds",
    "fill",
    "finish_exactly",
    "place_order",
    "rest",
    "run_id",
    "shop_on",
]

R = TypeVar("R")

BEGAN = datetime(2020, 5, 4, 23, 59, 58, tzinfo=UTC)

SELDOM = timedelta(days=30)
AT_ONCE = timedelta(0)
QUIET_LOOPS = 10
"""How many empty turns of the event loop prove that nothing more is about to happen."""

FATES = {
    "order-1": "well",
    "order-2": "no van",
    "order-3": "reply lost",
    "order-4": "account closed",
    "order-5": "bank away",
}
"""What becomes of each order, in the order in which they are placed."""


async def hold_stock(fate: str, *, clock: TurnableClock = injected) -> str:
    """Put the goods aside."""
    clock.turn(timedelta(milliseconds=12))
    return f"goods of {fate}"


async def release_stock(hold: str) -> None:
    """Put the goods back."""


async def charge(fate: str, *, clock: TurnableClock = injected) -> str:
    """Take the money."""
    clock.turn(timedelta(seconds=1.25))
    if fate == "reply lost":
        message = "the bank hung up"
        raise OutcomeUnknown(message)
    if fate == "bank away":
        message = "closed for lunch"
        raise Unavailable(message, retry_after=timedelta(minutes=50))
    return fate


async def refund(fate: str) -> None:
    """Give the money back."""
    if fate == "account closed":
        message = "there is no such account\x1b[2J any more"
        raise Declined(message)


async def find_charge(failure: Failure, fate: str) -> Abort | Undecided:
    """Ask the bank what it knows."""
    return Undecided() if fate == "reply lost" else Abort()


async def ship(hold: str, payment: str) -> str:
    """Give the goods to the courier."""
    if payment in {"no van", "account closed"}:
        message = "the van has broken down"
        raise Declined(message)
    return f"{hold} are on their way"


soon = Retry(attempts=2, delay=timedelta(seconds=2), jitter=False)
held = step(hold_stock, undo=release_stock)
paid = step(
    charge,
    undo=refund,
    compensate=find_charge,
    compensate_retry=soon,
    retry=Retry(on=Unavailable, attempts=2, delay_max=timedelta(hours=1), jitter=False),
)
sent = step(ship, irreversible="a parcel cannot be called back")


@workflow
def place_order(fate: str) -> str:
    """Take an order from the shelf to the door."""
    hold = held(fate)
    payment = paid.after(hold)(fate)
    return sent(hold, payment)


WORKFLOWS = (place_order,)


def run_id(number: int) -> RunId:
    """Return the id of the run that was started as this one, counted from 1."""
    return RunId(f"01700000-0000-7000-8000-{number:012}")


class CountedIds:
    """Ids that are counted, so that the same runs have the same ids."""

    def __init__(self) -> None:
        self._runs = 0
        self._tokens = 0

    def worker(self) -> WorkerId:
        return WorkerId("0123456789abcdef")

    def run(self) -> RunId:
        self._runs += 1
        return run_id(self._runs)

    def token(self) -> bytes:
        self._tokens += 1
        return self._tokens.to_bytes(16)


def shop_on(store: Path, clock: TurnableClock, *, ids: CountedIds | None = None) -> Engine:
    """Return an engine on the store that is not open yet; nothing happens behind its back."""
    return Engine(
        SqliteJournal(store),
        services={TurnableClock: clock},
        clock=clock,
        config=Config(release_after=None, poll_min=SELDOM, poll_max=SELDOM, shutdown_grace=AT_ONCE),
        ids=ids or CountedIds(),
    )


async def fill(store: Path) -> TurnableClock:
    """Place each order, wait until it ends or waits, and close the shop."""
    clock = TurnableClock(BEGAN)
    async with shop_on(store, clock) as engine:
        engine.serve(place_order)
        for order, fate in FATES.items():
            run = await engine.start(place_order(fate), key=order)
            if fate == "bank away":
                await rest(engine)
            else:
                await finish_exactly(engine, clock, run.outcome())
            clock.turn(timedelta(minutes=1))
    return clock


async def finish_exactly(
    engine: Engine,
    clock: TurnableClock,
    awaited: Coroutine[Any, Any, R],  # Any: what a coroutine yields is nobody's business
) -> R:
    """Await something of an engine; its clock moves only from due time to due time.

    A store on a disk takes real time, which no fact may show here.
    """
    task = asyncio.ensure_future(awaited)
    while not task.done():
        await rest(engine)
        if not task.done():
            clock.turn_to_next()
    return task.result()


async def rest(engine: Engine) -> None:
    """Wait until nothing is at work in the engine and no append is under way."""
    quiet = 0
    while quiet < QUIET_LOOPS:
        quiet = quiet + 1 if engine.is_at_rest else 0
        await turn_of_the_loop()
