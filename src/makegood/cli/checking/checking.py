"""Which runs would a program strand? `makegood check` says it before the program is started."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from makegood.cli.status import DONE, ERROR
from makegood.cli.store import opened
from makegood.cli.stuck import stranded_as_json, stranded_lines
from makegood.cli.workflows import declared_at
from makegood.cli.writing import json_of, look_of, write
from makegood.picture.marks import Style
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood import StrandedRun
    from makegood.cli.writing import Look
    from makegood.runtime.moving.fitting import Declared

__all__ = ["check"]


def check(place: str, store: str, *, as_json: bool) -> int:
    """Write the unfinished runs of a store that what is declared cannot carry on."""
    declared = declared_at(place, asked="check")
    stranded = asyncio.run(_stranded(store, declared))
    if as_json:
        write(
            json_of(
                {
                    "workflows": _names(declared),
                    "stranded": [stranded_as_json(each) for each in stranded],
                }
            )
        )
    else:
        write("\n".join(_as_text(declared, stranded, look_of(sys.stdout))))
    return ERROR if stranded else DONE


async def _stranded(store: str, declared: Sequence[Declared]) -> tuple[StrandedRun, ...]:
    async with opened(store) as its:
        return await its.operator.stranded(*declared)


def _as_text(
    declared: Sequence[Declared], stranded: Sequence[StrandedRun], look: Look
) -> Iterator[str]:
    if stranded:
        yield from stranded_lines(stranded, look)
        yield ""
    names = ", ".join(map(visible, _names(declared)))
    text = f"{names}: runs that would be stranded: {len(stranded) or 'none'}"
    yield look.ink(text, Style.BAD if stranded else Style.GOOD)


def _names(declared: Sequence[Declared]) -> list[str]:
    return sorted({each.plan.workflow for each in declared})
