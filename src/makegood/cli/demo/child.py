"""The process that a demonstration with crashes kills: it keeps shop, and says what happens.

It reads the day as one line and answers in lines. When its standard input ends, whoever started
it has gone or wants it to: it closes in good order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING

from makegood.cli.demo.crashes import Failed, read_day, write_told
from makegood.cli.demo.shop import keep_shop
from makegood.errors import MakegoodError
from makegood.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from makegood.cli.demo.crashes import Told
    from makegood.cli.demo.shop import Day, Evening

__all__ = ["main"]


def main(asked: BinaryIO, answers: int) -> None:
    """Keep shop on the day that is asked for, and write what happens to a descriptor."""

    def tell(told: Told) -> None:
        os.write(answers, write_told(told))

    # Once the pipe is broken, or the work was cancelled, nobody is left who could be told.
    with contextlib.suppress(asyncio.CancelledError, BrokenPipeError):
        try:
            tell(asyncio.run(_keep_shop_until(read_day(asked.readline()), asked, tell)))
        except (MakegoodError, OSError) as error:
            tell(Failed(str(error)))


async def _keep_shop_until(day: Day, asked: BinaryIO, tell: Callable[[Told], None]) -> Evening:
    """Keep shop, unless the input ends before the day does."""
    machine = SystemClock()
    loop = asyncio.get_running_loop()
    work = loop.create_task(keep_shop(day, tell, clock=lambda: machine.now() / 1_000_000))

    def go_home() -> None:
        loop.remove_reader(asked)
        work.cancel()

    loop.add_reader(asked, go_home)
    return await work


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.fileno())
