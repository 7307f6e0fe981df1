"""What a lifecycle announces: an event of each thing that has happened, with its record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.decision.lifecycle.announcing import happened_in
from makegood.runtime.emitting.origin import origin_of
from makegood.values.instants import as_datetime
from makegood.values.schemas import Schema, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.lifecycle.announcing import Happened
    from makegood.decision.state import RunState
    from makegood.definition.lifecycle.announcing import Announcement
    from makegood.journal.protocol import Append
    from makegood.values.envelope import Envelope
    from makegood.values.ids import RunId
    from makegood.values.lifecycle.announced import LifecycleEvent, Occasion

__all__ = ["Announcer", "Announcers", "announcers_of"]


@dataclass(frozen=True, slots=True)
class Announcer:
    """One class of events, and when one is sent."""

    schema: Schema[LifecycleEvent]
    wanted: tuple[tuple[frozenset[Occasion], frozenset[str]], ...]
    """On which occasions, and in which statuses; none stands for all."""

    def wants(self, happened: Happened) -> bool:
        """Say whether an event of this class is sent of it."""
        return any(
            happened.occasion in occasions and (not statuses or happened.status in statuses)
            for occasions, statuses in self.wanted
        )


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
        events = tuple(self._events(append.run, state, recorded, source))
        return replace(append, messages=append.messages + events) if events else append

    def _events(
        self, run: RunId, state: RunState, recorded: Sequence[Fact], source: str
    ) -> Iterator[Envelope]:
        before = state.fact_count - len(recorded)
        for happened in happened_in(state, recorded):
            for number, announcer in enumerate(self._announcers):
                if not announcer.wants(happened):
                    continue
                yield seal(
                    announcer.schema,
                    self._event(announcer.schema.type, run, state, happened),
                    origin_of(state, run),
                    # A fact has one place in its run for ever.
                    id=f"{run}/{before + happened.place + 1}/{number}",
                    source=source,
                    at=happened.at,
                )

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
                tuple(
                    (each.occasions, each.statuses) for each in announcements if each.event is kind
                ),
            )
            for kind in kinds
        ],
    )
