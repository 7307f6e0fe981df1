"""What a body has asked for, once it was traced: a value of the run, or a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """A block that was traced."""

    number: int
    nodes: tuple[Node, ...]
    returned: Traced
    needs: frozenset[int]
    """What it needs of the outside, by numbers."""
