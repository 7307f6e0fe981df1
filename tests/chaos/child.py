"""A process of the campaign: it works on a store until it is killed, stopped or done.

It reads its shift as one line and answers in lines. It goes home when its input ends, so that
none is left when the campaign is interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from makegood import Config, Engine, MakegoodError
from makegood.cli.demo.shop import Day, OrderBook, delivery_for
from makegood.commerce import Mailer, Orders, place_order, stock_up
from makegood.commerce.books import gateway_path
from makegood.commerce.extension import commerce
from makegood.commerce.notification import SandboxMailer
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.payments import Gateway
from makegood.payments.gateways.sandbox import Faults, SandboxGateway
from tests.chaos.disk import Disk
from tests.chaos.shift import FAILED, Failed, Full, Leads, Placed, Shift, StandsBy, Told
from tests.chaos.shop import HURRY, hurried_order, see_to, start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from makegood.journal.protocol import Leases
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["main"]


class Watched(SqliteJournal):
    """The journal, which says when the process leads and when it asked in vain."""

    def __init__(self, path: Path, tell: Callable[[Told], None], *, vfs: str | None) -> None:
        super().__init__(path, vfs=vfs)
        self._tell = tell
        self._has_led = False

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        leases = await super().lease(worker, room=room, limit=limit, now=now)
        if not self.leads:
            self._tell(StandsBy())
        elif not self._has_led:
            self._has_led = True
            self._tell(Leads(len(leases.claimed)))
        return leases


def main(asked: BinaryIO, answers: int) -> int:
    def tell(told: Told) -> None:
        os.write(answers, msgspec.json.encode(told) + b"\n")

    shift = msgspec.json.decode(asked.readline(), type=Shift)
    with contextlib.suppress(asyncio.CancelledError, BrokenPipeError):
        try:
            asyncio.run(_work_until(shift, asked, tell))
        except MakegoodError as error:
            tell(Failed(type(error).__name__, str(error)))
            return FAILED
    return 0


async def _work_until(shift: Shift, asked: BinaryIO, tell: Callable[[Told], None]) -> None:
    """Work, unless the input ends before."""
    loop = asyncio.get_running_loop()
    work = loop.create_task(_work(shift, tell))

    def go_home() -> None:
        loop.remove_reader(asked)
        work.cancel()

    loop.add_reader(asked, go_home)
    await work


async def _work(shift: Shift, tell: Callable[[Told], None]) -> None:
    store = Path(shift.store)
    disk = None if shift.trouble is None else Disk(shift.trouble)
    faults = Faults(rate=shift.faults, seed=shift.seed)
    slow = HURRY * 10 if shift.is_hurried else timedelta(milliseconds=50)
    gateway = SandboxGateway(gateway_path(store), faults=faults, slow=slow)
    services: dict[type, object] = {
        Gateway: gateway,
        Orders: OrderBook(shift.sample),
        Mailer: SandboxMailer(faults),
    }
    journal = Watched(store, tell, vfs=None if disk is None else disk.name)
    poll = timedelta(seconds=shift.poll_seconds)
    async with (
        gateway,
        Engine(
            journal,
            services=services,
            extensions=[commerce],
            config=Config(poll_max=poll),
            work=shift.works,
        ) as engine,
    ):
        engine.serve(stock_up, place_order, hurried_order)
        await _place(engine, shift, tell)
        tell(Full(0 if disk is None else disk.times_full))
        tell(Placed())
        if not shift.closes:
            await asyncio.Event().wait()


async def _place(engine: Engine, shift: Shift, tell: Callable[[Told], None]) -> None:
    """Fill the stock, and see to so many orders at once."""
    day = Day(
        store=shift.store,
        gateway=gateway_path(shift.store),
        sample=shift.sample,
        known=shift.sample,
        seed=shift.seed,
        faults=shift.faults,
        at_once=shift.at_once,
    )
    delivery = delivery_for(day)
    await (await start(engine, stock_up(delivery), key=delivery.id)).result()
    waiting = iter(shift.asked)

    async def clerk() -> None:
        for position in waiting:
            await see_to(engine, shift.sample[position], tell, is_hurried=shift.is_hurried)

    await asyncio.gather(*(clerk() for _ in range(shift.at_once)))


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer, sys.stdout.fileno()))
