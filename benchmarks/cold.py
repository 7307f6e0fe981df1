"""How long a fresh process takes to its first finished workflow, and what memory that needs.

The measuring process starts another one, and reads the clock when that one says it is done.
Importing this module must cost nothing: it is also what the measured process runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["crash", "forget", "measure_cold"]

_DIES = "dies"


def measure_cold(url: str, *, timeout_seconds: float = 60) -> tuple[float, float]:
    """Return the seconds to the first finished workflow on a journal, and the peak RSS in MB.

    The journal is made where there is none.
    """
    seconds, line, status = _first_line_of((url,), timeout_seconds)
    if status != 0 or not line:
        message = f"the measured process ended with status {status} before its first workflow"
        raise RuntimeError(message)
    return seconds, float(line)


def crash(url: str, *, timeout_seconds: float = 60) -> None:
    """Leave a journal as a process leaves it that is killed after a workflow."""
    _, _, status = _first_line_of((url, _DIES), timeout_seconds)
    if status != -signal.SIGKILL:
        message = f"a process that was to be killed ended with status {status}"
        raise RuntimeError(message)


def forget(path: Path) -> None:
    """Have the system drop what it keeps in memory of a file, as after a restart of the machine.

    Where the system cannot be asked to, nothing happens.
    """
    if sys.platform == "linux":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _first_line_of(arguments: tuple[str, ...], timeout_seconds: float) -> tuple[float, str, int]:
    command = [sys.executable, "-m", "benchmarks.cold", *arguments]
    started = time.perf_counter()
    # The command is this module and an address that was made here.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None, "a pipe was asked for"
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        return seconds, line, process.wait(timeout_seconds)


async def _first_workflow(url: str, *, dies: bool) -> None:
    # Imported here because this import is the larger part of what is measured.
    from benchmarks.checkout import checkout5
    from makegood import Engine

    async with Engine(journal=url) as engine:
        engine.serve(checkout5)
        run = await engine.start(checkout5("order-1"))
        await run.result()
        from benchmarks.memory import peak_rss_mb

        print(peak_rss_mb(), flush=True)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(_first_workflow(sys.argv[1], dies=_DIES in sys.argv[2:]))
