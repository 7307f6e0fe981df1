"""How does one process carry out runs until it is told to stop? With the user's own engine."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import signal
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, cast

from makegood import Engine, InvalidInput, MakegoodError
from makegood.cli.status import DONE
from makegood.cli.workflows import object_at

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

__all__ = ["LEASH", "engine_of", "loop_factory", "stopped_by_signals", "work_alone"]

LEASH = "MAKEGOOD_WORKER_LEASH"
"""Names the descriptor of a pipe in the environment: when its other end is closed, whoever keeps
this worker has gone, and it stops in good order."""

_STOPPING = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("makegood")


def work_alone(place: str, *, has_uvloop: bool) -> int:
    """Carry out runs in this process; return the exit status."""
    # Where the program has set up its own logging this does nothing.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )
    found = object_at(place, asked="worker", wanted="an engine")
    with asyncio.Runner(loop_factory=loop_factory(has_uvloop=has_uvloop)) as runner:
        return runner.run(_work(place, found))


def loop_factory(*, has_uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop; None for asyncio's own."""
    if not has_uvloop:
        return None
    try:
        import uvloop  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError:
        message = 'uvloop is missing; run: pip install "makegood[uvloop]"'
        raise InvalidInput(message) from None
    return uvloop.new_event_loop


async def _work(place: str, found: object) -> int:
    async with engine_of(place, found) as engine:
        if not engine.works:
            message = f"the engine of {place} has work=False; a worker needs one that works"
            raise InvalidInput(message)
        if not engine.served:
            message = f"the engine of {place} serves nothing; call engine.serve(…) with workflows"
            raise InvalidInput(message)
        stopped = stopped_by_signals()
        leash = os.environ.get(LEASH)
        if leash is not None:
            _stop_at_end_of(int(leash), stopped)
        _log.info("%r works as process %d", engine, os.getpid())
        working = asyncio.ensure_future(engine.serve_forever())
        stopping = asyncio.ensure_future(stopped.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait({working, stopping})
        _log.info("process %d stops, and hands its runs to others", os.getpid())
    return DONE


def stopped_by_signals() -> asyncio.Event:
    """Return what is set by the first signal that asks to stop; the second one ends the process."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop(number: int) -> None:
        if stopped.is_set():
            sys.stderr.write("stopped at once, as by a crash\n")
            os._exit(128 + number)
        stopped.set()

    for asked in _STOPPING:
        loop.add_signal_handler(asked, stop, asked)
    return stopped


def _stop_at_end_of(pipe: int, stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(pipe)
        stopped.set()

    loop.add_reader(pipe, stop)


async def _made(place: str, found: object) -> object:
    """Call what is a function: it is the user's, and may fail in any way it likes."""
    if not inspect.isroutine(found):
        return found
    try:
        made = cast("Callable[[], object]", found)()
        return await made if inspect.isawaitable(made) else made
    except MakegoodError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())
        message = f"{place} failed: {type(error).__name__}: {why}"
        raise InvalidInput(message) from error


@asynccontextmanager
async def engine_of(place: str, found: object) -> AsyncGenerator[Engine]:
    """Open what a program names: an engine, or a function that makes one or what opens one."""
    made = await _made(place, found)
    if not isinstance(made, AbstractAsyncContextManager):
        message = (
            f"{place} is {made!r} and no engine; name an Engine that is not entered yet, or a "
            "function that returns one"
        )
        raise InvalidInput(message)
    async with cast("AbstractAsyncContextManager[object]", made) as engine:
        if not isinstance(engine, Engine):
            message = f"{place} opens {engine!r} and no engine; have it give an Engine"
            raise InvalidInput(message)
        yield engine
