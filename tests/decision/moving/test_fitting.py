"""A run goes on under another plan exactly when all that is recorded of it fits there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.moving.fitting import Misfit, misfit_of
from makegood.definition.plan import (
    Constant,
    FromInput,
    FromNode,
    Input,
    Items,
    Pairs,
)
from makegood.values.verdict import Kept
from tests.decision.driver import DECLINED, IN_DOUBT, PROCEED, TRANSIENT, Run
from tests.decision.moving.fits import begun, changed, given_to, why
from tests.decision.plans import (
    local,
    plan_of,
    query,
    step,
)

if TYPE_CHECKING:
    from makegood.definition.plan import Node, Plan, Source

HOLD = step("hold", undo=True)
PAY = step("pay", "hold", undo=True, compensate=True)
SHIP = step("ship", "pay")
SHOP = plan_of(HOLD, PAY, SHIP)


# What has not begun ------------------------------------------------------------------------------

FITTING = {
    "the same": SHOP,
    "a step at the end": plan_of(HOLD, PAY, SHIP, step("tell", "ship")),
    "a step before one that has not begun": plan_of(
        HOLD, PAY, step("wrap", "pay"), step("ship", "wrap")
    ),
    "a step beside all": plan_of(step("note"), HOLD, PAY, SHIP),
    "no last step": plan_of(HOLD, PAY),
    "a last step that is another": plan_of(HOLD, PAY, query("ship", "pay", optional=True)),
    "an undo that there was not": plan_of(HOLD, PAY, step("ship", "pay", undo=True)),
    "other nodes, in another order": plan_of(
        query("ask"), step("hold", undo=True), step("pay", "hold", undo=True), step("ship", "ask")
    ),
}


@pytest.mark.parametrize("new", FITTING.values(), ids=FITTING)
def test_what_has_not_begun_may_be_anything(new: Plan) -> None:
    run = begun(SHOP, "hold", "pay")
    run.work.clear()
    before_ship = [fact for fact in run.recorded if getattr(fact, "node", None) != "ship"]

    assert misfit_of(SHOP, new, before_ship) is None
    assert fold(new, before_ship).done_order == [new.positions["hold"], new.positions["pay"]]


def test_a_run_that_has_moved_on_ends_under_the_new_plan() -> None:
    old = begun(SHOP, "hold")
    new = plan_of(query("ask"), HOLD, PAY, step("wrap", "pay", undo=True), step("ship", "wrap"))
    assert why(old, new) is None

    run = Run(new, {"ship": [DECLINED], "pay ask": [PROCEED]}, starts=False)
    run.history, run.now = [tuple(old.recorded)], old.now
    run.state = fold(new, run.recorded)
    run.turn(facts.MovedOn(new.fingerprint, run.now), facts.Claimed(1, run.now))
    run.play()

    assert run.names(facts.UndoDone) == ["wrap", "pay", "hold"]
    assert run.state.status == "failed"


# What has begun ----------------------------------------------------------------------------------

MISFITS = {
    "a step that is gone": (
        plan_of(step("pay", undo=True), step("ship", "pay")),
        "`hold` has begun, and does not exist any more",
    ),
    "two steps before one that is done": (
        plan_of(
            query("ask"),
            query("check"),
            step("hold", "ask", "check", undo=True),
            step("pay", "hold", undo=True, compensate=True),
            SHIP,
        ),
        "`hold` has begun, and waits for `ask` now, which has not happened",
    ),
    "a step before one that is done": (
        plan_of(query("check"), step("hold", "check", undo=True), PAY, SHIP),
        "`hold` has begun, and waits for `check` now, which has not happened",
    ),
    "another kind": (
        plan_of(local("hold", undo=True), PAY, SHIP),
        "`hold` was a step, and is a local now",
    ),
    "another result": (
        changed(SHOP, "hold", lambda node: msgspec.structs.replace(node, returns="Hold")),
        "`hold` gave None, and gives Hold now",
    ),
    "no undo any more": (
        plan_of(step("hold"), PAY, SHIP),
        "`hold` could be undone by undo_hold, and has no undo any more",
    ),
    "the pivot": (
        plan_of(step("hold", undo=True, pivot=True), PAY, SHIP),
        "`hold` was not the pivot, and is now",
    ),
    "another workflow": (
        msgspec.structs.replace(SHOP, workflow="store"),
        "the run is one of `shop`, and not of `store`",
    ),
    "a version": (
        msgspec.structs.replace(SHOP, version="2"),
        "the run is of no version, and not of version 2",
    ),
    "an input that was not given": (
        msgspec.structs.replace(
            SHOP, inputs=(Input(name="flag", type="bool"), Input(name="sku", type="str"))
        ),
        "the run was not given the input `sku`, which is taken now",
    ),
    "an input of another type": (
        msgspec.structs.replace(SHOP, inputs=(Input(name="flag", type="str"),)),
        "the input `flag` was bool, and is str now",
    ),
}


@pytest.mark.parametrize(("new", "sentence"), MISFITS.values(), ids=MISFITS)
def test_what_has_begun_must_be_the_same(new: Plan, sentence: str) -> None:
    old = msgspec.structs.replace(SHOP, inputs=(Input(name="flag", type="bool"),))

    assert why(begun(old, "hold"), new) == sentence


def test_the_first_fact_that_does_not_fit_is_named() -> None:
    run = begun(SHOP, "hold", "pay")

    assert why(run, plan_of(HOLD, query("ask"), step("pay", "hold", "ask"), SHIP)) == (
        "`pay` could be undone by undo_pay, and has no undo any more"
    )
    late = step("pay", "hold", "ask", undo=True)
    assert why(run, plan_of(HOLD, query("ask"), late, SHIP)) == (
        "`pay` has begun, and waits for `ask` now, which has not happened"
    )
    assert misfit_of(SHOP, plan_of(HOLD, step("ship", "hold")), run.recorded) == Misfit(
        sentence="`pay` has begun, and does not exist any more",
        position=4,
        fact="node started",
        node="pay",
    )


def test_the_pivot_stays_the_pivot() -> None:
    old = plan_of(HOLD, step("pay", "hold", pivot=True), SHIP)

    assert why(begun(old, "hold"), SHOP) == "`pay` was the pivot, and is not now"


def test_versions_of_the_same_name_fit() -> None:
    old = msgspec.structs.replace(SHOP, version="1")

    assert why(begun(old, "hold"), old) is None
    assert why(begun(old, "hold"), SHOP) == "the run is of version 1, and not of no version"


def test_what_is_skipped_is_optional_and_guarded_still() -> None:
    free = plan_of(HOLD, step("ship", "hold", optional=True))
    run = Run(free, {"ship": [DECLINED]}).play()
    assert why(run, plan_of(HOLD, step("ship", "hold"))) == (
        "`ship` was skipped, and is not optional any more"
    )

    guarded = plan_of(HOLD, step("ship", "hold", guard=True))
    run = Run(guarded, {"ship guard": ["skip"]}).play()
    assert why(run, plan_of(HOLD, step("ship", "hold"))) == (
        "`ship` was skipped by its guard, and has none any more"
    )


def test_what_is_over_may_be_given_something_else_and_what_is_not_may_not() -> None:
    run = begun(SHOP, "hold")

    assert why(run, given_to(SHOP, "hold", Constant("1"))) is None
    assert why(run, given_to(SHOP, "pay", Constant("1"))) == (
        "`pay` has begun, and would be given something else now"
    )


SOURCES: list[tuple[Source, Source]] = [
    (FromInput("flag"), FromInput("other")),
    (FromNode(0, (".id",)), FromNode(0, (".key",))),
    (Constant("1"), Constant("2")),
    (Items((FromNode(0),), "list"), Items((FromNode(0),), "tuple")),
    (Pairs((("a", FromNode(0)),)), Pairs((("b", FromNode(0)),))),
]


@pytest.mark.parametrize(("source", "other"), SOURCES)
def test_what_is_given_is_compared_by_paths_and_not_by_numbers(
    source: Source, other: Source
) -> None:
    run = begun(given_to(SHOP, "pay", source), "hold")
    moved = plan_of(step("note"), HOLD, PAY, SHIP)

    def shifted(source: Source) -> Source:
        match source:
            case FromNode(node, path):
                return FromNode(node + 1, path)
            case Items(items, kind):
                return Items(tuple(map(shifted, items)), kind)
            case Pairs(pairs):
                return Pairs(tuple((key, shifted(each)) for key, each in pairs))
            case _:
                return source

    assert why(run, given_to(moved, "pay", shifted(source))) is None
    assert why(run, given_to(moved, "pay", shifted(other))) == (
        "`pay` has begun, and would be given something else now"
    )


def test_a_compensate_that_is_asked_stays() -> None:
    run = Run(plan_of(HOLD, PAY, SHIP), {"pay": [IN_DOUBT]})
    run.end("hold")
    run.end("pay")
    without = plan_of(HOLD, step("pay", "hold", undo=True), SHIP)

    assert run.at_work == ["pay ask"]
    assert why(run, without) == "`pay` is being asked about, and has no compensate any more"
    assert why(run, SHOP) is None


def test_an_undo_that_has_begun_is_the_same_function() -> None:
    run = Run(SHOP, {"ship": [DECLINED], "pay undo": [TRANSIENT]})
    run.end("hold")
    run.end("pay")
    run.end("ship")

    def renamed(path: str) -> Plan:
        def change(node: Node) -> Node:
            assert node.undo is not None
            undo = msgspec.structs.replace(node.undo, function="give_back")
            return msgspec.structs.replace(node, undo=undo)

        return changed(SHOP, path, change)

    assert run.at_work == ["pay undo"]
    assert why(run, renamed("hold")) is None
    assert why(run, renamed("pay")) == ("`pay` is being undone by undo_pay, which is give_back now")


def test_what_is_recorded_for_an_undo_has_the_same_type() -> None:
    def typed(kind: str) -> Plan:
        return changed(SHOP, "hold", lambda node: msgspec.structs.replace(node, record=kind))

    run = Run(typed("str"))
    run.turn(facts.Recorded("hold", msgspec.Raw(b'"a"'), run.now))

    assert why(run, typed("str")) is None
    assert why(run, typed("int")) == "`hold` has recorded str, and records int now"


def test_a_completed_run_has_done_everything() -> None:
    run = Run(SHOP).play()
    longer = plan_of(HOLD, PAY, SHIP, step("tell", "ship"))

    assert run.state.status == "completed"
    assert why(run, plan_of(HOLD, PAY, SHIP)) is None
    assert why(run, longer) == (
        "the run has come to its end, and `tell`, which is new, has not happened"
    )


def test_what_is_rolled_back_need_not_have_done_everything() -> None:
    run = Run(SHOP, {"ship": [DECLINED]}).play()

    assert run.state.status == "failed"
    assert why(run, plan_of(HOLD, PAY, SHIP, step("tell", "ship"))) is None


def test_what_people_asked_for_may_be_about_no_node() -> None:
    run = begun(SHOP, "hold")
    run.settle("nobody", Kept())
    run.retry("nothing")
    run.retry()

    assert why(run, SHOP) is None
