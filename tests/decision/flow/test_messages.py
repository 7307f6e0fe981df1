"""Waiting for messages and sending them, as the decision core carries it out."""

from __future__ import annotations

import pytest

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import Cause, EndStatus, ParkReason
from makegood.decision.mail import Await, AwaitNoMore, Mail, Message, mail_of
from makegood.decision.state import Phase
from makegood.values.ids import RunId
from makegood.values.instants import after
from makegood.values.verdict import Failure, FailureKind
from tests.decision.driver import DECLINED, IN_DOUBT, PERMANENT, START_AT, Run, snapshot
from tests.decision.flow.messaging import (
    FOR_EVER,
    GIVEN_UP_AFTER,
    HELD_BACK,
    KEPT_FOR,
    MESSAGE,
)
from tests.decision.plans import each_, expect, plan_of, send_, step, wait_

RUN = RunId("run")
FOLLOW = plan_of(step("hold", undo=True), wait_("wait", "hold"), step("tell", "wait"))
FOR_EVER_THEN = {"wait wait": [FOR_EVER]}


def came(run: Run, *, id: str = "7", key: str = "k", misfit: str | None = None) -> None:
    """Let the run be given a message."""
    until = after(run.now, KEPT_FOR)
    run.turn(facts.MessageCame(id, "Shipped", key, MESSAGE, until, run.now, misfit))


def said(run: Run) -> list[Mail]:
    """Return what the run has said with each of its turns, together."""
    state = run.state
    return [mail for append in run.history for mail in mail_of(state, RUN, append)]


def waiting(script: dict[str, list[str]] | None = None) -> Run:
    """Return a run that has held its stock and waits."""
    run = Run(FOLLOW, script or {})  # type: ignore[arg-type] # the script is of the same words
    run.end("hold")
    return run


def timed_out(key: str = "k") -> Failure:
    return Failure(
        kind=FailureKind.PERMANENT,
        type="makegood.errors.WaitTimedOut",
        message=f"no Shipped with the key {key!r} came in time",
    )


# Waiting ----------------------------------------------------------------------------------------


def test_a_wait_says_what_it_waits_for_and_has_the_message_as_its_result() -> None:
    run = waiting()
    assert (run.node("wait").phase, run.state.status) == (Phase.LISTENING, "waiting")
    assert said(run) == [Await("Shipped", "k", "wait")]

    came(run)

    assert run.state.results[1] == MESSAGE
    assert run.at_work == ["tell"]
    run.play()
    assert run.state.status == "completed"
    assert said(run) == [Await("Shipped", "k", "wait")]


def test_a_wait_whose_time_is_over_fails_and_says_that_it_waits_no_more() -> None:
    run = waiting()

    run.now = after(run.now, GIVEN_UP_AFTER)
    run.turn()

    assert facts.NodeFailed("wait", timed_out(), run.now) in run.recorded
    run.play()
    assert (run.state.status, run.names(facts.UndoDone)) == ("failed", ["hold"])
    assert said(run) == [Await("Shipped", "k", "wait"), AwaitNoMore("Shipped", "k", "wait")]


def test_a_message_that_comes_with_the_end_of_the_time_is_in_time() -> None:
    run = waiting()

    run.now = after(run.now, GIVEN_UP_AFTER)
    came(run)

    assert run.names(facts.NodeFailed) == []
    assert run.at_work == ["tell"]


def test_an_optional_wait_is_skipped_when_its_time_is_over() -> None:
    run = Run(plan_of(wait_("wait", optional=True), step("tell", "wait")))

    run.play()

    assert (run.node("wait").phase, run.state.status) == (Phase.SKIPPED, "completed")


def test_a_wait_for_ever_has_no_due_time_and_parks_nobody() -> None:
    run = waiting(FOR_EVER_THEN)

    assert (run.state.timers, run.state.next_due(run.now)) == ({}, None)
    assert (run.state.status, run.state.parked) == ("waiting", None)


def test_a_run_that_waits_is_not_taken_for_poison_however_often_it_is_claimed() -> None:
    run = waiting(FOR_EVER_THEN)
    for _ in range(9):
        run.crash()

    assert run.state.parked is None


def test_a_wait_that_is_refused_fails_with_a_conflict() -> None:
    run = waiting()

    run.turn(facts.WaitRefused("wait", run.now))
    run.play()

    assert run.state.status == "failed"
    failure = run.node("wait").failure
    assert failure is not None
    assert (failure.type, failure.message) == (
        "makegood.errors.KeyConflict",
        "another wait is for Shipped with the key 'k', and one alone may be; give each run a key "
        "of its own",
    )
    assert said(run) == [Await("Shipped", "k", "wait")]


def test_a_refusal_that_comes_after_the_end_of_a_wait_changes_nothing() -> None:
    run = waiting()
    came(run)

    run.turn(facts.WaitRefused("wait", run.now))

    assert run.node("wait").phase is Phase.DONE


def test_a_message_that_cannot_be_read_fails_the_wait() -> None:
    run = waiting()

    came(run, misfit="it has no parcel")
    run.play()

    failure = run.node("wait").failure
    assert failure is not None
    assert (failure.type, failure.message) == ("makegood.errors.InvalidInput", "it has no parcel")
    assert run.state.status == "failed"


def test_two_waits_of_a_run_for_the_same_are_ended_by_the_first_that_began() -> None:
    run = Run(plan_of(wait_("first"), wait_("second")))

    came(run)

    assert [run.node(path).phase for path in ("first", "second")] == [Phase.DONE, Phase.LISTENING]


