"""What is told and drawn of runs that call one another."""

from __future__ import annotations

from makegood.decision.facts import ControlAnswer, Parent, ParkReason
from makegood.picture import Standing, mermaid, svg, text
from makegood.values.ids import RunId
from tests.decision.children.hearing import ended, failed, moved, refused, undone
from tests.decision.driver import CALLS, DECLINED, Run
from tests.decision.plans import child, plan_of, step
from tests.picture.told import lines, told

SHOP = plan_of(step("pay", undo=True), child("ship", "pay"), step("tell", "ship"))


def sold() -> Run:
    run = Run(SHOP)
    run.end("pay")
    run.hear(ended(run, "ship"))
    return run


def test_a_child_is_told_with_its_run_and_its_end() -> None:
    run = sold()
    run.end("tell")

    assert lines(told(run)) == [
        "+0 started",
        "+0 pay: attempt 1 done in 0 ms",
        "+0 ship: attempt 1 done in 0 ms",
        "+0 ship: calls run ship.1 of inner",
        "+0 ship: its run ship.1 has ended: completed",
        "+0 tell: attempt 1 done in 0 ms",
        "+0 completed",
    ]


def test_a_child_that_is_undone_is_told_as_its_step() -> None:
    run = sold()
    run.end("tell", outcome=DECLINED)
    run.hear(undone(run, "ship"))
    run.play()

    timeline = told(run)
    assert timeline.undone == ("ship", "pay")
    story = lines(timeline)
    assert "+0 ship: undo by ship.1, attempt 1 done in 0 ms" in story
    assert (
        "+0 ship: its run ship.1 has ended: cancelled, it was to be undone after it had completed"
    ) in story


def test_a_child_that_cannot_be_undone_says_why() -> None:
    run = sold()
    run.end("tell", outcome=DECLINED)
    run.hear(refused(run, "ship", ControlAnswer.PAST_PIVOT))
    run.play()

    story = lines(told(run))
    assert "+0 ship: its run ship.1 refuses: past the pivot" in story
    assert "+0 ship: its undo gave up, and it still stands" in story


def test_a_child_at_work_goes_on_when_a_worker_dies_and_stands_as_at_work() -> None:
    run = Run(SHOP)
    run.end("pay")
    run.crash()

    [_, ship, _] = told(run).nodes
    assert (ship.standing, ship.child) == (Standing.AT_WORK, "ship.1")
    assert "interrupted" not in " ".join(lines(told(run)))


def test_a_child_that_is_parked_waits_and_one_that_is_told_to_go_back_says_so() -> None:
    run = Run(SHOP)
    run.end("pay")
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT))
    assert told(run).nodes[1].standing is Standing.WAITING

    run.hear(moved(run, "ship"))
    run.cancel()

    story = lines(told(run))
    assert "+0 ship: its run ship.1 is parked, in doubt" in story
    assert "+0 ship: its run ship.1 moves again" in story
    assert "+0 ship: its run is told to go back" in story


def test_a_step_that_returned_a_call_is_done_and_has_called_a_run() -> None:
    run = Run(plan_of(step("pay", calls=True)), {"pay": [CALLS]})
    run.end("pay")
    run.hear(failed(run, "pay"))

    assert lines(told(run))[1:4] == [
        "+0 pay: attempt 1 done in 0 ms",
        "+0 pay: calls run pay.1 of inner",
        "+0 pay: its run pay.1 has ended: failed, a step definitely failed",
    ]


def test_a_run_is_drawn_with_its_children_and_a_child_with_who_called_it() -> None:
    run = Run(SHOP, parent=Parent(RunId("caller"), "sell"))
    run.end("pay")

    drawn = text(told(run))
    assert "called by run caller" in drawn
    assert "run ship.1" in drawn
    assert "runs ship" in text(SHOP)
    assert "undone as one run" in text(SHOP)
    assert ":::child" in mermaid(SHOP)
    assert "run ship.1" in svg(told(run))
