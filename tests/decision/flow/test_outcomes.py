"""Rounds whose failures are kept: each turns back by itself, while the run goes forward."""

from __future__ import annotations

from itertools import permutations

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import ControlAnswer, ParkReason, read_facts, write_facts
from makegood.decision.state import Phase
from makegood.values.verdict import ItDidNotHappen, ItHappened, Proceed, UndoneByHand
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    PERMANENT,
    TRANSIENT,
    Outcome,
    Run,
    snapshot,
)
from tests.decision.plans import (
    each_,
    local,
    plan_of,
    pure,
    query,
    repeat_,
    sleep_,
    step,
    switch_,
)

PACK = step("pack", undo=True)
LABEL = step("label", "pack", undo=True)
LINES = each_("lines", block=(PACK, LABEL), keeps=True)


def told(run: Run) -> list[str]:
    """Return what was done and undone, in order, each effect by its path."""
    return [
        f"{fact.node} undone" if isinstance(fact, facts.UndoDone) else fact.node
        for fact in run.recorded
        if isinstance(fact, facts.NodeDone | facts.UndoDone)
    ]


def test_a_round_that_fails_is_undone_in_reverse_and_the_others_go_on() -> None:
    lines = each_("lines", block=(PACK, LABEL, step("send", "label")), keeps=True)
    run = Run(plan_of(lines, step("ship", "lines")), {"lines[0]/send": [DECLINED]}).play()

    assert run.state.status == "completed"
    assert run.undone == ["lines[0]/label", "lines[0]/pack"]
    assert [fact.round for fact in run.recorded if isinstance(fact, facts.RoundGaveUp)] == [0]
    assert {"lines[1]/send", "lines", "ship"} < {*run.names(facts.NodeDone)}


def test_what_failed_a_round_is_known_when_the_list_is_built() -> None:
    run = Run(plan_of(LINES), {"lines[1]/label": [DECLINED]}).play()
    rounds = run.state.rounds[0]

    assert rounds.failures == {1: ("lines[1]/label", DECLINED)}
    assert (rounds.ended, rounds.done) == (2, 1)


def test_nothing_of_a_round_that_turns_back_begins_any_more() -> None:
    lines = each_("lines", block=(PACK, step("weigh"), step("send", "weigh")), keeps=True)
    run = Run(plan_of(lines), {"lines[0]/pack": [DECLINED]})
    run.end("lines[0]/pack")
    run.end("lines[0]/weigh")

    assert "lines[0]/send" not in run.names(facts.NodeStarted)
    assert run.node("lines[0]/send").phase is Phase.READY
    run.play()
    assert run.state.status == "completed"


def test_what_is_ready_in_a_round_is_dropped_when_another_node_fails_it() -> None:
    lines = each_("lines", block=(pure("p"), step("send", "p"), PACK), keeps=True)
    run = Run(plan_of(lines), {"lines[0]/p": [PERMANENT]}).play()

    assert run.state.status == "completed"
    assert not any(path.startswith("lines[0]") for path in run.names(facts.NodeStarted))


def test_effects_at_work_in_a_round_are_awaited_and_then_undone() -> None:
    lines = each_("lines", block=(PACK, step("send")), keeps=True)
    run = Run(plan_of(lines), {"lines items": ["1"]})
    run.end("lines[0]/send", outcome=DECLINED)

    assert run.at_work == ["lines[0]/pack"]
    run.play()
    assert told(run) == ["lines[0]/pack", "lines[0]/pack undone", "lines"]


def test_what_has_no_effect_is_stopped_when_its_round_turns_back() -> None:
    lines = each_(
        "lines", block=(query("look"), sleep_("nap"), step("again"), step("send")), keeps=True
    )
    run = Run(plan_of(lines), {"lines items": ["1"], "lines[0]/again": [TRANSIENT]})
    run.end("lines[0]/again")
    run.end("lines[0]/send", outcome=DECLINED)

    assert run.names(facts.NodeStopped) == ["lines[0]/look", "lines[0]/nap", "lines[0]/again"]
    assert run.state.status == "completed"


