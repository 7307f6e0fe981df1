"""What is true of a run that goes on under another plan, whatever both are and how far it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.moving.fitting import misfit_of
from makegood.definition.plan import Kind
from tests.decision.driver import DONE, IN_DOUBT, TRANSIENT, Run, snapshot
from tests.decision.plans import plan_of, sketch, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.definition.plan import Plan
    from tests.decision.driver import Outcome
    from tests.decision.plans import Policy, Sketch

NAMES = ("a", "b", "c", "d", "e")

scripts: st.SearchStrategy[dict[str, Sequence[Outcome]]] = st.dictionaries(
    st.sampled_from((*NAMES, "more")),
    st.lists(st.sampled_from([DONE, DONE, TRANSIENT, IN_DOUBT]), min_size=1, max_size=3),
)


@st.composite
def two_plans(draw: st.DrawFn) -> tuple[Plan, Plan]:
    """Return a plan, and what somebody has made of it: nodes less, one more, another undo."""
    before: list[Sketch] = []
    for index, name in enumerate(NAMES[: draw(st.integers(2, len(NAMES)))]):
        kind = draw(st.sampled_from([Kind.STEP, Kind.STEP, Kind.STEP, Kind.QUERY, Kind.PURE]))
        after = draw(st.sets(st.sampled_from(NAMES[:index]), max_size=2)) if index else set()
        policy: Policy = {"undo": draw(st.booleans())} if kind is Kind.STEP else {}
        before.append(sketch(kind, name, tuple(sorted(after)), policy))
    kept = [each for each in before if draw(st.integers(0, 5))] or before
    names = [each.node.path for each in kept]
    behind = [
        msgspec.structs.replace(each, after=tuple(name for name in each.after if name in names))
        for each in kept
    ]
    more = step("more", *draw(st.sets(st.sampled_from(names), max_size=1)), undo=True)
    later = [*behind, more] if draw(st.booleans()) else behind
    return plan_of(*before), plan_of(*later)


@given(two_plans(), scripts, st.lists(st.integers(0, 2), max_size=6), st.booleans())
def test_a_run_that_fits_goes_on_to_its_end_and_does_nothing_once_more(
    plans: tuple[Plan, Plan],
    script: Mapping[str, Sequence[Outcome]],
    ends: list[int],
    is_cancelled: bool,  # noqa: FBT001 - drawn
) -> None:
    old, new = plans
    run = Run(old, script)
    for place in ends:
        if place < len(run.work):
            run.end(run.work[place])
    misfit = misfit_of(old, new, run.recorded)
    if misfit is not None:
        return
    was_done = run.names(facts.NodeDone)

    moved = Run(new, script, starts=False)
    moved.now, moved.history, moved.begun = run.now, [*run.history], run.begun
    moved.history.append((facts.MovedOn("1" * 16, run.now),))
    moved.crash()
    if is_cancelled:
        moved.cancel()
    moved.play()

    assert moved.state.is_settled
    assert moved.names(facts.NodeDone)[: len(was_done)] == was_done
    done = moved.names(facts.NodeDone)
    assert len(done) == len(set(done)), "nothing is done once more"
    assert snapshot(fold(new, moved.recorded)) == snapshot(moved.state)
    if moved.state.status == "completed":
        skipped = moved.names(facts.NodeSkipped)
        assert {*done, *skipped} >= {node.path for node in new.nodes}
    undoable = {node.path for node in new.nodes if node.undo is not None}
    if moved.state.status == "cancelled":
        effects = [path for path in done if path in undoable]
        assert moved.undone == effects[::-1]
