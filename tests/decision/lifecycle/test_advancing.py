"""What each outcome of a handler leads to: the table of `makegood.decision.lifecycle.advancing`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback
from makegood.values.instants import after
from makegood.values.outcomes import StoredNext
from makegood.values.verdict import Failure, FailureKind
from tests.decision.lifecycle.driving import (
    PATH,
    REARM,
    STAY,
    Course,
    again,
    cancelling,
    entry,
    failing,
    goto,
    hear,
    pausing,
    plan_of_lifecycle,
    timer,
)

MINUTE = timedelta(minutes=1)
SHOP = plan_of_lifecycle(
    entry("take", "A", to="B", undo=True),
    hear("settle", "B", to="C D"),
    timer("remind", "B", to="D", due=timedelta(hours=1)),
    entry("send", "C", to="D", undo=True),
)


def names(append: tuple[facts.Fact, ...]) -> list[str]:
    return [type(fact).__name__ for fact in append]


def test_a_new_record_enters_its_start_and_is_handed_to_the_handler_of_its_entry() -> None:
    run = Course(SHOP)

    assert run.history == [
        (
            run.recorded[0],
            facts.Moved(PATH, None, "A", "start", 1, run.now),
            facts.HandlingBegan(PATH, "take", 0, "entry", run.now),
            facts.NodeStarted("order[0]/take", 1, run.now),
        )
    ]
    assert (run.status, run.lifecycle.since, run.busy) == ("A", run.now, ["take"])
    assert run.state.status == "running"


def test_a_transition_and_the_next_call_are_one_append() -> None:
    ways = entry("one", "A", to="B"), entry("two", "B", to="C"), entry("x", "C", to="D")
    run = Course(plan_of_lifecycle(*ways))

    run.give("one", goto("B"))
    run.give("two", goto("C"))
    run.give("x", goto("D"))

    assert [names(append) for append in run.history[1:]] == [
        ["NodeDone", "Moved", "HandlingBegan", "NodeStarted"],
        ["NodeDone", "Moved", "HandlingBegan", "NodeStarted"],
        ["NodeDone", "Moved", "NodeDone", "RunEnded"],
    ]
    assert run.recorded[-3] == facts.Moved(PATH, "C", "D", "entry", 4, run.now, "x")


def test_a_record_that_has_come_to_its_end_is_what_the_run_gives() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B")))

    run.give("one", goto("B", b'"last"'))

    assert run.state.ended is EndStatus.COMPLETED
    assert run.state.results[0] == Raw(b'"last"')


def test_a_record_of_an_older_schema_is_brought_up_at_its_end() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B"), schema=2), schema=1)

    run.give("one", goto("B"))

    assert run.state.results[0] == Raw(b'"brought up"')
    assert run.state.ended is EndStatus.COMPLETED


def test_a_record_that_cannot_be_brought_up_waits_for_a_person_and_is_tried_again() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B"), schema=2), schema=1)
    run.refuses = True

    run.give("one", goto("B"))
    parked = run.state.parked
    run.refuses = False
    run.retry(PATH)

    assert (parked, run.state.ended) == (ParkReason.DEFINITION, EndStatus.COMPLETED)


def test_a_handler_is_told_the_schema_of_the_record_that_it_is_given() -> None:
    plan = plan_of_lifecycle(entry("one", "A", to="B"), entry("two", "B", to="C"), schema=2)
    run = Course(plan, schema=1)

    run.give("one", goto("B", b'"newest"', schema=2))

    older, newest = (scope.inputs for scope in dict.fromkeys(run.state.scopes.values()))
    assert (older["@schema"], older["@record"]) == (Raw(b"1"), Raw(b'"new"'))
    assert (newest["@schema"], newest["@record"]) == (Raw(b"2"), Raw(b'"newest"'))


def test_a_handler_is_given_the_record_that_was_left_last() -> None:
    run = Course(SHOP)

    run.give("take", goto("B", b'"taken"'))
    run.message()

    inputs = run.state.inputs_of(run.state.positions[run.path("settle")])
    assert (inputs["@record"], inputs["@message"]) == (Raw(b'"taken"'), Raw(b'"money"'))
    assert run.lifecycle.version == 2


def test_a_status_without_a_handler_for_its_entry_listens_at_once() -> None:
    run = Course(SHOP)

    run.give("take", goto("B"))

    due = after(run.now, timedelta(hours=1))
    assert names(run.history[1]) == ["NodeDone", "Moved", "Listened"]
    assert run.recorded[-1] == facts.Listened(PATH, "order-1", run.now, ("Paid",), {"remind": due})
    assert (run.state.status, run.state.next_due(run.now)) == ("waiting", due)


# The outcomes -------------------------------------------------------------------------------------

IDLE = plan_of_lifecycle(
    entry("take", "A", to="B"),
    hear("hear", "A", to="B"),
    timer("tick", "A", to="B", due=MINUTE),
    pivots=(),
)


def test_nothing_is_listened_for_while_the_handler_of_the_entry_is_at_work() -> None:
    run = Course(IDLE)

    assert run.lifecycle.open == {}
    assert run.waits is None


def test_what_stays_begins_to_listen() -> None:
    run = Course(IDLE)

    run.give("take", STAY)

    assert names(run.history[1]) == ["NodeDone", "Stayed", "Listened"]
    assert run.recorded[-2] == facts.Stayed(PATH, "take", 2, run.now)
    assert (run.moves, run.waits) == (["A"], MINUTE)


def test_a_timer_fires_once_and_is_over_when_its_handler_stays() -> None:
    run = Course(IDLE)
    run.give("take", STAY)

    run.pass_time()
    run.give("tick", STAY)

    assert run.called == ["take", "tick"]
    assert run.recorded[-1] == facts.Stayed(PATH, "tick", 3, run.now)
    assert (run.waits, run.state.status) == (None, "waiting")


def test_a_timer_begins_anew_where_its_handler_says_so() -> None:
    run = Course(IDLE)
    run.give("take", STAY)

    run.pass_time()
    run.give("tick", REARM)

    assert run.recorded[-1] == facts.Listened(
        PATH, "order-1", run.now, (), {"tick": after(run.now, MINUTE)}
    )
    assert run.waits == MINUTE


def test_the_others_keep_their_due_time_when_a_handler_stays() -> None:
    run = Course(IDLE)
    run.give("take", STAY)

    run.wait(timedelta(seconds=20))
    run.message()
    run.give("hear", STAY)

    assert run.waits == timedelta(seconds=40)


def test_a_handler_that_wants_it_is_called_again_after_a_while_under_another_path() -> None:
    run = Course(IDLE)

    run.give("take", again(20))
    before = (names(run.history[1]), run.waits, run.busy)
    run.pass_time()

    assert before == (["NodeDone", "Stayed", "Listened"], timedelta(seconds=20), [])
    assert run.at_work == ["order[1]/take"]
    assert run.recorded[-2] == facts.HandlingBegan(PATH, "take", 1, "again", run.now)


def test_a_handler_that_is_called_again_is_given_the_same_message() -> None:
    run = Course(IDLE)
    run.give("take", STAY)
    run.message()

    run.give("hear", again(20))
    heard_meanwhile = run.lifecycle.open
    run.pass_time()

    inputs = run.state.inputs_of(run.state.positions[run.path("hear")])
    assert inputs["@message"] == Raw(b'"money"')
    assert heard_meanwhile == {}, "the next message waits until this one is dealt with"


def test_whatever_moves_the_record_on_ends_what_was_to_be_repeated() -> None:
    ways = entry("take", "A", to="B"), hear("hear", "A", to="B"), hear("h", "B", to="C")
    run = Course(plan_of_lifecycle(*ways))
    run.give("take", again(20))

    run.message()
    run.give("hear", goto("B"))

    assert (run.status, run.waits) == ("B", None)


def test_a_handler_is_called_again_no_more_often_than_it_may() -> None:
    run = Course(plan_of_lifecycle(entry("take", "A", to="B"), repeats_max=2))

    for _ in range(2):
        run.give("take", again(20))
        run.pass_time()
    run.give("take", again(20))

    assert run.state.parked is ParkReason.MOVED_TOO_OFTEN
    assert run.retry() is facts.ControlAnswer.ACCEPTED
    assert (run.state.parked, run.waits) == (None, timedelta(seconds=20))


def test_a_run_enters_no_more_statuses_than_it_may_until_a_person_lets_it() -> None:
    ring = plan_of_lifecycle(entry("one", "A", to="B"), entry("two", "B", to="A C"), visits_max=2)
    run = Course(ring)

    run.give("one", goto("B"))
    run.give("two", goto("A"))

    assert (run.state.parked, run.moves) == (ParkReason.MOVED_TOO_OFTEN, ["A", "B"])
    assert run.retry() is facts.ControlAnswer.ACCEPTED
    assert (run.moves, run.busy) == (["A", "B", "A"], ["one"])


def test_an_end_is_reached_however_many_statuses_were_entered() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B"), visits_max=1))

    run.give("one", goto("B"))

    assert run.state.ended is EndStatus.COMPLETED


def test_a_handler_may_pause_the_run_and_is_called_again_when_that_is_over() -> None:
    run = Course(IDLE)

    run.give("take", pausing("the bank is closed"))

    assert run.recorded[-1] == facts.Paused("order/take", "the bank is closed", run.now)
    assert (run.state.status, run.waits) == ("paused", None)
    assert run.resume() is facts.ControlAnswer.ACCEPTED
    assert (run.busy, run.called) == (["take"], ["take", "take"])


def test_a_handler_may_cancel_the_run() -> None:
    run = Course(SHOP)
    run.give("take", goto("B"))
    run.message()

    run.give("settle", cancelling())
    run.play()

    ended = run.recorded[-1]
    assert ended == facts.RunEnded(EndStatus.CANCELLED, Cause.CANCELLED, Rollback.UNDONE, run.now)
    assert run.undone == ["order[0]/take"]


def test_a_handler_may_fail_the_run() -> None:
    run = Course(SHOP)
    run.give("take", goto("B"))
    run.message()

    run.give("settle", failing("no stock"))
    run.play()

    assert run.state.ended is EndStatus.FAILED
    assert run.node(PATH).failure == Failure(
        kind=FailureKind.PERMANENT, type="shop.Lost", message="no stock"
    )
    assert run.undone == ["order[0]/take"]


OUTCOMES: dict[str, StoredNext] = {
    "goto": goto("B"),
    "stay": STAY,
    "rearm": REARM,
    "again": again(),
    "pause": pausing(),
}


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_an_outcome_that_comes_on_the_way_back_leads_to_nothing(outcome: StoredNext) -> None:
    run = Course(IDLE)
    run.cancel()

    run.give("take", outcome)

    assert (run.moves, run.state.ended) == (["A"], EndStatus.CANCELLED)


def test_an_outcome_that_was_erased_lets_the_record_stay() -> None:
    run = Course(IDLE)

    run.work.clear()
    run.turn(facts.NodeDone("order[0]/take", Raw(b"null"), run.now))

    assert names(run.history[1]) == ["NodeDone", "Stayed", "Listened"]
