"""What becomes of a node because a person says so, instead of what its body would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood import each, pure, query, step, switch, workflow
from makegood.decision import facts
from makegood.decision.facts import ControlAnswer, ParkReason, SkipReason
from makegood.decision.people.steering import needed_by
from makegood.decision.state import Phase, RunState
from makegood.values.verdict import ItHappened
from tests.decision import plans
from tests.decision.driver import DECLINED, GIVEN, IN_DOUBT, TRANSIENT, UNRECORDED, Run
from tests.decision.plans import each_, expect, local, plan_of, sleep_, switch_

if TYPE_CHECKING:
    from collections.abc import Callable


ACCEPTED = ControlAnswer.ACCEPTED
SHOP = plan_of(
    plans.step("reserve", undo=True),
    plans.step("pay", "reserve", undo=True),
    plans.step("ship", "pay", undo=True),
)


def fresh() -> Run:
    return Run(SHOP)


def retrying() -> Run:
    run = fresh()
    run.end("reserve")
    run.end("pay", outcome=TRANSIENT)
    return run


def failed_in_a_pause() -> Run:
    run = fresh()
    run.end("reserve")
    run.pause()
    run.end("pay", outcome=DECLINED)
    return run


def in_doubt() -> Run:
    return Run(plan_of(plans.step("pay", key_valid_for=None)), {"pay": [IN_DOUBT]}).play()


def unrecorded() -> Run:
    return Run(plan_of(plans.step("pay")), {"pay": [UNRECORDED]}).play()


def doubt_to_be_tried_again() -> Run:
    run = Run(plan_of(plans.step("pay")))
    run.end("pay", outcome=IN_DOUBT)
    return run


def asked_about() -> Run:
    run = Run(plan_of(plans.step("pay", compensate=True)))
    run.end("pay", outcome=IN_DOUBT)
    return run


def gave_up_past_the_pivot() -> Run:
    plan = plan_of(plans.step("take", pivot=True), plans.step("pay", "take", undo=True))
    return Run(plan, {"pay": [DECLINED]}).play()


def done() -> Run:
    run = fresh()
    run.end("reserve")
    run.end("pay")
    return run


def undoing() -> Run:
    run = done()
    run.end("ship", outcome=DECLINED)
    return run


def completed() -> Run:
    return fresh().play()


CASES: list[tuple[Callable[[], Run], ControlAnswer]] = [
    (fresh, ACCEPTED),
    (retrying, ACCEPTED),
    (failed_in_a_pause, ACCEPTED),
    (gave_up_past_the_pivot, ACCEPTED),
    (in_doubt, ControlAnswer.IN_DOUBT),
    (unrecorded, ControlAnswer.IN_DOUBT),
    (doubt_to_be_tried_again, ControlAnswer.IN_DOUBT),
    (asked_about, ControlAnswer.AT_WORK),
    (done, ControlAnswer.NODE_ENDED),
    (undoing, ControlAnswer.ALREADY_UNDOING),
    (completed, ControlAnswer.TOO_LATE),
]


@pytest.mark.parametrize(("make", "answer"), CASES)
def test_a_skip_is_answered_by_where_the_node_stands(
    make: Callable[[], Run], answer: ControlAnswer
) -> None:
    assert make().skip("pay") is answer


@pytest.mark.parametrize(("make", "answer"), CASES)
def test_a_result_is_answered_by_where_the_node_stands(
    make: Callable[[], Run], answer: ControlAnswer
) -> None:
    assert make().set_result("pay") is answer


@pytest.mark.parametrize("kind", ["skip", "set_result"])
def test_what_is_at_work_or_not_there_is_left_alone(kind: str) -> None:
    run = fresh()

    assert getattr(run, kind)("reserve") is ControlAnswer.AT_WORK
    assert getattr(run, kind)("nothing") is ControlAnswer.UNKNOWN_NODE


def test_only_what_has_a_body_or_a_time_is_skipped() -> None:
    plan = plan_of(
        plans.step("first"),
        expect("flag", "first"),
        switch_("way", "first", cases={"a": (plans.step("fly"),)}),
        each_("lines", "first", block=(plans.step("pack"),)),
        plans.pure("count", "first"),
        sleep_("nap", "first"),
        local("book", "first"),
    )
    run = Run(plan)

    nodes = ("flag", "way", "lines", "count", "nap", "book")
    assert [run.skip(node) for node in nodes] == [ControlAnswer.NO_BODY] * 4 + [ACCEPTED] * 2
    given = [run.set_result(node) for node in ("flag", "way", "lines", "nap", "count")]
    assert given == [ControlAnswer.NO_BODY] * 4 + [ACCEPTED]


# What follows ---------------------------------------------------------------------------------


def test_a_node_that_has_not_begun_is_skipped_when_its_turn_comes() -> None:
    run = fresh()
    run.skip("pay")
    assert run.names(facts.NodeSkipped) == []

    run.end("reserve")

    assert facts.NodeSkipped("pay", SkipReason.PERSON, run.now) in run.recorded
    assert run.at_work == ["ship"]
    run.play()
    assert run.state.status == "completed"
    assert run.names(facts.NodeStarted) == ["reserve", "ship"]


def test_a_skipped_node_is_not_undone() -> None:
    run = Run(SHOP, {"ship": [DECLINED]})
    run.skip("pay")

    assert run.play().undone == ["reserve"]


def test_a_node_has_its_result_when_its_turn_comes_and_is_undone_with_it() -> None:
    run = Run(SHOP, {"ship": [DECLINED]})
    run.set_result("pay")

    run.end("reserve")

    assert run.state.results[1] == GIVEN
    assert run.play().undone == ["pay", "reserve"]


@pytest.mark.parametrize("make", [retrying, failed_in_a_pause])
def test_what_definitely_failed_is_skipped_at_once(make: Callable[[], Run]) -> None:
    run = make()

    run.skip("pay")
    run.resume()

    assert run.at_work == ["ship"]
    assert run.play().state.status == "completed"


def test_a_sleep_is_over_when_it_is_skipped() -> None:
    run = Run(plan_of(sleep_("nap"), plans.step("ship", "nap")))

    run.skip("nap")

    assert (run.at_work, run.state.timers) == (["ship"], {})


@pytest.mark.parametrize("kind", ["skip", "set_result"])
def test_what_gave_up_past_the_pivot_lets_the_run_go_on(kind: str) -> None:
    run = gave_up_past_the_pivot()

    getattr(run, kind)("pay")

    assert run.state.status == "completed"
    assert (run.state.stuck, run.state.unwilling) == ([], [])


def test_another_node_may_be_granted_while_the_run_is_parked() -> None:
    plan = plan_of(plans.step("pay", key_valid_for=None), plans.step("ship", "pay"))
    run = Run(plan, {"pay": [IN_DOUBT]}).play()

    assert run.skip("ship") is ACCEPTED
    assert run.state.status == "parked"
    run.settle("pay", ItHappened(GIVEN))

    assert (run.state.status, run.node("ship").phase) == ("completed", Phase.SKIPPED)


def test_the_last_word_about_a_node_counts() -> None:
    run = fresh()

    run.skip("pay")
    run.set_result("pay")
    run.end("reserve")

    assert run.state.results[1] == GIVEN


def test_a_node_in_a_branch_that_is_not_taken_is_skipped_once() -> None:
    plan = plan_of(
        plans.step("first"),
        switch_("way", "first", cases={"a": (plans.step("fly"),), "b": (plans.step("sail"),)}),
    )
    run = Run(plan, {"way case": ["b"]})

    assert run.skip("way/a/fly") is ACCEPTED
    assert run.skip("way/b/sail") is ACCEPTED

    assert run.play().state.status == "completed"
    assert run.names(facts.NodeStarted) == ["first"]


def test_a_guard_is_not_asked_about_what_is_skipped() -> None:
    run = Run(plan_of(plans.step("first"), plans.step("pay", "first", guard=True)))
    run.skip("pay")

    run.play()

    assert run.names(facts.Guarded) == []
    assert run.node("pay").phase is Phase.SKIPPED


def test_a_node_of_a_round_is_skipped_once_the_round_has_begun() -> None:
    block = (plans.step("pack"), plans.step("label", "pack"))
    run = Run(plan_of(each_("lines", block=block)))
    assert run.skip("lines[9]/label") is ControlAnswer.UNKNOWN_NODE

    assert run.skip("lines[0]/label") is ACCEPTED

    assert run.play().state.status == "completed"
    assert "lines[0]/label" not in run.names(facts.NodeStarted)


def test_a_result_that_is_none_of_the_node_is_refused() -> None:
    run = fresh()

    assert run.set_result("pay", misfit="no number") is ControlAnswer.NOT_A_RESULT
    assert run.node("pay").granted is None


def test_a_death_loses_no_word_of_a_person() -> None:
    run = fresh()
    run.skip("pay")
    run.set_result("ship")

    run.crash()
    run.play()

    assert run.names(facts.NodeStarted) == ["reserve", "reserve"]
    assert run.state.status == "completed"


# Who needs what a node gives -----------------------------------------------------------------


async def look(text: str) -> str:
    return text


async def note(text: str | None) -> None:
    return None


async def items_of(text: str) -> list[str]:
    return [text]


def shout(text: str) -> str:
    return text


def is_loud(text: str) -> bool:
    return bool(text)


looked = query(look)
noted = step(note, irreversible="a note stays")


@workflow
def shopping(text: str) -> tuple[str, str]:
    """Use what is looked up in every way in which a result can be used."""
    plain = looked.named("plain")(text)
    noted(plain)
    aside = looked.named("aside")(text)
    chosen = looked.named("chosen")(text)
    way = switch(
        chosen, {"a": lambda: looked.named("inner")(text)}, default=lambda: aside, name="way"
    )
    rounds = each(
        query(items_of)(text),
        lambda item: looked.named("last")(looked.named("first")(item)),
        name="lines",
    )
    flag = pure(is_loud)(looked.named("loud")(text))
    noted.named("guarded").when(flag)(text)
    noted.named("told")(looked.named("maybe").when(flag)(text))
    noted.named("ordered").after(rounds)(text)
    return way, pure(shout)(plain)


@pytest.mark.parametrize(
    ("path", "by"),
    [
        ("plain", ("note", "shout")),
        ("note", ()),
        ("aside", ("way",)),
        ("chosen", ("way",)),
        ("way/a/inner", ("way",)),
        ("items_of", ("lines",)),
        ("loud", ("is_loud",)),
        ("is_loud", ("guarded", "maybe")),
        ("maybe", ()),
        ("shout", ("return",)),
    ],
)
def test_whoever_is_wired_to_a_result_needs_it(path: str, by: tuple[str, ...]) -> None:
    assert needed_by(shopping.plan, RunState(shopping.plan), path) == by


@workflow
def described(text: str) -> dict[str, str]:
    """Return what is looked up under a name."""
    return {"found": looked(text)}


def test_a_value_that_is_named_in_what_the_run_returns_is_needed() -> None:
    assert needed_by(described.plan, RunState(described.plan), "look") == ("return",)


def test_in_a_round_the_next_node_needs_the_one_before_and_the_round_needs_the_last() -> None:
    run = Run(shopping.plan)
    run.play()

    needed = [needed_by(shopping.plan, run.state, f"lines[1]/{name}") for name in ("first", "last")]
    assert needed == [("last",), ("lines",)]


def test_what_somebody_needs_is_not_skipped() -> None:
    run = Run(shopping.plan)
    run.end("items_of")

    assert run.skip("lines[0]/last") is ControlAnswer.NEEDED
    assert run.set_result("lines[0]/last") is ACCEPTED


def test_what_has_begun_is_left_alone_while_the_run_is_parked_for_something_else() -> None:
    run = retrying()
    run.turn(facts.Parked(ParkReason.POISON, run.now))

    assert run.skip("pay") is ControlAnswer.PARKED
    assert run.skip("ship") is ACCEPTED


def test_nothing_is_said_of_a_node_whose_round_turns_back() -> None:
    block = (plans.step("pack", undo=True), plans.step("pay", "pack"), plans.step("ship", "pay"))
    run = Run(plan_of(each_("lines", block=block, keeps=True)))
    run.end("lines[0]/pack")
    run.end("lines[0]/pay", outcome=DECLINED)

    assert run.skip("lines[0]/ship") is ControlAnswer.ALREADY_UNDOING
    assert run.skip("lines[1]/ship") is ACCEPTED
