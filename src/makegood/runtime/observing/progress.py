"""How far has a run come? Its nodes, counted by where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from makegood.decision.state import IN_FLIGHT, LEFT_TO_A_PERSON, TIMED, WITH_CHILD, Phase
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.journal.protocol import RunRow
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["Progress", "progress_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one run has come, counted in nodes."""

    run: RunId
    workflow: str
    status: str
    done: int
    """How many nodes stand done or were skipped: they need nothing more on the way forward."""
    running: int
    """How many nodes have a function of yours at work, or a child run."""
    waiting: int
    """How many nodes wait for a time to come: a sleep, a message, or the next attempt."""
    stuck: int
    """How many nodes wait for a person."""
    undone: int
    """How many nodes were undone; they no longer count as done."""
    total: int
    """How many nodes the run is known to have. Rounds that have not begun count as soon as their
    items are known, so that the total may grow when a loop begins and never shrinks for good."""
    since: datetime
    """Since when it has been like this: the time of what was recorded last."""

    @property
    def fraction(self) -> float:
        """The share of the known nodes that is done, from 0 to 1; 1 for a run that completed."""
        return 1.0 if self.status == "completed" else self.done / max(1, self.total)

    def __str__(self) -> str:
        """Return it as a line of text."""
        counts = {
            "running": self.running,
            "waiting": self.waiting,
            "stuck": self.stuck,
            "undone": self.undone,
        }
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        done = f"{self.done} of {self.total} nodes done"
        return f"{self.workflow} {self.run}: {self.status}, {', '.join([done, *parts])}"


def progress_of(row: RunRow, state: RunState, appends: Sequence[Sequence[Fact]]) -> Progress:
    """Return how far a run had come when it was read."""
    phases = [node.phase for node in state.nodes]
    return Progress(
        run=row.run,
        workflow=row.workflow,
        status=row.status,
        done=sum(phase in _DONE for phase in phases),
        running=sum(phase in IN_FLIGHT or phase in WITH_CHILD for phase in phases),
        waiting=sum(phase in TIMED or phase is Phase.LISTENING for phase in phases),
        stuck=sum(phase in LEFT_TO_A_PERSON for phase in phases),
        undone=phases.count(Phase.UNDONE),
        total=len(phases) + _unbegun(state),
        since=as_datetime(_last_instant(row, appends)),
    )


_DONE = frozenset({Phase.DONE, Phase.SKIPPED, Phase.KEPT})


def _unbegun(state: RunState) -> int:
    """Return how many nodes the rounds will have that are known and have not begun."""
    if state.rolling_back is not None or state.ended is not None:
        return 0
    return sum(
        (len(rounds.given) - len(rounds.scopes)) * len(block.nodes)
        for index, rounds in state.rounds.items()
        if (block := state.graph[index].block) is not None
    )


def _last_instant(row: RunRow, appends: Sequence[Sequence[Fact]]) -> Instant:
    """Return when something was recorded last; not every fact has a time of its own."""
    for append in reversed(appends):
        for fact in reversed(append):
            at: Instant | None = getattr(fact, "at", None)
            if at is not None:
                return at
    return row.created_at
