"""Which rules look at the statuses of a lifecycle together: its waits, its ends, its ways round.

What looks wrong in one handler by itself is found by the rules for steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.definition.lifecycle.machine import ON_ENTRY, Trigger
from makegood.definition.lint.finding import Found
from makegood.definition.lint.steps import hands_key
from makegood.definition.lint.ways import Ways, acts, outcomes_of
from makegood.definition.plan import Kind
from makegood.values.outcomes import Again, CancelRun, FailRun, PauseRun, Stay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.lifecycle.machine import Handler
    from makegood.definition.lint.subject import Seen, Subject

__all__ = ["is_deaf", "never_ends", "runs_together", "stands_for_ever"]

_ENDING: frozenset[object] = frozenset({CancelRun, FailRun})


def stands_for_ever(subject: Subject) -> Iterator[Found]:
    """Find a status that only a message leads out of: no time of its own, and none of the run's."""
    if subject.plan.deadline is not None:
        return
    ways = _ways(subject)
    for status in () if ways is None else ways.machine.statuses:
        assert ways is not None
        hearing = [
            seen
            for handler, seen in ways.seen_in(status)
            if handler.trigger is Trigger.MESSAGE and ways.listens(status)
        ]
        if hearing and not _is_left_in_time(ways, status):
            heard = [seen.handler.message for seen in hearing if seen.handler is not None]
            named = " or ".join(_short(each) for each in heard if each is not None)
            yield _about(
                hearing[0],
                f"`{subject.plan.workflow}` stands in {status} for ever where no {named} comes; "
                "let a time lead out of it by .expire(…), or give .workflow() a deadline=",
            )


def is_deaf(subject: Subject) -> Iterator[Found]:
    """Find what is never called, since its status never listens."""
    ways = _ways(subject)
    for status in () if ways is None else ways.machine.statuses:
        assert ways is not None
        entry = ways.entry(status)
        if entry is None or ways.listens(status):
            continue
        for handler, seen in ways.seen_in(status):
            if handler.trigger not in ON_ENTRY:
                yield _about(
                    seen,
                    f"`{handler.name}` is never called in {status}: `{_name(entry)}`, which is "
                    "called when that is entered, never stays there; let it return Stay(), or "
                    "remove the one or the other",
                )


def never_ends(subject: Subject) -> Iterator[Found]:
    """Find statuses from which no end can be reached."""
    ways = _ways(subject)
    if ways is None:
        return
    machine = ways.machine
    ending = {
        status
        for status in machine.statuses
        for _handler, seen in ways.seen_in(status)
        # One that says `Next` says nothing about it.
        if (kinds := outcomes_of(seen)) & _ENDING and not {Stay, *_ENDING} <= kinds
    }
    trapped = {*machine.statuses} - ways.leading_to({*machine.terminal, *ending})
    if trapped:
        named = ", ".join(status for status in machine.statuses if status in trapped)
        yield Found(
            sentence=(
                f"a record of `{subject.plan.workflow}` that has come to {named} never ends; let a "
                "handler there lead to a terminal status, or return CancelRun(…) or FailRun(…)"
            ),
            place=subject.place,
            path=subject.nodes[0].path,
        )


def runs_together(subject: Subject) -> Iterator[Found]:
    """Find a way from one outcome of an effect to another one, on which nothing is done.

    A handler that moves money leads to one status where it was moved and to another one where it
    was not. Where the second leads on to the first, without the handler being called again, nobody
    knows there whether it was. That both come to a bad end is as it should be; and a message, or a
    workflow that has ended, brings news.
    """
    ways = _ways(subject)
    if ways is None:
        return
    back = ways.going_back()
    told: set[tuple[str, str]] = set()
    for moving in ways.handlers.values():
        handler = moving.handler
        assert handler is not None, "they are handlers"
        if not _moves(moving):
            continue
        for origin in handler.to:
            for last, status in _ways_round(ways, handler, origin):
                is_other = status != origin and status in handler.to and status not in back
                if not is_other or (_name(last), status) in told:
                    continue
                told.add((_name(last), status))
                yield _about(
                    last,
                    f"`{_name(last)}` leads on from {origin} to {status}, where `{handler.name}` "
                    f"leads as well, and that is not called again on the way: in {status} nobody "
                    f"knows whether it was done; lead back to {' or '.join(handler.statuses)}, or "
                    "to an end",
                )


def _ways_round(ways: Ways, moving: Handler, origin: str) -> Iterator[tuple[Seen, str]]:
    """Give where a record may come by itself, and who leads there, while nothing is done."""
    found: set[str] = set()
    coming = [origin]
    while coming:
        status = coming.pop()
        if status in found or status in moving.statuses:
            continue
        found.add(status)
        for handler, seen in ways.seen_in(status):
            assert seen.recipe is not None, "a handler is declared"
            if handler.trigger in {Trigger.ENTRY, Trigger.TIMER} and not acts(seen.recipe):
                for destination in handler.to:
                    yield seen, destination
                    coming.append(destination)


def _moves(seen: Seen) -> bool:
    """Say whether a handler has an effect for certain."""
    recipe = seen.recipe
    assert recipe is not None, "a handler is declared"
    node = recipe.node
    is_kept = node.undo is not None or node.irreversible is not None
    return hands_key(recipe) or node.kind is Kind.LOCAL or is_kept


def _is_left_in_time(ways: Ways, status: str) -> bool:
    """Say whether a status is left without a message, sooner or later."""
    entry = ways.entry(status)
    if entry is not None and Again in (kinds := outcomes_of(entry)) and Stay not in kinds:
        return True
    for handler, seen in ways.seen_in(status):
        if handler.trigger is Trigger.TIMER:
            leads_on = {*handler.to} - {status}
            if leads_on or outcomes_of(seen) & (_ENDING | {PauseRun}):
                return True
    return False


def _ways(subject: Subject) -> Ways | None:
    machine = subject.plan.machine
    return None if machine is None else Ways(machine, subject.handlers)


def _name(seen: Seen) -> str:
    assert seen.handler is not None, "it is a handler"
    return seen.handler.name


def _short(message: str) -> str:
    return message.rpartition(".")[2]


def _about(seen: Seen, sentence: str) -> Found:
    assert seen.recipe is not None, "a handler is declared"
    return Found(sentence=sentence, place=seen.recipe.place, path=seen.path, recipe=seen.recipe)
