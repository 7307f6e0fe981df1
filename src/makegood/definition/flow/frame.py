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
    from collections.abc import Collection, Sequence

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
        self.given_outside: set[int] = set()
        """What branches and rounds in it give that is of the frames around it."""
        self._ended: list[int] = []
        """What has ended before each node begins, as the bits of a number."""
        self._branches: list[tuple[Branch, ...]] = []
        """In which branches each node is."""

    @property
    def nodes_around(self) -> int:
        """How many nodes it has, those of the frames around it included."""
        return len(self.nodes) + (0 if self.outer is None else self.outer.nodes_around)

    def fork(self, count: int) -> Frame:
        """Return a frame that goes on after so many of its nodes, and leaves it as it is."""
        fork = Frame(self.number, self.outer)
        fork.nodes, fork.code = self.nodes[:count], self.code[:count]
        fork.places = {node.path: self.places[node.path] for node in fork.nodes}
        fork._branches, fork._ended = self._branches[:count], self._ended[:count]
        return fork

    def add(
        self, node: Node, code: NodeCode, needs: Collection[int], *, gives: Collection[int] = ()
    ) -> int:
        """Add a node that needs these numbers, and gives these in its rounds; return its own."""
        here = self._here(needs, self.needed_outside)
        branch = self.inside[-1] if self.inside else None
        if branch is not None:
            here.add(branch.node)
        ended = self._ended_with(here)
        lacking = {each for each in self._here(gives, self.given_outside) if not ended >> each & 1}
        needed = tuple(sorted(here | lacking))
        self._ended.append(ended | self._ended_with(lacking))
        self.nodes.append(msgspec.structs.replace(node, needs=needed, branch=branch))
        self.code.append(code)
        self._branches.append(self.inside)
        return self.number * BLOCK_SPAN + len(self.nodes) - 1

    def let_wait(self, switch: int, label: str, gives: Collection[int]) -> None:
        """Let a switch wait for what one of its branches gives that is not of the branch.

        What the switch or the nodes of the branch wait for anyway makes no edge of its own.
        """
        branch, node = Branch(switch, label), self.nodes[switch]
        ended = self._ended[switch]
        for place in range(switch, len(self.nodes)):
            if self.nodes[place].branch == branch:
                ended |= self._ended[place]
        before = {each for each in self._here(gives, self.given_outside) if each < switch}
        lacking = {each for each in before if not ended >> each & 1}
        self._ended[switch] |= self._ended_with(lacking)
        needed = tuple(sorted({*node.needs, *lacking}))
        self.nodes[switch] = msgspec.structs.replace(node, needs=needed)

    def _here(self, numbers: Collection[int], outside: set[int]) -> set[int]:
        """Return the places of the numbers that are of this frame; the others go outside."""
        elsewhere = self.outside_of(numbers)
        outside |= elsewhere
        return {number % BLOCK_SPAN for number in numbers if number not in elsewhere}

    def outside_of(self, numbers: Collection[int]) -> set[int]:
        """Return the numbers that are of the frames around this one."""
        return {number for number in numbers if number // BLOCK_SPAN != self.number}

    def _ended_with(self, places: Collection[int]) -> int:
        """Return what has ended when these have, as the bits of a number."""
        ended = 0
        for place in places:
            ended |= 1 << place | self._ended[place]
        return ended

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
