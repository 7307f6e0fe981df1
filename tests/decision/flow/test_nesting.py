"""Everything nested in everything: what holds whatever stands in what, and whatever goes wrong.

Plans are drawn with branches, rounds, sleeps, guards and steps in each other, up to three deep, and
what comes of each body is drawn by its name, so that it does not depend on the order of things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import read_facts, write_facts
from makegood.decision.state import IN_FLIGHT, Phase
from makegood.definition.plan import Kind
from tests.decision.driver import (
    AGAIN,
    DECLINED,
    DONE,
    HOLDS,
    IN_DOUBT,
    INSTEAD,
    LATER,
    PERMANENT,
    PROCEED,
    SKIP,
    TRANSIENT,
    Outcome,
    Run,
    snapshot,
)
from tests.decision.plans import (
    Sketch,
    each_,
    expect,
    local,
    plan_of,
    pure,
    query,
    repeat_,
    sleep_,
    step,
    switch_,
)

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState, Scope
    from makegood.definition.plan import Plan

TURNS_MAX = 3_000
DEPTH_MAX = 3

BODIES: tuple[Sequence[Outcome], ...] = (
    *([DONE],) * 10,
    [TRANSIENT, DONE],
    [IN_DOUBT, DONE],
    [LATER, DONE],
    [IN_DOUBT, DECLINED],
    [IN_DOUBT],
    [DECLINED],
    [PERMANENT],
    [TRANSIENT],
)
"""What comes of a body: mostly that it is done."""


class Fates(Mapping[str, Sequence[Outcome]]):
    """What comes of everything, drawn by its name from a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __getitem__(self, name: str) -> Sequence[Outcome]:
        chance = Random(f"{self.seed} {name}")
        path, _, what = name.partition(" ")
        match what:
            case "":
                return chance.choice(BODIES)
            case "guard":
                return chance.choice(([HOLDS], [HOLDS], [SKIP], [INSTEAD], [PERMANENT]))
            case "ask":
                return chance.choice(([PROCEED], [TRANSIENT, PROCEED], [DECLINED]))
            case "undo":
                return chance.choice(([DONE],) * 8 + ([TRANSIENT, DONE], [PERMANENT]))
            case "case":
                return chance.choice((["x"], ["y"]))
            case "items":
                return chance.choice((["0"], ["1"], ["2"], ["3"]))
            case "until":
                return chance.choice(([DONE], [AGAIN, DONE]))
            case "branch" | "round" | "list" | "start" | "due" | "result":
                return chance.choice(([DONE],) * 15 + ([PERMANENT],))
            case _:
                message = f"nobody knows what comes of {path!r} {what!r}"
                raise AssertionError(message)

    def get(self, name: str, default: object = None) -> Sequence[Outcome]:  # type: ignore[override]
        """Return what comes of a name; there is always something."""
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1


@st.composite
def levels(draw: st.DrawFn, depth: int = 0) -> tuple[Sketch, ...]:
    """Return the nodes of a plan, of a branch or of a round."""
    found: list[Sketch] = []
    for name in ("a", "b", "c")[: draw(st.integers(1, 3 if depth < 2 else 2))]:
        before = tuple(each.node.path for each in found)
        after = draw(st.sets(st.sampled_from(before), max_size=2)) if before else set()
        found.append(draw(nodes(name, tuple(sorted(after)), depth)))
    return tuple(found)


@st.composite
def nodes(draw: st.DrawFn, name: str, after: tuple[str, ...], depth: int) -> Sketch:
    leaves = ["step", "step", "step", "local", "query", "pure", "expect", "sleep"]
    whole = [] if depth == DEPTH_MAX else ["switch", "each", "each", "keeping", "repeat"]
    match draw(st.sampled_from(leaves + whole)):
        case "step":
            return step(
                name,
                *after,
                undo=draw(st.booleans()),
                compensate=draw(st.booleans()),
                guard=draw(st.integers(0, 5)) == 0,
                optional=draw(st.integers(0, 5)) == 0,
            )
        case "local":
            return local(name, *after, undo_local=draw(st.booleans()))
        case "query":
            return query(name, *after)
        case "pure":
            return pure(name, *after, guard=draw(st.booleans()))
        case "expect":
            return expect(name, *after)
        case "sleep":
            return sleep_(name, *after)
        case "switch":
            cases = {"x": draw(levels(depth + 1)), "y": draw(st.sampled_from([(), None]))}
            return switch_(
                name,
                *after,
                cases={
                    case: draw(levels(depth + 1)) if it is None else it
                    for case, it in cases.items()
                },
            )
        case "each":
            return each_(
                name, *after, block=draw(levels(depth + 1)), at_once=draw(st.integers(1, 3))
            )
        case "keeping":
            quorum = draw(st.sampled_from([None, None, 1, 2]))
            return each_(
                name,
                *after,
                block=draw(levels(depth + 1)),
                at_once=draw(st.integers(1, 3)),
                keeps=True,
                quorum=quorum,
                done_min=draw(st.integers(0, 1)),
            )
        case _:
            return repeat_(name, *after, block=draw(levels(depth + 1)), times_max=2)


def _kept(sketches: tuple[Sketch, ...]) -> Plan:
    """Return a plan of rounds whose failures are kept, so that most of what fails fails there."""
    return plan_of(each_("whole", block=sketches, keeps=True), step("last", "whole", undo=True))


plans = st.one_of(levels().map(lambda sketches: plan_of(*sketches)), levels(depth=1).map(_kept))
seeds = st.integers(0, 1_000_000)


