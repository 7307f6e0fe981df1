"""What is seen while orders are placed, in a terminal and in a file."""

from __future__ import annotations

import io

from rich.console import Console

from makegood.cli.demo.progress import watching
from makegood.cli.demo.tally import Began, Ended, Ending, Killed, Tally


def watched(*, is_terminal: bool, orders: int = 20, crashes: int = 0) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=is_terminal, color_system=None)
    tally = Tally(orders, crashes=crashes)
    ticks = iter(range(1_000))
    with watching(tally, console, lambda: float(next(ticks))) as hear:
        for life in range(crashes + 1):
            for order in map(str, range(orders)):
                hear(Began(order))
                hear(Ended(order, Ending.COMPLETED))
            if life < crashes:
                hear(Killed())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_file_gets_a_line_for_each_tenth() -> None:
    lines = watched(is_terminal=False).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("● completed 2   ↩ undone 0")
    assert lines[-1].startswith("● completed 20")
    assert "killed" not in lines[-1]


def test_a_file_gets_a_line_for_each_kill_and_none_for_what_is_told_again() -> None:
    lines = watched(is_terminal=False, crashes=2).splitlines()
    assert len(lines) == 12
    assert [line.rpartition("   ")[2] for line in lines[9:]] == [
        "⚡ killed 0/2",
        "⚡ killed 1/2",
        "⚡ killed 2/2",
    ]


def test_a_terminal_gets_a_bar_with_the_rate_and_the_states() -> None:
    text = watched(is_terminal=True, crashes=1)
    assert "20/20" in text
    assert "orders/s" in text
    assert "● completed 20" in text
    assert "⚡ killed 1/1" in text
