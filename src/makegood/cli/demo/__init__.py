"""`makegood demo`: real purchases placed against a gateway that fails, and the books compared.

The orders run in this process, or in one that is killed on the way and started again, or in
several workers of which some are. When all have closed, another process that has no engine reads
the shop's books and the gateway's, and says whether they tell one story.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path  # noqa: TC003 - the command line reads what an option's type is
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.console import Console

from makegood.cli.demo.crashes import keep_shop_through_crashes
from makegood.cli.demo.crew import keep_shop_with_workers
from makegood.cli.demo.progress import watching
from makegood.cli.demo.report import Reconciliation, Report, as_json, as_tables, times
from makegood.cli.demo.shop import Day, keep_shop
from makegood.cli.demo.stores import storing
from makegood.cli.demo.tally import Ending, Tally
from makegood.cli.status import DONE, FOUND, INTERRUPTED
from makegood.commerce.cdnow import MalformedRow, Purchase, read_rows, spread
from makegood.errors import InvalidInput, MakegoodError
from makegood.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.cli.demo.shop import Evening
    from makegood.cli.demo.tally import News

__all__ = ["demo"]

SEED = 1701
"""The default: with it, samples of 100, 300 and 1,000 all meet purchases of zero dollars."""

ORDERS = 1_000
"""How many orders are placed, unless it is said."""

READ_BACK_SECONDS_MAX = 300
MALFORMED_NAMED_MAX = 20
CONCURRENCY_MAX = 10_000
CRASHES_MAX = 1_000
WORKERS_MAX = 32


def demo(
    *,
    orders: int | None = None,
    seed: int = SEED,
    faults: float = 0.1,
    concurrency: int = 256,
    workers: int = 1,
    crashes: int | None = None,
    store: str | None = None,
    purchases: Path | None = None,
    services: bool = False,
    together: bool = False,
    json: bool = False,
) -> int:
    """Place real purchases against a gateway that fails, then compare the books.

    Kill it at any moment and start it again with the same --store: every order is finished.

    Parameters
    ----------
    orders
        How many purchases become orders: 1,000 unless it is said, or 300 with --services.
    seed
        Which faults happen, and where the sample begins.
    faults
        How often a request at the gateway or the mailer goes wrong, from 0 to 0.5. Half as many
        cards are declined.
    concurrency
        How many orders are placed at the same time.
    workers
        How many processes carry them out. One does it by itself; more are given them by this
        one, which then only places orders. In a SQLite file one leads and the others stand by.
    crashes
        How often the process that carries them out, or one of several, is killed on the way and
        started again: never unless it is said, or 6 times with --services.
    store
        The journal's file, with the gateway's books beside it; or postgresql://user@host/name,
        with the gateway's books in the current directory; or the word postgres, for a server
        that is started for it. That one is removed afterwards, as is the file that serves when
        nothing is named.
    purchases
        A file of your own in the data set's format: customer, date, number of CDs, dollars.
    services
        Play the order flow as five processes with a store each, joined by a NATS that is started
        for them, and killed with them; orders are drawn by the seed. --store then names a folder.
    together
        With --services: all of them in one process, on one store, without a broker.
    json
        Write the result as one JSON object, the last line of the output.
    """
    _check(orders=ORDERS if orders is None else orders, faults=faults, concurrency=concurrency)
    _check_processes(workers=workers, crashes=crashes or 0)
    _check_services(services=services, together=together, workers=workers, purchases=purchases)
    if services:
        from makegood.cli.demo import services as five  # noqa: PLC0415 - only here

        drawn = five.Day(orders=orders or five.ORDERS, seed=seed, faults=faults)
        return five.play(drawn, crashes=crashes, together=together, store=store, json=json)
    asked = _Asked(orders or ORDERS, seed, faults, concurrency, workers, crashes or 0)
    return _play(asked, store, purchases, json=json)


class _Asked(NamedTuple):
    """What a person asks of a shop in one store."""

    orders: int
    seed: int
    faults: float
    concurrency: int
    workers: int
    crashes: int


def _play(asked: _Asked, store: str | None, purchases: Path | None, *, json: bool) -> int:
    """Place the orders, compare the books, and return the exit status."""
    known, skipped = _read(purchases)
    if asked.orders > len(known):
        message = f"--orders is {asked.orders:,}, and there are only {len(known):,} purchases"
        raise InvalidInput(message)
    console = Console(stderr=json, highlight=False)
    with storing(store) as place:
        day = Day(
            store=place.address,
            gateway=place.gateway,
            sample=spread(known, asked.orders, seed=asked.seed),
            known=known,
            seed=asked.seed,
            faults=asked.faults,
            at_once=min(asked.concurrency, asked.orders),
        )
        report = _run(
            day, console, workers=asked.workers, crashes=asked.crashes, rows_skipped=skipped
        )
    if report is None:
        again = f"; start it again with --store {place.again} to finish them"
        tail = again if place.again else ""
        sys.stderr.write(f"interrupted while orders were under way{tail}\n")
        return INTERRUPTED
    console.print(as_tables(report))
    if json:
        sys.stdout.write(as_json(report) + "\n")
    return DONE if report.agrees else FOUND


def _check(*, orders: int, faults: float, concurrency: int) -> None:
    """Refuse options that cannot be, each with what may be given instead."""
    if orders < 1:
        message = f"--orders is {orders}; place at least one"
        raise InvalidInput(message)
    if not 0 <= faults <= 0.5:  # noqa: PLR2004 - beyond it no patience is enough
        message = f"--faults is {faults}; give a rate from 0 to 0.5"
        raise InvalidInput(message)
    if not 1 <= concurrency <= CONCURRENCY_MAX:
        message = f"--concurrency is {concurrency}; give a number from 1 to {CONCURRENCY_MAX:,}"
        raise InvalidInput(message)


def _check_processes(*, workers: int, crashes: int) -> None:
    """Refuse numbers of processes that cannot be."""
    if not 1 <= workers <= WORKERS_MAX:
        message = f"--workers is {workers}; give a number from 1 to {WORKERS_MAX}"
        raise InvalidInput(message)
    if not 0 <= crashes <= CRASHES_MAX:
        message = f"--crashes is {crashes}; give a number from 0 to {CRASHES_MAX:,}"
        raise InvalidInput(message)


def _check_services(
    *, services: bool, together: bool, workers: int, purchases: Path | None
) -> None:
    """Refuse options that mean nothing to services, or nothing without them."""
    if together and not services:
        message = "--together says how five services live; ask for them with --services"
        raise InvalidInput(message)
    if services and workers != 1:
        message = "--workers is for a shop in one store; with --services each is a process"
        raise InvalidInput(message)
    if services and purchases is not None:
        message = "--purchases are for a shop in one store; with --services orders are drawn"
        raise InvalidInput(message)


def _read(path: Path | None) -> tuple[Sequence[Purchase], int]:
    """Return the purchases, and how many rows were skipped after naming them on stderr."""
    try:
        rows = read_rows(path)
    except OSError as error:
        message = f"the purchases cannot be read: {error.strerror}: {path}"
        raise InvalidInput(message) from error
    known = [row for row in rows if isinstance(row, Purchase)]
    malformed = [row for row in rows if isinstance(row, MalformedRow)]
    for row in malformed[:MALFORMED_NAMED_MAX]:
        sys.stderr.write(f"line {row.line} is skipped: {row.why}\n")
    if len(malformed) > MALFORMED_NAMED_MAX:
        sys.stderr.write(f"{len(malformed) - MALFORMED_NAMED_MAX:,} more lines are skipped\n")
    return known, len(malformed)


def _run(
    day: Day, console: Console, *, workers: int, crashes: int, rows_skipped: int
) -> Report | None:
    """Keep shop and read the books back; None when a person interrupts it."""
    machine = SystemClock()
    tally = Tally(len(day.sample), crashes=crashes)

    def clock() -> float:
        return machine.now() / 1_000_000

    hands = f"; {workers} workers" if workers > 1 else ""
    whom = "one of them is" if hands else "it is"
    killed = f"; {whom} killed {times(crashes)}" if crashes else ""
    console.print(
        f"[bold]{tally.orders:,}[/] CDNOW purchases become orders, {day.at_once:,} at once; "
        f"faults {day.faults:.0%}, seed {day.seed}{hands}{killed}"
    )
    try:
        with watching(tally, console, clock) as hear:
            evening = asyncio.run(_keep(day, tally, hear, workers=workers, clock=clock))
        found = _read_back(day, evening.parked)
    except KeyboardInterrupt:
        return None
    return _report(tally, evening, found, workers=workers, rows_skipped=rows_skipped)


async def _keep(
    day: Day,
    tally: Tally,
    hear: Callable[[News], None],
    *,
    workers: int,
    clock: Callable[[], float],
) -> Evening:
    """Keep shop: with workers, through crashes, or here and undisturbed."""
    if workers > 1:
        return await keep_shop_with_workers(day, tally, hear, workers=workers, clock=clock)
    if tally.crashes:
        return await keep_shop_through_crashes(day, tally, hear, clock=clock)
    return await keep_shop(day, hear, clock=clock)


def _read_back(day: Day, parked: Sequence[str]) -> Reconciliation:
    """Have another process compare the books, the parked orders left out."""
    leave_out = [f"--leave-out={order}" for order in parked]
    command = [sys.executable, "-m", "makegood.cli", "books", f"--store={day.store}"]
    read = subprocess.run(  # noqa: S603 - our own command line, with arguments of our own
        [*command, f"--gateway={day.gateway}", "--json", *leave_out],
        capture_output=True,
        text=True,
        check=False,
        timeout=READ_BACK_SECONDS_MAX,
    )
    if read.returncode not in {DONE, FOUND}:
        message = f"the books could not be read back: {read.stderr.strip()}"
        raise MakegoodError(message)
    return msgspec.json.decode(read.stdout, type=Reconciliation)


def _report(
    tally: Tally,
    evening: Evening,
    found: Reconciliation,
    *,
    workers: int,
    rows_skipped: int,
) -> Report:
    reasons = [(ending, why, count) for (ending, why), count in tally.reasons.most_common()]
    return Report(
        orders=tally.orders,
        completed=tally.endings[Ending.COMPLETED],
        undone=tally.endings[Ending.UNDONE],
        refused=tally.endings[Ending.REFUSED],
        parked=tally.endings[Ending.PARKED],
        in_doubt=evening.in_doubt,
        workers=workers,
        crashes=evening.crashes,
        crashes_before=tally.crashes_before or 0,
        kills=tally.kills,
        kills_at_work=tally.kills_at_work,
        endings_changed=len(tally.changed),
        rows_skipped=rows_skipped,
        seconds=round(evening.seconds, 3),
        runs_per_second=round(tally.orders / max(evening.seconds, 0.001), 1),
        reasons=tuple(reasons),
        parked_orders=evening.parked,
        found=found,
    )
