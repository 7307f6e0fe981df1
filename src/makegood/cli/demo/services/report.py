"""What a demonstration with services found: for programs as JSON, for people as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from makegood.cli.demo.report import dollars, times
from makegood.cli.demo.services.audit import Audit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

__all__ = ["Report", "as_json", "as_tables"]

NAMED_MAX = 10
"""How many disputed orders and dead letters are shown to people; the JSON has more."""

MEANINGS: Mapping[str, tuple[str, str, str]] = {
    "closed": ("●", "green", "paid, and with the carrier"),
    "refunded": ("↩", "yellow", "was paid, and all of it given back"),
    "cancelled": ("↩", "yellow", "taken back before anything was paid"),
    "rejected": ("✕", "magenta", "not taken on"),
    "unfinished": ("‖", "red", "stands somewhere in between"),
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the orders, and whether all books agree."""

    orders: int
    processes: int
    seconds: float
    orders_per_second: float
    kills: dict[str, int]
    """How often each service, or the broker, was killed."""
    repeated: int
    """Messages that were carried more often than they had to be, as far as was told."""
    moved: int
    """Messages that reached somebody out of their order, as far as was told."""
    is_stuck: bool
    """Whether it was given up because nothing changed any more."""
    found: Audit

    @property
    def unexplained(self) -> int:
        """How many dead letters nobody has provoked."""
        return sum(not letter.is_explained for letter in self.found.given_up)

    @property
    def agrees(self) -> bool:
        """Whether all orders are final, all books agree, and every dead letter is explained."""
        found = self.found
        is_complete = found.accounts.orders == self.orders and not self.is_stuck
        is_clean = not (self.unexplained or found.waiting or found.garbage_missing)
        return found.accounts.agree and is_complete and is_clean


def as_json(report: Report) -> str:
    """Return the report as one JSON object on one line."""
    fields = msgspec.to_builtins(report)
    found = fields.pop("found")
    accounts = found.pop("accounts")
    dead = {"dead_letters": len(report.found.given_up), "unexplained": report.unexplained}
    # How many orders were asked for stands for itself; what the books have is beside it.
    accounts["orders_found"] = accounts.pop("orders")
    return msgspec.json.encode(
        fields | accounts | found | dead | {"books_agree": report.agrees}
    ).decode()


def as_tables(report: Report) -> RenderableType:
    """Return the report for a terminal, wide or narrow, with colours or without."""
    return Group(_endings(report), Text(), _reconciliation(report), *_end(report))


def _endings(report: Report) -> Table:
    accounts = report.found.accounts
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"{report.orders:,} order{'s' * (report.orders != 1)}", no_wrap=True)
    for justify in ("right", "right", "left"):
        table.add_column("", justify=justify)
    counts = {
        "closed": accounts.closed,
        "refunded": accounts.refunded,
        "cancelled": accounts.cancelled,
        "rejected": accounts.rejected,
        "unfinished": accounts.unfinished,
    }
    for ending, count in counts.items():
        symbol, colour, meaning = MEANINGS[ending]
        if count or ending != "unfinished":
            name = Text(f"{symbol} {ending}", style=colour if count else "dim")
            share = Text(f"{100 * count / report.orders:.1f} %", style="dim")
            table.add_row(name, f"{count:,}", share, Text(meaning, style="dim"))
    return table


def _reconciliation(report: Report) -> Table:
    """Lay the books side by side, a line for each thing that must hold."""
    found, accounts = report.found, report.found.accounts
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title="read back by another process",
        title_justify="left",
    )
    for justify in ("left", "right", "right", "left"):
        table.add_column({"right": ""}.get(justify, ""), justify=justify)
    table.columns[1].header, table.columns[2].header = "must be", "is"
    ended = accounts.closed + accounts.refunded + accounts.cancelled + accounts.rejected
    net = accounts.captured_minor - accounts.given_back_minor
    out = accounts.stock_available + accounts.stock_shipped
    for what, must_be, is_ in (
        ("orders that have ended", f"{report.orders:,}", f"{ended:,}"),
        ("taken − given back at the gateway = sold", dollars(accounts.sold_minor), dollars(net)),
        (
            "copies there and shipped = copies delivered",
            f"{accounts.stock_delivered:,}",
            f"{out:,}",
        ),
        ("copies still held for an order", "0", f"{accounts.stock_held:,}"),
        (
            "parcels with the carrier = orders closed, or sent back",
            f"{accounts.closed + accounts.returned:,}",
            f"{accounts.parcels:,}",
        ),
        ("stories that differ between two books", "0", f"{accounts.disputes:,}"),
        ("messages still to be received", "0", f"{found.waiting:,}"),
        ("dead letters that nobody has provoked", "0", f"{report.unexplained:,}"),
        ("provoked dead letters that are missing", "0", f"{found.garbage_missing:,}"),
    ):
        holds = must_be == is_
        mark = Text("✓", style="green") if holds else Text("✗", style="bold red")
        table.add_row(what, must_be, Text(is_, style="" if holds else "bold red"), mark)
    return table


def _end(report: Report) -> list[RenderableType]:
    """Say the rest in sentences, and the verdict."""
    accounts = report.found.accounts
    lines = [
        Text(
            f"{dollars(accounts.captured_minor)} taken, {dollars(accounts.given_back_minor)} given "
            f"back; {accounts.letters:,} letters; {report.orders_per_second:,.0f} orders/s over "
            f"{report.seconds:.1f} s",
            style="dim",
        )
    ]
    if report.processes > 1:
        lines.append(
            Text(
                f"At least {report.repeated:,} messages came once too often, and "
                f"{report.moved:,} out of their order.",
                style="dim",
            )
        )
    if report.kills:
        killed = ", ".join(f"{name} {times(n)}" for name, n in sorted(report.kills.items()))
        lines.append(Text(f"Killed and started again: {killed}."))
    if report.is_stuck:
        lines.append(Text("It was given up: nothing changed any more.", style="red"))
    lines += [
        Text(f"{each.of} {each.problem}", style="red") for each in accounts.disputed[:NAMED_MAX]
    ]
    lines += [
        Text(
            f"dead letter of {each.receptor}: {each.type} of {each.key}: {each.error}", style="red"
        )
        for each in [each for each in report.found.given_up if not each.is_explained][:NAMED_MAX]
    ]
    agrees = report.agrees
    verdict = "The books agree." if agrees else "The books do not agree."
    lines.append(Text(verdict, "bold green" if agrees else "bold red"))
    return [*lines]
