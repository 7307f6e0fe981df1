"""What is seen while orders are placed, in a terminal and in a file."""

from __future__ import annotations

import io

from rich.console import Console

from makegood.cli.demo.progress import watching
from makegood.cli.demo.tally import Ending, Tally


def watched(*, is_terminal: bool, orders: int = 20) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=is_terminal, color_system=None)
    tally = Tally(orders)
    ticks = iter(range(1_000))
    with watching(tally, console, lambda: float(next(ticks))) as on_end:
        for _ in range(orders):
            tally.begin()
            tally.end(Ending.COMPLETED, None)
            on_end()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_file_gets_a_line_for_each_tenth() -> None:
    lines = watched(is_terminal=False).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("● completed 2   ↩ undone 0")
    assert lines[-1].startswith("● completed 20")


def test_a_terminal_gets_a_bar_with_the_rate_and_the_states() -> None:
    text = watched(is_terminal=True)
    assert "20/20" in text
    assert "orders/s" in text
    assert "● completed 20" in text
