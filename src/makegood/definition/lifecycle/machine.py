"""The statuses of a lifecycle as data: what is called in each, and where that may lead.

It holds names only, like the plan that it is a part of. What the rounds of a handler are made of
stands in the plan's node, as a block for each handler in the order of these.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "FAILED",
    "MESSAGE",
    "ON_ENTRY",
    "RECORD",
    "SCHEMA",
    "AtOnce",
    "Handler",
    "Machine",
    "Trigger",
]

# What a round is given, by the names of its inputs.
RECORD = "@record"
"""The record as it is when the handler is called."""
SCHEMA = "@schema"
"""The schema of that record, where it is an older one."""
MESSAGE = "@message"
"""The message for which the handler is called."""
FAILED = "@failed"
"""How the workflow has failed for whose end the handler is called."""


class Trigger(StrEnum):
    """When a handler is called."""

    ENTRY = "entry"
    """When the status is entered."""
    CALL = "call"
    """When a workflow has ended that was started as the status was entered."""
    MESSAGE = "message"
    """When a message has come that the status hears."""
    TIMER = "timer"
    """When a time has come."""


ON_ENTRY = frozenset({Trigger.ENTRY, Trigger.CALL})
"""What begins as soon as a status is entered, before anything is listened for."""


class Handler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One function that is called in one or several statuses."""

    name: str
    """By which it is known among all handlers of its lifecycle."""
    trigger: Trigger
    statuses: tuple[str, ...]
    """Where it is called."""
    to: tuple[str, ...] = ()
    """Where it may lead, in the order of the statuses."""
    message: str | None = None
    """The name of the message's class, for one that hears."""
    after: timedelta | None = None
    """When a timer is due, from when its status begins to listen; None: the record says."""
    at_once: int | None = None
    """How many calls of it are at work in one engine at once; None: as many as there is room."""


class AtOnce(msgspec.Struct, frozen=True, gc=False):
    """How many calls of the handlers of some statuses are at work in one engine at once."""

    statuses: tuple[str, ...]
    most: int


class Machine(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The statuses of a lifecycle, and what may happen in each."""

    statuses: tuple[str, ...]
    """In the order in which they are declared."""
    start: str
    terminal: tuple[str, ...]
    """Where nothing is called any more: a record that has come there is done."""
    pivots: tuple[str, ...] = ()
    """Behind these the run only goes forward."""
    handlers: tuple[Handler, ...]
    schema: int = 1
    """Which form of the record is written."""
    visits_max: int
    """How often a run may enter a status, all of them together, before a person looks at it."""
    repeats_max: int
    """How often one handler may ask to be called again in one visit."""
    pauses: bool = False
    """Whether a run whose handler gives up is paused, and not rolled back."""
    resume_after: timedelta | None = None
    """How long such a pause lasts the first time; each further one lasts twice as long."""
    resumes_max: int = 0
    """How often in a row a pause ends by itself."""
    at_once: int | None = None
    """How many calls of all its handlers are at work in one engine at once."""
    bounds: tuple[AtOnce, ...] = ()
    """The same of the handlers of some statuses, together."""

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where each handler stands among them, by its name."""
        return {handler.name: place for place, handler in enumerate(self.handlers)}

    @cached_property
    def entries(self) -> Mapping[str, Handler]:
        """What is called, or started, when each status is entered."""
        return {
            status: handler
            for handler in self.handlers
            if handler.trigger in ON_ENTRY
            for status in handler.statuses
        }

    @cached_property
    def hears(self) -> Mapping[str, Mapping[str, Handler]]:
        """What each status hears: who is called for it, by the name of the message."""
        return {
            status: {handler.message: handler for handler in found if handler.message is not None}
            for status, found in self._found(Trigger.MESSAGE).items()
        }

    @cached_property
    def timers(self) -> Mapping[str, Sequence[Handler]]:
        """The timers of each status."""
        return self._found(Trigger.TIMER)

    @cached_property
    def heard(self) -> frozenset[str]:
        """The names of all messages that any status hears."""
        return frozenset(each.message for each in self.handlers if each.message is not None)

    def _found(self, trigger: Trigger) -> Mapping[str, tuple[Handler, ...]]:
        return {
            status: tuple(
                handler
                for handler in self.handlers
                if handler.trigger is trigger and status in handler.statuses
            )
            for status in self.statuses
        }

    def handler(self, name: str) -> Handler:
        """Return the handler of this name."""
        return self.handlers[self.places[name]]
