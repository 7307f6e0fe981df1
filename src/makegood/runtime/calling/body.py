"""One call of a user's function, as whoever performs it sees it: a step's, or a receptor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.runtime.calling.arriving import Arrival
    from makegood.runtime.calling.served import Bound
    from makegood.runtime.calling.writing import Collected
    from makegood.runtime.ports import Interceptor, Timer
    from makegood.values.instants import Instant
    from makegood.values.later import Later

__all__ = ["Body"]


class Body(Protocol):
    """What is performed. It has no room, no time and no task before it is begun."""

    bound: Bound
    """The function, and what it is given."""
    until: Instant | None
    """When it is cancelled."""
    deliver: Callable[[Arrival], None] | None
    """Where its arrival goes."""
    writes: Collected | None
    task: asyncio.Task[None] | None
    timer: Timer | None
    bucket: int | None
    """Where its timeout is kept: see `Timeouts`."""
    number: int
    """The order in which bodies were begun."""
    timed_out: bool
    is_stopped: bool
    is_reported: bool

    @property
    def path(self) -> str:
        """What it is about: a node of a run, or a receptor."""
        ...

    @property
    def owner(self) -> str:
        """Whose it is: a run, or a message."""
        ...

    @property
    def has_effect(self) -> bool:
        """Whether it may have done something outside when it is cancelled in the middle."""
        ...

    def call(self, interceptors: Sequence[Interceptor]) -> Awaitable[object]:
        """Call the function, through the interceptors where there are any."""
        ...

    def returned(self, value: object, now: Instant) -> Arrival:
        """Return the arrival of a call that returned."""
        ...

    def failed(self, error: BaseException, now: Instant) -> Arrival:
        """Return the arrival of a call that raised."""
        ...

    def postponed(self, said: Later, now: Instant) -> Arrival:
        """Return the arrival of a call that ended by `later(…)`."""
        ...

    def kept_back(self, service: str, now: Instant) -> Arrival:
        """Return the arrival of a call that was not made, since a service had no room for it."""
        ...
