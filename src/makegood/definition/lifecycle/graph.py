"""Whether the statuses of a lifecycle make sense together: its start, its ends, and its ways.

Each handler was found to be right by itself. Here the whole is looked at, once, when it is made a
workflow.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from makegood.definition.lifecycle.machine import ON_ENTRY, Trigger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from enum import Enum

    from makegood.definition.lifecycle.builder import Lifecycle
    from makegood.definition.lifecycle.handling import Handling

__all__ = ["misfits_in", "start_of", "terminal_of"]


# Any: whatever the record and the statuses are.
def misfits_in(lifecycle: Lifecycle[Any, Enum]) -> list[str]:
    """Return what is wrong with a lifecycle as a whole, each a sentence with the remedy."""
    name = lifecycle.name
    if not lifecycle.handlings:
        return [f"`{name}` has no handlers, so nothing ever happens; add one with .on(…)"]
    return [
        *_twice(lifecycle),
        *_misbegun(lifecycle),
        *_misended(lifecycle),
        *_stuck(lifecycle),
        *_unbounded(lifecycle),
    ]


def start_of(lifecycle: Lifecycle[Any, Enum]) -> Enum | None:
    """Return the status in which runs begin: the one declared, or the first nothing leads to."""
    declared: Enum | None = lifecycle.start
    if declared is not None:
        return declared
    led_to = {status for handling in lifecycle.handlings for status in handling.use.to}
    return next((status for status in lifecycle.statuses if status not in led_to), None)


def terminal_of(lifecycle: Lifecycle[Any, Enum]) -> list[Enum]:
    """Return the statuses in which nothing is called."""
    called = {status for handling in lifecycle.handlings for status in handling.use.statuses}
    return [status for status in lifecycle.statuses if status not in called]


def _twice(lifecycle: Lifecycle[Any, Enum]) -> Iterator[str]:
    """Find what is declared twice, though only one of it can be called."""
    names = Counter(handling.handler.name for handling in lifecycle.handlings)
    for name, many in names.items():
        if many > 1:
            yield (
                f"{many} handlers of `{lifecycle.name}` are named `{name}`; give them names by "
                'name="…", or declare one for several statuses'
            )
    for status in lifecycle.statuses:
        entries = [each for each in _in(lifecycle, status) if each.use.trigger in ON_ENTRY]
        if len(entries) > 1:
            yield (
                f"{status.name} has {len(entries)} handlers for its entry, {_named(entries)}; "
                "keep one"
            )
        heard = Counter(
            each.handler.message
            for each in _in(lifecycle, status)
            if each.use.trigger is Trigger.MESSAGE
        )
        for message, many in heard.items():
            if many > 1:
                yield f"{status.name} hears {message} {many} times; one handler is called: keep one"


def _misbegun(lifecycle: Lifecycle[Any, Enum]) -> Iterator[str]:
    """Find a lifecycle without a start, and what cannot be reached from it."""
    start = start_of(lifecycle)
    if start is None:
        yield (
            f"something leads to each status of `{lifecycle.name}`, so nothing says where a run "
            "begins; add start=…"
        )
        return
    ends = terminal_of(lifecycle)
    if start in ends:
        yield f"nothing is called in {start.name}, in which runs begin; add a handler to it"
        return
    if start in lifecycle.pivots:
        yield f"{start.name} is the start and a pivot, so nothing would ever be undone; remove it"
    reached = _reached(lifecycle, start)
    unreached = [status for status in lifecycle.statuses if status not in reached]
    if unreached:
        yield (
            f"nothing leads from {start.name} to {_listed(unreached)}; add it to to= of a handler, "
            "or take it out of the statuses"
        )


def _misended(lifecycle: Lifecycle[Any, Enum]) -> Iterator[str]:
    """Find ends that are not declared, and declared ends that are none."""
    ends = terminal_of(lifecycle)
    if lifecycle.terminal is None:
        return
    called = [status for status in lifecycle.terminal if status not in ends]
    for status in called:
        yield (
            f"{status.name} is declared terminal, but {_named(_in(lifecycle, status))} is called "
            "there; remove the handler, or take it out of terminal="
        )
    dead = [status for status in ends if status not in lifecycle.terminal]
    if dead:
        yield (
            f"nothing is called in {_listed(dead)}, which is not declared terminal; add a handler, "
            "or add it to terminal="
        )


def _stuck(lifecycle: Lifecycle[Any, Enum]) -> Iterator[str]:
    """Find a handler that lets a record stay where nothing more would ever happen."""
    for handling in lifecycle.handlings:
        if not handling.may_stay:
            continue
        for status in handling.use.statuses:
            others = [
                each
                for each in _in(lifecycle, status)
                if each.use.trigger in {Trigger.MESSAGE, Trigger.TIMER}
            ]
            if not others:
                yield (
                    f"`{handling.handler.name}` may stay in {status.name}, which neither hears nor "
                    "expires, so the run would stand still; add .hear(…) or .expire(…), or return "
                    "Again(after=…)"
                )


def _unbounded(lifecycle: Lifecycle[Any, Enum]) -> Iterator[str]:
    """Find statuses whose handlers are bounded, and that have none."""
    ends = terminal_of(lifecycle)
    for where, _most in lifecycle.bounds:
        empty = [status for status in where if status in ends]
        if empty:
            yield f"nothing is called in {_listed(empty)}, so take it out of .bound(…)"


def _reached(lifecycle: Lifecycle[Any, Enum], start: Enum) -> set[Enum]:
    reached: set[Enum] = set()
    coming = [start]
    while coming:
        status = coming.pop()
        if status in reached:
            continue
        reached.add(status)
        for handling in _in(lifecycle, status):
            coming += handling.use.to
    return reached


def _in(lifecycle: Lifecycle[Any, Enum], status: Enum) -> list[Handling]:
    return [each for each in lifecycle.handlings if status in each.use.statuses]


def _named(handlings: Sequence[Handling]) -> str:
    return " and ".join(f"`{handling.handler.name}`" for handling in handlings)


def _listed(statuses: Collection[Enum]) -> str:
    return ", ".join(status.name for status in statuses)
