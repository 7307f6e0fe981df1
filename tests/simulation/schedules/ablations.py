"""What keeps schedules right, taken away in turn: by wrappers that are made for each world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from makegood.runtime.scheduler import read_standing
from tests.simulation.ablation import Ablation, Around
from tests.simulation.messages.without import AroundMessages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.messages import Malformed, Receipt
    from makegood.journal.protocol import Exists, Journal, Post
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Host
    from makegood.testing.simulation.ids import SeededIds
    from makegood.values.envelope import Envelope
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["MISSED"]


class AnyRun(Around):
    """What is started for a slot has an id and a key like everything else."""

    def __init__(self, journal: Journal, host: Host) -> None:
        super().__init__(journal, host._simulation.store)
        self._ids = host._simulation.ids

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one."""
        if post.create is None:
            return await self.journal.post(post)
        run = self._ids.run()
        create = replace(post.create, key=f"{post.create.key} {run}")
        return await self.journal.post(replace(post, run=run, create=create))


class AnyMessage(Around):
    """What is published for a slot has an id like everything else."""

    def __init__(self, journal: Journal, host: Host) -> None:
        super().__init__(journal, host._simulation.store)
        self.messages = _AnyMessage(journal.messages, None)
        self.messages.ids = host._simulation.ids


class _AnyMessage(AroundMessages):
    ids: SeededIds

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        named = [replace(each, id=self.ids.run()) for each in messages]
        return self.messages_inside.publish(named, now=now)


class OverAnyVersion(Around):
    """How a schedule stands is written over whatever is there."""

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands."""
        before = self.store.schedules.get(row.name)
        version = 1 if before is None else before.version + 1
        return await self.journal.keep_schedule(replace(row, version=version))


class MeantInSilence(Around):
    """That a slot is to be taken is not written down before something is begun for it."""

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands, once a slot was taken."""
        standing = read_standing(row.body)
        if standing.taking is None:
            return await self.journal.keep_schedule(row)
        kept = self.store.schedules[row.name]
        if kept.version != row.version - 1:
            return False
        # Whoever asks believes that it is written, and nobody else sees it.
        body = msgspec.json.encode(replace(standing, taking=None))
        return await self.journal.keep_schedule(replace(row, body=body, wake_at=kept.wake_at))


class AllHaveEnded(Around):
    """Whether the run of the slot before still moves is not asked."""

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        """Return those of the runs that move no more by themselves."""
        return frozenset(runs)


# Any: a wrapper of a journal, which has all that the journal has.
def _before(name: str, removes: str, journal: Any) -> Callable[[], Ablation]:
    return lambda: Ablation(name=name, removes=removes, journal=journal)


# Any: as above.
def _behind(name: str, removes: str, store: Any) -> Callable[[], Ablation]:
    return lambda: Ablation(name=name, removes=removes, store=store)


MISSED: dict[str, tuple[Callable[[], Ablation], str]] = {
    "slot without its key": (
        _before(
            "slot without its key", "The id and the key of a run follow from its slot.", AnyRun
        ),
        "were begun for the slot",
    ),
    "slot of any message": (
        _before("slot of any message", "The id of a message follows from its slot.", AnyMessage),
        "were begun for the slot",
    ),
    "over any version": (
        _behind("over any version", "A row is written over the version read.", OverAnyVersion),
        "slots are behind it",
    ),
    "meant in silence": (
        _behind(
            "meant in silence",
            "That a slot is to be taken is durable before anything is begun.",
            MeantInSilence,
        ),
        "do not count as taken",
    ),
    "all have ended": (
        _behind("all have ended", "A slot waits for the run of the one before.", AllHaveEnded),
        "had not ended",
    ),
}
"""How each safeguard is taken away, and what shows its lack."""
