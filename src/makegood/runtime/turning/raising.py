"""The exceptions behind what failed, as long as they are in this process.

A run that has ended is told as facts, in which an error is a name and a text. Where the exception
itself was raised here, its caller is given that: the one who waits, and the run that called it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision.facts import ChildEnded
from makegood.runtime.calling.failing import is_record_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.decision.facts import Fact
    from makegood.runtime.turning.deciding import Errors
    from makegood.values.ids import RunId

__all__ = ["Raised"]

_RUNS_MAX = 1_000
"""Of how many runs the exceptions are kept; the oldest go first."""


class Raised:
    """What was raised in the runs that this engine has let go."""

    def __init__(self) -> None:
        self._errors: dict[RunId, Errors] = {}

    def keep(self, run: RunId, errors: Errors) -> None:
        """Keep what was raised in a run that is let go."""
        if not errors:
            return
        self._errors[run] = self._errors.pop(run, {}) | errors
        if len(self._errors) > _RUNS_MAX:
            del self._errors[next(iter(self._errors))]

    def of(self, run: RunId) -> Errors:
        """Return what was raised in a run."""
        return self._errors.get(run, {})

    def hand_over(self, facts: Iterable[Fact], errors: Errors) -> None:
        """Give a run the exceptions of the children that have just told it of their end."""
        for fact in facts:
            if not isinstance(fact, ChildEnded) or not fact.failures:
                continue
            for error in self.of(fact.run).values():
                if is_record_of(fact.failures[0], error):
                    errors[fact.node, "do"] = error
