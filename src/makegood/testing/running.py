"""Running a workflow in memory, as fast as it can go, with the clock turned for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from makegood.journal.memory import MemoryJournal
from makegood.journal.protocol import Filter
from makegood.runtime.config import Config
from makegood.runtime.engine import Engine, parts_of
from makegood.testing.clock import TurnableClock
from makegood.testing.script import Script
from makegood.testing.sending import own_commands

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from typing import Any

    from makegood.definition.workflow import Call
    from makegood.extension import Extension
    from makegood.runtime.outcome import Outcome
    from makegood.runtime.ports import Observer
    from makegood.testing.script import Scripted
    from makegood.values.instants import Instant

__all__ = ["SELDOM", "dues_of", "finish", "run", "settle"]

R = TypeVar("R")

SELDOM = timedelta(days=30)
"""How often a journal in memory is asked for what it does not have."""
_REAL_PAUSE = 0.0005
"""How long a body at work is left alone at a time, in seconds."""
_GRACE = 0.25
"""How long a body may be at work, in seconds, until the clock begins to keep pace with it."""
_QUIET_LOOPS = 10
"""How many empty turns of the event loop prove that nothing more is about to happen."""


async def run(
    call: Call[R],
    *,
    services: Mapping[type, object] | None = None,
    fail: Mapping[str, Scripted | Sequence[Scripted]] | None = None,
    extensions: Sequence[Extension] = (),
    observers: Sequence[Observer] = (),
    key: str | None = None,
    clock: TurnableClock | None = None,
) -> Outcome[R]:
    """Carry a call out in memory and return its outcome; waits take no time.

    `fail` scripts what steps do, by node path: an exception for every attempt, or a sequence
    with one outcome per attempt. Everything else is as in production: results are written and
    read back by their types, retries follow the policy, undos run in reverse order.
    """
    clock = clock or TurnableClock()
    engine = Engine(
        MemoryJournal(),
        services=services,
        extensions=extensions,
        observers=observers,
        interceptors=[Script(fail, call.workflow)] if fail else (),
        # Nothing happens behind the engine's back, so the clock jumps from due time to due time.
        config=Config(release_after=None, poll_min=SELDOM, poll_max=SELDOM),
        clock=clock,
    )
    async with engine:
        engine.serve(call.workflow)
        own_commands(engine)
        started = await engine.start(call, key=key)
        return await finish(engine, clock, started.outcome())


async def finish(
    engine: Engine,
    clock: TurnableClock,
    awaited: Coroutine[Any, Any, R],  # Any: what a coroutine yields is nobody's business
) -> R:
    """Await something of an engine, turning its clock whenever the engine is at rest.

    While a body waits for something real, the clock keeps pace with real time: a body that
    never ends runs into its timeout, as it would in production.
    """
    task = asyncio.ensure_future(awaited)
    try:
        await _drive(engine, clock, task)
    finally:
        task.cancel()
    return task.result()


async def _drive(engine: Engine, clock: TurnableClock, task: asyncio.Future[R]) -> None:
    while not task.done():
        await settle(engine, clock, task)
        if not task.done():
            await _turn(engine, clock)


async def _turn(engine: Engine, clock: TurnableClock) -> None:
    """Turn the clock to what happens next by itself, also to a run that nobody holds meanwhile."""
    now = clock.now()
    waiting = [due for due in await dues_of(engine) if due > now]
    own = clock.next_due
    due = min(waiting if own is None else [*waiting, own], default=None)
    if due is not None:
        clock.turn_to(due)
        if due in waiting:
            shell, _codes = parts_of(engine)
            shell.ring_worker()


async def dues_of(engine: Engine) -> list[Instant]:
    """Return when the runs are due that wait in the journal, held by nobody."""
    page = await engine.list(Filter(unfinished=True))
    return [row.wake_at for row in page.rows if row.owner is None and row.wake_at is not None]


async def settle(
    engine: Engine, clock: TurnableClock, task: asyncio.Future[R] | None = None
) -> None:
    """Wait until an engine is at rest and only its clock would move it on, or the task is done.

    While a body waits for something real, the clock keeps pace with real time, after a moment in
    which it stands still: what computes takes no time.
    """
    loop = asyncio.get_running_loop()
    quiet, since = 0, loop.time()
    while quiet <= _QUIET_LOOPS and not (task is not None and task.done()):
        if engine.is_at_rest:
            quiet, since = quiet + 1, loop.time()
            await asyncio.sleep(0)
        else:
            quiet = 0
            before = loop.time()
            await asyncio.sleep(_REAL_PAUSE)
            if before - since > _GRACE:
                clock.turn(timedelta(seconds=loop.time() - before))
