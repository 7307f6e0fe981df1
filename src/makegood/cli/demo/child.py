"""A process that the demonstration starts, and may kill: it keeps shop, or carries out orders.

When its standard input ends, whoever started it has gone or wants it to: it closes in good order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, assert_never

from makegood.cli.demo.life import Failed, Part, read_job, write_told
from makegood.cli.demo.shop import carry_out, keep_shop
from makegood.errors import MakegoodError
from makegood.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from makegood.cli.demo.life import Job, Told

__all__ = ["main"]


def main(asked: BinaryIO, answers: int) -> None:
    """Do the job that is asked for, and write what happens to a descriptor."""

    def tell(told: Told) -> None:
        os.write(answers, write_told(told))

    # Once the pipe is broken, or the work was cancelled, nobody is left who could be told.
    with contextlib.suppress(asyncio.CancelledError, BrokenPipeError):
        try:
            asyncio.run(_do_until(read_job(asked.readline()), asked, tell))
        except (MakegoodError, OSError) as error:
            tell(Failed(str(error)))


async def _do_until(job: Job, asked: BinaryIO, tell: Callable[[Told], None]) -> None:
    """Do the job, unless the input ends before."""
    loop = asyncio.get_running_loop()
    work = loop.create_task(_do(job, tell))

    def go_home() -> None:
        loop.remove_reader(asked)
        work.cancel()

    loop.add_reader(asked, go_home)
    await work


async def _do(job: Job, tell: Callable[[Told], None]) -> None:
    machine = SystemClock()
    match job.part:
        case Part.SHOP:
            tell(await keep_shop(job.day, tell, clock=lambda: machine.now() / 1_000_000))
        case Part.WORKER:
            await carry_out(job.day, tell)
        case _:
            assert_never(job.part)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.fileno())
