"""How a service is protected, as a user writes it: `Service`, with a `Breaker` and a `Rate`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from makegood.errors import InvalidInput
from makegood.runtime.config import require_positive

__all__ = ["Breaker", "Rate", "Service"]

T = TypeVar("T")

RATE_MAX = 100_000
"""The most calls that a rate may allow in its time."""

_OPEN_MAX = timedelta(days=1)
_PER_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Begins nothing of a service for a while, once calls of it have failed again and again.

    After `failures` in a row the service is halted for `open_for`, on every engine of the store.
    Then one call is let through; it ends the halt, or is the beginning of the next one. A failure
    is `Unavailable`, what `Retry(on=)` names, a timeout, and what is in doubt. A result and
    `Declined` are answers; any other exception says nothing about the service.

    Raises `InvalidInput` when a value is out of bounds.
    """

    failures: int = 5
    open_for: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        require_positive("failures", self.failures)
        _require_within("open_for", self.open_for, _OPEN_MAX)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` calls are begun in any time as long as `per`, by one engine.

    Raises `InvalidInput` when a value is out of bounds.
    """

    limit: int
    per: timedelta = timedelta(seconds=1)

    def __post_init__(self) -> None:
        require_positive("limit", self.limit)
        if self.limit > RATE_MAX:
            message = f"limit is {self.limit:,}; at most {RATE_MAX:,} calls may be counted"
            raise InvalidInput(message)
        _require_within("per", self.per, _PER_MAX)


@dataclass(frozen=True, slots=True)
class Service(Generic[T]):
    """A service and how it is protected: `Engine(services={Gateway: Service(gateway, …)})`.

    What is counted is calls of functions that are given the service: steps, queries, undos and
    compensates, whatever they ask of it. `at_once` is how many of them are at work at once and
    `rate` how many begin in a time, both in one engine; the rest waits its turn. A `breaker` halts
    the service on every engine of the store while it is down.

    Raises `InvalidInput` when `at_once` is no whole number of at least 1.
    """

    value: T
    breaker: Breaker | None = None
    rate: Rate | None = None
    at_once: int | None = None

    def __post_init__(self) -> None:
        if self.at_once is not None:
            require_positive("at_once", self.at_once)


def _require_within(name: str, duration: timedelta, most: timedelta) -> None:
    if not timedelta(0) < duration <= most:
        message = f"{name} is {duration}; give a duration above zero and of at most {most.days} day"
        raise InvalidInput(message)
