"""What keeps lifecycles right, taken away in turn by wrappers that are made for each world."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.decide import decide
from makegood.journal.mail import KeptLetter
from tests.simulation.ablation import Ablation, Around
from tests.simulation.crashing.test_red import KEYS, ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from makegood.decision.commands import Decision
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.journal.mail import Letter
    from makegood.journal.memory import MemoryStore
    from makegood.journal.protocol import Append, Exists, Journal, NewRun, Post, Verdict
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Host
    from makegood.values.instants import Instant

__all__ = ["MISSED"]


class TimersOfVisits:
    """A timer is known by the number of the order and its handler, and outlives its visit."""

    def __init__(self) -> None:
        self._set: dict[tuple[str, str | None, str], tuple[Instant | None, Instant]] = {}
        """In the visit that began then, and for when."""

    def decide(self, plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
        """Decide with the timers of earlier visits, where they are due earlier."""
        if state.lifecycle is not None:
            self._put_back(plan, state, state.lifecycle)
        decision = decide(plan, state, now, chance)
        for fact in decision.facts:
            if isinstance(fact, facts.HandlingBegan) and fact.cause == "timer":
                self._set.pop((plan.workflow, state.key, fact.handler), None)
        return decision

    def _put_back(self, plan: Plan, state: RunState, lifecycle: LifecycleState) -> None:
        for name, due in lifecycle.timers.items():
            address = (plan.workflow, state.key, name)
            since, before = self._set.get(address, (lifecycle.since, due))
            if since == lifecycle.since:
                self._set[address] = (since, due)
            else:
                lifecycle.timers[name] = min(before, due)


class TimersOfNumbers(TimersOfVisits):
    """A timer ends with its visit, and outlives a run that goes back."""

    def decide(self, plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
        """Forget the timers of a status that is left for another one."""
        decision = super().decide(plan, state, now, chance)
        if any(isinstance(fact, facts.Moved) for fact in decision.facts):
            assert state.lifecycle is not None, "only the record of a lifecycle moves"
            left = state.lifecycle.since
            for address in [each for each, (since, _) in self._set.items() if since == left]:
                del self._set[address]
        return decision


LOOKED_UP_BEFORE = 1_000_000
"""How long before it is made a run's key is looked up, in microseconds."""


class LookedUpBefore(Around):
    """Who has a key is looked up first, and the run is made a moment later, whoever has it then."""

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run."""
        with self._unseen(append.create):
            return self.journal.append(append)

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one."""
        with self._unseen(post.create):
            return await self.journal.post(post)

    @contextmanager
    def _unseen(self, new: NewRun | None) -> Iterator[None]:
        """Let a run not be seen that has begun just now."""
        name = None if new is None or new.key is None else (new.workflow, new.key)
        holder = None if name is None else self.store.keys.get(name)
        if name is None or new is None or holder is None:
            yield
            return
        if new.created_at - self.store.records[holder].new.created_at > LOOKED_UP_BEFORE:
            yield
            return
        del self.store.keys[name]
        yield
        self.store.keys.setdefault(name, holder)


class EveryLetter(Around):
    """A message that is sent again is another message."""

    def __init__(self, journal: Journal, store: MemoryStore) -> None:
        super().__init__(journal, store)
        self._sent = 0

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter:
        """Deliver a letter from outside."""
        id = letter.id
        while id in self.store.letters:
            self._sent += 1
            id = f"{letter.id} again {self._sent}"
        return await self.journal.send(replace(letter, id=id), now=now)


class AnsweredAtOnce:
    """A message is acknowledged when it is on its way to the store."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tasks: list[asyncio.Task[KeptLetter]] = []

    # Any: whatever the journal inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter:
        """Deliver a letter from outside, some time."""
        task = asyncio.get_running_loop().create_task(self._journal.send(letter, now=now))
        # Nobody learns how it ended.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._tasks.append(task)
        return KeptLetter(
            id=letter.id,
            message=letter.message,
            key=letter.key,
            body=letter.body,
            at=now,
            until=letter.until,
        )


def _early(journal: Journal, _host: Host) -> Journal:
    # Any: whatever the journal inside has, this has too.
    around: Any = AnsweredAtOnce(journal)
    return around


def _timers_of_visits() -> Ablation:
    return Ablation(
        name="timer of its visit",
        removes="A timer belongs to one visit of a status.",
        decide=TimersOfVisits().decide,
    )


def _timers_of_numbers() -> Ablation:
    return Ablation(
        name="timer of its run",
        removes="A timer belongs to one run, and not to whoever has its number next.",
        decide=TimersOfNumbers().decide,
    )


def _looked_up() -> Ablation:
    return Ablation(
        name="check then insert",
        removes="That a key is free is found by whatever makes it taken.",
        store=LookedUpBefore,
    )


def _every_letter() -> Ablation:
    return Ablation(
        name="no dedupe",
        removes="A message that is sent again under its id is the same message.",
        store=EveryLetter,
    )


def _acknowledged() -> Ablation:
    return Ablation(
        name="acknowledged before it is stored",
        removes="A message is acknowledged once it is durable.",
        journal=_early,
    )


MISSED: dict[str, tuple[Callable[[], Ablation], str]] = {
    "timer of its visit": (_timers_of_visits, "too early"),
    "timer of its run": (_timers_of_numbers, "too early"),
    "check then insert": (_looked_up, "unfinished runs of"),
    "no dedupe": (_every_letter, "was noted"),
    "acknowledged before it is stored": (_acknowledged, "is lost"),
    "undo order": (lambda: ORDER, "it went back by"),
    "key after a death": (lambda: KEYS, "was done twice"),
}
"""How each safeguard is taken away, and what shows its lack."""
