"""That the story of the messages can fail: what keeps and delivers them is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from makegood.journal.protocol import Applied, Delivered, Undelivered
from makegood.testing.simulation import Fate
from tests.simulation.ablation import Ablation, Around
from tests.simulation.crashing.campaign import kind_of
from tests.simulation.crashing.cases import CASES
from tests.simulation.crashing.points import points
from tests.simulation.crashing.world import play

if TYPE_CHECKING:
    from makegood.journal.memory import MemoryStore
    from makegood.journal.protocol import Append, Journal, Verdict
    from makegood.journal.reply import Pending
    from makegood.values.instants import Instant
    from tests.simulation.crashing.points import Mishap

[WRITES] = [case for case in CASES if str(case) == "write_to_oneself completed"]


def send(store: MemoryStore, waiting: Undelivered) -> None:
    """Put something on its way, behind all that is there."""
    store.outgoing_last += 1
    store.outgoing[store.outgoing_last] = waiting


class Twice(Around):
    """What was delivered is delivered once more."""

    def __init__(self, journal: Journal, store: MemoryStore) -> None:
        super().__init__(journal, store)
        self.delivered: list[Undelivered] = []

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        waiting = list(self.store.outgoing.values())[:limit]
        delivered = await self.journal.deliver(limit=limit, now=now)
        for again in waiting:
            if again not in self.delivered:
                self.delivered.append(again)
                send(self.store, again)
        return delivered


class NothingKept(Around):
    """A message for which nobody waits is dropped."""

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        delivered = await self.journal.deliver(limit=limit, now=now)
        for letter in list(self.store.letters.values()):
            if letter.taken_by is None:
                del self.store.letters[letter.id]
        return delivered


class SaidInMemory(Around):
    """What a run says is remembered by its process, and not with its append."""

    def __init__(self, journal: Journal, store: MemoryStore) -> None:
        super().__init__(journal, store)
        self.said: list[Undelivered] = []

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        return (*self.said, *self.store.outgoing.values())[:limit]

    def append(self, append: Append) -> Pending[Verdict]:
        for entry in append.outgoing:
            self.said.append(Undelivered(sender=append.run, at=append.at, entry=entry))
        return self.journal.append(msgspec.structs.replace(append, outgoing=()))

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        said, self.said = self.said, []
        for waiting in said:
            send(self.store, waiting)
        return await self.journal.deliver(limit=limit, now=now)


class RungOnly(Around):
    """Only who has said something delivers, and nobody looks for what a dead one has left."""

    def __init__(self, journal: Journal, store: MemoryStore) -> None:
        super().__init__(journal, store)
        self.has_said = False

    def append(self, append: Append) -> Pending[Verdict]:
        self.has_said = self.has_said or bool(append.outgoing)
        return self.journal.append(append)

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        return tuple(self.store.outgoing.values())[:limit] if self.has_said else ()


class AgainWithoutToken(Around):
    """An append that is sent again says everything again, though it is known by its token."""

    def append(self, append: Append) -> Pending[Verdict]:
        record = self.store.records.get(append.run)
        is_known = record is not None and record.token == append.token
        reply = self.journal.append(append)
        if is_known and reply.result() == Applied():
            for entry in append.outgoing:
                send(self.store, Undelivered(sender=append.run, at=append.at, entry=entry))
        return reply


class SentAgain(Around):
    """The store's client sends every append twice, as it does when an answer was lost."""

    def append(self, append: Append) -> Pending[Verdict]:
        self.journal.append(append)
        return self.journal.append(append)


def _again_without_token(journal: Journal, store: MemoryStore) -> Journal:
    # Any: whatever the journal inside has, these have too.
    inside: Any = AgainWithoutToken(journal, store)
    around: Any = SentAgain(inside, store)
    return around


TWICE = Ablation(
    name="delivered twice", removes="What is delivered is forgotten with that.", store=Twice
)
KEPT = Ablation(
    name="nothing kept", removes="A message is kept for who waits later.", store=NothingKept
)
IN_MEMORY = Ablation(
    name="said in memory",
    removes="What a run says is remembered with its append.",
    store=SaidInMemory,
)
RUNG_ONLY = Ablation(
    name="rung only",
    removes="Every worker looks for what nobody has delivered.",
    store=RungOnly,
)
AGAIN = Ablation(
    name="again without token",
    removes="An append that is known by its token says nothing again.",
    store=_again_without_token,
)
AGAIN_KNOWN = Ablation(name="sent again", removes="Nothing.", store=SentAgain)


def found(mishaps: tuple[Mishap, ...], ablation: Ablation) -> str:
    return " ".join(play(WRITES, mishaps, ablation=ablation).violations)


@pytest.mark.parametrize(
    ("ablation", "what"),
    [(TWICE, "still waits for"), (KEPT, "did not end"), (AGAIN, "still waits for")],
)
def test_some_safeguards_are_missed_in_every_story(ablation: Ablation, what: str) -> None:
    assert what in found((), ablation)


def test_an_append_that_is_sent_again_changes_nothing_while_its_token_is_looked_at() -> None:
    assert found((), AGAIN_KNOWN) == ""


@pytest.mark.parametrize(
    ("kind", "ablation"),
    [
        (("append", Fate.KILL_AFTER), IN_MEMORY),
        (("append", Fate.KILL_AFTER), RUNG_ONLY),
        (("deliver", Fate.KILL_BEFORE), RUNG_ONLY),
    ],
)
def test_a_lost_safeguard_shows_where_a_process_dies(
    kind: tuple[str, Fate], ablation: Ablation
) -> None:
    calls = play(WRITES, ablation=ablation).calls
    assert found((), ablation) == "", "without a death nobody notices"

    told = [point for point in points(calls) if kind_of(point, calls) == kind]

    assert "did not end" in " ".join(found((point,), ablation) for point in told)
