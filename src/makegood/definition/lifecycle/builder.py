"""Declaring a lifecycle: a record that goes from status to status, by what its handlers return.

It is built up handler by handler, and never changed: each call returns a new one. `.workflow()`
looks at the whole and makes the workflow that an engine serves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Concatenate, Generic, TypeVar, Unpack, cast

from makegood.definition.lifecycle.announcing import Announcement, misannounced
from makegood.definition.lifecycle.carrying import RecordCodec, Upcast
from makegood.definition.lifecycle.graph import misfits_in
from makegood.definition.lifecycle.handling import (
    Handling,
    Policy,
    Shape,
    Use,
    read_handling,
)
from makegood.definition.lifecycle.lowering import lowered
from makegood.definition.lifecycle.machine import Trigger
from makegood.definition.reading.fit import type_name
from makegood.definition.reading.place import Place, caller
from makegood.definition.recipe import NOTHING, misnamed, out_of_bounds
from makegood.errors import DefinitionError
from makegood.values.codec import codec_of, uncarried
from makegood.values.lifecycle.announced import LifecycleEvent, Occasion
from makegood.values.limits import AT_ONCE_MAX, SLEEP_MAX, STATUSES_MAX, VISITS_MAX

if TYPE_CHECKING:
    from makegood.definition.call import Call
    from makegood.definition.workflow import Workflow
    from makegood.values.outcomes import Next
    from makegood.values.rounds import Failed, Succeeded

__all__ = ["Lifecycle"]

T = TypeVar("T")
S = TypeVar("S", bound=Enum)
M = TypeVar("M")
R = TypeVar("R")

_ZERO = timedelta(0)
_ALWAYS = tuple(Occasion)
_COUNT_MAX = 1_000
"""The most errors before a pause, and the most pauses that end by themselves."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Lifecycle(Generic[T, S]):
    """A record and its statuses, and what may happen in each; `.workflow()` makes it one.

    `name` is that of the workflow, `record` the type of the records, and `statuses` the enum of
    the statuses, which are stored by their names. `key` says of a record by which key its run is
    known: one run at a time has it, and messages find the run by it.

    A run begins in the status `start`, and without it in the first one that nothing leads to. A
    status in which nothing is called is terminal: a record that has come there is done. Where
    `terminal` names those statuses, any other dead end is refused. Once a status of `pivots` is
    entered the run only goes forward, and nothing is undone any more.

    With `pause_after` a run whose handler has failed so often in a row, or whose handler's policy
    has had enough before, is paused instead of being rolled back. With `resume_after` such a pause
    ends by itself, each time after twice as long; after `resumes_max` of them in a row a person is
    needed. A run that enters more than `visits_max` statuses, or in which one handler asks to be
    called again more than `repeats_max` times in one visit, waits for a person as well.

    With `at_once` so many calls of its handlers are at work in one engine at once, and the others
    wait their turn; `bound` says so of some statuses, and `at_once` in the policy of one handler.

    `schema` numbers the form of the record, and `upcasts` make a record of one schema one of the
    next, both as JSON, for the runs that began before.

    Raises `DefinitionError` with everything that is wrong.
    """

    name: str
    record: type[T]
    statuses: type[S]
    _: KW_ONLY
    key: Callable[[T], str]
    start: S | None = None
    terminal: Collection[S] | None = None
    pivots: Collection[S] = ()
    pause_after: int | None = None
    resume_after: timedelta | None = None
    resumes_max: int = 5
    visits_max: int = 1_000
    repeats_max: int = 1_000
    at_once: int | None = None
    schema: int = 1
    upcasts: Mapping[int, Upcast] = field(default_factory=dict[int, Upcast])
    handlings: tuple[Handling, ...] = ()
    """What was added, in its order: by `on`, `hear`, `expire` and `call`."""
    bounds: tuple[tuple[tuple[S, ...], int], ...] = ()
    """What was added by `bound`."""
    announcements: tuple[Announcement, ...] = ()
    """What was added by `announce`."""
    place: Place = field(default_factory=caller)
    """Where it is declared."""

    def __post_init__(self) -> None:
        problems = [*_misshapen(_any(self))]
        if problems:
            raise DefinitionError(*(f"{self.place}: {problem}" for problem in problems))

    def on(
        self,
        status: S | Collection[S],
        handler: Callable[Concatenate[T, ...], Awaitable[Next[S, T]]],
        *,
        to: Collection[S] = (),
        **policy: Unpack[Policy[T]],
    ) -> Lifecycle[T, S]:
        """Let this function be called when the status is entered: `handler(record)`.

        `to` names the statuses to which it may lead. While it is at work the status listens to
        nothing; when it returns `Stay()` the status begins to. The policy is that of a step.

        `status` may be several in a set, here and in the others.
        """
        return self._added(Use(trigger=Trigger.ENTRY, **_where(status, to)), handler, policy)

    def call(
        self,
        status: S | Collection[S],
        call: Callable[[T], Call[R]],
        handler: Callable[Concatenate[T, Succeeded[R] | Failed, ...], Awaitable[Next[S, T]]],
        *,
        to: Collection[S] = (),
        **policy: Unpack[Policy[T]],
    ) -> Lifecycle[T, S]:
        """Let a workflow be run when the status is entered, and this function be called at its end.

        `call` says of the record what is started; it only makes the call, as in
        `lambda order: ship(order.id)`. `handler(record, ended)` is given how that has ended: what
        it gave, or which failure it was rolled back for. While it runs the status listens to
        nothing. When the run goes back, the workflow is undone as one unit. `timeout_total` is the
        deadline of the workflow; all else of the policy is the handler's. Which workflow it is
        shows only when it is called, so serve it as well.
        """
        use = Use(trigger=Trigger.CALL, call=call, **_where(status, to))
        return self._added(use, handler, policy)

    def hear(
        self,
        status: S | Collection[S],
        message: type[M],
        handler: Callable[Concatenate[T, M, ...], Awaitable[Next[S, T]]],
        *,
        to: Collection[S] = (),
        **policy: Unpack[Policy[T]],
    ) -> Lifecycle[T, S]:
        """Let this function be called for a message of this class: `handler(record, message)`.

        The message is sent by `Engine.send`, or by a workflow, under the key of the record. One
        that comes while the status does not listen is kept for a status that does, as long as its
        sender says. Messages are handled one at a time, those of one class in their order.
        """
        use = Use(trigger=Trigger.MESSAGE, message=message, **_where(status, to))
        return self._added(use, handler, policy)

    def expire(
        self,
        status: S | Collection[S],
        handler: Callable[Concatenate[T, ...], Awaitable[Next[S, T]]],
        *,
        after: timedelta | None = None,
        at: Callable[[T], datetime | None] | None = None,
        to: Collection[S] = (),
        **policy: Unpack[Policy[T]],
    ) -> Lifecycle[T, S]:
        """Let this function be called when a time has come: `handler(record)`.

        The time is counted from when the status begins to listen (`after`), or the record says it
        (`at`), as an aware datetime, or None for never. It is stored, and belongs to this visit of
        the status alone: leaving the status ends it. A timer fires once; `Rearm()` sets it anew.
        """
        if (after is None) == (at is None):
            times = "no time" if at is None else "two times"
            message = (
                f"{caller()}: a timer of `{self.name}` has {times}; give it after=…, or "
                "at=lambda record: …"
            )
            raise DefinitionError(message)
        if after is not None and not _ZERO <= after <= SLEEP_MAX:
            message = (
                f"{caller()}: after={after!r} is out of bounds; give a duration of at most "
                f"{SLEEP_MAX.days:,} days"
            )
            raise DefinitionError(message)
        use = Use(trigger=Trigger.TIMER, after=after, due=at, **_where(status, to))
        return self._added(use, handler, policy)

    def bound(self, status: S | Collection[S], *, at_once: int) -> Lifecycle[T, S]:
        """Let so many calls be at work at once in one engine, of all handlers of these statuses.

        The others wait their turn, and the time that they wait is not that of their timeout. One
        handler that is called in other statuses too is counted with all its calls. Each engine
        counts for itself: with three of them at most three times as many are at work.
        """
        where: tuple[S, ...] = _each_once(status)
        added = replace(self, bounds=(*self.bounds, (where, at_once)))
        problems = [*_misbound(_any(self), where, at_once)]
        if problems:
            raise DefinitionError(*(f"{caller()}: {problem}" for problem in problems))
        return added

    def announce(
        self,
        event: type[LifecycleEvent] = LifecycleEvent,
        *,
        on: Occasion | Collection[Occasion] = _ALWAYS,
        status: S | Collection[S] = (),
        keep: timedelta | None = None,
    ) -> Lifecycle[T, S]:
        """Let whoever wants to know learn what happens to records: that they move, and their end.

        On these occasions an event of this class is sent, in the transaction that records what has
        happened, and so once. Receptors receive it, with retries and dead letters of their own; the
        run waits for none of them and learns nothing of what they do. With `status` only what
        happens to records there is sent. What is announced has no part in the definition, and may
        be changed while runs are under way.

        With `keep` the event is also for a workflow that awaits it: `wait(OrderPaid, key=order.id)`
        is given it by the key of the record, also when it begins to wait up to `keep` later. One
        workflow has it; give each that waits a class of its own.
        """
        occasions: tuple[Occasion, ...] = _each_once(on)
        where: tuple[S, ...] = _each_once(status)
        problems = [*misannounced(event, occasions, where, self.statuses, keep)]
        if problems:
            raise DefinitionError(*(f"{caller()}: {problem}" for problem in problems))
        names = frozenset(each.name for each in where)
        added = Announcement(event, frozenset(occasions), names, keep)
        return replace(self, announcements=(*self.announcements, added))

    def workflow(
        self,
        *,
        deadline: timedelta | None = None,
        strict: bool = False,
        allow: Mapping[str, str] = NOTHING,
    ) -> Workflow[[T], T]:
        """Return the workflow of this lifecycle, which takes a record and returns it as it ends.

        It is served and started like any other, and may be a step of another workflow. A run that
        takes longer than `deadline` fails and is undone. `strict` and `allow` are those of
        `@workflow`.

        Raises `DefinitionError` with everything that is wrong with the whole: where it starts and
        ends, what cannot be reached, and what is called twice.
        """
        found = [*out_of_bounds("deadline", deadline)]
        problems = [f"{caller()}: {why}" for why in found]
        problems += [f"{self.place}: {why}" for why in misfits_in(_any(self))]
        if problems:
            raise DefinitionError(*problems)
        made = lowered(_any(self), deadline=deadline, strict=strict, allow=allow)
        return cast("Workflow[[T], T]", made)

    @property
    def shape(self) -> Shape:
        """What its handlers are about."""
        return Shape(
            name=self.name,
            record=self.record,
            statuses=self.statuses,
            codec=RecordCodec(codec_of(self.record), self.schema, self.upcasts),
        )

    # Any: the methods above say what is taken and returned.
    def _added(self, use: Use, function: Callable[..., Any], policy: Any) -> Lifecycle[T, S]:
        handling = read_handling(self.shape, use, function, policy)
        return replace(self, handlings=(*self.handlings, handling))

    def __repr__(self) -> str:
        called = ", ".join(handling.handler.name for handling in self.handlings) or "nothing yet"
        return f"<lifecycle {self.name}({type_name(self.record)}): {called}>"


