"""How are several worker processes kept alive? Each is the same command, and none is asked twice.

This process does no work and opens no store. A worker that dies is started again, at once where it
had worked for a while, later and later where it had not. All of them hold the end of a pipe, so
that none is left behind when this process is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from makegood.cli.status import DONE, MISTAKE
from makegood.cli.worker.working import LEASH, loop_factory, stopped_by_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["keep_working"]

_WAIT_SECONDS_MIN = 0.5
_WAIT_SECONDS_MAX = 30.0

_PROVEN_SECONDS = 60.0
"""A worker that lived so long is started again without waiting."""

_log = logging.getLogger("makegood")


def keep_working(place: str, *, processes: int, has_uvloop: bool) -> int:
    """Keep so many workers alive until told to stop; return the exit status."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )
    loop_factory(has_uvloop=has_uvloop)
    command = [sys.executable, "-m", "makegood.cli", "worker", place]
    command += ["--uvloop"] if has_uvloop else []
    return asyncio.run(_keep(command, processes))


async def _keep(command: Sequence[str], processes: int) -> int:
    stopped = stopped_by_signals()
    leash, held = os.pipe()
    try:
        keepers = [
            asyncio.ensure_future(_keep_one(command, leash, stopped)) for _ in range(processes)
        ]
        try:
            statuses = await asyncio.gather(*keepers)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.wait(keepers)
    finally:
        os.close(held)
        os.close(leash)
    return max(statuses)


async def _keep_one(command: Sequence[str], leash: int, stopped: asyncio.Event) -> int:
    """Start a worker again and again, until told to stop or until it says that it never can."""
    loop = asyncio.get_running_loop()
    wait = 0.0
    while not stopped.is_set():
        began = loop.time()
        status = await _live(command, leash, stopped)
        if status == MISTAKE:
            # Nothing is mended by starting it again; it has said why.
            stopped.set()
            return MISTAKE
        if stopped.is_set():
            return DONE
        has_proven = loop.time() - began > _PROVEN_SECONDS
        wait = 0.0 if has_proven else min(max(wait * 2, _WAIT_SECONDS_MIN), _WAIT_SECONDS_MAX)
        _log.warning("a worker ended with %d; it is started again in %g s", status, wait)
        await _until(stopped, wait)
    return DONE


async def _live(command: Sequence[str], leash: int, stopped: asyncio.Event) -> int:
    """Let one worker live, have it stop when that is asked, and return how it ended."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        env=os.environ | {LEASH: str(leash)},
        pass_fds=(leash,),
        # In a group of its own, a key pressed at the terminal reaches this process alone.
        process_group=0,
    )
    ended = asyncio.ensure_future(process.wait())
    asked = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.send_signal(signal.SIGTERM)
        return await ended
    finally:
        asked.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until(stopped: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        return
