"""How many calls of a lifecycle's handlers are at work at once, in one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.definition.lifecycle.machine import Trigger
from makegood.definition.plan import BLOCK_SPAN
from makegood.runtime.protecting.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from makegood.decision.facts import Fact
    from makegood.definition.lifecycle.machine import Machine

__all__ = ["Turnstile", "turnstiles_of"]


class Turnstile:
    """Lets so many calls through at once: of one handler, of all in some statuses, or of all."""

    __slots__ = ("gate", "names")

    def __init__(self, name: str, at_once: int) -> None:
        self.names = [name]
        """By which those who wait here are told from those who wait for a service."""
        self.gate: Gate | None = Gate(at_once=at_once, rate=None)

    def ends(self, fact: Fact) -> None:
        """Take no notice of what a call came to: only that it is over makes room."""


def turnstiles_of(lifecycle: str, machine: Machine | None) -> Mapping[int, tuple[Turnstile, ...]]:
    """Return what each handler has to pass, by the number by which the plan knows its body."""
    if machine is None:
        return {}
    whole = [] if machine.at_once is None else [Turnstile(lifecycle, machine.at_once)]
    bounds = [
        (
            frozenset(bound.statuses),
            Turnstile(f"{lifecycle}/{'|'.join(bound.statuses)}", bound.most),
        )
        for bound in machine.bounds
    ]
    found: dict[int, tuple[Turnstile, ...]] = {}
    for number, handler in enumerate(machine.handlers, 1):
        passed = [*whole, *(each for where, each in bounds if where & {*handler.statuses})]
        if handler.at_once is not None:
            passed.append(Turnstile(f"{lifecycle}/{handler.name}", handler.at_once))
        if passed:
            # Where a workflow is called first, the handler is the node behind that.
            place = 1 if handler.trigger is Trigger.CALL else 0
            found[number * BLOCK_SPAN + place] = tuple(passed)
    return found
