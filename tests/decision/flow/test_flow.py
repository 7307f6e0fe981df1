"""Branches, rounds and sleeps as the decision core carries them out, and how they are undone."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makegood.decision import facts
from makegood.decision.commands import Undo
from makegood.decision.evolve import fold
from makegood.decision.facts import read_facts, write_facts
from makegood.decision.state import Phase, Results
from tests.decision.driver import (
    AGAIN,
    DECLINED,
    DONE,
    IN_DOUBT,
    NAP,
    PERMANENT,
    TRANSIENT,
    Outcome,
    Run,
    snapshot,
)
from tests.decision.plans import (
    each_,
    plan_of,
    pure,
    query,
    repeat_,
    sleep_,
    step,
    switch_,
)

if TYPE_CHECKING:
    from random import Random

    from makegood.definition.plan import Plan

PAY = switch_(
    "how",
    cases={
        "card": (step("hold", undo=True), step("take", "hold", undo=True)),
        "bill": (step("write", undo=True),),
        "free": (),
    },
)
PACK = each_("lines", block=(step("pack", undo=True), step("label", "pack", undo=True)))
ASK = repeat_("again", block=(step("ask", undo=True),), returns="ask")


# A switch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "done"),
    [("card", ["how/card/hold", "how/card/take"]), ("bill", ["how/bill/write"]), ("free", [])],
)
def test_only_the_branch_that_was_chosen_happens(case: str, done: list[str]) -> None:
    run = Run(plan_of(PAY, step("ship", "how")), {"how case": [case]}).play()

    assert run.names(facts.NodeStarted) == [*done, "ship"]
    assert run.state.status == "completed"
    assert run.node("how/bill/write").phase is (Phase.DONE if case == "bill" else Phase.SKIPPED)


def test_a_switch_ends_after_the_last_node_of_its_branch() -> None:
    run = Run(plan_of(PAY, step("ship", "how")))
    run.end("how/card/hold")

    assert run.at_work == ["how/card/take"]
    assert run.node("how").phase is Phase.CHOSEN


def test_a_branch_within_a_branch_that_was_not_chosen_is_skipped_with_it() -> None:
    inner = switch_("inner", cases={"x": (step("a"),), "y": (step("b"),)})
    run = Run(plan_of(switch_("outer", cases={"one": (), "two": (inner,)}))).play()

    assert run.state.status == "completed"
    assert [node.phase for node in run.state.nodes[1:]] == [Phase.SKIPPED] * 3


def test_a_node_that_was_not_chosen_does_not_begin_when_its_other_needs_are_met() -> None:
    late = switch_("how", cases={"no": (), "yes": (step("ship", "slow"),)})
    run = Run(plan_of(step("slow"), late)).play()

    assert run.names(facts.NodeStarted) == ["slow"]


@pytest.mark.parametrize("what", ["case", "branch"])
def test_a_switch_that_cannot_be_computed_fails_the_run(what: str) -> None:
    run = Run(plan_of(PAY), {f"how {what}": [PERMANENT]}).play()

    assert run.state.status == "failed"
    assert run.undone == ([] if what == "case" else ["how/card/take", "how/card/hold"])


# A sleep ----------------------------------------------------------------------------------------


def test_a_run_waits_until_its_sleep_is_over() -> None:
    run = Run(plan_of(sleep_("nap"), step("ship", "nap")))

    assert (run.state.status, run.waits, run.at_work) == ("waiting", NAP, [])
    run.pass_time()
    assert run.at_work == ["ship"]


def test_a_worker_that_dies_makes_a_sleep_no_longer() -> None:
    run = Run(plan_of(sleep_("nap"), step("ship", "nap")))
    run.crash(down=timedelta(minutes=2))

    assert run.waits == NAP - timedelta(minutes=2)


def test_a_sleep_is_stopped_when_the_run_turns_back() -> None:
    run = Run(plan_of(step("pay", undo=True), sleep_("nap", "pay")))
    run.end("pay")
    run.cancel()
    run.play()

    assert run.names(facts.NodeStopped) == ["nap"]
    assert run.undone == ["pay"]


def test_nothing_is_waited_for_that_only_sleeps_while_something_is_in_doubt() -> None:
    plan = plan_of(sleep_("nap"), step("pay", key_valid_for=None, attempts=1))
    run = Run(plan)
    run.end("pay", outcome=IN_DOUBT)

    assert run.state.status == "parked"


# Rounds -----------------------------------------------------------------------------------------


def test_as_many_rounds_are_at_work_as_may_be_and_the_next_begins_when_one_ends() -> None:
    run = Run(plan_of(PACK), {"lines items": ["3"]})

    assert run.at_work == ["lines[0]/pack", "lines[1]/pack"]
    run.end("lines[1]/pack")
    run.end("lines[1]/label")
    assert run.at_work == ["lines[0]/pack", "lines[2]/pack"]


def test_a_run_is_read_under_a_plan_that_lets_fewer_rounds_be_at_work_at_once() -> None:
    def plan(at_once: int) -> Plan:
        inner = each_("inner", block=(step("pack", undo=True),), returns="pack", at_once=at_once)
        return plan_of(each_("lines", block=(inner, step("label", "inner")), at_once=at_once))

    wide = Run(plan(3), {"lines items": ["3"]})
    wide.end("lines[2]/inner[1]/pack")
    narrow = Run(plan(1), starts=False)
    narrow.history, narrow.now = wide.history, wide.now
    narrow.crash()

    assert narrow.node("lines[2]/inner[1]/pack").phase is Phase.DONE
    narrow.play()
    assert narrow.state.status == "completed"
    assert len(narrow.names(facts.NodeDone)) == len({*narrow.names(facts.NodeDone)}) == 13


def test_rounds_that_end_in_one_turn_are_valued_one_after_the_other() -> None:
    run = Run(plan_of(PACK))
    run.end("lines[0]/pack", "lines[1]/pack")
    run.end("lines[1]/label", "lines[0]/label")

    valued = [fact.round for fact in run.recorded if isinstance(fact, facts.RoundDone)]
    assert valued == [1, 0]
    assert run.state.status == "completed"


def test_an_each_without_items_is_done_at_once() -> None:
    run = Run(plan_of(PACK), {"lines items": ["0"]})

    assert run.state.status == "completed"


@pytest.mark.parametrize("what", ["items", "round", "list"])
def test_an_each_that_cannot_be_computed_fails_the_run(what: str) -> None:
    run = Run(plan_of(PACK), {f"lines {what}": [PERMANENT], "lines items": [DONE]})
    if what == "items":
        run = Run(plan_of(PACK), {"lines items": [PERMANENT]})
    run.play()

    assert run.state.status == "failed"
    assert run.names(facts.NodeGaveUp) == ["lines"]
    assert run.undone == list(reversed(run.names(facts.NodeDone)))


def test_a_round_that_ends_after_another_could_not_be_valued_changes_nothing() -> None:
    run = Run(plan_of(PACK), {"lines items": ["3"], "lines round": [PERMANENT]})
    run.end("lines[0]/pack")
    run.end("lines[1]/pack", "lines[0]/label")
    run.play()

    assert run.state.status == "failed"
    assert run.names(facts.NodeGaveUp) == ["lines"]
    assert not any(path.startswith("lines[2]") for path in run.state.positions)


def test_past_the_pivot_what_could_not_be_computed_is_computed_when_a_person_says_so() -> None:
    plan = plan_of(step("pay", pivot=True), PACK_AFTER_PAY)
    run = Run(plan, {"lines round": [PERMANENT, DONE]}).play()
    assert run.state.status == "parked"

    assert run.retry("lines") is facts.ControlAnswer.ACCEPTED
    run.play()

    assert run.state.status == "completed"


PACK_AFTER_PAY = each_("lines", "pay", block=(step("pack"), step("label", "pack")))


def test_a_repeat_goes_round_until_it_is_over() -> None:
    run = Run(plan_of(ASK), {"again until": [AGAIN, AGAIN, DONE]}).play()

    assert run.names(facts.NodeStarted) == [f"again[{number}]/ask" for number in range(3)]
    assert run.state.status == "completed"


@pytest.mark.parametrize("what", ["start", "until"])
def test_a_repeat_that_cannot_be_computed_fails_the_run(what: str) -> None:
    run = Run(plan_of(ASK), {f"again {what}": [PERMANENT]}).play()

    assert run.state.status == "failed"


def test_what_a_round_gives_is_computed_where_it_is_no_whole_result() -> None:
    run = Run(plan_of(repeat_("again", block=(step("ask"), pure("p", "ask"))))).play()

    assert [fact.round for fact in run.recorded if isinstance(fact, facts.RoundDone)] == [0]


def test_a_round_with_a_switch_ends_though_other_branches_never_happen() -> None:
    run = Run(plan_of(each_("lines", block=(PAY,)))).play()

    assert run.state.status == "completed"


def test_a_node_sees_the_results_of_its_round_and_of_those_around_it() -> None:
    inner = each_("inner", "a", block=(step("b"),), returns="b")
    run = Run(plan_of(step("first"), each_("outer", "first", block=(step("a"), inner)))).play()
    state = run.state
    index = state.positions["outer[1]/inner[0]/b"]
    seen = state.results_of(index)

    assert isinstance(seen, Results)
    assert [seen[0], seen[10_000], seen[20_000]] == [
        state.results[state.positions[path]]
        for path in ("first", "outer[1]/a", "outer[1]/inner[0]/b")
    ]
    assert state.number_of(index) == 20_000
    assert state.number_of(0) == 0
    assert set(state.inputs_of(index)) == {"flag", "@1", "@2"}
    assert state.inputs_of(0) is state.inputs
    assert state.results_of(0) is state.results


@pytest.mark.parametrize("order", [*permutations(["lines[0]/pack", "lines[1]/pack", "other"])])
def test_whatever_ends_first_the_run_ends_alike_and_is_undone_in_reverse(
    order: tuple[str, ...],
) -> None:
    plan = plan_of(PACK, step("other", undo=True), step("last", "lines", "other"))
    run = Run(plan, {"last": [DECLINED]})
    run.end(*order)
    run.play()

    done = [path for path in run.names(facts.NodeDone) if path != "lines"]
    assert run.state.status == "failed"
    assert run.undone == done[::-1]
    assert set(done) == {
        "other",
        *(f"lines[{n}]/{step}" for n in "01" for step in ("pack", "label")),
    }


# Whatever the plan and the outcomes -------------------------------------------------------------

outcomes = st.lists(
    st.sampled_from([DONE, DONE, DONE, TRANSIENT, IN_DOUBT, DECLINED]), min_size=1, max_size=3
)
LEAVES = ("hold", "take", "write", "pack", "label", "ask")


@st.composite
def flows(draw: st.DrawFn) -> Run:
    """Return a run of a plan with a switch, an each and a repeat, one in the other or not."""
    pack = (
        step("pack", undo=True),
        draw(st.sampled_from([PAY, sleep_("nap", "pack"), query("look", "pack")])),
        step("label", "pack", undo=True),
    )
    lines = each_("lines", block=pack, at_once=draw(st.integers(1, 3)))
    how = draw(st.sampled_from([PAY, switch_("how", cases={"card": (lines,), "bill": ()})]))
    plan = plan_of(how, draw(st.sampled_from([lines, ASK])), step("ship", how.node.path))
    script: dict[str, list[Outcome]] = {
        "ship": draw(outcomes),
        "lines items": [draw(st.sampled_from(["0", "1", "2", "4"]))],
        "again until": draw(st.sampled_from([[DONE], [AGAIN, AGAIN, DONE]])),
    }
    for prefix in ("how/card/", "how/bill/", "again[0]/", "again[1]/", "lines[0]/", "lines[1]/"):
        for leaf in LEAVES:
            script[prefix + leaf] = draw(outcomes)
    return Run(plan, script)


@given(run=flows(), order=st.randoms(use_true_random=False))
@settings(max_examples=3 * settings().max_examples // 2)
def test_a_run_with_branches_and_rounds_ends_and_is_undone_in_exact_reverse(
    run: Run,
    order: Random,
) -> None:
    for _ in range(500):
        if run.work:
            undoing = [body for body in run.work if isinstance(body, Undo)]
            assert len(undoing) <= 1, "one undo at a time"
            assert not undoing or len(run.work) == 1, "nothing else is at work while undoing"
            many = order.randint(1, len(run.work))
            run.end(*order.sample(run.work, many))
        elif not run.pass_time():
            break
        if order.randint(0, 9) == 0:
            run.crash()

    assert run.state.status in {"completed", "failed", "parked"}
    done = [
        fact.node
        for fact in run.recorded
        if isinstance(fact, facts.NodeDone)
        and run.state.graph[run.state.positions[fact.node]].undo is not None
    ]
    assert len(done) == len(set(done))
    assert run.undone == (done[::-1] if run.state.status == "failed" else [])
    stored = [fact for append in run.history for fact in read_facts(write_facts(append))]
    assert snapshot(fold(run.plan, stored)) == snapshot(run.state)


@given(run=flows(), order=st.randoms(use_true_random=False))
@settings(max_examples=3 * settings().max_examples // 5)
def test_the_order_within_a_turn_does_not_change_how_a_run_ends(run: Run, order: Random) -> None:
    other = Run(run.plan, run.script)
    for each in (run, other):
        for _ in range(500):
            if each.work:
                together = list(each.work)
                if each is other:
                    order.shuffle(together)
                each.end(*together)
            elif not each.pass_time():
                break

    assert run.state.status == other.state.status
    assert sorted(run.undone) == sorted(other.undone)
