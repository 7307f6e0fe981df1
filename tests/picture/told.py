"""Timelines of runs that are driven by hand, so that every moment of them is known."""

from __future__ import annotations

from datetime import timedelta

from makegood.journal.protocol import RunRow
from makegood.picture import Attempted, NodeStory, Timeline, timeline
from makegood.runtime.turning.sending import summary_of
from makegood.values.ids import RunId
from makegood.values.instants import after, as_datetime
from tests.decision.driver import START_AT, Outcome, Run

__all__ = ["RUN", "lines", "story_of", "take", "told"]

RUN = RunId("0192f0c4-0000-7000-8000-000000000001")


def told(run: Run, *, key: str | None = "order-17") -> Timeline:
    """Return the timeline of a run as it stands."""
    summary = summary_of(run.state)
    row = RunRow(
        run=RUN,
        workflow=run.plan.workflow,
        key=key,
        fingerprint=run.plan.fingerprint,
        input_hash="",
        status=summary.status,
        cause=summary.cause,
        rollback=summary.rollback,
        reason=summary.reason,
        seq=len(run.history),
        inbox_head=0,
        epoch=1,
        claims=run.claims,
        owner=None,
        wake_at=None,
        created_at=START_AT,
        ended_at=summary.ended_at,
        pruned_at=None,
    )
    return timeline(row, run.plan, run.recorded)


def take(run: Run, seconds: float, *bodies: str, outcome: Outcome | None = None) -> None:
    """End bodies that were at work for so long."""
    run.now = after(run.now, timedelta(seconds=seconds))
    run.end(*bodies, outcome=outcome)


def lines(run: Timeline) -> list[str]:
    """Return a story as `+seconds node: text`, one line each."""
    began = as_datetime(START_AT)
    found: list[str] = []
    for entry in run.story:
        at = entry.began if isinstance(entry, Attempted) else entry.at
        about = f"{entry.node}: " if entry.node is not None else ""
        found.append(f"{(at - began).total_seconds():+g} {about}{entry.text}")
    return found


def story_of(run: Timeline, path: str) -> NodeStory:
    return next(node for node in run.nodes if node.path == path)
