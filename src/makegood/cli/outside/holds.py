"""Looking at the keys that runs keep from one another."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from makegood.cli.status import DONE
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, table, write
from makegood.picture.marks import Style
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood import HeldKey
    from makegood.cli.writing import Look

__all__ = ["holds"]


def holds(store: str, *, key: str | None, as_json: bool) -> int:
    """Write which keys are held, by whom, and who waits for them; or of one key alone."""
    found = [each for each in asyncio.run(_found(store)) if key in {None, each.key}]
    write(json_of(found) if as_json else "\n".join(_as_text(found, look_of(sys.stdout))))
    return DONE


async def _found(store: str) -> tuple[HeldKey, ...]:
    async with opened(store) as its:
        return await its.operator.holds()


def _as_text(found: Sequence[HeldKey], look: Look) -> Iterator[str]:
    yield look.ink(f"held: {len(found) or 'no key'}", Style.GOOD)
    rows = [
        (visible(each.key), what, f"{claim.since:%Y-%m-%d %H:%M:%S}", claim.run)
        for each in found
        for what, claims in (("holds it", each.held_by), ("waits", each.waiting))
        for claim in claims
    ]
    if rows:
        yield from table(("key", "", "asked (UTC)", "run"), rows, look)
