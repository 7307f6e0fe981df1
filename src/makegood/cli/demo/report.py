"""What a demonstration found, as one record: for programs as JSON, for people as tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from makegood.cli.demo.tally import Ending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

__all__ = [
    "COLOURS",
    "SYMBOLS",
    "Reconciliation",
    "Report",
    "as_json",
    "as_tables",
    "dollars",
    "times",
]

COLOURS: Mapping[Ending, str] = {
    Ending.COMPLETED: "green",
    Ending.UNDONE: "yellow",
    Ending.REFUSED: "magenta",
    Ending.PARKED: "red",
}
SYMBOLS: Mapping[Ending, str] = {
    Ending.COMPLETED: "●",
    Ending.UNDONE: "↩",
    Ending.REFUSED: "✕",
    Ending.PARKED: "‖",
}

MEANINGS: Mapping[Ending, str] = {
    Ending.COMPLETED: "paid and shipped",
    Ending.UNDONE: "failed on the way; all that was done was taken back",
    Ending.REFUSED: "failed before anything had to be taken back",
    Ending.PARKED: "wait for a person",
}

REASONS_MAX = 10
PARKED_MAX = 20
"""How many reasons and parked orders are shown to people; the JSON has all of them."""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What another process read back from the shop's books and the gateway's."""

    captured_minor: int
    refunded_minor: int
    gateway_net_minor: int
    shipped_minor: int
    holds_left: int
    stock_in: int
    stock_on_hand: int
    stock_shipped: int
    stock_held: int
    stock_balance: int
    disagreements: tuple[dict[str, str | int], ...]
    books_agree: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the orders, and whether the books agree."""

    orders: int
    completed: int
    undone: int
    refused: int
    parked: int
    in_doubt: int
    """Orders of which an effect may or may not have happened."""
    workers: int
    """How many processes carried the orders out."""
    crashes: int
    """Unclean ends that the store has seen, this demonstration's and earlier: in a file of the
    process that led, in PostgreSQL of workers whose runs were taken over."""
    crashes_before: int
    """How many of them it had seen when the shop opened."""
    kills: int
    """How often this demonstration's process, or one of its workers, was killed on the way."""
    kills_at_work: int
    """How many of the kills landed while orders were under way."""
    endings_changed: int
    """Orders that were told to have ended in one way, and after a crash in another."""
    rows_skipped: int
    seconds: float
    runs_per_second: float
    reasons: tuple[tuple[Ending, str, int], ...]
    parked_orders: tuple[str, ...]
    found: Reconciliation

    @property
    def adds_up(self) -> bool:
        """Whether every order ended in one of the four ways."""
        return self.orders == self.completed + self.undone + self.refused + self.parked

    @property
    def agrees(self) -> bool:
        """Whether the books agree, nothing is in doubt and every order has its one ending."""
        is_settled = self.in_doubt == 0 and self.endings_changed == 0
        return self.found.books_agree and is_settled and self.adds_up


def as_json(report: Report) -> str:
    """Return the report as one JSON object on one line."""
    fields = msgspec.structs.asdict(report)
    del fields["found"]
    reasons = [{"ending": e, "reason": why, "orders": n} for e, why, n in report.reasons]
    found = msgspec.structs.asdict(report.found)
    fields |= found | {"reasons": reasons, "books_agree": report.agrees}
    return msgspec.json.encode(fields).decode()


def as_tables(report: Report) -> RenderableType:
    """Return the report for a terminal, wide or narrow, with colours or without."""
    return Group(
        _endings(report), *_reasons(report), Text(), _reconciliation(report), *_end(report)
    )


def _endings(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"{report.orders:,} order{'s' * (report.orders != 1)}", no_wrap=True)
    table.add_column("", justify="right")
    table.add_column("", justify="right")
    table.add_column("")
    counts = {
        Ending.COMPLETED: report.completed,
        Ending.UNDONE: report.undone,
        Ending.REFUSED: report.refused,
        Ending.PARKED: report.parked,
    }
    for ending, count in counts.items():
        name = Text(f"{SYMBOLS[ending]} {ending}", style=COLOURS[ending] if count else "dim")
        share = Text(f"{100 * count / report.orders:.1f} %", style="dim")
        table.add_row(name, f"{count:,}", share, Text(MEANINGS[ending], style="dim"))
    return table


