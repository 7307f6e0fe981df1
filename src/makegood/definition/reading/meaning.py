"""What an expression in the body of a workflow can mean, when it is read before it is run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Definition",
    "Meaning",
    "Part",
    "Result",
    "Shape",
    "Thing",
    "Wiring",
    "Written",
    "Wrong",
]


@dataclass(frozen=True, slots=True)
class Result:
    """A value that only exists when the workflow runs."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A step, a query or a pure that is declared or wired in the body itself."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The method `.named`, `.after` or `.when` of a definition, about to be called."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A name from outside of the body, and what it stands for."""

    value: object


@dataclass(frozen=True, slots=True)
class Written:
    """A constant that is written out, or made from constants."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A tuple, list or dict that holds results."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that has been reported."""


@dataclass(frozen=True, slots=True)
class Part:
    """A function that the body defines, whose own body is a part of it: a branch, or a round."""

    parameters: int


Meaning = Result | Definition | Wiring | Thing | Written | Shape | Part | Wrong
