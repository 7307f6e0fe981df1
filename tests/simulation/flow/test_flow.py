"""Worlds of the flow by their seeds: all that is begun is done once, or goes back in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood.decision.commands import Decision
from makegood.decision.decide import CLAIMS_MAX, decide
from makegood.decision.facts import (
    Chosen,
    Fact,
    Parked,
    ParkReason,
    SleepBegan,
    read_facts,
    write_facts,
)
from makegood.journal.mail import ToRun
from tests.simulation.ablation import Ablation, Around
from tests.simulation.crashing.test_red import KEYS, ORDER
from tests.simulation.flow.campaign import FLOW
from tests.simulation.flow.world import play
from tests.simulation.kinds.playing import first_red, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Node, Plan
    from makegood.journal.protocol import Append, History, Outgoing, Verdict
    from makegood.journal.reply import Pending
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

SEEDS = 200
SEEDS_MAX = 600
"""In how many worlds the lack of a safeguard must show."""


def all_rounds_at_once(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Begin every round as soon as there is one."""
    state.graph = [_unbounded(node) for node in state.graph]
    return decide(plan, state, now, chance)


def _unbounded(node: Node) -> Node:
    if node.block is None:
        return node
    return msgspec.structs.replace(node, block=msgspec.structs.replace(node.block, at_once=100))


def hasty(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Take a run for poison when two that took it were lost."""
    if state.claims > CLAIMS_MAX - 3:
        state.claims = CLAIMS_MAX + 1
    return decide(plan, state, now, chance)


def faint(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Ask for a person when a run is taken up again, whatever was under way."""
    if state.claims > 1 and not state.is_settled:
        return Decision((Parked(ParkReason.IN_DOUBT, now),))
    return decide(plan, state, now, chance)


class ChosenAnew(Around):
    """What a switch has chosen is found otherwise by whoever goes on with the run."""

    async def read(self, run: RunId) -> History:
        return _with(await self.journal.read(run), _otherwise)

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        return tuple([await self.read(run) for run in runs])


def _otherwise(fact: Fact) -> Fact:
    if not isinstance(fact, Chosen):
        return fact
    return msgspec.structs.replace(fact, case="child" if fact.case == "hand" else "hand")


class SleepsLightly(Around):
    """When a sleep is over is forgotten by whoever goes on with the run."""

    async def read(self, run: RunId) -> History:
        return _with(await self.journal.read(run), _over)

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        return tuple([await self.read(run) for run in runs])


def _over(fact: Fact) -> Fact:
    return msgspec.structs.replace(fact, due=0) if isinstance(fact, SleepBegan) else fact


def _with(history: History, change: Callable[[Fact], Fact]) -> History:
    appends = tuple(
        write_facts([change(fact) for fact in read_facts(append)]) for append in history.appends
    )
    return msgspec.structs.replace(history, appends=appends)


class DeafChildren(Around):
    """A child that is to be cancelled is not told."""

    def append(self, append: Append) -> Pending[Verdict]:
        told = tuple(each for each in append.outgoing if not _is_cancel(each))
        return self.journal.append(msgspec.structs.replace(append, outgoing=told))


def _is_cancel(entry: Outgoing) -> bool:
    return isinstance(entry, ToRun) and msgspec.json.decode(entry.body)["type"] == "cancel"


ROUNDS = Ablation(
    name="rounds at once",
    removes="No more rounds are at work than at_once says.",
    decide=all_rounds_at_once,
)
CHOICE = Ablation(
    name="choice", removes="A switch chooses once, and that is on record.", store=ChosenAnew
)
SLEEP = Ablation(
    name="due time", removes="When a sleep is over is in the journal.", store=SleepsLightly
)
CHILDREN = Ablation(
    name="child's cancel", removes="A child goes back when its parent does.", store=DeafChildren
)
POISON = Ablation(
    name="claims",
    removes="A run is taken for poison only after five that took it were lost.",
    decide=hasty,
)
DOUBT = Ablation(
    name="doubt",
    removes="Whoever takes a run up asks again under its keys, and leaves no doubt to a person.",
    decide=faint,
)
MISSED = {
    ROUNDS: "were at work at once",
    CHOICE: "",
    SLEEP: "without a rest before it",
    CHILDREN: "by a child that was to go back",
    POISON: "is taken for poison after",
    DOUBT: "is parked for in doubt, which nothing explains",
    ORDER: "it went back by",
    KEYS: "was done twice",
}
"""What shows the lack of each safeguard; any rule will do where nothing is named."""


@pytest.mark.timeout(300)
def test_all_is_done_once_or_goes_back_in_order_whatever_goes_wrong() -> None:
    seen = survey(FLOW, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


@pytest.mark.parametrize("ablation", MISSED, ids=lambda each: each.name)
def test_the_worlds_turn_red_without(ablation: Ablation) -> None:
    found = first_red(FLOW, lambda: ablation, MISSED[ablation], seeds_max=SEEDS_MAX)

    assert found is not None, ablation.removes


def test_a_world_is_played_the_same_however_often() -> None:
    assert play(7) == play(7)
