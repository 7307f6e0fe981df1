"""That the crashed stories can fail: a safeguard is taken away, and each kind of point shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from makegood.decision.decide import decide
from makegood.decision.facts import Recorded, read_facts, write_facts
from makegood.decision.state import Phase
from makegood.journal.protocol import Applied
from makegood.journal.reply import Reply
from makegood.testing.simulation import Fate
from tests.simulation.ablation import Ablation, Around
from tests.simulation.crashing.campaign import Kind, kind_of, stand_still_everywhere
from tests.simulation.crashing.cases import CASES
from tests.simulation.crashing.points import Mishap, points
from tests.simulation.crashing.world import play

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.decision.commands import Decision
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import Append, History, Journal, Leases, StoredPlan, Verdict
    from makegood.journal.reply import Pending
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant


class StaleRead(Around):
    """A run is read from a copy that lags behind by one append."""

    async def read(self, run: RunId) -> History:
        history = await self.journal.read(run)
        return msgspec.structs.replace(history, appends=history.appends[:-1] or history.appends)

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        return tuple([await self.read(run) for run in runs])


class ClaimedOnce(Around):
    """A run whose first heir died is not found by a second one."""

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        for record in self.store.records.values():
            if record.epoch > 1:
                self.store.wakeable.discard(record.run)
        return await self.journal.lease(worker, room=room, limit=limit, now=now)


class PlansOnce(Around):
    """A plan that is there already cannot be stored again."""

    async def keep_plan(self, plan: StoredPlan) -> None:
        assert plan.fingerprint not in self.store.plans, "the plan is there already"
        await self.journal.keep_plan(plan)


class WhoeverWrites(Around):
    """An append is written whoever sends it, behind whatever is there."""

    def append(self, append: Append) -> Pending[Verdict]:
        record = self.store.records.get(append.run)
        if record is not None and record.owner is not None and append.create is None:
            append = msgspec.structs.replace(
                append, epoch=record.epoch, worker=record.owner, seq=record.seq + 1
            )
        return self.journal.append(append)


class Forgetful(Around):
    """What a body records is acknowledged, and not kept."""

    def append(self, append: Append) -> Pending[Verdict]:
        kept = [fact for fact in read_facts(append.facts) if not isinstance(fact, Recorded)]
        return self.journal.append(msgspec.structs.replace(append, facts=write_facts(kept)))


def another_key_after_a_death(
    plan: Plan, state: RunState, now: Instant, chance: Chance
) -> Decision:
    """Repeat what was interrupted under a new key."""
    for node in state.nodes:
        if node.phase is Phase.INTERRUPTED:
            node.generation += 1
    return decide(plan, state, now, chance)


def undo_forwards(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Undo in the order in which things were done."""
    state.done_order.reverse()
    try:
        return decide(plan, state, now, chance)
    finally:
        state.done_order.reverse()


class AcknowledgedAtOnce:
    """An append is acknowledged when it is sent, not when it is written."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    # Any: whatever the journal inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    def append(self, append: Append) -> Pending[Verdict]:
        self.journal.append(append)
        given: Reply[Verdict] = Reply()
        given.give(Applied())
        return given


STALE = Ablation(name="stale read", removes="A run is read where it is written.", store=StaleRead)
KEYS = Ablation(
    name="key after a death",
    removes="What is repeated has the key that it had before.",
    decide=another_key_after_a_death,
)
ONCE = Ablation(
    name="claimed once",
    removes="A run is found again however often its holders die.",
    store=ClaimedOnce,
)
PLANS = Ablation(
    name="plans once", removes="A plan that is there already is left alone.", store=PlansOnce
)
FENCE = Ablation(
    name="fence and sequence",
    removes="Only the newest holder writes, and only behind what it has seen.",
    store=WhoeverWrites,
)

ORDER = Ablation(
    name="undo order", removes="What was done last is undone first.", decide=undo_forwards
)
EARLY = Ablation(
    name="write-ahead",
    removes="A command is performed only after its fact is durable.",
    journal=lambda journal, _host: AcknowledgedAtOnce(journal),
)
[TRAVEL] = [case for case in CASES if str(case) == "travel undone"]


def found(mishaps: Sequence[Mishap], ablation: Ablation) -> tuple[str, ...]:
    """Return what is found in a story."""
    return play(TRAVEL, mishaps, ablation=ablation).violations


def stories(kind: Kind, ablation: Ablation) -> list[tuple[Mishap, ...]]:
    """Return stories that end in a mishap of a kind; what only a recovery calls has one before."""
    calls = play(TRAVEL, ablation=ablation).calls
    before: tuple[Mishap, ...] = ()
    if kind[0] in {"lease", "read"}:
        before = (Mishap(len(calls) // 2, Fate.KILL_BEFORE),)
        calls = play(TRAVEL, before, ablation=ablation).calls
    after = before[-1].number if before else -1
    return [
        (*before, point) for point in points(calls, after=after) if kind_of(point, calls) == kind
    ]


@pytest.mark.parametrize(
    ("kind", "ablation", "what"),
    [
        (("append", Fate.KILL_BEFORE), KEYS, "was done 2 times"),
        (("append", Fate.KILL_AFTER), STALE, "is done and runs again"),
        (("request", Fate.KILL_BEFORE), STALE, "is done and runs again"),
        (("request", Fate.KILL_AFTER), KEYS, "was done 2 times"),
        (("lease", Fate.KILL_AFTER), ONCE, "did not end"),
        (("read", Fate.KILL_AFTER), ONCE, "did not end"),
        (("keep_plan", Fate.KILL_AFTER), PLANS, "the plan is there already"),
    ],
)
def test_a_lost_safeguard_shows_at_each_kind_of_point(
    kind: Kind, ablation: Ablation, what: str
) -> None:
    told = stories(kind, ablation)
    for before in {(), *(story[:-1] for story in told)}:
        assert found(before, ablation) == (), "without this death nobody notices"
    assert what in " ".join(str(found(story, ablation)) for story in told)


def test_a_lost_fence_shows_where_a_zombie_wakes() -> None:
    assert found((), FENCE) == ()
    tally = stand_still_everywhere(TRAVEL, ablation=FENCE)
    assert "is done and runs again" in " ".join(tally.violations)


@pytest.mark.parametrize(
    ("ablation", "what"), [(ORDER, "is not the last that was done"), (EARLY, "before the journal")]
)
def test_some_safeguards_are_missed_in_every_story(ablation: Ablation, what: str) -> None:
    for story in [(), *stories(("request", Fate.KILL_AFTER), ablation)]:
        assert what in str(found(story, ablation))


RECORDS = Ablation(
    name="records",
    removes="What a body records is there for whoever goes on with the run.",
    store=Forgetful,
)


def test_a_lost_record_shows_where_another_worker_needs_it() -> None:
    [case] = [case for case in CASES if str(case) == "move_in undone"]
    calls = play(case, ablation=RECORDS).calls
    told = [play(case, [point], ablation=RECORDS).violations for point in points(calls)]
    assert play(case, ablation=RECORDS).violations == (), "without a death nobody notices"
    assert "the companies' books show ['lease'] and should show []" in str(told)
