"""Where do the runs of a lifecycle stand, and how have they moved of late? It reads no facts."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from makegood.errors import InvalidInput
from makegood.journal.staging import MoveCount, StageCount
from makegood.values.instants import Instant, after

if TYPE_CHECKING:
    from makegood.runtime.shell import Shell

__all__ = ["Census", "take_census"]


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """Where the unfinished runs of a lifecycle stand, and which moves were made of late."""

    lifecycle: str
    at: Instant
    """When they were counted."""
    since: Instant
    """From when on moves were counted."""
    stages: tuple[StageCount, ...] = ()
    """The stages at which runs stand, sorted by name."""
    moves: tuple[MoveCount, ...] = ()
    """The moves that were made, sorted by origin and destination, first entries first."""

    @property
    def count(self) -> int:
        """How many runs have not ended."""
        return sum(each.count for each in self.stages)

    @property
    def parked(self) -> int:
        """How many of them wait for a person."""
        return sum(each.parked for each in self.stages)

    @property
    def paused(self) -> int:
        """How many of them are paused."""
        return sum(each.paused for each in self.stages)

    @property
    def oldest(self) -> StageCount | None:
        """The stage of the run that has stood at one place the longest; None without any run."""
        return min(self.stages, key=attrgetter("since", "oldest"), default=None)

    def lag(self, stage: StageCount) -> timedelta:
        """Return how long the oldest run of a stage has stood there."""
        return timedelta(microseconds=self.at - stage.since)


async def take_census(
    shell: Shell, lifecycle: str | None, *, period: timedelta
) -> tuple[Census, ...]:
    """Count the runs and the moves of one lifecycle, or of all that have any."""
    if period.total_seconds() <= 0:
        message = f"moves are counted over {period}; give a period that lasts some time"
        raise InvalidInput(message)
    now = shell.clock.now()
    since = after(now, -period)
    stages = await shell.journal.stage_counts(lifecycle)
    moves = await shell.journal.move_counts(lifecycle, since=since)
    named = attrgetter("workflow")
    stages_of = {name: tuple(found) for name, found in groupby(stages, key=named)}
    moves_of = {name: tuple(found) for name, found in groupby(moves, key=named)}
    names = {lifecycle} if lifecycle is not None else stages_of.keys() | moves_of.keys()
    return tuple(
        Census(
            lifecycle=name,
            at=now,
            since=since,
            stages=stages_of.get(name, ()),
            moves=moves_of.get(name, ()),
        )
        for name in sorted(names)
    )
