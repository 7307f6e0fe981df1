"""What a lifecycle announces: an event of each thing that has happened, with its record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Raw
from msgspec.structs import replace

from makegood.decision.lifecycle.announcing import happened_in
from makegood.decision.mail import Message
from makegood.runtime.emitting.origin import origin_of
from makegood.runtime.turning.mail import letter_of
from makegood.values.instants import after, as_datetime
from makegood.values.schemas import Schema, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.lifecycle.announcing import Happened
    from makegood.decision.state import RunState
    from makegood.definition.lifecycle.announcing import Announcement
    from makegood.journal.mail import Letter
    from makegood.journal.protocol import Append
    from makegood.values.envelope import Envelope
    from makegood.values.ids import RunId
    from makegood.values.lifecycle.announced import LifecycleEvent

__all__ = ["Announcer", "Announcers", "announcers_of"]


@dataclass(frozen=True, slots=True)
class Announcer:
    """One class of events, and when one is sent."""

    schema: Schema[LifecycleEvent]
    wanted: tuple[Announcement, ...]

    def wants(self, happened: Happened) -> Sequence[Announcement]:
        """Return by what an event of this class is sent of it."""
        return [
            each
            for each in self.wanted
            if happened.occasion in each.occasions
            and (not each.statuses or happened.status in each.statuses)
        ]


class Announcers:
    """All that a lifecycle announces."""

    __slots__ = ("_announcers", "_lifecycle")

    def __init__(self, lifecycle: str, announcers: Sequence[Announcer]) -> None:
        self._lifecycle = lifecycle
        self._announcers = tuple(announcers)

    def added(
        self, append: Append, state: RunState, recorded: Sequence[Fact], *, source: str
    ) -> Append:
        """Return an append with the events of what it records."""
        told = [*self._events(append.run, state, recorded, source)]
        if not told:
            return append
        events = tuple(event for event, _keep in told)
        letters = tuple(_letter(event, keep) for event, keep in told if keep is not None)
        return replace(
            append, messages=append.messages + events, outgoing=append.outgoing + letters
        )

    def _events(
        self, run: RunId, state: RunState, recorded: Sequence[Fact], source: str
    ) -> Iterator[tuple[Envelope, timedelta | None]]:
        before = state.fact_count - len(recorded)
        for happened in happened_in(state, recorded):
            for number, announcer in enumerate(self._announcers):
                wanted = announcer.wants(happened)
                if not wanted:
                    continue
                event = seal(
                    announcer.schema,
                    self._event(announcer.schema.type, run, state, happened),
                    origin_of(state, run),
                    # A fact has one place in its run for ever.
                    id=f"{run}/{before + happened.place + 1}/{number}",
                    source=source,
                    at=happened.at,
                )
                yield event, max((each.keep for each in wanted if each.keep), default=None)

    def _event(
        self, kind: type[LifecycleEvent], run: RunId, state: RunState, happened: Happened
    ) -> LifecycleEvent:
        lifecycle = state.lifecycle
        assert lifecycle is not None, "only the record of a lifecycle is announced"
        began = happened.at if lifecycle.began_at is None else lifecycle.began_at
        return kind(
            lifecycle=self._lifecycle,
            run=run,
            key=state.key,
            occasion=happened.occasion,
            status=happened.status,
            version=lifecycle.version,
            at=as_datetime(happened.at),
            took=timedelta(microseconds=max(0, happened.at - began)),
            stood=timedelta(microseconds=happened.stood),
            origin=happened.origin,
            handler=happened.handler,
            actor=happened.actor,
            reason=happened.reason,
        )


def _letter(event: Envelope, keep: timedelta) -> Letter:
    """Return an event as it goes to a workflow that waits for it, by the key of its record."""
    assert event.key is not None, "an event has the key of its record, or its run"
    message = Message(event.id, event.type, event.key, Raw(event.body), after(event.at, keep))
    return letter_of(message, event.subject)


def announcers_of(lifecycle: str, announcements: Sequence[Announcement]) -> Announcers | None:
    """Return what a lifecycle announces, each class of events once; None where that is nothing."""
    kinds = dict.fromkeys(each.event for each in announcements)
    if not kinds:
        return None
    return Announcers(
        lifecycle,
        [
            Announcer(
                Schema(kind),
                tuple(each for each in announcements if each.event is kind),
            )
            for kind in kinds
        ],
    )
