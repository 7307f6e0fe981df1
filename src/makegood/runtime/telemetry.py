"""Telling others what has been recorded, in such a way that they cannot change it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.runtime.ports import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact
    from makegood.runtime.ports import Observer
    from makegood.values.ids import RunId

__all__ = ["Telemetry", "log"]

log = logging.getLogger("makegood")


class Telemetry:
    """Passes recorded facts to observers and to the log. It keeps count of what observers broke."""

    __slots__ = ("_observers", "observer_errors")

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self.observer_errors = 0

    def publish(self, run: RunId, workflow: str, recorded: Sequence[Fact]) -> None:
        """Tell of facts that are durable, in order."""
        for fact in recorded:
            if type(fact) in _LOGGED:
                _write_log(run, workflow, fact)
        if self._observers:
            for fact in recorded:
                self._show(Event(run=run, workflow=workflow, fact=fact))

    def _show(self, event: Event) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except Exception:
                # An observer never changes an outcome: it is counted and logged, no more.
                self.observer_errors += 1
                log.exception("observer %r failed on %s", observer, event.run)


_LOGGED = frozenset(
    {facts.Parked, facts.NodeStuck, facts.EffectUnrecorded, facts.UndoLeft, facts.RunEnded}
)


def _write_log(run: RunId, workflow: str, fact: Fact) -> None:
    match fact:
        case facts.Parked():
            log.warning("run %s of %s is parked: %s", run, workflow, fact.reason.value)
        case facts.NodeStuck():
            log.warning("run %s of %s: %s is in doubt", run, workflow, fact.node)
        case facts.EffectUnrecorded():
            log.error("run %s of %s: %s is not on record", run, workflow, fact.node)
        case facts.UndoLeft():
            log.error("run %s of %s: undoing %s gave up", run, workflow, fact.node)
        case facts.RunEnded(cause=cause) if cause is not None:
            log.info("run %s of %s %s: %s", run, workflow, fact.status.value, cause.value)
        case _:
            log.debug("run %s of %s completed", run, workflow)
