"""What waits for a time to come: `sleep`. It is a due time in the journal, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from makegood.definition.code import BodyCode
from makegood.definition.plan import Backoff, Kind, Node
from makegood.definition.reading.signature import read_signature
from makegood.definition.recipe import Recipe
from makegood.definition.trace import UNWIRED, Wiring, current_trace
from makegood.errors import InvalidInput
from makegood.values.codec import codec_of
from makegood.values.instants import Instant, after, as_instant
from makegood.values.limits import SLEEP_MAX

__all__ = ["Sleep", "sleep"]


def _asked(duration: timedelta | None = None, *, until: datetime | None = None) -> None:
    """Let some time go by, or wait for a moment."""


def _due(now: Instant, *, duration: timedelta | None, until: datetime | None) -> Instant:
    """Return when a sleep that begins now is over; a moment that is past is not waited for."""
    match duration, until:
        case timedelta(), None:
            if duration < timedelta(0):
                message = f"sleep({duration}) is less than nothing; give a duration"
                raise InvalidInput(message)
            due = after(now, duration)
        case None, datetime():
            if until.tzinfo is None:
                message = f"sleep(until={until}) has no time zone; give an aware datetime"
                raise InvalidInput(message)
            due = as_instant(until)
        case _:
            message = "sleep(…) is given neither a duration nor a moment, or both; give one of them"
            raise InvalidInput(message)
    if due > after(now, SLEEP_MAX):
        message = f"sleep(…) would take longer than {SLEEP_MAX.days:,} days; give less"
        raise InvalidInput(message)
    return max(now, due)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Sleep:
    """Waits for a time to come; wired like a step. There is one, `sleep`."""

    recipe: Recipe
    wiring: Wiring = UNWIRED

    def __call__(self, duration: timedelta | None = None, *, until: datetime | None = None) -> None:
        """Let some time go by, or wait for a moment, in the workflow whose body is running.

        Either is a constant, an input, a result or a part of one; a moment has a time zone, and
        one that is past is not waited for. What is to follow names this in its `.after(…)`. A run
        that only sleeps leaves memory, and no restart makes it later.
        """
        trace = current_trace("sleep(…) is called", "call it inside a function under @workflow")
        given = {"duration": duration, "until": until}
        named = {name: value for name, value in given.items() if value is not None}
        return cast("None", cast("object", trace.add(self.recipe, self.wiring, (), named)))

    def named(self, name: str) -> Sleep:
        """Return a copy with a name of its own, for a workflow that sleeps more than once."""
        return replace(self, wiring=replace(self.wiring, name=name))

    def after(self, *results: object) -> Sleep:
        """Return a copy that begins when these results are there."""
        return replace(self, wiring=replace(self.wiring, after=(*self.wiring.after, *results)))

    def when(self, flag: bool) -> Sleep:  # noqa: FBT001 - a placeholder, not an option
        """Return a copy that sleeps only if the flag holds."""
        return replace(self, wiring=replace(self.wiring, when=(*self.wiring.when, flag)))

    def __repr__(self) -> str:
        return f"<{self.wiring.name or self.recipe.node.path}(duration, until)>"


_signature = read_signature(_asked)

sleep = Sleep(
    Recipe(
        node=Node(
            path="sleep",
            kind=Kind.SLEEP,
            function="sleep",
            retry=Backoff(attempts=1),
            timeout=None,
        ),
        place=_signature.place,
        signature=_signature,
        body=BodyCode(function=_due),
        result=codec_of(type(None)),
    )
)
"""Let some time go by: `sleep(timedelta(days=14))`, or `sleep.after(shipped)(until=moment)`."""
