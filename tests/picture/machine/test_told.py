"""A run of a lifecycle that was carried out, told and drawn from its facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Literal

from makegood import Engine, Goto, Lifecycle, Operator
from makegood.picture import Timeline, mermaid, svg, text, timeline

HOUR = timedelta(hours=1)


class Status(Enum):
    NEW = "new"
    CHECKED = "checked"
    DONE = "done"


@dataclass(frozen=True)
class Claim:
    id: str
    checks: int = 0


async def check(claim: Claim) -> Goto[Literal[Status.NEW, Status.CHECKED], Claim]:
    """Look at it twice."""
    status = Status.CHECKED if claim.checks else Status.NEW
    return Goto(status, replace(claim, checks=claim.checks + 1))


async def close(_claim: Claim) -> Goto[Literal[Status.DONE], Claim]:
    """Put it away."""
    return Goto(Status.DONE)


claims = (
    Lifecycle("claim", Claim, Status, key=lambda claim: claim.id, start=Status.NEW)
    .on(Status.NEW, check, to={Status.NEW, Status.CHECKED})
    .on(Status.CHECKED, close, to={Status.DONE})
)


async def carried_out() -> Timeline:
    async with Engine("memory://") as engine:
        claim = claims.workflow()
        engine.serve(claim)
        run = await engine.start(claim(Claim("claim-1")))
        await run.result()
        history = await Operator(engine).history(run.id)
    return timeline(history.row, history.plan, history.facts)


async def test_a_timeline_has_every_status_that_was_entered_and_by_whom() -> None:
    story = await carried_out()

    assert [(each.origin, each.handler, each.status, each.version) for each in story.visits] == [
        (None, "", "NEW", 1),
        ("NEW", "check", "NEW", 2),
        ("NEW", "check", "CHECKED", 3),
        ("CHECKED", "close", "DONE", 4),
    ]
    assert [each.at for each in story.visits] == sorted(each.at for each in story.visits)


async def test_a_run_is_drawn_with_the_way_that_it_took() -> None:
    story = await carried_out()

    assert "s_NEW --> s_NEW: ▸ check (move 1)" in mermaid(story)
    assert "s_NEW --> s_CHECKED: ▸ check (move 2)" in mermaid(story)
    assert "✓ NEW  the start, entered 2 times" in text(story)
    assert "entered once" in svg(story)


def test_a_lifecycle_is_drawn_like_its_workflow() -> None:
    for draw in (mermaid, svg, text):
        assert draw(claims) == draw(claims.workflow())
    assert "s_NEW --> s_CHECKED: ▸ check" in mermaid(claims)
