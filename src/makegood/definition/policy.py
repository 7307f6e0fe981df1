"""How often and how soon something is tried again: `Retry`, as a user writes it."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from makegood.definition.plan import Backoff
from makegood.definition.reading.place import caller
from makegood.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ATTEMPTS_MAX", "Retry"]

ATTEMPTS_MAX = 1_000
"""The most attempts that a policy may allow."""

_FACTOR = 2.0
_FACTOR_MAX = 100.0
_DELAY_MAX = timedelta(days=30)
_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon a step is tried again, and for which errors.

    `Unavailable` and its subclasses are always worth another attempt; `on` names further
    exception classes that are. `attempts` counts the first execution too. The delay before the
    second attempt is `delay`, then it grows up to `delay_max`: each time by `factor`, or, where it
    is `linear`, by another `delay`. A factor of 1 keeps it as it is. `jitter` draws each delay
    between zero and that value, so that runs that failed together do not return together.

    Raises `DefinitionError` when a value is out of bounds.
    """

    on: type[Exception] | tuple[type[Exception], ...] = ()
    _: KW_ONLY
    attempts: int = 3
    delay: timedelta = timedelta(seconds=1)
    factor: float = _FACTOR
    delay_max: timedelta = timedelta(seconds=60)
    jitter: bool = True
    linear: bool = False

    def __post_init__(self) -> None:
        problems = [*self._problems()]
        if problems:
            place = caller()
            raise DefinitionError(*(f"{place}: {problem}" for problem in problems))

    @property
    def classes(self) -> tuple[type[Exception], ...]:
        """The exception classes named by `on`."""
        return self.on if isinstance(self.on, tuple) else (self.on,)

    @property
    def backoff(self) -> Backoff:
        """The policy as it stands in a plan."""
        return Backoff(
            attempts=self.attempts,
            delay=self.delay,
            factor=self.factor,
            delay_max=self.delay_max,
            jitter=self.jitter,
            linear=self.linear,
        )

    def _problems(self) -> Iterator[str]:
        # What is no class at all is met at run time, whatever the annotation says.
        for kind in cast("tuple[object, ...]", self.classes):
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                yield f"Retry(on={kind!r}) is not an exception class; name a class"
        if not 1 <= self.attempts <= ATTEMPTS_MAX:
            yield (
                f"Retry(attempts={self.attempts!r}) is out of bounds; attempts count the first "
                f"execution and lie between 1 and {ATTEMPTS_MAX:,}"
            )
        if self.delay < _ZERO:
            yield f"Retry(delay={self.delay!r}) is negative; give a duration of 0 or more"
        if self.delay_max > _DELAY_MAX:
            yield (
                f"Retry(delay_max={self.delay_max!r}) is out of bounds; at most "
                f"{_DELAY_MAX.days} days are allowed"
            )
        if self.delay_max < self.delay:
            yield (
                f"Retry(delay_max={self.delay_max!r}) is shorter than delay={self.delay!r}; "
                "raise delay_max or lower delay"
            )
        if not (math.isfinite(self.factor) and 1 <= self.factor <= _FACTOR_MAX):
            yield (
                f"Retry(factor={self.factor!r}) is out of bounds; "
                f"a delay grows by a factor between 1 and {_FACTOR_MAX:.0f}"
            )
        elif self.linear and self.factor != _FACTOR:
            yield (
                f"Retry(linear=True, factor={self.factor!r}) says two things; "
                "a linear delay grows by itself, so leave factor= out"
            )