# Any: whatever the record is.
def _any(lifecycle: Lifecycle[Any, S]) -> Lifecycle[Any, Enum]:
    """Return a lifecycle as one of which only that is known that all have."""
    return cast("Lifecycle[Any, Enum]", cast("object", lifecycle))


# Any: what is given is met at run time, whatever the annotation says.
def _where(status: Any, to: Any) -> dict[str, Any]:
    """Return the statuses of a handler, each once, and those to which it may lead."""
    return {"statuses": _each_once(status), "to": _each_once(to)}


def _each_once(given: Any) -> tuple[Any, ...]:
    # A member of a `StrEnum` is a text as well, which is a collection of characters.
    is_one = isinstance(given, Enum) or not isinstance(given, Collection)
    several: Any = (given,) if is_one else given  # pyright: ignore[reportUnknownVariableType]
    return tuple(dict.fromkeys(several))


# Any: whatever the record and the statuses are.
def _misshapen(lifecycle: Lifecycle[Any, Enum]) -> list[str]:
    """Say what is wrong with what a lifecycle is about, whatever its handlers are."""
    found: list[str] = []
    given = cast("object", lifecycle.name)
    why = misnamed(given) if isinstance(given, str) else f"its name is {given!r:.80}; give a text"
    if why is not None:
        found.append(why)
    why = uncarried(lifecycle.record)
    if why is not None:
        found.append(f"the record of `{lifecycle.name}`: {why}")
    keyed = cast("object", lifecycle.key)
    if not callable(keyed) or iscoroutinefunction(keyed):
        found.append(
            f"key= of `{lifecycle.name}` is {keyed!r:.80}, but it is computed at once; give it a "
            "plain function of the record"
        )
    statuses = cast("object", lifecycle.statuses)
    if not (isinstance(statuses, type) and issubclass(statuses, Enum) and len(statuses) > 0):
        found.append(f"the statuses of `{lifecycle.name}` are {statuses!r:.80}; give it an Enum")
        return found
    if len(statuses) > STATUSES_MAX:
        found.append(f"`{lifecycle.name}` has {len(statuses)} statuses; at most {STATUSES_MAX}")
    named = [*lifecycle.pivots, *(lifecycle.terminal or ())]
    named += [] if lifecycle.start is None else [lifecycle.start]
    found += [
        f"`{lifecycle.name}` names {status!r:.80}, which is no {statuses.__qualname__}"
        for status in named
        if not isinstance(status, statuses)
    ]
    return found + _out_of_bounds(lifecycle) + _misversioned(lifecycle)


