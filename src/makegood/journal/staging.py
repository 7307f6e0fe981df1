"""Where do runs stand in their lifecycles? The moves between stages, and how they are told.

A stage is the name of a status of a lifecycle. What it means, and which moves are allowed, is for
the decision core to say. To a store it is a word in the run's row, and a move is a row of its
own, written with the append that decided it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.values.ids import RunId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.values.injectable import Sql

__all__ = [
    "MOVE_COLUMNS",
    "KeepsStages",
    "Move",
    "MoveCount",
    "StageCount",
    "bare_of",
    "move_of",
]


class Move(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A run has come from one stage to another.

    As JSON it is an array in this order, which a store's statements know by number.
    """

    version: int
    """The version of the run's record that it came with: no two moves of a run have the same."""
    workflow: str
    """The name of the lifecycle."""
    origin: str | None
    """The stage that was left; None for the first one that is entered."""
    destination: str
    cause: str | None
    """What it came from: a handler, a message, a timer; None once the run was erased."""
    actor: str | None = None
    """Who wanted it, where that was a person; None also once the run was erased."""
    at: Instant
    run: RunId


MOVE_COLUMNS = "version, workflow, origin, destination, cause, actor, at"
"""The columns that `move_of` takes: what a move has before its run, in its order."""


def move_of(run: RunId, values: Iterable[Sql]) -> Move:
    """Return the move of a run that a statement over `MOVE_COLUMNS` gave."""
    return msgspec.convert((*values, run), Move)


class StageCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many unfinished runs stand at one stage of a lifecycle, and since when."""

    workflow: str
    stage: str
    count: int
    parked: int
    """How many of them wait for a person."""
    paused: int
    """How many of them are paused."""
    since: Instant
    """Since when the one that has been there the longest stands there."""
    oldest: RunId
    """Which one that is."""


class MoveCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many moves were made from one stage to another."""

    workflow: str
    origin: str | None
    destination: str
    count: int


class KeepsStages(Protocol):
    """What every journal also keeps: which moves runs have made between their stages.

    1. The `moves` of an append are remembered in its transaction, and none where it is not
       written. An append that is sent again adds none; nor is a move remembered of a version
       of which the run has one already.
    2. `moves` gives those of a run in the order of their versions, from behind the one given.
    3. `stage_counts` counts the unfinished runs at each stage, sorted by workflow and stage, with
       the one that has stood there the longest. A run without a stage is not counted.
    4. `move_counts` counts the moves since a moment, that moment included, sorted by workflow,
       origin and destination, with the first entries before all others.
    5. Pruning a run removes its moves. Erasing it takes the causes and the actors out of them,
       and leaves the rest.
    """

    async def moves(self, run: RunId, *, after: int = 0, limit: int) -> tuple[Move, ...]:
        """Return the moves of a run behind a version, the oldest first (2)."""
        ...

    async def stage_counts(self, workflow: str | None = None) -> tuple[StageCount, ...]:
        """Return where unfinished runs stand, of one lifecycle or of all (3)."""
        ...

    async def move_counts(
        self, workflow: str | None = None, *, since: Instant
    ) -> tuple[MoveCount, ...]:
        """Return which moves were made since a moment, of one lifecycle or of all (4)."""
        ...


def bare_of(move: Move) -> Move:
    """Return what may be kept of a move whose run is erased."""
    return msgspec.structs.replace(move, cause=None, actor=None)