# Coming too late --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_known", [False, True])
def test_a_message_for_which_the_run_does_not_wait_is_given_back(*, is_known: bool) -> None:
    run = waiting()
    key = "k" if is_known else "another"
    if is_known:
        run.now = after(run.now, GIVEN_UP_AFTER)
        run.turn()

    came(run, key=key)

    returned = Message("7", "Shipped", key, MESSAGE, after(run.now, KEPT_FOR), is_returned=True)
    assert said(run)[-1] == returned


def test_a_run_that_has_ended_gives_a_message_back_and_stays_ended() -> None:
    run = waiting()
    came(run)
    run.play()

    came(run, id="8")

    assert run.state.status == "completed"
    assert [mail.id for mail in said(run) if isinstance(mail, Message)] == ["8"]


def test_a_message_that_was_given_back_once_may_be_wanted_the_next_time() -> None:
    run = Run(plan_of(wait_("first"), wait_("second", "first")))
    came(run, key="another")
    assert run.state.mailbox.unwanted == {"7"}

    came(run)

    assert run.state.mailbox.unwanted == set()


# Going back -------------------------------------------------------------------------------------


def test_a_run_that_is_cancelled_stops_to_wait_and_says_so() -> None:
    run = waiting(FOR_EVER_THEN)

    run.turn(facts.CancelRequested(1, "ann", "", run.now))
    run.play()

    assert (run.state.status, run.names(facts.NodeStopped)) == ("cancelled", ["wait"])
    assert said(run)[-1] == AwaitNoMore("Shipped", "k", "wait")
    assert run.state.mailbox.waits == {}


def test_a_wait_is_stopped_when_another_node_fails() -> None:
    plan = plan_of(wait_("wait"), step("ship", undo=True))
    run = Run(plan, {"wait wait": [FOR_EVER], "ship": [DECLINED]}).play()

    assert run.state.status == "failed"
    assert said(run)[-1] == AwaitNoMore("Shipped", "k", "wait")


def test_a_run_is_parked_for_a_doubt_though_it_waits_and_takes_the_message_all_the_same() -> None:
    plan = plan_of(wait_("wait"), step("ship", key_valid_for=None))
    run = Run(plan, {"wait wait": [FOR_EVER], "ship": [IN_DOUBT]}).play()
    assert run.state.parked is ParkReason.IN_DOUBT

    came(run)

    assert (run.state.parked, run.node("wait").phase) == (ParkReason.IN_DOUBT, Phase.DONE)


def test_past_the_pivot_a_wait_keeps_a_run_that_has_failed_from_being_parked() -> None:
    plan = plan_of(step("take", pivot=True), wait_("wait", "take"), step("ship", "take"))
    run = Run(plan, {"wait wait": [FOR_EVER], "ship": [PERMANENT]}).play()
    assert run.state.status == "waiting"

    came(run)

    assert run.state.parked is ParkReason.FORWARD_USED_UP


def test_a_wait_in_a_round_that_fails_by_itself_is_stopped_with_it() -> None:
    block = (wait_("wait"), step("pack", undo=True))
    plan = plan_of(each_("lines", block=block, keeps=True))
    run = Run(plan, {"lines[0]/pack": [DECLINED], "lines[1]/wait wait": [FOR_EVER]}).play()

    assert run.names(facts.NodeStopped) == ["lines[0]/wait"]
    assert run.node("lines[1]/wait").phase is Phase.LISTENING


# Sending ----------------------------------------------------------------------------------------


def test_what_is_sent_goes_out_with_the_turn_that_records_it() -> None:
    run = Run(plan_of(step("pack"), send_("send", "pack"), step("tell", "send")))
    assert said(run) == []

    run.end("pack")

    until = after(run.now, KEPT_FOR)
    assert said(run) == [Message("run/send", "Shipped", "k", MESSAGE, until)]
    assert run.at_work == ["tell"]


def test_nothing_is_sent_beside_a_demand_that_does_not_hold() -> None:
    plan = plan_of(step("pack"), expect("sound", "pack"), send_("send", "pack"))
    run = Run(plan, {"sound": [PERMANENT]}).play()

    assert (run.state.status, said(run)) == ("failed", [])


def test_what_is_held_back_goes_out_when_the_run_has_completed() -> None:
    run = Run(plan_of(send_("send"), step("tell", "send")), {"send letter": [HELD_BACK]})
    assert said(run) == []

    run.play()

    assert run.state.status == "completed"
    assert said(run) == [Message("run/send", "Shipped", "k", MESSAGE, after(START_AT, KEPT_FOR))]


def test_what_is_held_back_is_dropped_when_the_run_goes_back() -> None:
    script = {"send letter": [HELD_BACK], "tell": [DECLINED]}
    run = Run(plan_of(send_("send"), step("tell", "send")), script).play()

    assert (run.state.status, said(run)) == ("failed", [])


def test_what_was_held_back_is_not_sent_again_when_the_run_is_undone() -> None:
    run = Run(plan_of(send_("send"), step("tell", "send", undo=True)), {"send letter": [HELD_BACK]})
    run.play()

    run.turn(facts.UndoRequested(1, "ann", "", run.now))
    run.play()

    assert run.recorded[-1] == facts.RunEnded(
        EndStatus.CANCELLED, Cause.REVERSED, facts.Rollback.UNDONE, run.now
    )
    last = [mail_of(run.state, RUN, append) for append in run.history[-2:]]
    assert last == [(), ()]


# The facts --------------------------------------------------------------------------------------


def test_folding_the_facts_again_gives_the_same_state() -> None:
    run = Run(plan_of(wait_("wait"), send_("send", "wait")), {"send letter": [HELD_BACK]})
    came(run, key="another")
    came(run)
    run.play()

    assert snapshot(fold(run.plan, run.recorded)) == snapshot(run.state)
