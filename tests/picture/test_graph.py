"""What a drawing takes from a plan: which arrows there are, and what each of them carries."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from makegood.definition.plan import (
    Argument,
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Items,
    Kind,
    Node,
    Pairs,
    Plan,
    Source,
)
from makegood.picture.graph import Arrow, arrows, called, guard, plan_of
from tests.decision import plans
from tests.decision.driver import Run
from tests.picture.told import told


def node(path: str, *needs: int, given: Source | None = None, when: Source | None = None) -> Node:
    arguments = () if given is None else (Argument(name="x", source=given, type="int"),)
    return Node(
        path=path, kind=Kind.PURE, function=path, needs=needs, arguments=arguments, when=when
    )


def plan(*nodes: Node) -> Plan:
    return Plan(workflow="w", fingerprint="f", nodes=nodes)


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    chain = plan(node("a"), node("b", 0), node("c", 0, 1), node("d", 0, 2), node("e", 1))

    assert [(arrow.source, arrow.target) for arrow in arrows(chain)] == [
        (0, 1),
        (1, 2),
        (2, 3),
        (1, 4),
    ]


@pytest.mark.parametrize(
    ("given", "when", "carries"),
    [
        (FromNode(0), None, "data"),
        (FromNode(0, (".total",)), FromNode(0), "data"),
        (Items((Constant("1"), FromNode(0))), None, "data"),
        (Pairs((("a", FromInput("x")), ("b", FromNode(0)))), None, "data"),
        (FromInput("x"), FromNode(0, (".is_open",)), "guard"),
        (None, FromInput("x"), "order"),
        (None, None, "order"),
    ],
)
def test_an_arrow_says_what_it_carries(
    given: Source | None, when: Source | None, carries: str
) -> None:
    (arrow,) = arrows(plan(node("a"), node("b", 0, given=given, when=when)))

    assert arrow == Arrow(0, 1, carries)  # type: ignore[arg-type] # one of the three


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (None, None),
        (FromNode(0, (".lines", 0, "sku")), "when a.lines[0][sku]"),
        (FromInput("is_gift"), "when is_gift"),
    ],
)
def test_a_guard_is_said_as_it_was_written(when: Source | None, said: str | None) -> None:
    guarded = node("b", 0, when=when)

    assert guard(plan(node("a"), guarded), guarded) == said


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        (Constant("7"), "when is_gift, else 7"),
        (FromInput("old", (".id",)), "when is_gift, else old.id"),
        (FromNode(0), "when is_gift, else a"),
        (FromRound(1, (".id",)), "when is_gift, else item.id"),
        (Items(()), "when is_gift, else several values"),
    ],
)
def test_what_a_guard_gives_instead_is_said_with_it(otherwise: Source, said: str) -> None:
    guarded = replace(node("b", 0, when=FromInput("is_gift")), otherwise=otherwise)

    assert guard(plan(node("a"), guarded), guarded) == said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (plans.each_("lines", block=(plans.step("pack"),)), "2 at once"),
        (
            plans.each_("lines", block=(plans.step("pack"),), keeps=True),
            "2 at once, failures are kept",
        ),
        (
            plans.each_("lines", block=(plans.step("pack"),), done_min=1),
            "2 at once, failures are kept, at least 1 done",
        ),
        (
            plans.each_("lines", block=(plans.step("pack"),), quorum=3),
            "2 at once, until 3 are done",
        ),
    ],
)
def test_an_each_says_what_becomes_of_rounds_that_fail(lines: plans.Sketch, said: str) -> None:
    assert said in called(plans.plan_of(lines).nodes[0])


def test_an_arrow_to_what_a_guard_gives_instead_carries_data() -> None:
    guarded = replace(node("b", 0, when=FromInput("x")), otherwise=FromNode(0))

    assert arrows(plan(node("a"), guarded)) == (Arrow(0, 1, "data"),)


def test_a_flag_says_with_what_the_run_fails() -> None:
    flag = Node(
        path="is_open",
        kind=Kind.EXPECT,
        function="expect",
        arguments=(Argument(name="error", source=Constant("null"), type="Closed"),),
    )

    assert (called(flag), called(node("a"))) == ("or Closed", "")


def test_a_run_is_drawn_by_the_plan_that_it_was_started_with() -> None:
    shop = plans.plan_of(plans.step("pay"))

    assert plan_of(told(Run(shop))) is shop
    assert plan_of(shop) is shop
