"""`makegood demo`: real purchases placed against a gateway that fails, and the books compared.

The orders run in this process, or in one that is killed on the way and started again. When the
engine has closed, another process that has no engine reads the shop's books and the gateway's, and
says whether they tell one story.
"""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec
from rich.console import Console

from makegood.cli.demo.crashes import keep_shop_through_crashes
from makegood.cli.demo.progress import watching
from makegood.cli.demo.report import Reconciliation, Report, as_json, as_tables, times
from makegood.cli.demo.shop import Day, keep_shop
from makegood.cli.demo.tally import Ending, Tally
from makegood.commerce.cdnow import MalformedRow, Purchase, read_rows, spread
from makegood.errors import InvalidInput, MakegoodError, StoreBusy
from makegood.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from makegood.cli.demo.shop import Evening

__all__ = ["demo"]

SEED = 1701
"""The default: with it, samples of 100, 300 and 1,000 all meet purchases of zero dollars."""

AGREE = 0
DISAGREE = 3
INTERRUPTED = 130

READ_BACK_SECONDS_MAX = 300
MALFORMED_NAMED_MAX = 20
CONCURRENCY_MAX = 10_000
CRASHES_MAX = 1_000


def demo(
    *,
    orders: int = 1_000,
    seed: int = SEED,
    faults: float = 0.1,
    concurrency: int = 256,
    crashes: int = 0,
    store: Path | None = None,
    purchases: Path | None = None,
    json: bool = False,
) -> int:
    """Place real purchases against a gateway that fails, then compare the books.

    Kill it at any moment and start it again with the same --store: every order is finished.

    Parameters
    ----------
    orders
        How many purchases become orders, spread evenly over the data set.
    seed
        Which faults happen, and where the sample begins.
    faults
        How often a request at the gateway or the mailer goes wrong, from 0 to 0.5. Half as many
        cards are declined.
    concurrency
        How many orders are placed at the same time.
    crashes
        How often the process that places them is killed on the way and started again.
    store
        The journal's file; the gateway's books are kept beside it. Without it, a temporary one.
    purchases
        A file of your own in the data set's format: customer, date, number of CDs, dollars.
    json
        Write the result as one JSON object, the last line of the output.
    """
    _check(orders=orders, faults=faults, concurrency=concurrency, crashes=crashes)
    known, skipped = _read(purchases)
    if orders > len(known):
        message = f"--orders is {orders:,}, and there are only {len(known):,} purchases"
        raise InvalidInput(message)
    console = Console(stderr=json, highlight=False)
    with _store(store) as path:
        day = Day(
            store=path,
            sample=spread(known, orders, seed=seed),
            known=known,
            seed=seed,
            faults=faults,
            at_once=min(concurrency, orders),
        )
        report = _run(day, console, crashes=crashes, rows_skipped=skipped)
    if report is None:
        again = f"; start it again with --store {store} to finish them" if store else ""
        sys.stderr.write(f"interrupted while orders were under way{again}\n")
        return INTERRUPTED
    console.print(as_tables(report))
    if json:
        sys.stdout.write(as_json(report) + "\n")
    return AGREE if report.agrees else DISAGREE


def _check(*, orders: int, faults: float, concurrency: int, crashes: int) -> None:
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
    if not 0 <= crashes <= CRASHES_MAX:
        message = f"--crashes is {crashes}; give a number from 0 to {CRASHES_MAX:,}"
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


@contextmanager
def _store(path: Path | None) -> Generator[Path]:
    """Give the store's path: the one asked for, or one in a folder that is removed afterwards."""
    if path is not None:
        folder = path.absolute().parent
        if path.is_dir() or not folder.is_dir():
            message = f"--store {path} is no place for a file; name a file in a folder that exists"
            raise InvalidInput(message)
        with path.with_name(path.name + ".demo").open("w") as lock:
            _lock(lock, path)
            yield path
        return
    with tempfile.TemporaryDirectory(prefix="makegood-demo-") as temporary:
        yield Path(temporary) / "shop.journal"


def _lock(lock: TextIO, path: Path) -> None:
    """Keep a second demonstration out: the books can be compared only when nobody is at work."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"another demonstration is at work in {path}; wait for it, or name another store"
        raise StoreBusy(message) from error


def _run(day: Day, console: Console, *, crashes: int, rows_skipped: int) -> Report | None:
    """Keep shop and read the books back; None when a person interrupts it."""
    machine = SystemClock()
    tally = Tally(len(day.sample), crashes=crashes)

    def clock() -> float:
        return machine.now() / 1_000_000

    killed = f"; to be killed {times(crashes)}" if crashes else ""
    console.print(
        f"[bold]{tally.orders:,}[/] CDNOW purchases become orders, {day.at_once:,} at once; "
        f"faults {day.faults:.0%}, seed {day.seed}{killed}"
    )
    try:
        with watching(tally, console, clock) as hear:
            if crashes:
                evening = keep_shop_through_crashes(day, tally, hear, clock=clock)
            else:
                evening = asyncio.run(keep_shop(day, hear, clock=clock))
        found = _read_back(day.store, evening.parked)
    except KeyboardInterrupt:
        return None
    return _report(tally, evening, found, rows_skipped=rows_skipped)


def _read_back(store: Path, parked: Sequence[str]) -> Reconciliation:
    """Have another process compare the books, the parked orders left out."""
    leave_out = [f"--leave-out={order}" for order in parked]
    command = [sys.executable, "-m", "makegood.cli", "books", f"--store={store.absolute()}"]
    read = subprocess.run(  # noqa: S603 - our own command line, with arguments of our own
        [*command, "--json", *leave_out],
        capture_output=True,
        text=True,
        check=False,
        timeout=READ_BACK_SECONDS_MAX,
    )
    if read.returncode not in {AGREE, DISAGREE}:
        message = f"the books could not be read back: {read.stderr.strip()}"
        raise MakegoodError(message)
    return msgspec.json.decode(read.stdout, type=Reconciliation)


def _report(tally: Tally, evening: Evening, found: Reconciliation, *, rows_skipped: int) -> Report:
    reasons = [(ending, why, count) for (ending, why), count in tally.reasons.most_common()]
    return Report(
        orders=tally.orders,
        completed=tally.endings[Ending.COMPLETED],
        undone=tally.endings[Ending.UNDONE],
        refused=tally.endings[Ending.REFUSED],
        parked=tally.endings[Ending.PARKED],
        in_doubt=evening.in_doubt,
        crashes=evening.crashes,
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
