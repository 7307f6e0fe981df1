"""What is allowed in a workflow but looks wrong; strict workflows refuse it.

The rules look at a finished plan and at how its nodes were declared. Each finding is one
sentence that says what to write instead.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from makegood.definition.plan import (
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
from makegood.values.injectable import IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.definition.reading.place import Place
    from makegood.definition.recipe import Recipe

__all__ = ["findings_of"]


def findings_of(plan: Plan, recipes: Sequence[Recipe], place: Place) -> tuple[str, ...]:
    """Return what looks wrong, in the order of the plan."""
    found = [
        f"{recipe.signature.place}: {sentence}"
        for recipe in dict.fromkeys(recipes)
        for sentence in (*_kept(recipe.node), *_horizon_assumed(recipe), *_outlived(recipe.node))
    ]
    return (*found, *(f"{place}: {sentence}" for sentence in _unused(plan)))


def _kept(node: Node) -> Iterator[str]:
    """Find a step that would silently stay behind a rollback."""
    if node.kind not in (Kind.STEP, Kind.LOCAL) or node.undo or node.pivot:
        return
    if node.irreversible is None:
        yield (
            f"the step `{node.path}` has no undo; give it undo=, or say why there is none with "
            'irreversible="…"'
        )


def _horizon_assumed(recipe: Recipe) -> Iterator[str]:
    """Find a step whose re-run in doubt rests on a horizon that nobody has looked up."""
    node = recipe.node
    if node.kind is not Kind.STEP or node.compensate or recipe.states_horizon:
        return
    if recipe.signature.injects(IdempotencyKey):
        yield (
            f"the step `{node.path}` hands its IdempotencyKey to another side; give it "
            "compensate=, or say with key_valid_for= how long that side knows the key"
        )


def _outlived(node: Node) -> Iterator[str]:
    """Find a step whose retries may go on after the other side has forgotten the key."""
    if node.kind is not Kind.STEP or node.key_valid_for is None or node.compensate:
        return
    longest = node.timeout_total or _longest(node)
    if longest > node.key_valid_for:
        yield (
            f"the attempts of `{node.path}` may take {longest}, but its key is valid for "
            f"{node.key_valid_for}; lower the attempts, set timeout_total=, or give compensate="
        )


def _longest(node: Node) -> timedelta:
    """Return how long all attempts and the delays between them may take."""
    delay, total = node.retry.delay, (node.timeout or timedelta()) * node.retry.attempts
    for _ in range(node.retry.attempts - 1):
        total += min(delay, node.retry.delay_max)
        delay = min(delay * node.retry.factor, node.retry.delay_max)
    return total


def _unused(plan: Plan) -> Iterator[str]:
    """Find inputs that change nothing."""
    used = {source.name for whole in _taken_by(plan.nodes) for source in _within(whole)}
    used.update(source.name for source in _within(plan.returns))
    for item in plan.inputs:
        if item.name not in used:
            yield f"`{plan.workflow}` does not use its input `{item.name}`; pass it on, or drop it"


def _taken_by(nodes: tuple[Node, ...]) -> Iterator[Source | None]:
    """Find what nodes take, and what their branches and their rounds take and give."""
    for node in nodes:
        yield from (item.source for item in node.arguments)
        yield node.when
        yield from (case.returns for case in node.cases)
        if node.block is not None:
            yield node.block.returns
            yield from _taken_by(node.block.nodes)


def _within(source: Source | None) -> Iterator[FromInput]:
    match source:
        case FromInput():
            yield source
        case Items(items):
            for item in items:
                yield from _within(item)
        case Pairs(pairs):
            for _, item in pairs:
                yield from _within(item)
        case FromNode() | FromRound() | Constant() | None:
            return
        case _:
            assert_never(source)
