"""Where a body adds its nodes: to the plan itself, or to a block that is to happen in rounds.

A node is known by its number: its place in the plan, or in a block that place and
`BLOCK_SPAN` times the block. What a node of a block needs of the outside, the node that has the
block needs instead, so that all of it is there before the first round begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.definition.plan import BLOCK_SPAN, Branch, Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.definition.code import NodeCode
    from makegood.definition.reading.place import Place

__all__ = ["Frame", "fed"]


class Frame:
    """The nodes of a plan, or of one of its blocks, while they are being added."""

    def __init__(self, number: int = 0, outer: Frame | None = None) -> None:
        self.number = number
        self.outer = outer
        self.nodes: list[Node] = []
        self.code: list[NodeCode] = []
        self.places: dict[str, Place] = {}
        self.inside: tuple[Branch, ...] = ()
        """The branches that the body is in at the moment, the outermost first."""
        self.prefix = ""
        """What the paths of nodes in there begin with."""
        self.needed_outside: set[int] = set()
        """What its nodes need of the frames around it."""
        self._branches: list[tuple[Branch, ...]] = []
        """In which branches each node is."""

    @property
    def nodes_around(self) -> int:
        """How many nodes it has, those of the frames around it included."""
        return len(self.nodes) + (0 if self.outer is None else self.outer.nodes_around)

    def fork(self) -> Frame:
        """Return a frame that goes on from where this one stands, and leaves it as it is."""
        fork = Frame(self.number, self.outer)
        fork.nodes, fork.code, fork.places = [*self.nodes], [*self.code], {**self.places}
        fork._branches = [*self._branches]
        return fork

    def add(self, node: Node, code: NodeCode, needs: Iterable[int]) -> int:
        """Add a node that needs these numbers; return its own."""
        here = {number % BLOCK_SPAN for number in needs if number // BLOCK_SPAN == self.number}
        self.needed_outside.update(
            number for number in needs if number // BLOCK_SPAN != self.number
        )
        branch = self.inside[-1] if self.inside else None
        if branch is not None:
            here.add(branch.node)
        self.nodes.append(msgspec.structs.replace(node, needs=tuple(sorted(here)), branch=branch))
        self.code.append(code)
        self._branches.append(self.inside)
        return self.number * BLOCK_SPAN + len(self.nodes) - 1

    def frame_of(self, block: int) -> Frame | None:
        """Return the frame of a block: this one or one around it; None when it is not around."""
        frame: Frame | None = self
        while frame is not None and frame.number != block:
            frame = frame.outer
        return frame

    def hidden_in(self, number: int) -> Branch | None:
        """Return the branch that hides a node of this frame from the body, or None."""
        branches = self._branches[number % BLOCK_SPAN]
        return None if branches == self.inside[: len(branches)] else branches[0]

    def code_by_number(self) -> dict[int, NodeCode]:
        """Return the code of its nodes, by their numbers."""
        first = self.number * BLOCK_SPAN
        return {first + place: code for place, code in enumerate(self.code)}


def fed(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return the nodes with the other direction of every edge filled in."""
    feeds: list[list[int]] = [[] for _ in nodes]
    for position, node in enumerate(nodes):
        # A branch waits for its switch to choose, which is not for its end: that waits for it.
        switch = None if node.branch is None else node.branch.node
        for needed in node.needs:
            if needed != switch:
                feeds[needed].append(position)
    return tuple(
        msgspec.structs.replace(node, feeds=tuple(into))
        for node, into in zip(nodes, feeds, strict=True)
    )
