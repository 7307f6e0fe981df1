"""Telling others what has been recorded, in such a way that they cannot change it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.runtime.observing.feed import Feed
from makegood.runtime.ports import Event
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from makegood.decision.facts import Fact
    from makegood.runtime.ports import Clock, Observer
    from makegood.values.ids import RunId

__all__ = ["OBSERVER_SLOW_MAX", "OBSERVER_TIME_MAX", "Telemetry", "log"]

log = logging.getLogger("makegood")


OBSERVER_TIME_MAX = timedelta(milliseconds=100)
"""How long an observer may take for one event before it counts as slow."""

OBSERVER_SLOW_MAX = 10
"""How many events in a row an observer may be slow on before it is called no more."""


class Telemetry:
    """Passes recorded facts to the log, to observers and to those who follow a run.

    It keeps count of what observers broke. One that holds up every run of the engine is called no
    more; who must see every fact reads them from the journal, as `Run.events` does.
    """

    __slots__ = ("_clock", "_feeds", "_watching", "observer_errors")

    def __init__(self, observers: Sequence[Observer], clock: Clock) -> None:
        self._clock = clock
        self._watching = [_Watching(observer) for observer in observers]
        self._feeds: dict[RunId, list[Feed]] = {}
        self.observer_errors = 0

    def publish(self, run: RunId, workflow: str, recorded: Sequence[Fact], last: int) -> None:
        """Tell of facts that are durable, in order; `last` is the position of the last one."""
        if not _LOGGED.isdisjoint(map(type, recorded)):
            for fact in recorded:
                if type(fact) in _LOGGED:
                    _write_log(run, workflow, fact)
        if not (self._watching or self._feeds):
            return
        feeds = self._feeds.get(run, ())
        first = last - len(recorded) + 1
        for position, fact in enumerate(recorded, first):
            event = Event(run=run, workflow=workflow, position=position, fact=fact)
            for watching in tuple(self._watching):
                self._show(watching, event)
            for feed in feeds:
                feed.take(event)

    @contextmanager
    def feed(self, run: RunId) -> Generator[Feed]:
        """Return what collects the events of one run that are recorded here from now on."""
        feed = Feed()
        self._feeds.setdefault(run, []).append(feed)
        try:
            yield feed
        finally:
            feeds = self._feeds[run]
            feeds.remove(feed)
            if not feeds:
                del self._feeds[run]

    def ring(self, run: RunId) -> None:
        """Wake those who follow a run that this engine no longer holds."""
        for feed in self._feeds.get(run, ()):
            feed.ring()

    def _show(self, watching: _Watching, event: Event) -> None:
        began = self._clock.now()
        try:
            watching.observer(event)
        except Exception:
            # An observer never changes an outcome: it is counted and logged, no more.
            self.observer_errors += 1
            log.exception("observer %r failed on %s", watching.observer, event.run)
        if self._clock.now() <= after(began, OBSERVER_TIME_MAX):
            watching.slow = 0
            return
        watching.slow += 1
        if watching.slow == OBSERVER_SLOW_MAX:
            self._watching.remove(watching)
            log.error(
                "observer %r took longer than %s for %d events in a row and is called no more",
                watching.observer,
                OBSERVER_TIME_MAX,
                OBSERVER_SLOW_MAX,
            )


class _Watching:
    """One observer, and on how many events in a row it was slow."""

    __slots__ = ("observer", "slow")

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.slow = 0


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
