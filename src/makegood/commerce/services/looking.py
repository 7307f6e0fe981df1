"""How what nobody knows the end of is looked up: how often, how long apart, and whom to ask.

The payment service asks a gateway, and the shipping service a carrier; each says so to itself in
its own words. That nobody was reached is another matter: nothing happened, so it is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, TypeVar, cast

from makegood import Emit, Retry

__all__ = ["LOOKS_MAX", "Look", "persistent", "put_off", "wait_before"]

LOOKS_MAX = 30
"""How often something is looked up before a person is asked."""

_FIRST_LOOK = timedelta(milliseconds=200)
_LOOK_MAX = timedelta(minutes=1)
_DOUBLINGS_MAX = 12


class Look(Protocol):
    """A word of a service to itself: it is time to look again."""

    @property
    def look(self) -> int:
        """Which look it is, counted from 1."""
        ...


LookT = TypeVar("LookT", bound=Look)
SaidT = TypeVar("SaidT")


def wait_before(look: int) -> timedelta:
    """Return how long to wait before a look, longer each time."""
    doublings: int = 2 ** min(look - 1, _DOUBLINGS_MAX)
    return min(_FIRST_LOOK * doublings, _LOOK_MAX)


def put_off(
    said: Sequence[SaidT | LookT], looks: type[LookT], emit: Emit[LookT]
) -> tuple[SaidT, ...]:
    """Send the looks when it is time for them, and return what is said at once."""
    for each in said:
        if isinstance(each, looks):
            emit(each, after=wait_before(each.look))
    # No checker takes a type variable out of a union by itself.
    return tuple(cast("SaidT", each) for each in said if not isinstance(each, looks))


def persistent(unreached: type[Exception]) -> Retry:
    """Return how to ask again whoever was not reached: nothing happened; over minutes."""
    return Retry(
        on=unreached,
        attempts=20,
        delay=timedelta(milliseconds=100),
        delay_max=timedelta(seconds=10),
    )
