"""How many values a step, a query or a pure is called with, as type checkers are told.

Calling a definition is checked by its own parameters. Where somebody else calls it, with what a
function returns, these Protocols compare the two. None of them exists when a program runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from makegood.definition.recipe import Recipe
    from makegood.definition.trace import Wiring

__all__ = ["Definition", "OfNames", "OfNone", "OfOne", "OfSeveral", "OfThree", "OfTwo"]

R_co = TypeVar("R_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
B_contra = TypeVar("B_contra", contravariant=True)
C_contra = TypeVar("C_contra", contravariant=True)
Ts = TypeVarTuple("Ts")


class Definition(Protocol):
    """A step, a query or a pure, and no plain function."""

    @property
    def recipe(self) -> Recipe:
        """What it is."""
        ...

    @property
    def wiring(self) -> Wiring:
        """What it is called, and waits for."""
        ...


class OfNone(Definition, Protocol[R_co]):
    """A definition that can be called without a value."""

    def __call__(self) -> R_co:
        """Return what it returns."""
        ...


class OfOne(Definition, Protocol[A_contra, R_co]):
    """A definition that can be called with one value."""

    def __call__(self, first: A_contra, /) -> R_co:
        """Return what it returns."""
        ...


class OfTwo(Definition, Protocol[A_contra, B_contra, R_co]):
    """A definition that can be called with two values."""

    def __call__(self, first: A_contra, second: B_contra, /) -> R_co:
        """Return what it returns."""
        ...


class OfThree(Definition, Protocol[A_contra, B_contra, C_contra, R_co]):
    """A definition that can be called with three values."""

    def __call__(self, first: A_contra, second: B_contra, third: C_contra, /) -> R_co:
        """Return what it returns."""
        ...


class OfSeveral(Definition, Protocol[R_co, *Ts]):
    """A definition that is called with any number of values.

    It does not serve for fewer, because mypy counts parameters that have a default among them.
    """

    def __call__(self, *given: *Ts) -> R_co:
        """Return what it returns."""
        ...


class OfNames(Definition, Protocol[R_co]):
    """A definition that is called with values by name, which no static type compares."""

    # Any: the values are compared with the parameters when the chain is declared.
    def __call__(self, *args: Any, **kwargs: Any) -> R_co:
        """Return what it returns."""
        ...
