"""Where the record of a lifecycle stands, and waiting until it has come to a status.

Whoever awaits reads the facts first and then follows them, so what is past is not waited for, any
number may wait, and nobody takes anything from the run.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import msgspec

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.people.failures import failures_in
from makegood.errors import InvalidInput, RunErased, StoreBusy
from makegood.runtime.asking.reading import facts_of, history_of, read_again, start_of
from makegood.runtime.asking.unread import has_begun
from makegood.runtime.observing.following import follow, has_settled
from makegood.values.instants import after as later
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from makegood.definition.code import Code
    from makegood.definition.lifecycle.machine import Machine
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import History
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["Awaited", "Standing", "machine_of", "standing_of", "until_status"]

R = TypeVar("R")
S = TypeVar("S", bound=Enum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Generic[R]):
    """The record of a lifecycle, and where it stands."""

    record: R
    """As it was left last. Plain JSON where the lifecycle is not served here."""
    status: str | None
    """The name of its status; None while nobody has begun the run."""
    since: datetime | None
    """When that was entered."""
    version: int
    """How often a handler has left the record, and once for its beginning."""
    run_status: str
    """What the engine does with the run: `waiting`, `paused`, `parked`, `completed`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited(Generic[S]):
    """What has come of it that somebody awaited a status of a lifecycle."""

    what: Literal["reached", "completed", "failed", "cancelled", "erased", "parked", "timed out"]
    """`reached`, or how the run ended without that, or that it is parked, or that it took too
    long. `completed` is an end in another status."""
    reached: S | None
    """Which of the statuses it was."""
    status: str | None
    """Where the record stood by then, by name."""
    since: datetime | None
    """When that was entered."""
    version: int
    """The version of the record with which it came there: await what comes next by `after=`."""
    reason: str | None = None
    """Why the run is parked, or failed: one of a few words."""
    error: str | None = None
    """What went wrong first, as it is on record; None where nothing did."""


def machine_of(plan: Plan) -> Machine:
    """Return the statuses of a lifecycle; raise `InvalidInput` for any other workflow."""
    if plan.machine is None:
        message = f"`{plan.workflow}` is no lifecycle, so its runs have no record and no status"
        raise InvalidInput(message)
    return plan.machine


def standing_of(history: History, plan: Plan, code: Code | None) -> Standing[Any]:
    """Return the record of a run as it is now, and where it stands.

    Raises `InvalidInput` for a run of no lifecycle and for a record that cannot be read, and
    `RunErased`.
    """
    machine_of(plan)
    recorded = [fact for append in facts_of(history) for fact in append]
    if not has_begun([recorded]):
        # Nobody has taken it yet: what it begins with waits in its inbox.
        recorded = [start_of(history, plan, code)]
    state = fold(plan, recorded)
    row, lifecycle = history.row, state.lifecycle
    assert lifecycle is not None, "the plan of a lifecycle has a machine"
    if row.status == "erased":
        message = f"run {row.run} of `{row.workflow}` was erased, and its record with it"
        raise RunErased(message, run=row.run)
    # Any: the record has the type that the user declares.
    record: Any
    if code is None or code.lifecycle is None:
        record = msgspec.json.decode(lifecycle.record)
    else:
        record = code.lifecycle.record.read(lifecycle.record, lifecycle.schema)
    return Standing(
        record=record,
        status=lifecycle.status,
        since=_time(lifecycle.since),
        version=lifecycle.version,
        run_status=row.status,
    )


async def until_status(
    shell: Shell,
    run: RunId,
    plan: Plan,
    statuses: Sequence[S],
    *,
    after: int,
    within: timedelta | None,
    is_joined: bool,
) -> Awaited[S]:
    """Wait until a record has come to one of these statuses, or cannot or must not any more."""
    wanted = _wanted(plan, statuses)
    until = None if within is None else later(shell.clock.now(), within)
    position, last = 0, cast("facts.Moved | None", None)
    wait = shell.config.poll_min
    while True:
        following = follow(shell, run, after=position, is_joined=is_joined, until=until)
        async with aclosing(following) as events:
            async for event in events:
                position = event.position
                if not isinstance(event.fact, facts.Moved):
                    continue
                last = event.fact
                if last.version > after and last.status in wanted:
                    return _awaited("reached", last, reached=wanted[last.status])
        try:
            history = await history_of(shell, run, is_joined=is_joined)
        except StoreBusy as error:
            shell.outage.tell(f"waiting for run {run}", error)
        else:
            row, count = history.row, sum(map(len, facts_of(history)))
            if has_settled(history) and count == position:
                how = cast("Literal['completed', 'parked']", row.status)
                why = row.reason or row.cause
                return _awaited(how, last, reason=why, error=_error_in(history, plan))
        if until is not None and shell.clock.now() >= until:
            return _awaited("timed out", last)
        # Somebody has moved it on in between.
        wait = await read_again(shell, wait, until=until)


def _wanted(plan: Plan, statuses: Sequence[S]) -> dict[str, S]:
    """Return the statuses by their names; raise `InvalidInput` for what is no status of the run."""
    known = machine_of(plan).statuses
    if not statuses:
        message = f"await_status() names no status of `{plan.workflow}`; name one or several"
        raise InvalidInput(message)
    wanted: dict[str, S] = {}
    for status in statuses:
        given = cast("object", status)
        name = given.name if isinstance(given, Enum) else given
        if not isinstance(given, Enum) or name not in known:
            listed = ", ".join(known)
            message = f"`{plan.workflow}` has no status {name!r:.80}; it has {listed}"
            raise InvalidInput(message)
        wanted[given.name] = status
    return wanted


def _awaited(
    what: Literal["reached", "completed", "failed", "cancelled", "erased", "parked", "timed out"],
    last: facts.Moved | None,
    *,
    reached: S | None = None,
    reason: str | None = None,
    error: str | None = None,
) -> Awaited[S]:
    return Awaited(
        what=what,
        reached=reached,
        status=None if last is None else last.status,
        since=None if last is None else as_datetime(last.at),
        version=0 if last is None else last.version,
        reason=reason,
        error=error,
    )


def _error_in(history: History, plan: Plan) -> str | None:
    """Return what went wrong first in a run that did not do what it was to do."""
    if history.row.status in {"completed", "erased"}:
        return None
    recorded = [fact for append in facts_of(history) for fact in append]
    if not has_begun([recorded]):
        return None
    failed = failures_in(fold(plan, recorded))
    return str(failed[0].failure) if failed else None


def _time(instant: Instant | None) -> datetime | None:
    return None if instant is None else as_datetime(instant)
