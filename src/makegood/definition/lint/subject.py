"""What the rules look at: a finished plan, and where each of its nodes came from.

A plan says what is to happen and nothing of the code. Here each node stands beside its declaration
and its place in the body, and the nodes of a block stand inside the node that has the block. A
lifecycle is one node, and each of its handlers is a block of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from makegood.definition.plan import BLOCK_SPAN, Kind, Node, Plan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from makegood.definition.lifecycle.machine import Handler
    from makegood.definition.reading.fit import TypeForm
    from makegood.definition.reading.place import Place
    from makegood.definition.recipe import Recipe

__all__ = ["Origin", "Seen", "Subject"]

_OF_THE_FLOW = frozenset({Kind.SLEEP, Kind.WAIT, Kind.SEND})
"""Kinds of nodes that have a declaration, which is not the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a plan does not say of a node."""

    place: Place
    """Where the body calls it."""
    recipe: Recipe | None = None
    """What it was declared as; None for what a flow function adds."""
    chooses_by: TypeForm = None
    """The type of the value by which a switch chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A node, with all that is known of it."""

    node: Node
    path: str
    """Its path, in which a block's own nodes stand behind the block: `parcels[…]/send`."""
    origin: Origin
    blocks: tuple[tuple[Seen, ...], ...] = ()
    """The nodes of its block, or of each of its handlers."""
    handler: Handler | None = None
    """When it is called, where it is a handler of a lifecycle."""

    @property
    def recipe(self) -> Recipe | None:
        """What it was declared as."""
        return self.origin.recipe

    @property
    def inside(self) -> tuple[Seen, ...]:
        """The nodes of all its blocks."""
        return tuple(seen for block in self.blocks for seen in block)

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        if self.handler is not None:
            return f"the handler `{self.handler.name}`"
        return f"the step `{self.path}`"

    def within(self) -> Iterator[Seen]:
        """Give the node and everything in its blocks, however deep."""
        yield self
        for seen in self.inside:
            yield from seen.within()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A workflow, as the rules look at it."""

    plan: Plan
    place: Place
    """Where its body begins."""
    origins: Mapping[int, Origin]
    """By the numbers of the nodes."""
    offered: Collection[str] = ()
    """The inputs that its hooks are given, whether anything is bound to them or not."""

    @cached_property
    def nodes(self) -> tuple[Seen, ...]:
        """The plan's own nodes, in its order."""
        return _seen(self.plan.nodes, 0, "", self.origins)

    @cached_property
    def everything(self) -> tuple[Seen, ...]:
        """All nodes, those of a block after the node that has it."""
        return tuple(each for seen in self.nodes for each in seen.within())

    @cached_property
    def levels(self) -> tuple[tuple[Seen, ...], ...]:
        """The nodes that stand together: those of the plan, and those of each block."""
        return (self.nodes, *(block for seen in self.everything for block in seen.blocks))

    @cached_property
    def handlers(self) -> tuple[Seen, ...]:
        """The handlers of a lifecycle, in the order of their declaration; else none."""
        return tuple(seen for seen in self.everything if seen.handler is not None)

    @cached_property
    def declared(self) -> tuple[tuple[Seen, Recipe], ...]:
        """Each declaration once, with the first node that it made; of what is no flow function."""
        first: dict[Recipe, Seen] = {}
        for seen in self.everything:
            if seen.recipe is not None and seen.node.kind not in _OF_THE_FLOW:
                first.setdefault(seen.recipe, seen)
        return tuple((seen, recipe) for recipe, seen in first.items())


def _seen(
    nodes: Sequence[Node],
    number: int,
    prefix: str,
    origins: Mapping[int, Origin],
    handler: Handler | None = None,
) -> tuple[Seen, ...]:
    """Return nodes that stand together; what a handler does is the last node of its block."""
    return tuple(
        Seen(
            node=node,
            path=prefix + node.path,
            origin=origins[number * BLOCK_SPAN + place],
            handler=handler if place == len(nodes) - 1 else None,
            blocks=tuple(
                _seen(block.nodes, block.number, f"{prefix}{node.path}[…]/", origins, of_the_block)
                for block, of_the_block in zip(node.inner, _handlers(node), strict=True)
            ),
        )
        for place, node in enumerate(nodes)
    )


def _handlers(node: Node) -> Sequence[Handler | None]:
    """Return of which handler each block of a node is."""
    return (None,) * len(node.inner) if node.machine is None else node.machine.handlers
