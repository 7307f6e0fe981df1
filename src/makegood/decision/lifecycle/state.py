"""Where does the record of a lifecycle stand? Its status, who is called, and what is listened for.

It is a part of the state of a run, changed by facts alone. A handler that is called is a round of
the run's one node, with a node of its own in the graph. What is listened for is no node: messages
and timers are opened and closed all at once, with the status that they belong to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Raw

from makegood.decision.happening.of_lifecycle import MoveCause
from makegood.decision.happening.of_mail import MessageCame
from makegood.values.outcomes import StoredRearm, StoredStay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.definition.lifecycle.machine import Handler, Machine
    from makegood.values.instants import Instant
    from makegood.values.outcomes import StoredNext

__all__ = ["Address", "Called", "LifecycleState", "Parting"]

Address = tuple[str, str]
"""The class of a message by its name, and the key under which it is sent."""


class Called(msgspec.Struct, frozen=True, gc=False):
    """A call of a handler: for what, and with which message."""

    handler: str
    cause: MoveCause
    message: MessageCame | None = None


class Parting(NamedTuple):
    """What was let go when a status was left, or the run turned back."""

    closed: Sequence[Address]
    """What was listened for."""
    returned: Sequence[MessageCame]
    """Messages that had come and were not handled."""


class LifecycleState:
    """The record of a lifecycle, and where it stands."""

    __slots__ = (
        "added",
        "armed_at",
        "began_at",
        "busy",
        "called",
        "cancelled_by",
        "conflict",
        "gone",
        "has_given_up",
        "index",
        "is_entry_due",
        "is_past_pivot",
        "last",
        "left_since",
        "machine",
        "open",
        "outcome",
        "partings",
        "paused_until",
        "queue",
        "record",
        "repeated",
        "repeats",
        "resumes",
        "rounds",
        "schema",
        "since",
        "status",
        "timed",
        "timers",
        "version",
        "visits",
        "visits_granted",
    )

    def __init__(self, machine: Machine, index: int) -> None:
        self.machine = machine
        """The statuses, and what may happen in each."""
        self.index = index
        """Which node of the graph it is."""
        self.record: Raw = Raw(b"null")
        self.schema: int = 1
        """Which form the record has."""
        self.version: int = 1
        """How often it was left by a handler, and once for its beginning."""
        self.status: str | None = None
        self.since: Instant | None = None
        """When the status was entered."""
        self.left_since: Instant | None = None
        """When the status before was entered."""
        self.began_at: Instant | None = None
        """When the run began."""
        self.cancelled_by: tuple[str, str] | None = None
        """Who had the run go back, and why, where that was a person."""
        self.visits: int = 0
        """How many statuses it has entered."""
        self.visits_granted: int = 0
        """How many of them count no more: a person has let it go on since."""
        self.is_past_pivot: bool = False
        self.is_entry_due: bool = False
        """The status was entered, and what is called then was not."""
        self.rounds: int = 0
        """How often handlers were called."""
        self.busy: int | None = None
        """The node of the handler that is at work, or to be tried again."""
        self.gone: set[int] = set()
        """The nodes of calls of handlers that the definition does not have any more."""
        self.last: int | None = None
        """The node of the handler that was called last."""
        self.called: Called | None = None
        """The last call: of the handler that is busy, or of the one that has ended last."""
        self.outcome: StoredNext | None = None
        """What the last handler that has ended gave; None where that was erased."""
        self.has_given_up: bool = False
        """The last handler has given up instead, and the run is not rolled back for it."""
        self.open: dict[Address, None] = {}
        """What is listened for, in the order in which it was begun."""
        self.conflict: Address | None = None
        """What is to be heard, and another run waits for."""
        self.armed_at: Instant | None = None
        """When the timers of this visit were set, from which on they count."""
        self.timed: set[str] = set()
        """Which timers were set since then, by their handlers, be they over or not."""
        self.added: frozenset[str] = frozenset()
        """Which timers the status has only since the run has moved on to another definition."""
        self.timers: dict[str, Instant] = {}
        """When each timer is due, by its handler."""
        self.repeats: dict[str, tuple[Instant, MessageCame | None]] = {}
        """Which handlers are to be called again, when, and with which message."""
        self.repeated: dict[str, int] = {}
        """How often each handler has asked for that in this visit."""
        self.queue: list[MessageCame] = []
        """Messages that have come and wait for their turn, the oldest first."""
        self.partings: dict[int, Parting] = {}
        """What was let go: by the version with which a status was left, and by -1 what a rollback
        let go."""
        self.paused_until: Instant | None = None
        """When the run goes on by itself that a handler, or its failure, has paused."""
        self.resumes: int = 0
        """How often in a row a pause has ended by itself."""

    @property
    def handler(self) -> Handler:
        """The handler that was called last."""
        assert self.called is not None, "a handler was called"
        return self.machine.handler(self.called.handler)

    @property
    def pivotal(self) -> int | None:
        """The node of the handler that is at work and may lead behind the pivot."""
        if self.busy is None or not self.machine.pivots:
            return None
        return self.busy if set(self.handler.to) & set(self.machine.pivots) else None

    @property
    def unheard(self) -> tuple[str, ...]:
        """The messages that the status hears and for which nothing is open.

        One whose handler is to be called again has not been dealt with, so the next waits.
        """
        assert self.status is not None, "it stands somewhere"
        heard = {message for message, _key in self.open}
        return tuple(
            message
            for message, handler in self.machine.hears[self.status].items()
            if message not in heard and handler.name not in self.repeats
        )

    @property
    def is_to_listen(self) -> bool:
        """Whether something is to be listened for that is not."""
        assert self.status is not None, "it stands somewhere"
        return bool(self.unheard or self.unset)

    @property
    def unset(self) -> Sequence[Handler]:
        """The timers of the status that are to be set."""
        assert self.status is not None, "it stands somewhere"
        timers = self.machine.timers[self.status]
        if self.armed_at is None:
            return timers
        return [handler for handler in timers if handler.name in self.added]

    @property
    def is_timed(self) -> bool:
        """Whether anything of it is due at some time, the end of a pause among it."""
        return bool(self.timers or self.repeats or self.paused_until)

    @property
    def dues(self) -> Sequence[Instant]:
        """When its timers and its repetitions are due."""
        return [*self.timers.values(), *(when for when, _message in self.repeats.values())]

    def due(self, now: Instant) -> Called | None:
        """Return what is to be called because its time has come, the earliest first."""
        found = [(when, Called(name, "timer")) for name, when in self.timers.items() if when <= now]
        found += [
            (when, Called(name, "again", message))
            for name, (when, message) in self.repeats.items()
            if when <= now
        ]
        return min(found, key=lambda each: (each[0], each[1].handler))[1] if found else None

    def stands_still_after(self, outcome: StoredNext) -> bool:
        """Say whether nothing could ever happen any more if the handler at work gave this."""
        assert self.status is not None, "it stands somewhere"
        if not isinstance(outcome, StoredStay | StoredRearm) or self.machine.hears[self.status]:
            return False
        are_set_anew = isinstance(outcome, StoredRearm) or self.armed_at is None
        may_come = self.machine.timers[self.status] if are_set_anew else self.dues or self.unset
        return not may_come

    @property
    def holds_anything(self) -> bool:
        """Whether anything belongs to this visit that is let go with it."""
        return bool(
            self.armed_at is not None
            or self.open
            or self.queue
            or self.timers
            or self.repeats
            or self.repeated
            or self.conflict
        )

    def ask_anew(self) -> None:
        """Let what is listened for be asked once more, every time among it."""
        self.armed_at = self.conflict = None

    def move_on(self) -> None:
        """Let the timers be set that the status has under this definition, and had not before.

        One that is over stays over. One for which the record said no time is asked again.
        """
        if self.status is not None and self.armed_at is not None:
            names = {handler.name for handler in self.machine.timers[self.status]}
            self.added = frozenset(names - self.timed)

    def part(self) -> Parting:
        """Close and let go of everything that belongs to this visit, and return what that was."""
        parting = Parting(tuple(self.open), tuple(self.queue))
        self.open, self.queue = {}, []
        self.timers, self.repeats, self.repeated = {}, {}, {}
        self.is_entry_due = False
        self.armed_at, self.timed, self.added = None, set(), frozenset()
        self.conflict = None
        return parting
