"""Which runs will not go on by themselves? `makegood stuck` says, and its status says it too."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from makegood.cli.runs import began, listed, listing, named
from makegood.cli.status import DONE, FOUND
from makegood.cli.store import opened
from makegood.cli.workflows import workflows_of
from makegood.cli.writing import json_of, look_of, table, write
from makegood.picture.marks import Style
from makegood.picture.typeset import visible
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood import Halt, ParkedRun, RunRow, StrandedRun, Stuck
    from makegood.cli.workflows import AnyWorkflow
    from makegood.cli.writing import Look

__all__ = ["stranded_as_json", "stranded_lines", "stuck"]


def stuck(store: str, app: str | None, *, as_json: bool) -> int:
    """Write the runs that are forgotten, stranded or parked; only the first two are trouble."""
    served = None if app is None else workflows_of(app)
    found = asyncio.run(_found(store, served))
    write(_as_json(found) if as_json else "\n".join(_as_text(found, look_of(sys.stdout))))
    return FOUND if found.unwoken or found.stranded else DONE


async def _found(store: str, served: Sequence[AnyWorkflow] | None) -> Stuck:
    async with opened(store) as its:
        return await its.operator.stuck(served=served)


def _as_json(found: Stuck) -> str:
    parked = [
        asdict(listed(each.row)) | {"left": each.left, "problem": each.problem}
        for each in found.parked
    ]
    return json_of(
        {
            "unwoken": [listed(row) for row in found.unwoken],
            "stranded": [stranded_as_json(each) for each in found.stranded],
            "parked": parked,
            "paused": [listed(row) for row in found.paused],
            "halts": found.halts,
        }
    )


def _as_text(found: Stuck, look: Look) -> Iterator[str]:
    yield from _group("nothing will wake", found.unwoken, look)
    yield look.ink(
        f"stranded, for they fit no known program: {len(found.stranded) or 'none'}",
        Style.BAD if found.stranded else Style.GOOD,
    )
    if found.stranded:
        yield from stranded_lines(found.stranded, look)
        yield ""
    count = len(found.parked) or "none"
    style = Style.DOUBT if found.parked else Style.GOOD
    yield look.ink(f"parked, to wait for a person: {count}", style)
    if found.parked:
        head = ("began (UTC)", "reason", "run", "what is left")
        yield from table(head, [_parked_line(each) for each in found.parked], look)
    if found.paused:
        yield look.ink(f"paused, to wait for a person: {len(found.paused)}", Style.DOUBT)
        yield from listing(found.paused, look)
    if found.halts:
        yield look.ink(f"halted, so that nothing of it goes on: {len(found.halts)}", Style.DOUBT)
        head = ("since (UTC)", "what", "by", "why")
        yield from table(head, [_halt_line(each) for each in found.halts], look)


def _halt_line(halt: Halt) -> tuple[str, ...]:
    since = f"{as_datetime(halt.at):%Y-%m-%d %H:%M:%S}"
    what = f"{halt.kind.value} {visible(halt.name)}"
    if halt.until is not None:
        what += f", until {as_datetime(halt.until):%Y-%m-%d %H:%M:%S}"
    return since, what, visible(halt.actor), visible(halt.reason)


def _group(name: str, rows: Sequence[RunRow], look: Look) -> Iterator[str]:
    yield look.ink(f"{name}: {len(rows) or 'none'}", Style.BAD if rows else Style.GOOD)
    if rows:
        yield from listing(rows, look)
        yield ""


def stranded_as_json(stranded: StrandedRun) -> dict[str, object]:
    """Return a stranded run as JSON shows it."""
    return {
        **asdict(listed(stranded.row)),
        "difference": stranded.difference,
        "fact": stranded.fact,
        "node": stranded.node,
    }


def stranded_lines(stranded: Sequence[StrandedRun], look: Look) -> Iterator[str]:
    """Give stranded runs as lines of a table, each with what keeps it from going on."""
    head = ("began (UTC)", "status", "run", "difference")
    rows = [
        (began(each.row), each.row.status, named(each.row), visible(each.difference))
        for each in stranded
    ]
    return table(head, rows, look)


def _parked_line(parked: ParkedRun) -> tuple[str, ...]:
    left = ", ".join(parked.left) if parked.problem is None else parked.problem
    return began(parked.row), parked.row.reason or "", named(parked.row), visible(left)
