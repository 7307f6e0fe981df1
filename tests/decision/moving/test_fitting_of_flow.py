"""Branches and rounds that have begun fit another plan as long as they could have come so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from makegood.decision.moving.fitting import misfit_of
from makegood.definition.plan import BLOCK_SPAN, Argument, Case, Constant, FromNode, FromRound
from tests.decision.driver import DECLINED, IN_DOUBT, TRANSIENT, Run
from tests.decision.moving.fits import changed, why
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

if TYPE_CHECKING:
    from makegood.definition.plan import Node, Plan, Source

SHOP = plan_of(step("hold", undo=True), step("pay", "hold", undo=True, compensate=True))


# Branches and rounds -----------------------------------------------------------------------------


def how(*card: str, label: str = "card", returns: Source | None = None) -> Plan:
    """Return a plan with a switch, which has these steps in one of its cases."""
    inside = tuple(
        step(path, *card[at - 1 : at] if at else (), undo=True) for at, path in enumerate(card)
    )
    plan = plan_of(
        switch_("how", cases={label: inside, "bill": (step("write"),)}),
        step("ship", "how"),
    )
    if returns is None:
        return plan
    cases = (Case(label=label, returns=returns), Case(label="bill", returns=Constant("0")))
    return changed(plan, "how", lambda node: msgspec.structs.replace(node, cases=cases))


def test_a_branch_that_was_chosen_may_grow_as_long_as_it_is_not_over() -> None:
    run = Run(how("hold", "take"), {"how case": ["card"]})
    run.end("how/card/hold")
    assert why(run, how("hold", "take", "tell")) is None
    assert why(run, how("hold", "take", label="cash")) == (
        "`how` has chosen the case `card`, which does not exist any more"
    )

    run.end("how/card/take")
    assert run.at_work == ["ship"]
    assert why(run, how("hold", "take", "tell")) == (
        "`how` is over, and has `how/card/tell` now, which has not happened"
    )


def test_a_branch_that_was_not_chosen_may_be_anything() -> None:
    run = Run(how("hold"), {"how case": ["bill"]})
    run.end("how/bill/write")
    grown = plan_of(
        switch_(
            "how",
            cases={"card": (step("hold"),), "bill": (step("write"), step("post", "write"))},
        ),
        step("ship", "how"),
    )

    assert why(run, grown) == ("`how` is over, and has `how/bill/post` now, which has not happened")
    assert why(run, how("other", "things", label="cash")) is None


def test_a_switch_that_is_over_gives_what_it_gave() -> None:
    run = Run(how("hold", returns=Constant("1")), {"how case": ["card"]})
    run.end("how/card/hold")

    assert why(run, how("hold", returns=Constant("1"))) is None
    assert why(run, how("hold", returns=Constant("2"))) == (
        "the case `card` of `how` gives something else now"
    )


def lines(*inside: str, at_once: int = 2) -> Plan:
    block = tuple(
        step(path, *inside[at - 1 : at] if at else (), undo=True) for at, path in enumerate(inside)
    )
    return plan_of(each_("lines", block=block, at_once=at_once), step("ship", "lines"))


def test_rounds_may_grow_as_long_as_none_is_over() -> None:
    run = Run(lines("pack", "label"), {"lines items": ["3"]})
    assert run.at_work == ["lines[0]/pack", "lines[1]/pack"]
    run.end("lines[0]/pack")

    assert why(run, lines("pack", "label", "seal")) is None
    assert why(run, lines("wrap", "label")) == (
        "`lines[0]/pack` has begun, and does not exist any more"
    )

    run.end("lines[0]/label")
    assert why(run, lines("pack", "label")) is None
    assert why(run, lines("pack", "label", "seal")) is not None


def test_what_is_given_in_a_round_is_compared_by_paths() -> None:
    def inner(plan: Plan, place: int) -> Plan:
        def change(node: Node) -> Node:
            assert node.block is not None
            source = FromNode(place) if place < 10 else FromNode(node.block.number * 10_000)
            taken = Argument(name="it", source=source, type="int")
            nodes = tuple(
                msgspec.structs.replace(each, arguments=(taken,)) if each.path == "label" else each
                for each in node.block.nodes
            )
            return msgspec.structs.replace(
                node, block=msgspec.structs.replace(node.block, nodes=nodes)
            )

        return changed(plan, "lines", change)

    run = Run(inner(lines("pack", "label"), 10), {"lines items": ["2"]})
    run.end("lines[0]/pack")

    assert run.at_work == ["lines[1]/pack", "lines[0]/label"]
    assert why(run, inner(lines("pack", "label"), 10)) is None
    assert why(run, inner(lines("pack", "label"), 0)) == (
        "`lines[0]/label` has begun, and would be given something else now"
    )


def test_what_a_round_is_given_is_compared_by_its_parts() -> None:
    def taking(part: str) -> Plan:
        taken = Argument(name="it", source=FromRound(1, (part,)), type="int")

        def change(node: Node) -> Node:
            assert node.block is not None
            nodes = tuple(
                msgspec.structs.replace(each, arguments=(taken,)) for each in node.block.nodes
            )
            return msgspec.structs.replace(
                node, block=msgspec.structs.replace(node.block, nodes=nodes)
            )

        return changed(lines("pack"), "lines", change)

    run = Run(taking(".sku"), {"lines items": ["2"]})

    assert why(run, taking(".sku")) is None
    assert why(run, taking(".name")) == (
        "`lines[0]/pack` has begun, and would be given something else now"
    )


def test_rounds_within_rounds_are_compared_by_paths() -> None:
    def nested(taken: str) -> Plan:
        inner = each_("parts", "pick", "pack", block=(step("label"),))
        outer = each_("lines", block=(step("pick"), step("pack"), inner))
        plan = plan_of(outer)

        def change(node: Node) -> Node:
            assert node.block is not None
            *before, parts = node.block.nodes
            assert parts.block is not None
            place = [each.path for each in before].index(taken)
            source = FromNode(node.block.number * BLOCK_SPAN + place)
            label = msgspec.structs.replace(
                parts.block.nodes[0], arguments=(Argument(name="it", source=source, type="int"),)
            )
            inside = msgspec.structs.replace(parts.block, nodes=(label,))
            block = msgspec.structs.replace(
                node.block, nodes=(*before, msgspec.structs.replace(parts, block=inside))
            )
            return msgspec.structs.replace(node, block=block)

        return changed(plan, "lines", change)

    run = Run(nested("pick"), {"lines items": ["1"], "lines[0]/parts items": ["1"]})
    run.end("lines[0]/pick")
    run.end("lines[0]/pack")

    assert run.at_work == ["lines[0]/parts[0]/label"]
    assert why(run, nested("pick")) is None
    assert why(run, nested("pack")) == (
        "`lines[0]/parts[0]/label` has begun, and would be given something else now"
    )


# Every run ---------------------------------------------------------------------------------------

PLANS = [
    SHOP,
    plan_of(
        query("ask"), pure("count", "ask"), local("keep", "count", undo=True), sleep_("nap", "keep")
    ),
    how("hold", "take"),
    lines("pack", "label"),
    plan_of(
        repeat_("again", block=(step("try", undo=True),), returns="try"), step("ship", "again")
    ),
]
OUTCOMES = st.lists(
    st.sampled_from(["done", DECLINED, TRANSIENT, IN_DOUBT]), min_size=1, max_size=4
)


@settings(max_examples=3 * settings().max_examples // 2)
@given(
    plan=st.sampled_from(PLANS),
    outcomes=OUTCOMES,
    moves=st.lists(st.sampled_from(["end", "time", "crash", "cancel"]), max_size=25),
)
def test_every_run_fits_its_own_plan_at_every_moment(
    plan: Plan, outcomes: list[str], moves: list[str]
) -> None:
    run = Run(plan, {"how case": ["card"], "lines items": ["3"]})
    for number, move in enumerate(moves):
        if move == "end" and run.work:
            run.end(run.work[0], outcome=outcomes[number % len(outcomes)])
        elif move == "time":
            run.pass_time()
        elif move == "crash":
            run.crash()
        elif move == "cancel":
            run.cancel()

    assert misfit_of(plan, plan, run.recorded) is None
