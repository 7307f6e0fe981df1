"""Whether a service seems to be down: what its calls came to, counted by one engine.

    closed --(so many failures in a row)--> open --(its time is over)--> half open
       ^                                      ^                              |
       |                                      +-------(the trial fails)------+
       +-----------------------(the trial is answered)-----------------------+

Open is a halt that stands in the journal, so that every engine sees it. Half open follows from a
halt that has ended by itself: each engine then lets calls through one by one until one of them is
answered.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.values.instants import Instant, after
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.journal.halting import Halt
    from makegood.runtime.protecting.policy import Breaker

__all__ = ["BREAKER", "Circuit"]

BREAKER = "circuit breaker"
"""The actor of a halt that no person has wanted."""

TRIAL_WAIT = timedelta(seconds=5)
"""How long everybody else waits for the trial of a circuit that is half open, at a time."""


class Circuit:
    """One service's circuit, as one engine sees it; `halt` is the newest halt of the service."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._failures = 0
        """How many in a row."""
        self._opened_at: Instant | None = None
        """When this engine last opened it."""
        self._closed_after: Instant | None = None
        """When the halt had begun after which a call was answered here."""
        self._trial_until: Instant | None = None
        """Until when the outcome of the trial is waited for."""

    def held_until(self, halt: Halt | None, now: Instant) -> Instant | None:
        """Say when a call may begin at the earliest, or None when one may begin now."""
        if self._opened_at is not None and (halt is None or halt.at < self._opened_at):
            # The halt is not in the journal yet, or this engine has not looked since.
            ends = after(self._opened_at, self._breaker.open_for)
            return ends if now < ends else None
        if self._trial_until is not None and now < self._trial_until and _is_over(halt, now):
            return after(now, TRIAL_WAIT)
        return None

    def begins(self, halt: Halt | None, now: Instant) -> None:
        """Take notice of a call that is about to begin: it may be the trial."""
        if self._is_half_open(halt, now):
            self._trial_until = after(now, self._breaker.open_for)

    def ends(self, fact: Fact, halt: Halt | None, now: Instant) -> bool:
        """Count what a call came to, and say whether the service is to be halted."""
        is_trial = self._is_half_open(halt, now)
        if is_trial:
            self._trial_until = None
        match _says(fact):
            case None:
                return False
            case True:
                self._failures = 0
                if is_trial and halt is not None:
                    self._closed_after = halt.at
                return False
            case False:
                self._failures += 1
        if halt is not None and halt.stands(now):
            # It had begun before the halt, and tells nothing new.
            self._failures = 0
            return False
        if not is_trial and self._failures < self._breaker.failures:
            return False
        self._failures = 0
        self._opened_at = now
        return True

    def _is_half_open(self, halt: Halt | None, now: Instant) -> bool:
        return halt is not None and _is_over(halt, now) and halt.at != self._closed_after


def _is_over(halt: Halt | None, now: Instant) -> bool:
    """Say whether a breaker's halt has ended by itself."""
    if halt is None or halt.actor != BREAKER or halt.lifted is not None:
        return False
    return not halt.stands(now)


def _says(fact: Fact) -> bool | None:
    """Say whether a call was answered; None where it says nothing about the service."""
    match fact:
        case facts.NodeFailed() | facts.UndoFailed() | facts.CompensateFailed():
            kind = fact.failure.kind
            if kind in {FailureKind.TRANSIENT, FailureKind.IN_DOUBT}:
                return False
            # Any other exception may be a mistake of the program's own.
            return True if kind is FailureKind.DECLINED else None
        case facts.NodeDelayed():
            # It had no turn, and nothing was asked.
            return None
        case _:
            return True
