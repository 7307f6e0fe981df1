"""What commerce plugs into an engine and its tools: tables, the `books` command and routes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec

from makegood.commerce.books import Books, BooksMissing, reconcile
from makegood.extension import Command, Extension, HttpRoute, Migration

__all__ = ["AGREE", "DISAGREE", "MISTAKE", "books", "commerce"]

AGREE = 0
MISTAKE = 2
DISAGREE = 3
"""The exit statuses of `books`."""


class Commerce:
    """The shop, as an engine and the command line know it."""

    name = "commerce"

    def __repr__(self) -> str:
        return "<Extension commerce>"

    @property
    def migrations(self) -> Sequence[Migration]:
        """The shop's tables."""
        sql = resources.files("makegood.commerce").joinpath("shop.sql").read_text(encoding="utf-8")
        return (Migration(owner=self.name, number=1, sql=sql),)

    @property
    def commands(self) -> Sequence[Command]:
        """The `books` command."""
        summary = "Compare the shop's books with the gateway's, without the engine."
        return (Command(name="books", run=books, summary=summary),)

    @property
    def routes(self) -> Sequence[HttpRoute]:
        """Orders over HTTP."""
        from makegood.commerce.routes import ROUTES  # noqa: PLC0415 - what it takes to place one

        return ROUTES


commerce: Extension = Commerce()
"""The extension; it has no state, so one serves any number of engines."""


def books(
    store: str, *, leave_out: tuple[str, ...] = (), gateway: Path | None = None, json: bool = False
) -> int:
    """Compare the shop's books with the gateway's, without the engine.

    Parameters
    ----------
    store
        The journal's file, beside which the gateway's books lie; or the address of its database,
        postgresql://…, with the gateway's books in the current directory.
    leave_out
        An order that waits for a person and is left out of both sides; may be repeated.
    gateway
        The gateway's books, when they lie elsewhere.
    json
        Write one JSON object instead of text.
    """
    try:
        found = reconcile(store, left_out=leave_out, gateway=gateway)
    except BooksMissing as error:
        sys.stderr.write(f"{error}\n")
        return MISTAKE
    sys.stdout.write(_as_json(found) if json else _as_text(found))
    return AGREE if found.agree else DISAGREE


def _as_json(found: Books) -> str:
    fields = msgspec.structs.asdict(found) | {"books_agree": found.agree}
    return msgspec.json.encode(fields).decode() + "\n"


def _as_text(found: Books) -> str:
    lines = [
        f"captured − refunded at the gateway   {found.gateway_net_minor}",
        f"value of shipped orders              {found.shipped_minor}",
        f"holds left on cards                  {found.holds_left}",
        f"copies delivered                     {found.stock_in}",
        f"copies on hand and shipped           {found.stock_on_hand + found.stock_shipped}",
        f"copies still held                    {found.stock_held}",
        *(
            f"{item.order}: the gateway has {item.gateway_net_minor}, "
            f"goods worth {item.shipped_minor} left"
            for item in found.disagreements
        ),
        "the books agree" if found.agree else "THE BOOKS DO NOT AGREE",
    ]
    return "\n".join(lines) + "\n"
