"""What a body has asked for, once it was traced: a value of the run, or a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from makegood.definition.plan import Constant, FromInput, FromNode, FromRound, Items, Pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.code import Read
    from makegood.definition.plan import Node, Source
    from makegood.definition.reading.fit import TypeForm

__all__ = ["Framed", "Traced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A value of the body: where it comes from, its type, and how it is read."""

    source: Source
    type: TypeForm
    read: Read

    @property
    def needs(self) -> frozenset[int]:
        """The numbers of the nodes that it is made of."""
        return frozenset(_nodes_of(self.source))


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """A block that was traced."""

    number: int
    nodes: tuple[Node, ...]
    returned: Traced
    needs: frozenset[int]
    """What its nodes need of the outside, by numbers."""
    gives: frozenset[int]
    """What its rounds give that is of the outside, by numbers."""


def _nodes_of(source: Source) -> Iterator[int]:
    match source:
        case FromNode(node=node):
            yield node
        case Items(items):
            for item in items:
                yield from _nodes_of(item)
        case Pairs(pairs):
            for _name, item in pairs:
                yield from _nodes_of(item)
        case FromInput() | FromRound() | Constant():
            return
        case _:
            assert_never(source)