class Watched(Run):
    """A run of which every fact is judged when it is folded."""

    def fold(self, fact: Fact, recorded: list[Fact]) -> None:
        match fact:
            case facts.UndoStarted(node=path) | facts.NodeKept(node=path):
                self.judge_undo(path)
            case facts.RoundGaveUp(node=path, round=number):
                rounds = self.state.rounds[self.state.positions[path]]
                self.judge_round(rounds.scopes[number])
            case facts.NodeStarted(node=path):
                assert self.state.rolling_back is None or self.node(path).doubt, (
                    f"{path} begins though the run goes back"
                )
            case _:
                pass
        super().fold(fact, recorded)

    def judge_undo(self, path: str) -> None:
        """Demand that a node is undone in its turn, when nothing of its unit is open."""
        state, index = self.state, self.state.positions[path]
        unit = _unit_of(state, index)
        within = range(len(state.nodes)) if unit is None else [*state.nodes_within(unit)]
        assert unit is not None or state.rolling_back is not None, f"{path} is undone for nothing"
        for each in within:
            node = state.nodes[each]
            is_open = node.phase in IN_FLIGHT or node.phase in {Phase.STUCK, Phase.UNRECORDED}
            if each != index or node.phase is not Phase.UNDO_AGAIN:
                assert not is_open, f"{state.graph[each].path} is open while {path} is undone"
        done = [each for each in state.done_order if each in {*within}]
        assert state.nodes[index].phase is not Phase.DONE or done[-1] == index, (
            f"{path} is undone before {state.graph[done[-1]].path}, which was done after it"
        )

    def judge_round(self, scope: Scope) -> None:
        """Demand that nothing is left of a round that was given up."""
        for index in self.state.nodes_within(scope):
            node, phase = self.state.graph[index], self.state.nodes[index].phase
            assert phase not in IN_FLIGHT, f"{node.path} is at work in a round that is given up"
            assert index not in self.state.timers, f"{node.path} waits in a round that is given up"
            assert index not in self.state.done_order, f"{node.path} is left done"


def _unit_of(state: RunState, index: int) -> Scope | None:
    """Return the outermost round around a node that goes back, or None: it is the run."""
    found: Scope | None = None
    scope = state.scopes.get(index)
    while scope is not None:
        if scope in state.failing:
            found = scope
        scope = scope.outer
    return found


def played(run: Run, *, order: Random | None = None, crashes: Random | None = None) -> Run:
    """Carry a run out: what is at work ends together, in any order; the worker may die."""
    for _ in range(TURNS_MAX):
        if run.work:
            together = list(run.work)
            if order is not None:
                order.shuffle(together)
            run.end(*together)
        elif not run.pass_time():
            return run
        if crashes is not None and crashes.random() < 0.1:
            run.crash()
    message = f"the run does not come to rest: {run.state.status}"
    raise AssertionError(message)


def judge(run: Run) -> None:
    """Demand what holds of every run that has come to rest."""
    state = run.state
    assert state.status in {"completed", "failed", "parked"}
    for facts_of_one in (facts.NodeDone, facts.UndoDone):
        named = [path for path in run.names(facts_of_one) if _has_effect(state, path)]
        assert len(named) == len(set(named)), "nothing happens twice"
    if state.status == "completed":
        ended = {node.phase for node in state.nodes[: len(run.plan.nodes)]}
        assert ended <= {Phase.DONE, Phase.SKIPPED}, "a run is completed when all of it has ended"
        assert not state.failing
    if state.status == "failed":
        assert not state.done_order, "nothing is left when a run has failed"
    stored = [fact for append in run.history for fact in read_facts(write_facts(append))]
    assert snapshot(fold(run.plan, stored)) == snapshot(state)


def _has_effect(state: RunState, path: str) -> bool:
    return state.graph[state.positions[path]].kind in {Kind.STEP, Kind.LOCAL}


@given(plan=plans, seed=seeds)
@settings(max_examples=3 * settings().max_examples // 2)
def test_whatever_stands_in_what_a_run_comes_to_rest_with_nothing_left(
    plan: Plan, seed: int
) -> None:
    judge(played(Watched(plan, Fates(seed))))


@given(plan=plans, seed=seeds, chance=st.randoms(use_true_random=False))
@settings(max_examples=3 * settings().max_examples // 4)
def test_whatever_stands_in_what_it_survives_the_death_of_its_workers(
    plan: Plan, seed: int, chance: Random
) -> None:
    judge(played(Watched(plan, Fates(seed)), crashes=chance))


@given(plan=plans, seed=seeds, chance=st.randoms(use_true_random=False))
def test_the_order_of_what_ends_in_one_turn_changes_neither_the_end_nor_what_is_undone(
    plan: Plan, seed: int, chance: Random
) -> None:
    one = played(Watched(plan, Fates(seed)))
    other = played(Watched(plan, Fates(seed)), order=chance)

    assert one.state.status == other.state.status
    assert sorted(one.undone) == sorted(other.undone)


def test_everything_is_drawn_within_rounds_that_keep_failures() -> None:
    """A property that never meets a thing says nothing about it."""
    found: set[Kind] = set()

    @given(plan=plans)
    @settings(max_examples=300)
    def look(plan: Plan) -> None:
        for node in plan.nodes:
            if _keeps(node):
                found.update(_kinds_in(node))

    look()
    drawn = {Kind.SWITCH, Kind.EACH, Kind.REPEAT, Kind.SLEEP, Kind.LOCAL, Kind.QUERY}
    assert drawn <= found


def _keeps(node: object) -> bool:
    block = getattr(node, "block", None)
    return block is not None and block.keeps_failures


def _kinds_in(node: object) -> Iterator[Kind]:
    block = getattr(node, "block", None)
    for inside in () if block is None else block.nodes:
        yield inside.kind
        yield from _kinds_in(inside)
