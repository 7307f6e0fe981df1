"""What is seen while orders are placed: a live view in a terminal, a few lines anywhere else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from makegood.cli.demo.report import COLOURS, SYMBOLS
from makegood.cli.demo.tally import Ending, Killed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.console import Console, RenderableType

    from makegood.cli.demo.tally import News, Tally

__all__ = ["BAR_CELLS", "LINES_WITHOUT_TERMINAL", "watching"]

REFRESH_PER_SECOND = 8
LINES_WITHOUT_TERMINAL = 10
BAR_CELLS = 40


@contextmanager
def watching(
    tally: Tally, console: Console, clock: Callable[[], float]
) -> Generator[Callable[[News], None]]:
    """Show the tally while the body runs; what is yielded is to be told all news."""
    began = clock()

    def view() -> RenderableType:
        return _view(tally, clock() - began)

    if console.is_terminal:
        live = Live(console=console, get_renderable=view, refresh_per_second=REFRESH_PER_SECOND)
        with live:
            yield tally.hear
        return

    step = max(1, tally.orders // LINES_WITHOUT_TERMINAL)

    def hear(news: News) -> None:
        ended = tally.ended
        tally.hear(news)
        has_passed_a_step = tally.ended > ended and tally.ended % step == 0
        if has_passed_a_step or isinstance(news, Killed):
            console.print(Text("   ").join([_counts(tally), *_kills(tally)]), soft_wrap=True)

    yield hear


def _view(tally: Tally, seconds: float) -> RenderableType:
    rate = tally.ended / seconds if seconds > 0 else 0.0
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(total=tally.orders, completed=tally.ended, width=BAR_CELLS),
        Text(f"{tally.ended:,}/{tally.orders:,}"),
        Text(f"{rate:,.0f} orders/s", style="cyan"),
        Text(f"{seconds:.1f} s", style="dim"),
    )
    return Group(row, _counts(tally), *_kills(tally))


def _counts(tally: Tally) -> Text:
    parts: list[tuple[str, str]] = []
    for ending in Ending:
        count = tally.endings[ending]
        style = COLOURS[ending] if count else "dim"
        parts.append((f"{SYMBOLS[ending]} {ending} {count:,}   ", style))
    parts.append((f"in flight {tally.in_flight:,}", "dim"))
    return Text.assemble(*parts)


def _kills(tally: Tally) -> list[Text]:
    """Return a word on the kills, where there are to be any."""
    if not tally.crashes:
        return []
    style = "bold red" if tally.kills else "dim"
    return [Text(f"⚡ killed {tally.kills:,}/{tally.crashes:,}", style=style)]