@pytest.mark.parametrize("found", [DONE, DECLINED])
def test_nothing_of_a_round_is_undone_while_a_node_of_it_is_in_doubt(found: Outcome) -> None:
    lines = each_("lines", block=(PACK, step("pay", undo=True), step("send")), keeps=True)
    run = Run(plan_of(lines), {"lines items": ["1"], "lines[0]/pay": [IN_DOUBT, found]})
    run.end("lines[0]/pack", "lines[0]/pay")
    run.end("lines[0]/send", outcome=DECLINED)

    assert (run.at_work, run.undone) == ([], [])
    run.play()
    paid = ["lines[0]/pay"] if found == DONE else []
    assert run.undone == [*paid, "lines[0]/pack"]
    assert run.state.status == "completed"


def test_a_round_in_doubt_does_not_hold_up_one_that_turns_back() -> None:
    lines = each_("lines", block=(PACK, step("pay", "pack", compensate=True)), keeps=True)
    run = Run(plan_of(lines), {"lines[1]/pay ask": [Proceed(None)]})
    run.end("lines[0]/pack", "lines[1]/pack")
    run.end("lines[1]/pay", outcome=IN_DOUBT)
    run.end("lines[0]/pay", outcome=DECLINED)

    run.end("lines[0]/pay ask")
    assert run.at_work == ["lines[1]/pay ask", "lines[0]/pack undo"]
    run.play()
    assert run.state.status == "completed"


def test_a_query_whose_worker_died_is_not_asked_again_in_a_round_that_turns_back() -> None:
    lines = each_("lines", block=(query("look"), step("pay"), step("send")), keeps=True)
    run = Run(plan_of(lines), {"lines items": ["1"]})
    run.end("lines[0]/send", outcome=DECLINED)
    run.crash()

    assert run.names(facts.NodeStopped) == ["lines[0]/look"]
    run.play()
    assert run.state.status == "completed"


def test_a_definite_failure_is_not_tried_again_in_a_round_that_turns_back() -> None:
    lines = each_("lines", block=(step("pay"), step("send")), keeps=True)
    run = Run(plan_of(lines), {"lines items": ["1"]})
    run.end("lines[0]/send", outcome=DECLINED)
    run.end("lines[0]/pay", outcome=TRANSIENT)

    assert run.names(facts.RetryScheduled) == []
    assert run.state.rounds[0].failures == {0: ("lines[0]/send", DECLINED)}


def test_what_declares_no_undo_is_kept_in_a_round_that_fails() -> None:
    lines = each_("lines", block=(PACK, step("told", "pack"), step("send", "told")), keeps=True)
    run = Run(plan_of(lines), {"lines items": ["1"], "lines[0]/send": [DECLINED]}).play()

    assert (run.names(facts.NodeKept), run.undone) == (["lines[0]/told"], ["lines[0]/pack"])
    assert run.state.status == "completed"


def test_a_local_undo_of_a_round_is_an_append_of_its_own() -> None:
    block = (local("book", undo_local=True), step("told", "book"), step("send", "told"))
    run = Run(
        plan_of(each_("lines", block=block, keeps=True)),
        {"lines items": ["1"], "lines[0]/send": [DECLINED]},
    ).play()

    assert run.undone == ["lines[0]/book"]
    assert run.state.status == "completed"


