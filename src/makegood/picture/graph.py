"""What every drawing needs to know of a plan: its arrows, and each node's policy in words.

An arrow says what must have ended before. Those that follow from others are left out: of
a → b → c and a → c only the first two are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, assert_never

import msgspec

from makegood.definition.plan import (
    Constant,
    FromInput,
    FromNode,
    Items,
    Kind,
    Node,
    Pairs,
    Plan,
    Source,
)
from makegood.picture.words import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.workflow import Workflow
    from makegood.picture.story import Timeline

__all__ = [
    "Arrow",
    "Drawn",
    "arrows",
    "called",
    "guard",
    "leaves",
    "limits",
    "plan_of",
    "remedies",
    "signature",
    "sub_path",
]


# Any: a workflow is drawn whatever it takes and returns.
Drawn: TypeAlias = "Plan | Workflow[..., Any] | Timeline"
"""What can be drawn: a plan, or a run as it was carried out."""


class Arrow(msgspec.Struct, frozen=True):
    """One node waits for another, both by their index in the plan."""

    source: int
    target: int
    carries: Literal["data", "guard", "order"]
    """What the target takes from the source; `order`: nothing, it only waits."""


def plan_of(drawn: Drawn) -> Plan:
    """Return the plan of whatever is drawn."""
    match drawn:
        case Plan():
            return drawn
        case _:
            return drawn.plan


def arrows(plan: Plan) -> tuple[Arrow, ...]:
    """Return the arrows that do not follow from others, in the order of the plan."""
    found: list[Arrow] = []
    # Which nodes come before each node, one bit a node: the plan's order is a valid one.
    before: list[int] = []
    for index, node in enumerate(plan.nodes):
        implied = 0
        direct = 0
        for needed in node.needs:
            implied |= before[needed]
            direct |= 1 << needed
        before.append(implied | direct)
        found += (
            Arrow(needed, index, _carried(node, needed))
            for needed in node.needs
            if not implied >> needed & 1
        )
    return tuple(found)


def _carried(node: Node, needed: int) -> Literal["data", "guard", "order"]:
    given = (leaf for item in node.arguments for leaf in leaves(item.source))
    if any(isinstance(leaf, FromNode) and leaf.node == needed for leaf in given):
        return "data"
    asked = () if node.when is None else leaves(node.when)
    is_guard = any(isinstance(leaf, FromNode) and leaf.node == needed for leaf in asked)
    return "guard" if is_guard else "order"


def leaves(source: Source) -> Iterator[FromInput | FromNode]:
    """Return the inputs and the results that a value is made of."""
    match source:
        case FromInput() | FromNode():
            yield source
        case Items(items):
            for item in items:
                yield from leaves(item)
        case Pairs(pairs):
            for _, item in pairs:
                yield from leaves(item)
        case Constant():
            return
        case _:
            assert_never(source)


def sub_path(path: tuple[str | int, ...]) -> str:
    """Return which part of a value is taken, as it would be written in Python."""
    return "".join(
        part if isinstance(part, str) and part.startswith(".") else f"[{part}]" for part in path
    )


def called(node: Node) -> str:
    """Say which function a node calls, where its name does not, or with what it fails."""
    if node.kind is Kind.EXPECT:
        error = (item.type for item in node.arguments if item.name == "error")
        return f"or {next(error, 'fail')}"
    return "" if node.function == node.path else f"calls {node.function}"


def guard(plan: Plan, node: Node) -> str | None:
    """Return what must hold for the node to run, or None."""
    if node.when is None:
        return None
    named = (
        f"{leaf.name if isinstance(leaf, FromInput) else plan.nodes[leaf.node].path}"
        f"{sub_path(leaf.path)}"
        for leaf in leaves(node.when)
    )
    return f"when {', '.join(named)}"


def limits(node: Node) -> Iterator[str]:
    """Say what is particular about a node, and how often and how long it is tried."""
    if node.pivot:
        yield "pivot: no way back"
    if node.optional:
        yield "optional"
    if node.timeout is not None:
        yield (
            f"{node.retry.attempts} × {allowed(node.timeout)}"
            if node.retry.attempts > 1
            else f"once, {allowed(node.timeout)}"
        )


def remedies(node: Node) -> Iterator[str]:
    """Say how a node is made good again."""
    if node.undo is not None:
        yield f"undo: {node.undo.function}"
    if node.compensate is not None:
        yield f"compensate: {node.compensate.function}"
    if node.irreversible is not None:
        yield f"irreversible: {node.irreversible}"


def signature(plan: Plan) -> str:
    """Return what the workflow takes and returns, as it would be written in Python."""
    inputs = ", ".join(f"{item.name}: {item.type}" for item in plan.inputs)
    return f"{plan.workflow}({inputs}) → {plan.returns_type}"
