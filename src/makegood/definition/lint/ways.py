"""Which ways lead through the statuses of a lifecycle? Knows no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_origin

from makegood.definition.reading.fit import members
from makegood.values.outcomes import Again, CancelRun, FailRun, Goto, PauseRun, Rearm, Stay

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from makegood.definition.lifecycle.machine import Handler, Machine
    from makegood.definition.lint.subject import Seen
    from makegood.definition.recipe import Recipe

__all__ = ["Ways", "acts", "is_past_undoing", "outcomes_of"]

# Any class, some of them generic.
_OUTCOMES: frozenset[object] = frozenset({Goto, Stay, Rearm, Again, PauseRun, CancelRun, FailRun})

_LISTENING: frozenset[object] = frozenset({Stay, Rearm, Again})
"""After these a status listens."""


def acts(recipe: Recipe) -> bool:
    """Say whether a function is given anything that it could act on."""
    return any(item.is_to_act for item in recipe.signature.injections)


def outcomes_of(seen: Seen) -> frozenset[object]:
    """Return the classes of what a handler says that it returns; of `Next`, that is all of them."""
    assert seen.recipe is not None, "a handler is declared"
    kinds = members(seen.recipe.signature.returns)
    found = {get_origin(kind) or kind for kind in kinds}
    return frozenset(found) if found <= _OUTCOMES else _OUTCOMES


def is_past_undoing(machine: Machine | None, handler: Handler) -> bool:
    """Say whether nothing is undone once a handler has done what it does.

    It is called behind the pivot, or may lead there: then what it does is what the pivot stands
    for, and where it leads elsewhere it has found that it cannot be done.
    """
    assert machine is not None, "only a lifecycle has handlers"
    if set(handler.to) & set(machine.pivots):
        return True
    return not set(handler.statuses) & _before_pivot(machine)


def _before_pivot(machine: Machine) -> set[str]:
    """Return the statuses that may be entered before any pivot is."""
    found: set[str] = set()
    coming = [machine.start]
    while coming:
        status = coming.pop()
        if status in found or status in machine.pivots:
            continue
        found.add(status)
        for handler in machine.handlers:
            if status in handler.statuses:
                coming += handler.to
    return found


class Ways:
    """The ways through the statuses of one lifecycle."""

    def __init__(self, machine: Machine, handlers: Collection[Seen]) -> None:
        self.machine = machine
        self.handlers = {seen.handler.name: seen for seen in handlers if seen.handler is not None}
        """By their names."""

    def seen_in(self, status: str) -> Iterator[tuple[Handler, Seen]]:
        """Give what is called in a status, in the order of its declaration."""
        for handler in self.machine.handlers:
            if status in handler.statuses:
                yield handler, self.handlers[handler.name]

    def entry(self, status: str) -> Seen | None:
        """Return what is called when a status is entered."""
        entry = self.machine.entries.get(status)
        return None if entry is None else self.handlers[entry.name]

    def listens(self, status: str) -> bool:
        """Say whether a status may ever listen: what is called on entry may let it."""
        entry = self.entry(status)
        return entry is None or bool(outcomes_of(entry) & _LISTENING)

    def leading_to(self, wanted: Collection[str]) -> set[str]:
        """Return the statuses from which one of these can be reached, they themselves included."""
        found = {*wanted}
        before = -1
        # Each round adds a status, of which there are few.
        while len(found) > before:
            before = len(found)
            for handler in self.machine.handlers:
                if not found.isdisjoint(handler.to):
                    found |= {*handler.statuses}
        return found

    def going_back(self) -> set[str]:
        """Return the statuses in which it is certain that the record comes to no good end any more.

        No pivot can be reached from them. Where there is none, they are those behind which there
        are only ends.
        """
        machine = self.machine
        if machine.pivots:
            return {*machine.statuses} - self.leading_to(machine.pivots)
        found = {*machine.terminal}
        before = -1
        while len(found) > before:
            before = len(found)
            for status in machine.statuses:
                called = [handler for handler, _seen in self.seen_in(status)]
                if called and all(found.issuperset(handler.to) for handler in called):
                    found.add(status)
        return found