@pytest.mark.parametrize("again", [True, False])
def test_an_undo_of_a_round_that_gives_up_parks_the_run_until_somebody_settles_it(
    again: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    lines = each_("lines", block=(step("told"), PACK, step("send", "pack")), keeps=True)
    script: dict[str, list[Outcome]] = {
        "lines[0]/send": [DECLINED],
        "lines[0]/pack undo": [PERMANENT, DONE],
    }
    run = Run(plan_of(lines, step("ship", "lines")), script).play()

    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    if again:
        assert run.retry("lines[0]/pack") is ControlAnswer.ACCEPTED
    else:
        assert run.settle("lines[0]/pack", UndoneByHand()) is ControlAnswer.ACCEPTED
    run.play()
    assert (run.state.status, run.undone) == ("completed", ["lines[0]/pack"])


@pytest.mark.parametrize("did_happen", [True, False])
def test_a_round_that_nobody_can_say_of_parks_the_run_and_is_settled(
    did_happen: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    pay = step("pay", undo=True, key_valid_for=None, attempts=1)
    run = Run(
        plan_of(each_("lines", block=(pay, step("send", "pay")), keeps=True)),
        {"lines[0]/pay": [IN_DOUBT], "lines[0]/send": [DECLINED]},
    ).play()
    assert run.state.parked is ParkReason.IN_DOUBT

    run.settle("lines[0]/pay", ItHappened(Raw(b"1")) if did_happen else ItDidNotHappen())
    run.play()

    assert (run.state.status, run.undone) == (
        "completed",
        ["lines[0]/pay"] if did_happen else [],
    )
    assert [*run.state.rounds[0].failures] == [0]


def test_nothing_of_a_round_is_undone_while_a_person_is_to_say_what_happened_in_it() -> None:
    pay = step("pay", undo=True, key_valid_for=None, attempts=1)
    run = Run(
        plan_of(each_("lines", block=(PACK, pay, step("send")), keeps=True)),
        {"lines items": ["1"], "lines[0]/pay": [IN_DOUBT], "lines[0]/send": [DECLINED]},
    ).play()

    assert (run.state.parked, run.undone) == (ParkReason.IN_DOUBT, [])


def test_a_run_that_fails_takes_the_rounds_along_that_turn_back() -> None:
    lines = each_("lines", block=(PACK, step("send", "pack")), keeps=True)
    run = Run(plan_of(lines, step("pay", undo=True), step("book", "pay")))
    run.end("lines[0]/pack", "lines[1]/pack", "pay")
    run.end("lines[0]/send", outcome=DECLINED)
    run.end("book", outcome=DECLINED)

    assert "lines[0]/pack undo" in run.at_work
    run.play()
    assert run.state.status == "failed"
    assert run.undone == ["lines[0]/pack", "pay", "lines[1]/pack"]
    assert run.names(facts.RoundGaveUp) == []


def test_a_round_that_fails_while_the_run_goes_back_is_no_round_of_its_own_any_more() -> None:
    lines = each_("lines", block=(PACK, step("send", "pack")), keeps=True)
    run = Run(plan_of(lines, step("book")), {"lines items": ["1"]})
    run.end("lines[0]/pack")
    run.end("book", outcome=DECLINED)
    run.end("lines[0]/send", outcome=DECLINED)
    run.play()

    assert (run.state.status, run.undone) == ("failed", ["lines[0]/pack"])
    assert run.names(facts.RoundGaveUp) == []


def test_a_cancelled_run_goes_back_whole_though_a_round_has_turned_back() -> None:
    run = Run(plan_of(LINES))
    run.end("lines[0]/pack", "lines[1]/pack")
    run.end("lines[0]/label", outcome=DECLINED)
    run.cancel()
    run.play()

    assert (run.state.status, run.undone) == (
        "cancelled",
        ["lines[0]/pack", "lines[1]/label", "lines[1]/pack"],
    )


# Rounds within rounds ---------------------------------------------------------------------------

INNER = each_("inner", "pack", block=(step("sew", undo=True), step("dye", "sew")), at_once=1)
KEEPING = each_(
    "inner", "pack", block=(step("sew", undo=True), step("dye", "sew")), at_once=1, keeps=True
)


def test_a_failure_is_kept_by_the_innermost_each_that_keeps_failures() -> None:
    plan = plan_of(each_("outer", block=(PACK, KEEPING), keeps=True))
    run = Run(plan, {"outer[0]/inner[0]/dye": [DECLINED]}).play()

    assert run.state.status == "completed"
    assert run.undone == ["outer[0]/inner[0]/sew"]


def test_what_fails_within_rounds_that_keep_no_failures_fails_the_round_around_them() -> None:
    plan = plan_of(each_("outer", block=(PACK, INNER), keeps=True))
    run = Run(plan, {"outer[0]/inner[1]/dye": [DECLINED]}).play()

    assert run.state.status == "completed"
    assert run.undone == ["outer[0]/inner[1]/sew", "outer[0]/inner[0]/sew", "outer[0]/pack"]


def test_a_round_that_turns_back_takes_the_rounds_along_that_turned_back_within_it() -> None:
    block = (PACK, KEEPING, step("send"))
    run = Run(plan_of(each_("outer", block=block, keeps=True)), {"outer items": ["1"]})
    run.end("outer[0]/pack")
    run.end("outer[0]/inner[0]/sew")
    run.end("outer[0]/inner[0]/dye", outcome=DECLINED)
    run.end("outer[0]/send", outcome=DECLINED)

    assert run.at_work == ["outer[0]/inner[0]/sew undo"]
    run.play()
    assert run.undone == ["outer[0]/inner[0]/sew", "outer[0]/pack"]
    assert run.names(facts.RoundGaveUp) == ["outer"]


def test_what_a_round_within_has_given_up_is_counted_once() -> None:
    missed = each_("missed", block=(step("sew"),), returns="sew", quorum=1)
    run = Run(
        plan_of(each_("outer", block=(missed,), keeps=True), step("ship", "outer")),
        {"outer items": ["1"], "outer[0]/missed[0]/sew": [DECLINED], "outer[0]/missed items": ["2"]}
        | {"outer[0]/missed[1]/sew": [DECLINED]},
    ).play()

    assert run.state.status == "completed"
    assert run.names(facts.NodeDone) == ["outer", "ship"]


def test_no_further_round_begins_within_a_round_that_turns_back() -> None:
    block = (PACK, INNER, step("send"))
    run = Run(plan_of(each_("outer", block=block, keeps=True)), {"outer items": ["1"]})
    run.end("outer[0]/pack")
    run.end("outer[0]/inner[0]/sew")
    run.end("outer[0]/send", outcome=DECLINED)
    run.end("outer[0]/inner[0]/dye")

    assert "outer[0]/inner[1]/sew" not in run.state.positions
    run.play()
    assert run.undone == ["outer[0]/inner[0]/sew", "outer[0]/pack"]


def test_a_switch_and_a_repeat_in_a_round_that_fails_are_given_up_with_it() -> None:
    how = switch_("how", "pack", cases={"card": (step("pay", undo=True), step("ok", "pay"))})
    asks = repeat_("asks", "pack", block=(step("ask"),), returns="ask")
    run = Run(
        plan_of(each_("lines", block=(PACK, how, asks), keeps=True)),
        {"lines[0]/how/card/ok": [DECLINED]},
    ).play()

    assert run.state.status == "completed"
    assert run.undone == ["lines[0]/how/card/pay", "lines[0]/pack"]


# What a round gives -----------------------------------------------------------------------------


def test_a_round_whose_value_cannot_be_computed_fails_by_itself() -> None:
    run = Run(plan_of(LINES), {"lines round": [PERMANENT, DONE]}).play()

    assert run.state.status == "completed"
    assert run.state.rounds[0].failures == {0: ("lines", PERMANENT)}
    assert run.undone == ["lines[0]/label", "lines[0]/pack"]


def test_without_kept_failures_a_value_that_cannot_be_computed_fails_the_run() -> None:
    run = Run(plan_of(each_("lines", block=(PACK, LABEL))), {"lines round": [PERMANENT]}).play()

    assert run.state.status == "failed"


# So many must be done ---------------------------------------------------------------------------


@pytest.mark.parametrize(("done_min", "status"), [(1, "completed"), (2, "failed")])
def test_the_whole_fails_when_fewer_rounds_are_done_than_must_be(
    done_min: int, status: str
) -> None:
    lines = each_("lines", block=(PACK,), returns="pack", done_min=done_min)
    run = Run(plan_of(lines), {"lines[1]/pack": [DECLINED]}).play()

    assert run.state.status == status
    assert run.undone == ([] if status == "completed" else ["lines[0]/pack"])


def test_the_whole_fails_as_soon_as_too_many_rounds_have_failed() -> None:
    lines = each_("lines", block=(PACK,), returns="pack", done_min=3, at_once=1)
    script: dict[str, list[Outcome]] = {"lines items": ["4"]}
    script |= {f"lines[{number}]/pack": [DECLINED] for number in (1, 2)}
    run = Run(plan_of(lines), script).play()

    assert run.state.status == "failed"
    assert run.undone == ["lines[0]/pack"]
    assert "lines[3]/pack" not in run.state.positions


def test_the_whole_fails_at_once_when_there_are_too_few_items() -> None:
    lines = each_("lines", block=(PACK,), returns="pack", quorum=3)
    run = Run(plan_of(lines))

    assert (run.state.status, run.names(facts.NodeStarted)) == ("failed", [])


def test_no_further_round_begins_once_enough_are_done_and_those_at_work_go_on() -> None:
    lines = each_("lines", block=(PACK, LABEL), quorum=1, at_once=2)
    run = Run(plan_of(lines), {"lines items": ["4"]})
    run.end("lines[0]/pack")
    run.end("lines[0]/label")

    assert run.at_work == ["lines[1]/pack"]
    run.play()
    assert run.state.status == "completed"
    assert told(run)[2:] == ["lines[1]/pack", "lines[1]/label", "lines"]


def test_another_round_begins_in_the_place_of_one_that_failed() -> None:
    lines = each_("lines", block=(PACK,), returns="pack", quorum=2, at_once=1)
    run = Run(plan_of(lines), {"lines items": ["4"], "lines[0]/pack": [DECLINED]}).play()

    assert run.state.status == "completed"
    assert run.names(facts.NodeDone) == ["lines[1]/pack", "lines[2]/pack", "lines"]


def test_a_missed_quorum_within_a_round_whose_failure_is_kept_fails_that_round_alone() -> None:
    inner = each_("inner", "pack", block=(step("sew"),), returns="sew", quorum=3)
    run = Run(plan_of(each_("outer", block=(PACK, inner), keeps=True))).play()

    assert run.state.status == "completed"
    assert run.undone == ["outer[0]/pack", "outer[1]/pack"]


# Whatever comes first ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", [*permutations(["lines[0]/pack", "lines[1]/pack", "lines[2]/pack"])]
)
def test_the_order_within_a_turn_does_not_change_what_becomes_of_the_rounds(
    order: tuple[str, ...],
) -> None:
    lines = each_("lines", block=(PACK, LABEL), keeps=True, at_once=3)
    run = Run(plan_of(lines), {"lines items": ["3"], "lines[1]/label": [DECLINED]})
    run.end(*order)
    run.play()

    assert (run.state.status, run.undone) == ("completed", ["lines[1]/pack"])


def test_the_facts_of_rounds_that_failed_add_up_to_the_same_state() -> None:
    block = (PACK, KEEPING, step("send", "inner"))
    run = Run(
        plan_of(each_("outer", block=block, keeps=True)),
        {"outer[0]/send": [DECLINED], "outer[1]/inner[0]/dye": [DECLINED]},
    ).play()
    stored = [fact for append in run.history for fact in read_facts(write_facts(append))]

    assert snapshot(fold(run.plan, stored)) == snapshot(run.state)
