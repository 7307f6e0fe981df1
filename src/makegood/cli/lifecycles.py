"""Where do runs stand in their lifecycles? `makegood lifecycles` counts them, and their moves."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from makegood import Filter, InvalidInput
from makegood.cli.status import DONE
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, table, write
from makegood.definition.plan import Plan
from makegood.picture.marks import Style
from makegood.picture.typeset import visible
from makegood.picture.words import allowed, lasted
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood import Census, MoveCount, StageCount
    from makegood.cli.store import Store
    from makegood.cli.writing import Look

__all__ = ["counted", "lifecycles", "listed"]

_HOUR = timedelta(hours=1)


def lifecycles(store: str, name: str | None, *, period: timedelta, as_json: bool) -> int:
    """Write a line for each lifecycle, or everything that is counted of one."""
    censuses, statuses = asyncio.run(_censuses(store, name, period))
    if as_json:
        write(json_of({"lifecycles": [_as_json(each, statuses) for each in censuses]}))
    elif name is None:
        write("\n".join(listed(censuses, period, look_of(sys.stdout))))
    else:
        write("\n".join(counted(censuses[0], statuses, period, look_of(sys.stdout))))
    return DONE


async def _censuses(
    store: str, name: str | None, period: timedelta
) -> tuple[tuple[Census, ...], tuple[str, ...]]:
    """Return what is counted, and of one lifecycle its statuses as it is declared."""
    async with opened(store) as its:
        found = await its.operator.census(name, period=period)
        return found, () if name is None else await _statuses(name, its)


async def _statuses(name: str, its: Store) -> tuple[str, ...]:
    """Return the statuses of a lifecycle in their order, as its newest run knows them."""
    page = await its.engine.list(Filter(workflow=name, limit=1))
    stored = await its.journal.plan(page.rows[0].fingerprint) if page.rows else None
    if stored is None:
        message = f"no run in the journal is of {name!r}; `makegood lifecycles` lists what there is"
        raise InvalidInput(message)
    machine = msgspec.json.decode(stored.json, type=Plan).machine
    if machine is None:
        message = f"`{name}` is a workflow and no lifecycle; `makegood runs` lists its runs"
        raise InvalidInput(message)
    return machine.statuses


# As text ------------------------------------------------------------------------------------------


def listed(censuses: Sequence[Census], period: timedelta, look: Look) -> Iterator[str]:
    """Give a line for each lifecycle, under their head."""
    if not censuses:
        yield f"no run stands in a lifecycle, nor has one moved within {allowed(period)}"
        return
    head = ("lifecycle", "runs", "parked", "paused", "moves", "at one status the longest")
    rows = [
        (
            visible(each.lifecycle),
            f"{each.count:,}",
            f"{each.parked:,}",
            f"{each.paused:,}",
            f"{sum(move.count for move in each.moves):,}",
            _oldest(each),
        )
        for each in censuses
    ]
    yield from table(head, rows, look)
    yield ""
    yield look.ink(f"moves are those of the last {allowed(period)}", Style.FAINT)


def _oldest(census: Census) -> str:
    oldest = census.oldest
    if oldest is None:
        return ""
    return f"{lasted(census.lag(oldest))} at {visible(oldest.stage)}, {oldest.oldest}"


def counted(
    census: Census, statuses: Sequence[str], period: timedelta, look: Look
) -> Iterator[str]:
    """Give what was counted of one lifecycle: its statuses in their order, and then its moves."""
    count = "no run" if not census.count else "1 run" if census.count == 1 else None
    said = f"{count or f'{census.count:,} runs'} of {visible(census.lifecycle)}"
    yield look.ink(f"{said} not ended, {census.parked:,} of them parked", Style.STRONG)
    stages = {each.stage: each for each in census.stages}
    head = ("status", "runs", "parked", "paused", "longest there", "which")
    yield from table(
        head, [_stage(census, name, stages.get(name)) for name in _known(census, statuses)], look
    )
    yield ""
    if not census.moves:
        yield f"no move in the last {allowed(period)}"
        return
    yield look.ink(f"moves in the last {allowed(period)}", Style.STRONG)
    columns = ("from", "to", "count", "an hour")
    moves = _ordered(census, statuses)
    yield from table(columns, [_move(each, period) for each in moves], look)


def _known(census: Census, statuses: Sequence[str]) -> tuple[str, ...]:
    """Return the statuses as they are declared, and behind them those of older definitions."""
    return tuple(dict.fromkeys([*statuses, *(each.stage for each in census.stages)]))


def _ordered(census: Census, statuses: Sequence[str]) -> list[MoveCount]:
    """Return the moves in the order of the statuses; those that are not declared any more last."""
    places = {name: place for place, name in enumerate(statuses)}
    last = len(statuses)

    def place(move: MoveCount) -> tuple[int, int]:
        origin = -1 if move.origin is None else places.get(move.origin, last)
        return origin, places.get(move.destination, last)

    return sorted(census.moves, key=place)


def _stage(census: Census, name: str, stage: StageCount | None) -> tuple[str, ...]:
    if stage is None:
        return visible(name), "0", "", "", "", ""
    return (
        visible(stage.stage),
        f"{stage.count:,}",
        f"{stage.parked:,}",
        f"{stage.paused:,}",
        lasted(census.lag(stage)),
        stage.oldest,
    )


def _move(move: MoveCount, period: timedelta) -> tuple[str, ...]:
    origin = "(its start)" if move.origin is None else visible(move.origin)
    return origin, visible(move.destination), f"{move.count:,}", f"{_rate(move, period):,.4g}"


def _rate(move: MoveCount, period: timedelta) -> float:
    """Return how many of these moves are made in an hour."""
    return move.count * (_HOUR / period)


# As JSON ------------------------------------------------------------------------------------------


def _as_json(census: Census, statuses: Sequence[str]) -> dict[str, object]:
    period = timedelta(microseconds=census.at - census.since)
    return {
        "lifecycle": census.lifecycle,
        "at": as_datetime(census.at),
        "since": as_datetime(census.since),
        "runs": census.count,
        "parked": census.parked,
        "paused": census.paused,
        "statuses": statuses,
        "stages": [
            {
                "stage": each.stage,
                "runs": each.count,
                "parked": each.parked,
                "paused": each.paused,
                "since": as_datetime(each.since),
                "longest_seconds": census.lag(each).total_seconds(),
                "oldest": each.oldest,
            }
            for each in census.stages
        ],
        "moves": [
            {
                "from": each.origin,
                "to": each.destination,
                "count": each.count,
                "an_hour": _rate(each, period),
            }
            for each in _ordered(census, statuses)
        ],
    }