def _misbound(
    lifecycle: Lifecycle[Any, Enum], where: Collection[object], at_once: int
) -> list[str]:
    """Say why so many calls at once cannot be what is meant."""
    name, statuses = lifecycle.name, lifecycle.statuses
    if not where:
        return [f"`{name}` bounds no status; name one, or several in a set"]
    found = [
        f"`{name}` names {status!r:.80}, which is no {statuses.__qualname__}"
        for status in where
        if not isinstance(status, statuses)
    ]
    if not 1 <= at_once <= AT_ONCE_MAX:
        found.append(f"at_once={at_once} is out of bounds; give 1 to {AT_ONCE_MAX:,}")
    return found


def _out_of_bounds(lifecycle: Lifecycle[Any, Enum]) -> list[str]:
    limits = (
        ("pause_after", lifecycle.pause_after, 1, _COUNT_MAX),
        ("resumes_max", lifecycle.resumes_max, 1, _COUNT_MAX),
        ("visits_max", lifecycle.visits_max, 1, VISITS_MAX),
        ("repeats_max", lifecycle.repeats_max, 1, VISITS_MAX),
        ("at_once", lifecycle.at_once, 1, AT_ONCE_MAX),
    )
    found = [
        f"{option}={number} is out of bounds; give {least} to {most:,}"
        for option, number, least, most in limits
        if number is not None and not least <= number <= most
    ]
    found += out_of_bounds("resume_after", lifecycle.resume_after)
    return found


def _misversioned(lifecycle: Lifecycle[Any, Enum]) -> list[str]:
    """Say why records of earlier schemas could not be brought up."""
    if lifecycle.schema < 1:
        return [f"schema={lifecycle.schema} is out of bounds; schemas are counted from 1"]
    wanted = [*range(min(lifecycle.upcasts, default=1), lifecycle.schema)]
    if sorted(lifecycle.upcasts) == wanted:
        return []
    given = ", ".join(map(str, sorted(lifecycle.upcasts))) or "none"
    steps = ", ".join(f"{step}: …" for step in range(1, lifecycle.schema))
    return [
        (
            f"schema={lifecycle.schema} needs upcasts={{{steps}}}, each to the next schema, and "
            f"those given are of {given}"
        )
    ]
