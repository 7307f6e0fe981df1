"""What was posted to a run and cannot be read? It is told from what can be, and kept.

A post may be of a later version, or damaged. What stands behind it may rest on it, so nothing of
the inbox is taken before all of it can be read, or before a person has the run go on without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.facts import RetryRequested, RunStarted
from makegood.errors import InvalidInput
from makegood.runtime.asking.post import as_fact
from makegood.runtime.shell import UNREADABLE
from makegood.values.instants import Instant
from makegood.values.limits import ERROR_TEXT_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.decision.facts import Fact
    from makegood.definition.code import Code
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import History, Posted

__all__ = ["UnreadPost", "has_begun", "read_posts", "refuse_to_leave_out", "taken"]


class UnreadPost(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was posted to a run and that this program cannot read. It is kept."""

    number: int
    """Its number in the inbox of its run, by which `Operator.retry` leaves it out."""
    at: Instant
    """When it was posted."""
    problem: str
    """Why it cannot be read."""
    is_start: bool
    """Whether it is what the run begins with: nothing can go on without that."""


def read_posts(
    posts: Iterable[Posted], plan: Plan, code: Code | None, *, has_begun: bool
) -> tuple[tuple[Fact, ...], tuple[UnreadPost, ...]]:
    """Return what can be read of an inbox, as facts, and what cannot, both in order."""
    read: list[Fact] = []
    unread: list[UnreadPost] = []
    for posted in posts:
        try:
            read.append(as_fact(posted, plan, code))
        except UNREADABLE as error:
            problem = f"{type(error).__name__}: {error}"[:ERROR_TEXT_CHARACTERS_MAX]
            is_start = posted.n == 1 and not has_begun
            unread.append(
                UnreadPost(number=posted.n, at=posted.at, problem=problem, is_start=is_start)
            )
    return tuple(read), tuple(unread)


def taken(posts: Iterable[Posted], plan: Plan, code: Code | None) -> list[Fact]:
    """Return the facts that an inbox becomes when the run's holder takes it.

    Raises one of `UNREADABLE` for what cannot be read, unless somebody has said that the run is to
    go on without it.
    """
    read: list[Fact] = []
    unread: dict[int, Exception] = {}
    for posted in posts:
        try:
            read.append(as_fact(posted, plan, code))
        except UNREADABLE as error:
            unread[posted.n] = error
    if unread:
        left_out = {
            number for fact in read if isinstance(fact, RetryRequested) for number in fact.left_out
        }
        for number, why in unread.items():
            if number not in left_out:
                raise why
    return read


def refuse_to_leave_out(
    numbers: Sequence[int], history: History, recorded: Iterable[Iterable[Fact]]
) -> None:
    """Raise `InvalidInput` for posts that are not there, and for what the run begins with."""
    waiting = {posted.n for posted in history.inbox}
    begins = 1 if not has_begun(recorded) else None
    for number in numbers:
        if number not in waiting:
            message = (
                f"no post {number} waits to be taken by run {history.row.run}; "
                "`makegood show` names those that cannot be read"
            )
            raise InvalidInput(message)
        if number == begins:
            message = (
                f"post {number} is what run {history.row.run} begins with, so it cannot be left "
                "out; start a worker of the version that wrote it"
            )
            raise InvalidInput(message)


def has_begun(recorded: Iterable[Iterable[Fact]]) -> bool:
    """Say whether what a run begins with is among its facts; else it waits in its inbox."""
    return any(isinstance(fact, RunStarted) for append in recorded for fact in append)
