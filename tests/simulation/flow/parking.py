"""Why were runs parked? Who took each of them since its last progress, and what became of those.

A run is parked as poison only when it may have killed whoever took it, and a run that has called
others only while one of those is parked.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.facts import ParkReason, read_facts
from makegood.journal.protocol import Applied
from tests.simulation.ablation import Around
from tests.simulation.flow.histories import history_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from makegood.journal.memory_store import MemoryStore
    from makegood.journal.protocol import Append, Journal, Leases, Verdict
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Host, Lane
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant

__all__ = ["Roll", "Watched", "unexplained"]

LOST_MIN = 5
"""How many that took a run must be lost, one after the other, before it is taken for poison."""


class Holding:
    """A process that holds a run, or held it when it was lost."""

    def __init__(self, host: Host, lane: Lane) -> None:
        self._host = host
        self._lane = lane
        self._pauses = host.pauses

    def __repr__(self) -> str:
        return f"{self._lane.name}, {'lost' if self.is_lost else 'alive'}"

    @property
    def is_lost(self) -> bool:
        """Whether it has died since, or stood still."""
        return self._lane.is_dead or self._host.pauses > self._pauses


class Roll:
    """Who took each run since it made progress last; `wrong` says who was parked without cause."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._holdings: dict[RunId, list[Holding]] = defaultdict(list)

    def take(self, run: RunId, holding: Holding) -> None:
        """See a run being claimed."""
        self._holdings[run].append(holding)

    def give_back(self, run: RunId) -> None:
        """See a run being given back as it was: that was no try, if it was claimed at all."""
        if self._holdings[run]:
            self._holdings[run].pop()

    def move(self, append: Append, history: Sequence[facts.Fact]) -> None:
        """See an append of whoever holds a run."""
        holdings = self._holdings[append.run]
        for fact in history:
            if isinstance(fact, facts.Parked) and fact.reason is ParkReason.POISON:
                *before, _last = holdings
                if len([each for each in before if each.is_lost]) < LOST_MIN:
                    self.wrong.append(f"{append.run} is taken for poison after {before}")
        if append.progress:
            del holdings[:-1]
            if append.release:
                holdings.clear()


class Watched(Around):
    """A process's way to the store, where it is seen what it takes and gives back."""

    def __init__(self, journal: Journal, store: MemoryStore, host: Host, roll: Roll) -> None:
        super().__init__(journal, store)
        self._host = host
        self._lane = host.lane
        self._roll = roll

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Claim runs that are due."""
        leases = await self.journal.lease(worker, room=room, limit=limit, now=now)
        for leased in leases.claimed:
            self._roll.take(leased.run, Holding(self._host, self._lane))
        return leases

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back."""
        records = self.store.records
        held = [run for run in runs if run in records and records[run].owner == worker]
        await self.journal.release(worker, runs, now=now)
        for run in held:
            self._roll.give_back(run)

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run."""
        record = self.store.records.get(append.run)
        before = 0 if record is None else record.seq
        reply = self.journal.append(append)
        is_written = reply.exception() is None and isinstance(reply.result(), Applied)
        if is_written and before < append.seq:
            # What is sent again under its token is acknowledged, and moves nothing.
            self._roll.move(append, read_facts(append.facts))
        return reply


def unexplained(store: MemoryStore) -> Iterator[str]:
    """Say which runs are parked now for a reason that nothing gives.

    That a run is poison is judged when it is parked, by a `Roll`.
    """
    for record in store.records.values():
        if record.status != "parked" or record.reason == ParkReason.POISON:
            continue
        called = [
            store.records[fact.run]
            for fact in history_of(record)
            if isinstance(fact, facts.ChildStarted) and fact.run in store.records
        ]
        is_held_up = any(child.status == "parked" for child in called)
        if record.reason != ParkReason.CHILD_PARKED or not is_held_up:
            yield f"{record.run} is parked for {record.reason}, which nothing explains"
