"""A run that goes back to a node and does it again, with all that comes after it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.commands import Start, Undo
from makegood.decision.evolve import fold
from makegood.decision.facts import Cause, ControlAnswer, ParkReason
from makegood.decision.moving.fitting import misfit_of
from makegood.decision.state import Phase
from makegood.values.instants import after
from makegood.values.verdict import ItHappened, Kept, Undecided, UndoneByHand
from tests.decision.driver import DECLINED, DONE, IN_DOUBT, PERMANENT, TRANSIENT, Run
from tests.decision.plans import (
    each_,
    plan_of,
    pure,
    query,
    send_,
    sleep_,
    step,
    switch_,
    wait_,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ACCEPTED = ControlAnswer.ACCEPTED
SHOP = plan_of(
    query("look"),
    step("hold", "look", undo=True),
    step("note", "look", undo=True),
    pure("sum", "hold"),
    step("pay", "sum", undo=True),
    step("ship", "pay", undo=True),
)


def retry_from(run: Run, path: str) -> facts.ControlAnswer | None:
    run.posts += 1
    run.turn(facts.RetryFromRequested(run.posts, path, "eve", "a wrong price", run.now))
    return run.state.answers.get(run.posts)


def before_shipping() -> Run:
    """Return a paused run that has held, noted and paid, and not shipped."""
    run = Run(SHOP)
    for body in ("look", "hold", "note"):
        run.end(body)
    run.pause()
    run.end("pay")
    return run


def test_what_another_plan_has_put_in_between_waits_for_what_is_done_again() -> None:
    run = before_shipping()
    retry_from(run, "hold")
    run.resume()
    for _ in range(2):
        run.end(run.work[0])
    wrapping = plan_of(
        query("look"),
        step("hold", "look", undo=True),
        step("note", "look", undo=True),
        pure("sum", "hold"),
        step("pay", "sum", undo=True),
        step("wrap", "pay", "note", undo=True),
        step("ship", "wrap", undo=True),
        step("tell", "wrap"),
    )
    assert isinstance(run.recorded[-2], facts.Retraced)

    state = fold(wrapping, run.recorded[:-1])

    assert misfit_of(SHOP, wrapping, run.recorded) is None
    assert [state.graph[index].path for index in state.ready] == ["hold"]
    unmet = {path: state.nodes[state.positions[path]].unmet for path in ("wrap", "tell")}
    assert unmet == {"wrap": 1, "tell": 1}


def retrying() -> Run:
    run = Run(plan_of(step("hold", undo=True), step("pay", "hold", undo=True)))
    run.end("hold")
    run.end("pay", outcome=TRANSIENT)
    return run


def in_doubt() -> Run:
    return Run(plan_of(step("pay", key_valid_for=None)), {"pay": [IN_DOUBT]}).play()


def doubt_beside() -> Run:
    run = Run(plan_of(step("pay", undo=True), step("mail")))
    run.end("pay")
    run.end("mail", outcome=IN_DOUBT)
    return run


def past_the_pivot() -> Run:
    run = Run(
        plan_of(step("pay", undo=True), step("take", "pay", pivot=True), step("ship", "take"))
    )
    run.end("pay")
    run.end("take")
    run.end("ship", outcome=TRANSIENT)
    return run


def without_undo() -> Run:
    run = Run(plan_of(step("pay"), step("ship", "pay", undo=True)))
    run.end("pay")
    run.end("ship", outcome=TRANSIENT)
    return run


def in_rounds() -> Run:
    run = Run(plan_of(step("pay", undo=True), each_("lines", "pay", block=(step("pack"),))))
    run.end("pay")
    run.end("lines[0]/pack", "lines[1]/pack", outcome=TRANSIENT)
    return run


def undoing() -> Run:
    run = retrying()
    run.cancel()
    return run


def sent() -> Run:
    run = Run(plan_of(step("pay", undo=True), send_("tell", "pay"), step("ship", "tell")))
    run.end("pay")
    run.end("ship", outcome=TRANSIENT)
    return run


def waits_for_a_message() -> Run:
    run = Run(plan_of(step("pay", undo=True), wait_("reply", "pay")))
    run.end("pay")
    return run


@pytest.mark.parametrize(
    ("make", "node", "answer"),
    [
        (before_shipping, "hold", ACCEPTED),
        (retrying, "pay", ACCEPTED),
        (past_the_pivot, "ship", ACCEPTED),
        (past_the_pivot, "take", ControlAnswer.PAST_PIVOT),
        (past_the_pivot, "pay", ControlAnswer.PAST_PIVOT),
        (in_doubt, "pay", ControlAnswer.IN_DOUBT),
        (doubt_beside, "pay", ControlAnswer.IN_DOUBT),
        (without_undo, "pay", ControlAnswer.NO_UNDO),
        (sent, "pay", ControlAnswer.NO_UNDO),
        (sent, "ship", ACCEPTED),
        (waits_for_a_message, "pay", ControlAnswer.NO_UNDO),
        (in_rounds, "pay", ControlAnswer.NESTED),
        (in_rounds, "lines[0]/pack", ControlAnswer.NESTED),
        (before_shipping, "ship", ControlAnswer.NOT_BEGUN),
        (before_shipping, "nothing", ControlAnswer.UNKNOWN_NODE),
        (undoing, "pay", ControlAnswer.ALREADY_UNDOING),
        (lambda: before_shipping_resumed().play(), "pay", ControlAnswer.TOO_LATE),
    ],
)
def test_a_retry_from_a_node_is_answered_by_what_would_be_done_again(
    make: Callable[[], Run], node: str, answer: ControlAnswer
) -> None:
    run = make()

    assert retry_from(run, node) is answer
    assert run.state.requests == []


def before_shipping_resumed() -> Run:
    run = before_shipping()
    run.resume()
    return run


def test_what_used_it_is_undone_the_last_first_and_all_else_stays() -> None:
    run = before_shipping()
    retry_from(run, "hold")
    assert run.at_work == []

    run.resume()
    run.end("pay undo")
    run.end("hold undo")

    assert run.undone == ["pay", "hold"]
    assert run.at_work == ["hold"]
    assert run.names(facts.UndoStarted) == ["pay", "hold"]
    assert run.play().state.status == "completed"
    started = ["look", "hold", "note", "pay", "hold", "pay", "ship"]
    assert run.names(facts.NodeStarted) == started
    assert run.names(facts.NodeDone).count("sum") == 2


def test_what_was_undone_has_a_new_key_and_what_was_not_begun_has_its_own() -> None:
    run = before_shipping()
    retry_from(run, "pay")
    run.resume()
    run.end("pay undo")

    (paying,) = run.work
    assert isinstance(paying, Start)
    assert (paying.attempt, paying.generation) == (2, 1)
    run.end("pay")
    (shipping,) = run.work
    assert isinstance(shipping, Start)
    assert (shipping.attempt, shipping.generation) == (1, 0)


def test_what_failed_is_begun_at_once_with_its_whole_policy_again() -> None:
    run = retrying()

    retry_from(run, "pay")

    (paying,) = run.work
    assert isinstance(paying, Start)
    assert (paying.attempt, paying.generation) == (2, 1)
    run.end("pay", outcome=TRANSIENT)
    run.wait(timedelta(minutes=5))
    run.end("pay", outcome=TRANSIENT)
    run.wait(timedelta(minutes=5))
    assert run.at_work == ["pay"]


def test_everything_is_undone_once_when_the_run_fails_afterwards() -> None:
    run = before_shipping()
    run.script = {"ship": [DECLINED]}
    retry_from(run, "pay")
    run.resume()
    run.play()

    assert run.state.status == "failed"
    assert run.undone == ["pay", "pay", "note", "hold"]
    assert run.names(facts.UndoStarted).count("pay") == 2


def test_a_body_at_work_is_awaited_before_anything_is_undone() -> None:
    run = Run(SHOP)
    run.end("look")
    run.end("hold")
    assert run.at_work == ["note", "pay"]

    assert retry_from(run, "hold") is None
    run.end("note")
    assert run.names(facts.UndoStarted) == []
    run.end("pay")

    assert run.names(facts.RetraceBegan) == ["hold"]
    assert run.play().state.status == "completed"


def test_an_undo_that_gives_up_parks_the_run_and_a_person_lets_it_go_on() -> None:
    run = before_shipping()
    run.script = {"pay undo": [PERMANENT]}
    retry_from(run, "hold")
    run.resume()
    run.play()
    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    assert run.undone == ["hold"]

    assert run.settle("pay", Kept()) is ControlAnswer.DOES_NOT_FIT
    assert run.settle("pay", UndoneByHand()) is ACCEPTED
    assert run.play().state.status == "completed"


def test_an_undo_that_gave_up_may_be_tried_again() -> None:
    run = before_shipping()
    run.script = {"pay undo": [PERMANENT, DONE]}
    retry_from(run, "pay")
    run.resume()
    run.play()

    assert run.retry("pay") is ACCEPTED
    assert run.play().state.status == "completed"


def test_a_cancel_on_the_way_back_goes_all_the_way() -> None:
    run = before_shipping()
    retry_from(run, "hold")
    run.resume()
    assert isinstance(run.work[0], Undo)

    assert run.cancel() is ACCEPTED
    run.play()

    assert (run.state.status, run.state.cause) == ("cancelled", Cause.CANCELLED)
    assert run.undone == ["pay", "note", "hold"]


def test_a_deadline_on_the_way_back_goes_all_the_way() -> None:
    run = Run(SHOP, deadline=timedelta(minutes=1))
    for body in ("look", "hold", "note"):
        run.end(body)
    run.pause()
    run.end("pay")
    retry_from(run, "pay")
    run.wait(timedelta(minutes=2))
    run.resume()

    assert run.play().state.cause is Cause.DEADLINE
    assert run.undone == ["pay", "note", "hold"]


def test_a_death_on_the_way_back_is_gone_on_from() -> None:
    run = before_shipping()
    retry_from(run, "hold")
    run.resume()

    run.crash()
    run.end("pay undo")
    run.crash()
    run.play()

    assert run.state.status == "completed"
    assert run.undone == ["pay", "hold"]


def test_nothing_else_is_asked_for_on_the_way_back() -> None:
    run = before_shipping()
    retry_from(run, "hold")

    assert retry_from(run, "hold") is ControlAnswer.ALREADY_UNDOING
    assert run.skip("ship") is ControlAnswer.ALREADY_UNDOING


def test_a_failure_that_a_person_retries_from_in_a_pause_turns_nothing_back() -> None:
    run = Run(plan_of(step("hold", undo=True), step("pay", "hold", undo=True)))
    run.end("hold")
    run.pause()
    run.end("pay", outcome=DECLINED)

    assert retry_from(run, "pay") is ACCEPTED
    run.resume()

    assert run.at_work == ["pay"]
    assert run.play().state.status == "completed"


def test_a_run_that_is_parked_for_another_reason_is_not_retraced() -> None:
    run = retrying()
    run.turn(facts.Parked(ParkReason.POISON, run.now))

    assert retry_from(run, "pay") is ControlAnswer.PARKED


def test_nothing_is_undone_while_somebody_outside_is_waited_for() -> None:
    run = Run(plan_of(step("pay", undo=True), step("ship", "pay")))
    run.end("pay")
    run.turn(facts.CompletionAwaited("ship", after(run.now, timedelta(hours=1)), run.now))

    assert retry_from(run, "pay") is ControlAnswer.AT_WORK


def test_a_doubt_that_opens_on_the_way_back_is_settled_before_anything_is_undone() -> None:
    plan = plan_of(
        step("hold", undo=True), step("pay", "hold", undo=True, compensate=True, ask_attempts=1)
    )
    run = Run(plan, {"pay ask": [Undecided()]})
    run.end("hold")
    run.pause()
    run.end("pay", outcome=DECLINED)
    assert retry_from(run, "hold") is ACCEPTED
    run.resume()
    run.play()

    assert (run.state.parked, run.undone) == (ParkReason.IN_DOUBT, [])
    assert run.settle("pay", ItHappened(Raw(b"7"))) is ACCEPTED
    run.play()
    assert (run.state.status, run.undone) == ("completed", ["pay", "hold"])


def test_a_branch_is_chosen_anew() -> None:
    plan = plan_of(
        query("look"),
        switch_("way", "look", cases={"a": (step("fly", undo=True),), "b": (step("sail"),)}),
        step("note", "way", undo=True),
        sleep_("nap", "note"),
    )
    run = Run(plan, {"way case": ["a", "b"]})
    run.end("look")
    run.end("way/a/fly")
    run.end("note")
    assert run.state.status == "waiting"

    assert retry_from(run, "look") is ACCEPTED
    run.play()

    assert run.undone == ["note", "way/a/fly"]
    assert run.names(facts.NodeStarted)[-2:] == ["way/b/sail", "note"]
    assert run.node("way/a/fly").phase is Phase.SKIPPED
    assert run.state.status == "completed"


def test_what_gave_up_past_the_pivot_is_done_again_from_before_it() -> None:
    plan = plan_of(step("take", pivot=True), query("look", "take"), step("ship", "look"))
    run = Run(plan, {"ship": [DECLINED, DONE]}).play()
    assert run.state.parked is ParkReason.FORWARD_USED_UP

    assert retry_from(run, "look") is ACCEPTED

    assert run.play().state.status == "completed"
    assert run.names(facts.NodeStarted) == ["take", "look", "ship", "look", "ship"]


def test_what_was_settled_is_undone_and_done_again() -> None:
    run = Run(
        plan_of(step("pay", undo=True, key_valid_for=None), sleep_("nap", "pay")),
        {"pay": [IN_DOUBT, DONE]},
    ).play()
    run.settle("pay", ItHappened(Raw(b"7")))

    assert retry_from(run, "pay") is ACCEPTED
    assert run.play().state.status == "completed"
    assert run.undone == ["pay"]


def test_a_node_skipped_in_doubt_is_not_done_again() -> None:
    run = Run(
        plan_of(
            step("look"),
            step("mail", "look", optional=True, key_valid_for=None),
            sleep_("nap", "mail"),
        ),
        {"mail": [IN_DOUBT]},
    )
    run.end("look")
    run.end("mail")

    assert retry_from(run, "mail") is ControlAnswer.IN_DOUBT
