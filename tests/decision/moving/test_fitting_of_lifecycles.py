"""The record of a lifecycle goes on under other statuses exactly when it may stand there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.moving.fitting import misfit_of
from tests.decision.driver import PERMANENT, TRANSIENT
from tests.decision.lifecycle.driving import (
    Course,
    Drawn,
    again,
    calls,
    entry,
    failing,
    goto,
    hear,
    plan_of_lifecycle,
    timer,
)
from tests.decision.moving.fits import why
from tests.decision.plans import plan_of, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.definition.plan import Plan

DAY = timedelta(days=1)

PRICE = entry("price", "A", to="B", undo=True)
PAY = hear("pay", "B", to="C")
REMIND = timer("remind", "B", to="D", due=DAY)
SHIP = entry("ship", "C", to="E")
SHOP = (PRICE, PAY, REMIND, SHIP)
OLD = plan_of_lifecycle(*SHOP)


def at_b(plan: Plan = OLD) -> Course:
    """Return a run that stands in B and listens."""
    run = Course(plan)
    run.give("price", goto("B", b'"priced"'))
    assert run.status == "B"
    return run


def without(*gone: Drawn) -> tuple[Drawn, ...]:
    return tuple(each for each in SHOP if each not in gone)


# Where it stands in B -----------------------------------------------------------------------------

FITTING = {
    "the same": SHOP,
    "a handler more": (*SHOP, hear("call", "B", to="E", message="Called")),
    "a timer more": (*SHOP, timer("drop", "B", to="D", due=2 * DAY)),
    "a status more behind it": (
        *without(SHIP),
        entry("pack", "C", to="F"),
        entry("send", "F", to="E"),
    ),
    "another way from where it was": (entry("price", "A", to="C", undo=True), *SHOP[1:]),
    "another way from where it is": (PRICE, hear("pay", "B", to="E"), REMIND, SHIP),
    "a handler in another place of the list": (SHIP, REMIND, PAY, PRICE),
    "an undo more": (PRICE, hear("pay", "B", to="C", undo=True), REMIND, SHIP),
    "the handler in another status too": (entry("price", "A", "F", to="B F", undo=True), *SHOP[1:]),
    "a status less, in which it is not": (PRICE, hear("pay", "B", to="E"), REMIND),
    "a handler for its entry, which is over": (*SHOP, entry("greet", "B", to="C")),
}


@pytest.mark.parametrize("drawn", FITTING.values(), ids=FITTING)
def test_whatever_it_does_not_stand_on_may_be_another(drawn: tuple[Drawn, ...]) -> None:
    run, new = at_b(), plan_of_lifecycle(*drawn)

    assert why(run, new) is None
    assert fold(new, run.recorded).lifecycle is not None


MISFITS = {
    "a handler that was called and is gone, with its undo": (
        (entry("open", "A", to="B", undo=True), *SHOP[1:]),
        "what `price` did may have to be undone, and it does not exist any more",
    ),
    "an undo that is gone": (
        (entry("price", "A", to="B"), *SHOP[1:]),
        "`order[0]/price` could be undone by undo_price, and has no undo any more",
    ),
    "a status that is gone": (
        (entry("price", "A", to="X", undo=True), hear("pay", "X", to="C"), SHIP),
        "`order` stands in B, which is no status any more",
    ),
    "a status that is an end": (
        (PRICE, SHIP, hear("back", "F", to="A C F")),
        "`order` stands in B, which is terminal now",
    ),
    "a message that is not heard": (
        (PRICE, REMIND, SHIP, hear("call", "B", to="C", message="Called")),
        "`order` is to hear Paid in B, which that does not hear any more",
    ),
    "a timer that is gone": (
        without(REMIND),
        "`order` waits for the time of `remind`, which B does not have any more",
    ),
    "a timer that is a message": (
        (PRICE, PAY, hear("remind", "B", to="D", message="Late"), SHIP),
        "`order` waits for the time of `remind`, which B does not have any more",
    ),
    "a handler that waits for a workflow now": (
        (calls("price", "A", to="B", undo=True), *SHOP[1:]),
        "`order[0]/price` has begun, and waits for `order[0]/price-run` now, which has not "
        "happened",
    ),
}


@pytest.mark.parametrize(("drawn", "sentence"), MISFITS.values(), ids=MISFITS)
def test_what_it_stands_on_must_be_as_it_was(drawn: tuple[Drawn, ...], sentence: str) -> None:
    assert why(at_b(), plan_of_lifecycle(*drawn)) == sentence


def test_a_misfit_names_the_fact_and_the_node() -> None:
    run = at_b()
    misfit = misfit_of(OLD, plan_of_lifecycle(entry("price", "A", to="B"), *SHOP[1:]), run.recorded)

    assert misfit is not None
    assert (misfit.position, misfit.fact, misfit.node) == (
        4,
        "node started",
        "order[0]/price",
    )


def test_a_message_that_waits_for_its_turn_must_still_be_heard() -> None:
    run = Course(plan_of_lifecycle(PRICE, PAY, hear("call", "B", to="B", message="Called"), SHIP))
    run.give("price", goto("B"))
    run.message("Called")
    run.message("Paid")
    assert run.busy == ["call"]

    gone = plan_of_lifecycle(PRICE, hear("call", "B", to="B C", message="Called"), SHIP)
    assert why(run, gone) == "`order` is to hear Paid in B, which that does not hear any more"


def test_a_handler_that_is_to_be_called_again_is_still_called_there() -> None:
    run = Course(OLD)
    run.give("price", again())
    elsewhere = plan_of_lifecycle(
        entry("price", "F", to="B", undo=True), hear("in", "A", to="F B", message="In"), *SHOP[1:]
    )

    assert why(run, OLD) is None
    assert why(run, elsewhere) == "`price` is to be called again, and is not called in A any more"


def test_what_a_paused_run_was_just_led_to_must_still_be_a_destination() -> None:
    run = Course(OLD)
    run.pause()
    run.give("price", goto("B"))
    assert run.status == "A"
    fewer = plan_of_lifecycle(entry("price", "A", to="C", undo=True), *SHOP[1:])

    assert why(run, OLD) is None
    assert why(run, fewer) == "`price` has led to B, where it does not lead any more"


def test_a_paused_run_of_which_a_handler_has_let_it_stay_fits() -> None:
    run = Course(OLD)
    run.pause()
    run.give("price", again())

    assert why(run, plan_of_lifecycle(entry("price", "A", to="C B", undo=True), *SHOP[1:])) is None


def test_whether_it_is_past_the_pivot_must_stay_as_it_is() -> None:
    bound = plan_of_lifecycle(*SHOP, pivots=("B",))

    assert why(at_b(), bound) == "`order` was before the pivot, and is past it now"
    assert why(at_b(bound), OLD) == "`order` was past the pivot, and is before it now"
    assert why(at_b(bound), plan_of_lifecycle(*SHOP, pivots=("B", "E"))) is None


def test_a_record_of_a_newer_schema_is_not_handed_to_an_older_program() -> None:
    newer = plan_of_lifecycle(*SHOP, schema=2)
    run = Course(newer, schema=2)

    assert why(run, OLD) == "the record has schema 2, and those up to 1 are read now"
    assert why(Course(OLD), newer) is None


def test_what_giving_up_means_must_stay_as_it_is_once_a_handler_has() -> None:
    pausing = plan_of_lifecycle(*SHOP, pauses=True)
    run = Course(pausing)
    run.end("order[0]/price", outcome=PERMANENT)
    failed = Course(OLD)
    failed.end("order[0]/price", outcome=PERMANENT)

    assert (run.state.status, failed.state.status) == ("paused", "failed")
    assert (
        why(run, OLD) == "`order[0]/price` gave up, which has paused the run, and would fail it now"
    )
    assert why(failed, pausing) == (
        "`order[0]/price` gave up, which has failed the run, and would pause it now"
    )
    assert why(run, plan_of_lifecycle(*SHOP, pauses=True, resume_after=DAY)) is None


def test_a_run_that_goes_back_needs_the_undos_and_no_status() -> None:
    run = at_b()
    run.cancel()
    assert run.state.status == "undoing"
    elsewhere = plan_of_lifecycle(entry("price", "A", to="X", undo=True), hear("pay", "X", to="C"))

    assert why(run, elsewhere) is None


def test_a_run_that_has_ended_needs_the_undos_and_no_status() -> None:
    run = at_b()
    run.message("Paid")
    run.give("pay", goto("C"))
    run.give("ship", goto("E"))
    assert run.state.status == "completed"
    moved = plan_of_lifecycle(PRICE, hear("pay", "B", to="C"), entry("ship", "C", to="Z"))

    assert why(run, moved) is None
    assert why(run, plan_of_lifecycle(PRICE, PAY, REMIND)) is None
    assert why(run, plan_of_lifecycle(entry("open", "A", to="B"), PAY, REMIND)) == (
        "what `price` did may have to be undone, and it does not exist any more"
    )


# A handler that was called and is gone ------------------------------------------------------------

CHECK = entry("check", "A", to="B")
OPEN = entry("open", "A", to="B")


def checked(*more: Drawn, **options: object) -> Course:
    """Return a run that stands in B, where a handler without an undo has led it."""
    run = Course(plan_of_lifecycle(CHECK, PAY, SHIP, *more, **options))
    run.give("check", goto("B", b'"checked"'))
    return run


def moved(run: Course, plan: Plan) -> Course:
    """Return the run as it goes on under another plan."""
    assert why(run, plan) is None
    run.plan, run.state = plan, fold(plan, run.recorded)
    run.turn(facts.MovedOn(plan.fingerprint, run.now), facts.Claimed(1, run.now))
    return run


def test_a_call_that_is_over_needs_its_handler_no_more() -> None:
    run = moved(checked(), plan_of_lifecycle(OPEN, PAY, SHIP))

    run.message("Paid")
    run.give("pay", goto("C"))
    run.give("ship", goto("E"))

    assert (run.state.status, run.moves) == ("completed", ["A", "B", "C", "E"])
    assert bytes(run.lifecycle.record) == b'"checked"'


def test_what_it_did_is_kept_when_the_run_goes_back() -> None:
    run = moved(checked(), plan_of_lifecycle(OPEN, PAY, SHIP))

    run.cancel()

    assert run.state.status == "cancelled"


def test_one_that_comes_back_fits_what_went_on_without_it() -> None:
    run = moved(checked(), plan_of_lifecycle(OPEN, PAY, SHIP))

    assert why(run, plan_of_lifecycle(hear("in", "A", to="B"), PAY, SHIP)) is None
    back = plan_of_lifecycle(entry("check", "A", to="B", undo=True), PAY, SHIP)
    run = moved(run, back)
    run.cancel()
    run.play()

    assert (run.state.status, run.undone) == ("cancelled", ["order[0]/check"])


def test_a_call_that_is_not_over_needs_its_handler() -> None:
    gone = "the handler `check` was called, and does not exist any more"
    run = Course(plan_of_lifecycle(CHECK, PAY, SHIP))
    assert why(run, plan_of_lifecycle(OPEN, PAY, SHIP)) == gone

    run.end("order[0]/check", outcome=TRANSIENT)
    assert why(run, plan_of_lifecycle(OPEN, PAY, SHIP)) == gone


def test_one_that_is_to_be_called_again_must_exist() -> None:
    run = Course(plan_of_lifecycle(CHECK, PAY, SHIP))
    run.give("check", again())

    assert why(run, plan_of_lifecycle(OPEN, PAY, SHIP)) == (
        "`check` is to be called again, and is not called in A any more"
    )


def test_one_that_has_said_what_was_not_decided_yet_must_exist() -> None:
    run = Course(plan_of_lifecycle(CHECK, PAY, SHIP))
    run.pause()
    run.give("check", goto("B"))

    assert why(run, plan_of_lifecycle(OPEN, PAY, SHIP)) == (
        "it is still to be decided what `check` led to, which does not exist any more"
    )


def test_one_that_has_failed_behind_the_pivot_is_called_again_and_must_exist() -> None:
    run = checked(pivots=("B",))
    run.message("Paid")
    run.give("pay", failing())
    assert run.state.status == "parked"

    gone = plan_of_lifecycle(CHECK, hear("take", "B", to="C"), SHIP, pivots=("B",))
    assert str(why(run, gone)).startswith("it is still to be decided what `pay` led to")


def test_behind_the_pivot_nothing_is_undone_so_that_undos_may_be_gone() -> None:
    bound = plan_of_lifecycle(*SHOP, pivots=("B",))

    assert why(at_b(bound), plan_of_lifecycle(OPEN, PAY, REMIND, SHIP, pivots=("B",))) is None


def test_one_that_waited_for_a_workflow_must_exist() -> None:
    run = Course(plan_of_lifecycle(calls("check", "A", to="B"), PAY, SHIP))

    assert why(run, plan_of_lifecycle(OPEN, PAY, SHIP)) == (
        "the handler `check` was called, and does not exist any more"
    )


def test_a_run_that_has_only_begun_stands_nowhere() -> None:
    begun = at_b().recorded[:1]

    assert isinstance(begun[0], facts.RunStarted)
    assert misfit_of(OLD, plan_of_lifecycle(entry("in", "A", to="Z")), begun) is None


def test_a_lifecycle_and_a_workflow_of_one_name_have_nothing_in_common() -> None:
    workflow = msgspec.structs.replace(plan_of(step("order")), workflow="order")
    message = "the run was not given"

    assert why(at_b(), workflow) == "`order` was a lifecycle, and is a step now"
    assert message not in str(why(at_b(), plan_of_lifecycle(*SHOP)))


# Whatever both are --------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[list[Drawn]], list[Drawn]]] = {
    "less": lambda drawn: drawn[:-1],
    "reversed": lambda drawn: drawn[::-1],
    "more": lambda drawn: [*drawn, hear("more", "B", to="Z", message="More")],
    "on entry": lambda drawn: [*drawn, entry("greet", "Y", to="Z")],
}


@st.composite
def two_machines(draw: st.DrawFn) -> tuple[Plan, Plan]:
    """Return a lifecycle, and what somebody has made of it."""

    def drawn() -> list[Drawn]:
        found: list[Drawn] = []
        for status in "ABC":
            leads = " ".join(sorted({*draw(st.sets(st.sampled_from("ABC"), max_size=2)), "Z"}))
            if draw(st.booleans()):
                found.append(entry(f"in{status}", status, to=leads, undo=draw(st.booleans())))
            found.append(hear(f"on{status}", status, to=leads))
            if draw(st.booleans()):
                found.append(timer(f"at{status}", status, to=leads, due=DAY))
        return found

    before = drawn()
    change = CHANGES[draw(st.sampled_from(sorted(CHANGES)))]
    behind = change(before) if draw(st.integers(0, 3)) else drawn()
    return plan_of_lifecycle(*before), plan_of_lifecycle(*behind)


@given(
    two_machines(),
    st.lists(st.tuples(st.sampled_from("ggggmmmtp"), st.integers(0, 9)), min_size=4, max_size=14),
)
def test_a_record_that_fits_goes_on_to_its_end(
    plans: tuple[Plan, Plan], moves: list[tuple[str, int]]
) -> None:
    old, new = plans
    run = Course(old)
    for move, number in moves:
        drive(run, move, number)
    if misfit_of(old, new, run.recorded) is not None:
        return

    moved = Course.__new__(Course)
    moved.__dict__.update(run.__dict__)
    moved.plan, moved.work = new, []
    moved.state = fold(new, moved.recorded)
    moved.turn(facts.MovedOn(new.fingerprint, moved.now), facts.Claimed(1, moved.now))
    for _ in range(60):
        if moved.state.is_settled:
            break
        if moved.state.is_paused:
            moved.resume()
        drive(moved, "g" if moved.work else "m", -1)
        if not moved.work and not moved.lifecycle.open and not moved.state.is_settled:
            moved.pass_time()

    assert moved.state.is_settled, (moved.state.status, moved.status)


@given(
    two_machines(),
    st.lists(st.tuples(st.sampled_from("ggggmmmtp"), st.integers(0, 9)), min_size=4, max_size=14),
)
def test_a_record_that_fits_is_undone_as_it_would_have_been(
    plans: tuple[Plan, Plan], moves: list[tuple[str, int]]
) -> None:
    old, new = plans
    run = Course(old)
    for move, number in moves:
        drive(run, move, number)
    is_still = not run.work and not run.state.is_paused and not run.state.is_settled
    if not is_still or misfit_of(old, new, run.recorded) is not None:
        return
    stayed, went = twin_of(run, old), twin_of(run, new)
    went.turn(facts.MovedOn(new.fingerprint, went.now), facts.Claimed(1, went.now))
    stayed.turn(facts.Claimed(1, stayed.now))

    for each in (stayed, went):
        each.cancel()
        each.play()

    assert went.state.status == stayed.state.status == "cancelled"
    owed = set(stayed.undone)
    assert [path for path in went.undone if path in owed] == stayed.undone


def twin_of(run: Course, plan: Plan) -> Course:
    """Return the run as another worker takes it up, under this plan."""
    twin = Course.__new__(Course)
    twin.__dict__.update({**run.__dict__, "history": [*run.history]})
    twin.plan, twin.work, twin.state = plan, [], fold(plan, run.recorded)
    return twin


def drive(run: Course, move: str, number: int) -> None:
    """Let something happen to a run, where it can."""
    match move:
        case "g" if run.work:
            to = run.lifecycle.handler.to
            run.give(run.busy[0], goto(to[number % len(to)], b'"new"') if number else again(20))
        case "m" if run.lifecycle.open and not run.state.is_paused:
            run.message(min(message for message, _key in run.lifecycle.open))
        case "t":
            run.pass_time()
        case "p" if not run.state.is_paused and not run.state.is_settled:
            run.pause()
        case _:
            pass
