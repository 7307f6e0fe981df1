"""Runs that wait for a person, each for another reason."""

from __future__ import annotations

from makegood.decision.facts import Cause, ParkReason
from makegood.decision.state import Phase
from tests.decision.children.hearing import moved
from tests.decision.driver import DECLINED, DONE, IN_DOUBT, PERMANENT, UNRECORDED, Run
from tests.decision.plans import child, plan_of, step

SHOP = plan_of(
    step("reserve", undo=True),
    step("pay", "reserve", undo=True, attempts=1, key_valid_for=None),
    step("ship", "pay", undo=True),
)


def in_doubt() -> Run:
    """`pay` is in doubt, and nobody can be asked."""
    run = Run(SHOP, {"pay": [IN_DOUBT]}).play()
    assert (run.state.parked, run.node("pay").phase) == (ParkReason.IN_DOUBT, Phase.STUCK)
    return run


def in_doubt_while_going_back() -> Run:
    """`mail` failed while `pay` was at work, which is in doubt since."""
    plan = plan_of(
        step("reserve", undo=True),
        step("pay", "reserve", undo=True, attempts=1, key_valid_for=None),
        step("mail", "reserve", attempts=1),
        step("ship", "pay"),
    )
    run = Run(plan, {"pay": [IN_DOUBT], "mail": [DECLINED]})
    run.end("reserve")
    run.end("mail")
    run.play()
    assert (run.state.parked, run.state.rolling_back) == (ParkReason.IN_DOUBT, Cause.ERROR)
    return run


def unrecorded() -> Run:
    run = Run(SHOP, {"pay": [UNRECORDED]}).play()
    assert run.state.parked is ParkReason.UNRECORDED
    return run


def left(*paths: str) -> Run:
    """`ship` was declined, and the undos of these gave up."""
    script = {f"{path} undo": [PERMANENT, DONE] for path in paths}
    run = Run(SHOP, {"ship": [DECLINED], **script}).play()
    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    return run


def pay_left() -> Run:
    return left("pay")


def used_up() -> Run:
    """Past the pivot `ship` is declined; `mail` is neither done nor given up."""
    plan = plan_of(step("pay", pivot=True), step("ship", "pay"), step("mail", "ship"))
    run = Run(plan, {"ship": [DECLINED, DONE]}).play()
    assert run.state.parked is ParkReason.FORWARD_USED_UP
    return run


def poisoned() -> Run:
    """Each of six workers has died of `pay`."""
    run = Run(plan_of(step("pay", undo=True)))
    for _ in range(6):
        run.crash()
    assert run.state.parked is ParkReason.POISON
    return run


def child_parked() -> Run:
    """`ship` has called a run, which waits for a person."""
    run = Run(plan_of(child("ship")))
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT))
    assert run.state.parked is ParkReason.CHILD_PARKED
    return run
