"""What the runtime stands on, and what stands on the runtime: its Protocols.

Below: the clock, the ids, who watches and who wraps. Above: the `Executor`, which is all that a
command line, an HTTP service or a dashboard may know of an engine, so that the same tools work
on another executor of the same plans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from makegood.decision.facts import Fact
from makegood.values.ids import RunId, WorkerId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.decision.commands import Decision
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.definition.workflow import Call
    from makegood.journal.protocol import Filter, Page
    from makegood.runtime.run import Run
    from makegood.values.ids import RunId as _RunId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

__all__ = [
    "CallersConnection",
    "Carrier",
    "Clock",
    "Decide",
    "Event",
    "Executor",
    "Ids",
    "Interceptor",
    "Invocation",
    "Observer",
    "Timer",
]

R = TypeVar("R")


class Timer(Protocol):
    """Something that will happen at its time, unless it is cancelled."""

    def cancel(self) -> None:
        """Make it not happen."""


class Clock(Protocol):
    """What time it is, and how to be called at a later time."""

    def now(self) -> Instant:
        """Return the present instant. May be called from any thread."""
        ...

    def call_at(self, when: Instant, callback: Callable[[], object]) -> Timer:
        """Call back on the event loop at an instant; at once where it has passed."""
        ...


class Ids(Protocol):
    """Where identity comes from."""

    def worker(self) -> WorkerId:
        """Return a new worker id."""
        ...

    def run(self) -> RunId:
        """Return a new run id; ids sort by the time of their making."""
        ...

    def token(self) -> bytes:
        """Return 16 bytes that name one append."""
        ...


class Decide(Protocol):
    """The decision core, as the runtime sees it: what next, from a state alone."""

    def __call__(self, plan: Plan, state: RunState, now: Instant, chance: Chance, /) -> Decision:
        """Say what is to be recorded and done next; it changes nothing."""
        ...


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fact that has been recorded, as observers see it: in order, after it is durable."""

    run: RunId
    workflow: str
    position: int
    """Which fact of its run it is, counted from 1: `Run.events(after=…)` goes on behind it."""
    fact: Fact


class Observer(Protocol):
    """Watches. What it raises is logged and changes no outcome; it must not block."""

    def __call__(self, event: Event, /) -> None:
        """See one event."""


class Carrier(Protocol):
    """Takes something from the context of whoever starts a run into every body of that run.

    What it takes is text, stored with the run, so that it is there after a crash and on another
    worker too: an identifier of a trace, of a tenant, of a request; never a secret.
    """

    @property
    def name(self) -> str:
        """By which what was captured is stored and found again; it must not change."""
        ...

    def capture(self) -> str | None:
        """Return what is to be carried, in the context in which a run is started, or None."""
        ...

    def restore(self, carried: str, /) -> None:
        """Put it into the context of a body that is about to be called, which is its own.

        What it raises is that call's error: the body is not entered.
        """


class Invocation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call of a user's function, as interceptors see it."""

    run: RunId | None
    """None where a receptor receives a message."""
    workflow: str
    """Of the run, or the group of the receptor."""
    path: str
    """The node of the run, or the receptor's own name."""
    direction: Literal["do", "compensate", "undo", "receive"]
    attempt: int
    is_resumed: bool
    """Whether the run has stood still since it was started: it slept or was taken up again; or
    whether the message is received once more."""
    message: str | None = None
    """The id of the message that a receptor receives."""


class Interceptor(Protocol):
    """Wraps the call of a step, an undo, a compensate or a receptor.

    What it raises is that call's error.
    """

    async def __call__(
        self, invocation: Invocation, proceed: Callable[[], Awaitable[object]], /
    ) -> object:
        """Return the call's result, usually by `return await proceed()`."""
        ...


class _Commits(Protocol):
    """An `AsyncConnection` of psycopg, or one or an `AsyncSession` of SQLAlchemy.

    The others of these drivers, which block, have a `commit` that is not awaited.
    """

    async def commit(self) -> None: ...


class _KnowsItsTransaction(Protocol):
    """A connection of asyncpg."""

    def is_in_transaction(self) -> bool: ...


class _StandsForAnother(Protocol):
    """A connection that a pool of asyncpg lends: it has every method of one, and names none."""

    # Any: whatever the connection behind it has.
    def __getattr__(self, attr: str, /) -> Any: ...


CallersConnection: TypeAlias = _Commits | _KnowsItsTransaction | _StandsForAnother
"""A connection of the caller's with an open transaction, as far as its type can tell without any
driver being there; the journal looks at what it is given."""


class Executor(Protocol):
    """What tools may know of an engine."""

    async def start(self, call: Call[R], *, key: str | None = None) -> Run[R]:
        """Start a run, or find the one that has this key."""
        ...

    def run(self, run_id: _RunId | str) -> Run[object]:
        """Return a handle on a run by its id."""
        ...

    async def list(self, filter: Filter | None = None) -> Page:
        """Return one page of runs."""
        ...

    async def read(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Query the application's own tables."""
        ...

    async def crashes(self) -> int:
        """Return how many unclean ends of the store were found."""
        ...
