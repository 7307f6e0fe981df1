"""What is true of every run that calls others, whatever its steps and its children come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason
from makegood.decision.state import Phase
from makegood.definition.plan import Kind
from makegood.exploring.witnessing.witness import Witness
from tests.decision.children.hearing import ended, failed, moved, refused, undone
from tests.decision.driver import CALLS, DECLINED, DONE, IN_DOUBT, TRANSIENT, Outcome, Run, snapshot
from tests.decision.plans import Policy, plan_of, sketch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan
    from tests.decision.plans import Sketch

NAMES = ("a", "b", "c", "d")
REST_MAX = 400
"""After how many ends a run is at rest at the latest."""

Said = facts.ChildEnded | facts.ChildMoved | facts.ChildRefused


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    sketches: list[Sketch] = []
    for index, name in enumerate(NAMES[: draw(st.integers(2, len(NAMES)))]):
        kind = draw(st.sampled_from([Kind.CHILD, Kind.CHILD, Kind.STEP, Kind.STEP, Kind.QUERY]))
        after = draw(st.sets(st.sampled_from(NAMES[:index]), max_size=2)) if index else set()
        policy: Policy = {"optional": draw(st.integers(0, 5)) == 0}
        if kind is Kind.STEP:
            policy["calls"] = True
            policy["undo"] = draw(st.booleans())
            policy["compensate"] = draw(st.integers(0, 3)) == 0
        sketches.append(sketch(kind, name, tuple(sorted(after)), policy))
    return plan_of(*sketches)


outcomes = st.lists(
    st.sampled_from([CALLS, CALLS, DONE, TRANSIENT, IN_DOUBT, DECLINED]), min_size=1, max_size=3
)
scripts = st.fixed_dictionaries(dict.fromkeys(NAMES, outcomes))
moves = st.lists(
    st.one_of(
        st.tuples(st.just("child"), st.integers(0, 3), st.integers(0, 4)),
        st.tuples(st.just("child"), st.integers(0, 3), st.integers(0, 4)),
        st.tuples(st.just("end"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("time"), st.just(0), st.just(0)),
        st.tuples(st.just("crash"), st.just(0), st.just(0)),
        st.tuples(st.just("cancel"), st.just(0), st.just(0)),
        st.tuples(st.just("undo"), st.just(0), st.just(0)),
        st.tuples(st.just("retry"), st.just(0), st.just(0)),
    ),
    max_size=14,
)


class CallingRun(Run):
    """A run whose every append is read by a witness, and whose children say what is drawn."""

    def __init__(self, plan: Plan, script: Mapping[str, Sequence[Outcome]]) -> None:
        self.witness = Witness(plan)
        super().__init__(plan, script)

    def append(self, recorded: list[Fact], *, fold_them: bool = False) -> None:
        super().append(recorded, fold_them=fold_them)
        for fact in recorded:
            self.witness.read(fact)
        assert snapshot(fold(self.plan, self.recorded)) == snapshot(self.state)

    def do(self, move: str, place: int, number: int) -> None:
        match move:
            case "child":
                calling = [index for index in range(len(self.plan.nodes)) if self.may_say(index)]
                if calling:
                    said = self.may_say(calling[place % len(calling)])
                    self.hear(said[number % len(said)])
            case "end" if self.work:
                self.end(self.work[place % len(self.work)])
            case "time":
                self.pass_time()
            case "crash":
                self.crash()
            case "cancel":
                self.cancel()
            case "undo":
                self.undo()
            case "retry":
                self.retry()
            case _:
                pass

    def may_say(self, index: int) -> list[Said]:
        """Return what the child of a node can say as things stand; what is first ends it well."""
        path, node = self.plan.nodes[index].path, self.state.nodes[index]
        if node.child is None:
            return []
        match node.phase:
            case Phase.IN_CHILD:
                return [
                    ended(self, path),
                    failed(self, path),
                    ended(self, path, EndStatus.CANCELLED, Cause.CANCELLED),
                    moved(self, path, ParkReason.IN_DOUBT),
                    refused(self, path),
                ]
            case Phase.CHILD_PARKED:
                return [moved(self, path), ended(self, path), failed(self, path)]
            case Phase.CHILD_UNDOING:
                return [
                    undone(self, path),
                    moved(self, path, ParkReason.UNDO_GAVE_UP),
                    refused(self, path, ControlAnswer.PAST_PIVOT),
                ]
            case _:
                return []

    def come_to_rest(self) -> None:
        """Let everything end well that has not ended."""
        for _ in range(REST_MAX):
            calling = [index for index in range(len(self.plan.nodes)) if self.may_say(index)]
            if self.work:
                self.end(self.work[0])
            elif calling:
                self.hear(self.may_say(calling[0])[0])
            elif not self.pass_time():
                return
        message = f"the run does not come to rest: {self.state.status}"
        raise AssertionError(message)


@given(plans(), scripts, moves)
def test_every_promise_holds_whatever_children_come_to(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, int, int]],
) -> None:
    run = CallingRun(plan, script)

    for move, place, number in what_happens:
        run.do(move, place, number)
    run.come_to_rest()

    assert run.state.is_settled, run.state.status
    assert not run.work
    assert not run.state.family.children
    assert not run.state.requests, "everybody is answered"
    assert run.undone == run.witness.undone
    assert len(set(run.undone)) == len(run.undone)
