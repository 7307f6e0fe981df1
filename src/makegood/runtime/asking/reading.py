"""Reading what is remembered of a run, asking something of it, and waiting for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.evolve import fold
from makegood.decision.facts import ControlAnswered, Fact, read_facts
from makegood.definition.plan import Plan
from makegood.errors import UnknownRun, UnreadableRun
from makegood.journal.protocol import Exists, Post, RunRow
from makegood.runtime.asking.post import RetryPost, as_fact, write_post
from makegood.runtime.asking.unread import UnreadPost, refuse_to_leave_out
from makegood.runtime.clock import pause
from makegood.runtime.shell import UNREADABLE
from makegood.values.instants import after as later

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from makegood.decision.facts import ControlAnswer
    from makegood.decision.state import RunState
    from makegood.definition.code import Code
    from makegood.journal.protocol import History
    from makegood.runtime.asking.post import CompletionPost, Control
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = [
    "RunHistory",
    "ask",
    "facts_of",
    "history_of",
    "plan_of",
    "read_again",
    "required_plan",
    "start_of",
    "state_of",
]


class RunHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is remembered of a run."""

    row: RunRow
    plan: Plan
    appends: tuple[tuple[Fact, ...], ...]
    """What was recorded, one tuple for each append."""
    inbox: tuple[Fact, ...]
    """What was asked of the run and has not been taken by a worker."""
    unread: tuple[UnreadPost, ...] = ()
    """What was asked as well, and cannot be read by this program: nothing of the inbox is taken
    before it can be, or before it is left out by `Operator.retry`."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything that was recorded, in order."""
        return tuple(fact for append in self.appends for fact in append)


async def ask(
    shell: Shell,
    run: RunId,
    control: Control | CompletionPost,
    *,
    until: Instant | None = None,
    is_joined: bool = False,
) -> ControlAnswer | None:
    """Post a request and wait for its answer, which is a fact of the run.

    Returns None when nobody has answered until the instant given; the request stands. A run whose
    facts cannot be read is asked nothing. Raises `InvalidInput` for what cannot be left out.
    """
    before = await history_of(shell, run, is_joined=is_joined)
    recorded = facts_of(before)
    if isinstance(control, RetryPost):
        refuse_to_leave_out(control.left_out, before, recorded)
    posted = Post(run=run, body=write_post(control), at=shell.clock.now())
    number = await shell.answer(shell.journal.post(posted))
    assert not isinstance(number, Exists), "only the post that starts a run can find another"
    shell.ring(run)
    wait = shell.config.poll_min
    while True:
        history = await history_of(shell, run)
        for append in facts_of(history)[len(before.appends) :]:
            for fact in append:
                if isinstance(fact, ControlAnswered) and fact.post == number:
                    return fact.answer
        if until is not None and shell.clock.now() >= until:
            return None
        wait = await read_again(shell, wait, until=until)


async def read_again(shell: Shell, wait: timedelta, *, until: Instant | None = None) -> timedelta:
    """Wait before a run is read again, and return how long to wait the next time."""
    look_at = later(shell.clock.now(), wait)
    await pause(shell.clock, look_at if until is None else min(look_at, until))
    return min(wait * 2, shell.config.poll_max)


async def history_of(shell: Shell, run: RunId, *, is_joined: bool = False) -> History:
    """Return what is remembered of a run; raise `UnknownRun` where nothing is, or not any more.

    One that `is_joined` to a transaction of the caller's is not there before that has committed.
    """
    try:
        history = await shell.answer(shell.journal.read(run))
    except UnknownRun as error:
        if not is_joined:
            raise
        message = (
            f"no run {run!r} is in the journal; commit the transaction first in which it was "
            "started: one that is rolled back leaves no run"
        )
        raise UnknownRun(message) from error
    if history.row.pruned_at is not None:
        message = f"what run {run} did was pruned; only its key is still known"
        raise UnknownRun(message)
    return history


async def plan_of(shell: Shell, fingerprint: str) -> Plan | None:
    """Return the plan with this fingerprint, or None where the journal does not have it."""
    plan = shell.plans.get(fingerprint)
    if plan is None:
        stored = await shell.answer(shell.journal.plan(fingerprint))
        if stored is None:
            return None
        plan = msgspec.json.decode(stored.json, type=Plan)
        shell.plans[fingerprint] = plan
    return plan


async def required_plan(shell: Shell, history: History) -> Plan:
    """Return the plan of a run; raise `UnknownRun` where the journal does not have it."""
    fingerprint = history.row.fingerprint
    plan = await plan_of(shell, fingerprint)
    if plan is None:
        message = f"run {history.row.run} has the plan {fingerprint}, which the journal lacks"
        raise UnknownRun(message)
    return plan


def facts_of(history: History, *, after: int = 0) -> tuple[tuple[Fact, ...], ...]:
    """Return the facts of each append; raise `UnreadableRun` where they cannot be read.

    The first `after` appends are left out.
    """
    try:
        return tuple(read_facts(append) for append in history.appends[after:])
    except UNREADABLE as error:
        raise _unreadable(history, error) from error


def start_of(history: History, plan: Plan, code: Code | None) -> Fact:
    """Return what a run begins with that nobody has begun; `UnreadableRun` where it cannot be read.

    It is the first thing that was posted to it. What stands behind it is not looked at.
    """
    try:
        return as_fact(history.inbox[0], plan, code)
    except UNREADABLE as error:
        raise _unreadable(history, error) from error


def state_of(history: History, plan: Plan, appends: Iterable[Iterable[Fact]]) -> RunState:
    """Return what a run's facts add up to; raise `UnreadableRun` where they do not fit its plan."""
    try:
        return fold(plan, (fact for append in appends for fact in append))
    except UNREADABLE as error:
        raise _unreadable(history, error) from error


def _unreadable(history: History, error: Exception) -> UnreadableRun:
    row = history.row
    why = f"{row.status}, {row.reason}" if row.reason else row.status
    return UnreadableRun(
        f"what is recorded of run {row.run} of `{row.workflow}` ({why}) cannot be read, "
        f"because another version wrote it or it is damaged: {type(error).__name__}: {error}"
    )
