"""What is true of a run that is retraced, whatever its plan, its outcomes and the moment."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import read_facts, write_facts
from makegood.definition.plan import Kind
from tests.decision.driver import DONE, IN_DOUBT, PERMANENT, TRANSIENT, Run, snapshot
from tests.decision.plans import plan_of, sketch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan
    from tests.decision.driver import Outcome
    from tests.decision.plans import Policy, Sketch

    Script = st.SearchStrategy[Sequence[Outcome]]

NAMES = ("a", "b", "c", "d", "e")

moves = st.lists(
    st.one_of(
        st.tuples(st.just("end"), st.integers(0, 2)),
        st.tuples(st.just("end"), st.integers(0, 2)),
        st.tuples(st.just("time"), st.just(0)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("again"), st.integers(0, len(NAMES) - 1)),
        st.tuples(st.just("again"), st.integers(0, len(NAMES) - 1)),
        st.tuples(st.just("cancel"), st.just(0)),
    ),
    min_size=4,
    max_size=16,
)

bodies: Script = st.lists(
    st.sampled_from([DONE, DONE, DONE, TRANSIENT, IN_DOUBT]), min_size=1, max_size=4
)
undos: Script = st.lists(
    st.sampled_from([DONE, DONE, DONE, TRANSIENT, PERMANENT]), min_size=1, max_size=4
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return a plan in which nearly everything can be taken back."""
    sketches: list[Sketch] = []
    for index, name in enumerate(NAMES[: draw(st.integers(2, len(NAMES)))]):
        kind = draw(st.sampled_from([Kind.STEP, Kind.STEP, Kind.STEP, Kind.QUERY, Kind.PURE]))
        after = draw(st.sets(st.sampled_from(NAMES[:index]), max_size=2)) if index else set()
        policy: Policy = {}
        if kind is Kind.STEP:
            policy = {"attempts": 4, "undo": draw(st.integers(0, 9)) > 0}
        sketches.append(sketch(kind, name, tuple(sorted(after)), policy))
    return plan_of(*sketches)


@st.composite
def scripts(draw: st.DrawFn) -> dict[str, Sequence[Outcome]]:
    return {name: draw(bodies) for name in NAMES} | {f"{name} undo": draw(undos) for name in NAMES}


class Retraced(Run):
    """A run that keeps count of what stands, by what is recorded of it."""

    def __init__(self, plan: Plan, script: Mapping[str, Sequence[Outcome]]) -> None:
        self.standing: set[str] = set()
        """What is done, and neither undone nor to be done again."""
        self.done_under: Counter[tuple[str, int]] = Counter()
        """How often each step was done under each of its keys."""
        super().__init__(plan, script)

    def fold(self, fact: Fact, recorded: list[Fact]) -> None:
        self.note(fact)
        super().fold(fact, recorded)

    def append(self, recorded: list[Fact], *, fold_them: bool = False) -> None:
        if fold_them:
            for fact in recorded:
                self.note(fact)
        super().append(recorded, fold_them=fold_them)

    def note(self, fact: Fact) -> None:
        """Take a fact into account that is about to be folded."""
        match fact:
            case facts.NodeDone(node=path):
                assert path not in self.standing, "nothing that stands is done once more"
                self.standing.add(path)
                if self.plan.nodes[self.plan.positions[path]].kind is Kind.STEP:
                    self.done_under[path, self.node(path).generation] += 1
            case facts.UndoStarted(node=path):
                assert path in self.standing, "only what stands is undone"
            case facts.UndoDone(node=path):
                self.standing.remove(path)
            case facts.Retraced():
                for index in self.state.retracing:
                    node = self.plan.nodes[index]
                    if node.kind in {Kind.STEP, Kind.LOCAL}:
                        assert node.path not in self.standing, "its effect was taken back"
                    self.standing.discard(node.path)
            case _:
                pass

    def again(self, path: str) -> None:
        """Ask for a step to be done again when nothing is at work."""
        self.pause()
        while self.work:
            self.end(self.work[0])
        self.posts += 1
        self.turn(facts.RetryFromRequested(self.posts, path, "eve", "it was wrong", self.now))
        self.resume()

    def do(self, move: str, number: int) -> None:
        match move:
            case "end" if number < len(self.work):
                self.end(self.work[number])
            case "time":
                self.pass_time()
            case "crash":
                self.crash()
            case "cancel" if number < len(self.work):
                self.cancel()
            case "again":
                self.again(NAMES[number])
            case _:
                pass


@given(plans(), scripts(), moves)
def test_nothing_is_done_twice_under_one_key_and_only_what_stands_is_undone(
    plan: Plan, script: Mapping[str, Sequence[Outcome]], what_happens: list[tuple[str, int]]
) -> None:
    run = Retraced(plan, script)

    for move, number in what_happens:
        run.do(move, number)
    run.play()

    assert run.state.is_settled
    assert not run.state.requests, "everybody is answered"
    assert max(run.done_under.values(), default=1) == 1
    stored = [fact for each in run.history for fact in read_facts(write_facts(each))]
    assert snapshot(fold(plan, stored)) == snapshot(run.state)
