"""How long a fresh process takes to its first finished workflow, and what memory that needs.

The measuring process starts another one, and reads the clock when that one says it is done.
Importing this module must cost nothing: it is also what the measured process runs.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["measure_cold"]


def measure_cold(path: Path, *, timeout_seconds: float = 30) -> tuple[float, float]:
    """Return the seconds to the first finished workflow on a fresh file, and the peak RSS in MB."""
    command = [sys.executable, "-m", "benchmarks.cold", str(path)]
    started = time.perf_counter()
    # The command is this module and a path that was made here.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None, "a pipe was asked for"
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        status = process.wait(timeout_seconds)
    if status != 0 or not line:
        message = f"the measured process ended with status {status} before its first workflow"
        raise RuntimeError(message)
    return seconds, float(line)


async def _first_workflow(url: str) -> None:
    # Imported here because this import is the larger part of what is measured.
    from benchmarks.checkout import checkout5  # noqa: PLC0415
    from makegood import Engine  # noqa: PLC0415

    async with Engine(journal=url) as engine:
        engine.serve(checkout5)
        run = await engine.start(checkout5("order-1"))
        await run.result()
        from benchmarks.measurement import peak_rss_mb  # noqa: PLC0415 - after the measured part

        print(peak_rss_mb(), flush=True)


if __name__ == "__main__":
    asyncio.run(_first_workflow(f"sqlite:///{sys.argv[1]}"))
