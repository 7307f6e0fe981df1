"""`makegood export`: what is recorded of runs, as lines of JSON that a test can replay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood import InvalidInput
from makegood.cli.status import DONE
from makegood.cli.store import opened
from makegood.cli.writing import write
from makegood.runtime.moving.exporting import exported

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["export"]


def export(store: str, runs: Sequence[str]) -> int:
    """Write each plan once, and each run."""
    if not runs:
        message = "name the runs to export; `makegood runs` lists them"
        raise InvalidInput(message)
    write("\n".join(asyncio.run(_lines(store, runs))))
    return DONE


async def _lines(store: str, runs: Sequence[str]) -> list[str]:
    async with opened(store) as its:
        ids = [await its.operator.find(run) for run in dict.fromkeys(runs)]
        return exported([await its.operator.history(run) for run in dict.fromkeys(ids)])