def _reasons(report: Report) -> list[RenderableType]:
    if not report.reasons:
        return []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("why not completed", no_wrap=True)
    table.add_column("", justify="right")
    table.add_column("")
    for ending, reason, count in report.reasons[:REASONS_MAX]:
        name = Text(f"{SYMBOLS[ending]} {ending}", style=COLOURS[ending])
        table.add_row(name, f"{count:,}", _words(reason))
    return [table]


def _words(reason: str) -> str:
    """Return the name of an error's class as words: `OutOfStock` is out of stock."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reason).lower()


def _reconciliation(report: Report) -> Table:
    """Lay the two books side by side, a line for each thing that must hold."""
    found = report.found
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title="read back by another process",
        title_justify="left",
    )
    table.add_column("")
    table.add_column("must be", justify="right")
    table.add_column("is", justify="right")
    table.add_column("")
    shipped, net = dollars(found.shipped_minor), dollars(found.gateway_net_minor)
    _check(table, "captured − refunded at the gateway = shipped", shipped, net)
    _check(table, "orders whose payment and shipment differ", "0", f"{len(found.disagreements)}")
    _check(table, "cards with money still held", "0", f"{found.holds_left}")
    out = f"{found.stock_on_hand + found.stock_shipped:,}"
    _check(table, "copies on hand and shipped = copies delivered", f"{found.stock_in:,}", out)
    _check(table, "copies still held for an order", "0", f"{found.stock_held}")
    _check(table, "orders in doubt", "0", f"{report.in_doubt}")
    ended = report.completed + report.undone + report.refused + report.parked
    _check(table, "orders that ended in one of the four ways", f"{report.orders:,}", f"{ended:,}")
    if report.kills:
        _check(table, "endings that a crash changed", "0", f"{report.endings_changed}")
    return table


def _check(table: Table, what: str, must_be: str, is_: str) -> None:
    holds = must_be == is_
    mark = Text("✓", style="green") if holds else Text("✗", style="bold red")
    table.add_row(what, must_be, Text(is_, style="" if holds else "bold red"), mark)


def _end(report: Report) -> list[RenderableType]:
    """Say the rest in sentences: money, parked orders, crashes, speed, and the verdict."""
    found = report.found
    lines = [
        Text(
            f"{dollars(found.captured_minor)} captured, "
            f"{dollars(found.refunded_minor)} refunded; "
            f"{report.runs_per_second:,.0f} orders/s over {report.seconds:.1f} s",
            style="dim",
        )
    ]
    if report.kills:
        who = "The process" if report.workers == 1 else f"One of {report.workers} workers"
        lines.append(
            Text(
                f"{who} was killed {times(report.kills)}, with orders under way "
                f"{times(report.kills_at_work)}, and started again on the same store."
            )
        )
    if report.crashes_before:
        lines.append(
            Text(
                f"Work on this store had been killed {times(report.crashes_before)} before and "
                "was taken up again; "
                "orders that had ended by then count in the rate."
            )
        )
    if report.parked_orders:
        named = ", ".join(report.parked_orders[:PARKED_MAX])
        more = len(report.parked_orders) - PARKED_MAX
        tail = f" and {more:,} more" if more > 0 else ""
        lines.append(Text(f"Parked, and left out of both sides: {named}{tail}", style="red"))
    verdict = ("The books agree.", "bold green")
    if not report.agrees:
        verdict = ("The books do not agree.", "bold red")
    lines.append(Text(*verdict))
    return list(lines)


def times(count: int) -> str:
    """Return how often, in words where English has one."""
    return "once" if count == 1 else f"{count:,} times"


def dollars(minor: int) -> str:
    """Return an amount of cents as dollars."""
    whole, cents = divmod(abs(minor), 100)
    return f"{'−' if minor < 0 else ''}${whole:,}.{cents:02d}"
