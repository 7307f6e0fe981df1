"""`makegood demo --services`: the order flow as five services, which are killed on the way.

Each service is a process with a store of its own, and what they say to each other goes by a NATS
that is started for them; or all of them are one process on one store. When all have closed, another
process reads all books, and says whether they tell one story.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from makegood.cli.demo.progress import BAR_CELLS, LINES_WITHOUT_TERMINAL
from makegood.cli.demo.services.audit import Audit, Question
from makegood.cli.demo.services.broker import Broker
from makegood.cli.demo.services.child import GARBAGE
from makegood.cli.demo.services.crew import Crew
from makegood.cli.demo.services.day import Day
from makegood.cli.demo.services.places import placing
from makegood.cli.demo.services.report import Report, as_json, as_tables
from makegood.cli.demo.services.told import ALL, Companies, ServiceJob
from makegood.cli.demo.stores import ending_in_order
from makegood.cli.status import DONE, FOUND, INTERRUPTED
from makegood.errors import MakegoodError
from makegood.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from makegood.cli.demo.services.crew import News
    from makegood.commerce.services.accounts import Places

__all__ = ["ORDERS", "Day", "play"]

ORDERS = 300
CRASHES = 6
"""The defaults: each service is killed once, and the broker."""

UNFINISHED_MAX = 200
"""How many orders are under way at once, at most."""

HELD_FOR_SECONDS = 30.0
AUDIT_SECONDS_MAX = 300


def play(day: Day, *, crashes: int | None, together: bool, store: str | None, json: bool) -> int:
    """Play the orders of a day, and compare all books; return the exit status."""
    kills = CRASHES if crashes is None else crashes
    console = Console(stderr=json, highlight=False)
    machine = SystemClock()
    with ExitStack() as stack:
        stack.enter_context(ending_in_order())
        places = stack.enter_context(placing(store, together=together))
        broker = None if together else stack.enter_context(Broker(places.stores))
        jobs = _jobs(day, places, broker, crashes=kills)
        _announce(console, day, processes=len(jobs), crashes=kills)
        began = machine.now()
        try:
            with _watching(day.orders, console) as hear:
                crew = Crew(jobs, broker, hear, crashes=kills)
                asyncio.run(crew.work())
            seconds = (machine.now() - began) / 1_000_000
            found = _audit(Question(places=places, day=day, garbage=0 if together else GARBAGE))
        except KeyboardInterrupt:
            sys.stderr.write("interrupted while orders were under way\n")
            return INTERRUPTED
    report = Report(
        orders=day.orders,
        processes=len(jobs),
        seconds=round(seconds, 3),
        orders_per_second=round(day.orders / max(seconds, 0.001), 1),
        kills=dict(crew.kills),
        repeated=crew.repeated,
        moved=crew.moved,
        is_stuck=crew.is_stuck,
        found=found,
    )
    console.print(as_tables(report))
    if json:
        sys.stdout.write(as_json(report) + "\n")
    return DONE if report.agrees else FOUND


def _jobs(day: Day, places: Places, broker: Broker | None, *, crashes: int) -> list[ServiceJob]:
    """Return what each process is asked for."""
    stores = places.stores if broker is not None else {ALL: places.stores["orders"]}
    companies = Companies(gateway=places.gateway, carrier=places.carrier, mailer=places.mailer)
    return [
        ServiceJob(
            service=service,
            store=store,
            broker=None if broker is None else broker.url,
            companies=companies,
            day=day,
            life=1,
            # A few are left whenever somebody is killed.
            unfinished_max=min(UNFINISHED_MAX, max(1, day.orders // (crashes + 2))),
            held_for_seconds=HELD_FOR_SECONDS,
        )
        for service, store in stores.items()
    ]


def _announce(console: Console, day: Day, *, processes: int, crashes: int) -> None:
    where = "five processes with a store each, joined by NATS"
    if processes == 1:
        where = "one process on one store"
    killed = f"; {crashes:,} kills" if crashes else ""
    console.print(
        f"[bold]{day.orders:,}[/] orders go through five services, {where}; "
        f"faults {day.faults:.0%}, seed {day.seed}{killed}"
    )


def _audit(asked: Question) -> Audit:
    """Have another process read the books."""
    read = subprocess.run(
        [sys.executable, "-m", "makegood.cli.demo.services.audit"],
        input=msgspec.json.encode(asked).decode(),
        capture_output=True,
        text=True,
        check=False,
        timeout=AUDIT_SECONDS_MAX,
    )
    if read.returncode:
        message = f"the books could not be read back: {read.stderr.strip()[-2_000:]}"
        raise MakegoodError(message)
    return msgspec.json.decode(read.stdout, type=Audit)


@contextmanager
def _watching(orders: int, console: Console) -> Generator[Callable[[News], None]]:
    """Show how far it is while the body runs; what is yielded is to be told all news."""
    if console.is_terminal:
        last: list[News] = []
        kills: list[str] = []
        with Live(console=console, get_renderable=lambda: _view(orders, last, kills)):

            def watch(news: News) -> None:
                last[:] = [news]
                kills.extend(() if news.killed is None else (news.killed,))

            yield watch
        return
    step = max(1, orders // LINES_WITHOUT_TERMINAL)
    told = 0

    def hear(news: News) -> None:
        nonlocal told
        if news.killed is not None:
            console.print(f"{news.final:,} ended; ⚡ killed: {news.killed}", soft_wrap=True)
        elif news.final // step > told:
            told = news.final // step
            console.print(f"{news.final:,} ended, {news.placed - news.final:,} under way")

    yield hear


def _view(orders: int, last: list[News], kills: list[str]) -> Table:
    """Return a bar, and who was killed."""
    final = last[0].final if last else 0
    view = Table.grid(padding=(0, 2))
    view.add_row(
        ProgressBar(total=orders, completed=final, width=BAR_CELLS),
        Text(f"{final:,}/{orders:,}"),
        Text(f"⚡ {', '.join(kills[-3:])}", style="bold red") if kills else Text(),
    )
    return view
