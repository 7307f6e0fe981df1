"""Which events a lifecycle announces: of which class, on which occasions, in which statuses.

It has no part in the plan. What a run does is the same whoever wants to know of it, so that what
is announced may be changed while runs are under way.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.values.lifecycle.announced import LifecycleEvent, Occasion
from makegood.values.limits import KEEP_MAX
from makegood.values.schemas import Schema, message_kind, misfit_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from enum import Enum

__all__ = ["Announcement", "misannounced"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """Some occasions on which an event of a class is sent."""

    event: type[LifecycleEvent]
    occasions: frozenset[Occasion]
    statuses: frozenset[str]
    """Only of records that stand there, by name; without any, of all."""
    keep: timedelta | None = None
    """For how long it is kept for a workflow that waits for it; None: it is not for one."""

    @property
    def schema(self) -> Schema[LifecycleEvent]:
        """How the event is written."""
        return Schema(self.event)


def misannounced(
    event: object,
    occasions: Collection[object],
    statuses: Collection[object],
    kind: type[Enum],
    keep: timedelta | None,
) -> Iterator[str]:
    """Find what is wrong with an announcement."""
    if not (isinstance(event, type) and issubclass(event, LifecycleEvent)):
        yield f"{event!r:.80} is announced; announce a class that is derived from LifecycleEvent"
        return
    why = misfit_schema(event)
    if why is not None:
        yield why
        return
    own = {each.name for each in fields(event)} - {each.name for each in fields(LifecycleEvent)}
    if own:
        yield f"`{event.__qualname__}` adds {', '.join(sorted(own))}, which nobody would fill in"
    if message_kind(event) == "command":
        yield f"`{event.__qualname__}` is a command, and what has happened is an event"
    if keep is not None and not timedelta(0) < keep <= KEEP_MAX:
        yield f"keep={keep}: an event is kept for more than nothing and at most {KEEP_MAX}"
    for occasion in occasions:
        if not isinstance(occasion, Occasion):
            listed = ", ".join(each.name for each in Occasion)
            yield f"on={occasion!r:.80} is no Occasion; name some of {listed}"
    for status in statuses:
        if not isinstance(status, kind):
            yield f"status={status!r:.80} is no {kind.__qualname__}"
