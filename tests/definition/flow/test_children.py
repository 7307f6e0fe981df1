"""Workflows as steps as they are declared, and steps that return a call: what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from tests.definition.conftest import Declare

INNER = """
from makegood.definition.call import Call
from makegood.definition.flow.looping import each

@workflow
def ship_order(order: Order, gift: bool = False) -> Letter:
    return step(write_letter, irreversible="x")(order)
"""
TWICE = INNER + "ship = step(ship_order)\n"


def test_a_workflow_is_a_node_that_takes_and_gives_what_it_does(declare: Declare) -> None:
    made = declare(
        INNER
        + "@workflow\n"
        + "def sell(order: Order) -> Letter | None:\n"
        + '    return step(ship_order, name="ship", optional=True)(order)\n'
    ).sell

    [node] = made.plan.nodes
    assert (node.path, node.kind, node.function) == ("ship", Kind.CHILD, "ship_order")
    assert [(item.name, item.type) for item in node.arguments] == [
        ("order", "Order"),
        ("gift", "bool"),
    ]
    assert (node.returns, node.optional, node.timeout) == ("Letter", True, None)
    assert [child.name for child in made.children()] == ["ship_order"]


def test_a_workflow_is_called_for_each_item(declare: Declare) -> None:
    made = declare(
        TWICE
        + "@workflow\n"
        + "def sell(orders: list[Order]) -> list[Letter]:\n"
        + "    return each(orders, ship)\n"
    ).sell

    assert made.plan.nodes[0].block is not None
    assert [node.kind for node in made.plan.nodes[0].block.nodes] == [Kind.CHILD]
    assert [child.name for child in made.children()] == ["ship_order"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("step(ship_order)()", "`ship_order` is not given `order`; add it"),
        ("step(ship_order)(order.id)", "which is OrderId; give it Order"),
        ("step(ship_order)(order, present=True)", "`ship_order` takes no `present`"),
        ("ship_order(order)", "write step(ship_order)(…) for a run of its own"),
    ],
)
def test_a_child_is_called_with_what_it_takes(call: str, said: str, declare: Declare) -> None:
    [sentence] = declare.refused(
        INNER + f"@workflow\ndef sell(order: Order) -> Letter:\n    return {call}  # wrong\n"
    )

    assert said in sentence


@pytest.mark.parametrize(
    "option",
    [
        "undo=post_letter",
        "undo_timeout=timedelta(seconds=1)",
        "undo_retry=Retry()",
        "compensate=find_hold",
        "compensate_timeout=timedelta(seconds=1)",
        "compensate_retry=Retry()",
        "retry=Retry()",
        "timeout=timedelta(seconds=1)",
        "key_valid_for=None",
        'irreversible="it is"',
    ],
)
def test_a_child_has_no_policy_of_a_function(option: str, declare: Declare) -> None:
    [sentence] = declare.refused(INNER + f"step(ship_order, {option})  # wrong\n")

    name = option.partition("=")[0]
    assert sentence == (
        f"{name}= has no effect on the workflow `ship_order`, which is carried out and undone as a "
        "run of its own; say it of its steps, or use timeout_total="
    )


def test_what_is_wrong_with_a_child_is_said_at_once(declare: Declare) -> None:
    sentences = declare.refused(
        INNER
        + "step(  # wrong\n"
        + '    ship_order, name="1", optional=True, pivot=True, timeout_total=timedelta(0)\n'
        + ")\n"
    )

    assert [sentence.split("; ")[0] for sentence in sentences] == [
        "the name '1' cannot be part of a path",
        "timeout_total=datetime.timedelta(0) is out of bounds",
        "optional=True and pivot=True contradict each other: a run cannot be past a step that need "
        "not happen",
    ]


def plan_of(declare: Declare, source: str) -> tuple[str, str]:
    made = declare(
        source
        + "@workflow\ndef sell(order: Order) -> Letter:\n    return step(ship_order)(order)\n"
    ).sell
    [child] = made.children()
    return made.plan.fingerprint, child.plan.fingerprint


def test_a_childs_steps_are_no_part_of_the_fingerprint_of_its_parent(declare: Declare) -> None:
    parent, child = plan_of(declare, INNER)
    longer = INNER.replace(
        "    return step(write_letter",
        "    find(order.id)\n    return step(write_letter",
    )

    same_parent, other_child = plan_of(declare, longer)

    assert (parent == same_parent, child == other_child) == (True, False)


@pytest.mark.parametrize(
    ("old", "new"),
    [("gift: bool = False", "gift: int = 0"), ("gift: bool = False", "gift: bool = True")],
)
def test_what_a_child_takes_is_a_part_of_the_fingerprint_of_its_parent(
    old: str, new: str, declare: Declare
) -> None:
    assert plan_of(declare, INNER)[0] != plan_of(declare, INNER.replace(old, new))[0]


def test_which_workflow_a_child_is_is_a_part_of_the_fingerprint(declare: Declare) -> None:
    named = 'step(ship_order, name="ship")(order)'
    source = INNER + f"@workflow\ndef sell(order: Order) -> Letter:\n    return {named}\n"
    other = source.replace("ship_order", "send_order")

    assert declare(source).sell.plan.fingerprint != declare(other).sell.plan.fingerprint


# Steps that return a call -------------------------------------------------------------------------


CALLS = INNER + "async def choose(order: Order) -> Letter | Call[Letter]: ...\n"


def test_a_step_that_may_return_a_call_gives_what_the_call_gives(declare: Declare) -> None:
    made = declare(
        CALLS
        + "@workflow\n"
        + "def sell(order: Order) -> Letter:\n"
        + '    return step(choose, irreversible="x")(order)\n'
    ).sell

    [node] = made.plan.nodes
    assert (node.returns, node.calls) == ("Letter", True)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "async def ask(order: Order) -> Call[Letter]: ...  # wrong\nquery(ask)\n",
            "the query `ask` returns a call, but only a step has one run in its place",
        ),
        (
            "def made(order: Order) -> Call[Letter]: ...  # wrong\npure(made)\n",
            "the pure `made` returns a call, but only a step has one run in its place",
        ),
        (
            "async def kept(  # wrong\n"
            "    order: Order, *, transaction: Transaction = injected\n"
            ") -> Call[Letter]: ...\nstep(kept)\n",
            "so it is a local step: it returns no call; let a step after it return the call",
        ),
    ],
)
def test_only_a_step_has_a_call_run_in_its_place(source: str, said: str, declare: Declare) -> None:
    [sentence] = declare.refused(INNER + source)

    assert said in sentence
