"""How many runs stand where in a store in memory, and how did they move? Changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from makegood.journal.staging import MoveCount, StageCount

if TYPE_CHECKING:
    from makegood.journal.memory_store import MemoryStore
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["move_counts", "stage_counts"]


def stage_counts(store: MemoryStore, workflow: str | None) -> list[StageCount]:
    """Return how many unfinished runs stand at each stage."""
    there: dict[tuple[str, str], list[tuple[Instant, RunId]]] = {}
    statuses: Counter[tuple[str, str, str]] = Counter()
    for record in store.records.values():
        name = record.new.workflow
        if record.stage is None or record.stage_since is None or record.ended_at is not None:
            continue
        if workflow in {None, name}:
            there.setdefault((name, record.stage), []).append((record.stage_since, record.run))
            statuses[name, record.stage, record.status] += 1
    return [
        StageCount(
            workflow=name,
            stage=stage,
            count=len(runs),
            parked=statuses[name, stage, "parked"],
            paused=statuses[name, stage, "paused"],
            since=min(runs)[0],
            oldest=min(runs)[1],
        )
        for (name, stage), runs in sorted(there.items())
    ]


def move_counts(store: MemoryStore, workflow: str | None, since: Instant) -> list[MoveCount]:
    """Return how many moves were made from each stage to another one since a moment."""
    counts = Counter(
        (move.workflow, move.origin or "", move.destination)
        for moves in store.moves.values()
        for move in moves.values()
        if move.at >= since and workflow in {None, move.workflow}
    )
    return [
        MoveCount(workflow=name, origin=origin or None, destination=destination, count=count)
        for (name, origin, destination), count in sorted(counts.items())
    ]
