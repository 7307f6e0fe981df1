"""What did a run do, and what was made good? `makegood show` tells it to whoever was not there."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from makegood.cli.status import DONE
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, write
from makegood.decision.facts import ParkReason
from makegood.picture import Standing, text, timeline
from makegood.picture.marks import Style
from makegood.picture.typeset import visible
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood import RunHistory, UnreadPost
    from makegood.cli.writing import Look
    from makegood.picture import Timeline

__all__ = ["as_text", "show", "told"]


def show(store: str, run: str, *, as_json: bool) -> int:
    """Write what became of a run."""
    history = asyncio.run(_history(store, run))
    story = told(history)
    if as_json:
        write(json_of({**asdict(story), "unread": history.unread}))
    else:
        write(as_text(story, look_of(sys.stdout), unread=history.unread))
    return DONE


async def _history(store: str, run: str) -> RunHistory:
    async with opened(store) as its:
        return await its.operator.history(await its.operator.find(run))


def told(history: RunHistory) -> Timeline:
    """Return the story of a run; what no worker has taken yet stands at its end, unanswered."""
    return timeline(history.row, history.plan, [*history.facts, *history.inbox])


def as_text(story: Timeline, look: Look, *, unread: Sequence[UnreadPost] = ()) -> str:
    """Return the story for a terminal, and what may be done about a run that waits for a person."""
    drawn = text(story, color=look.is_coloured, width=look.width)
    run = shlex.quote(f"{story.workflow}/{story.key}" if story.key else story.run)
    to_do = _about_unread(unread, run, look) if unread else _to_do(story, run, look)
    return drawn + "".join(f"{line}\n" for line in to_do)


def _about_unread(unread: Sequence[UnreadPost], run: str, look: Look) -> Iterator[str]:
    """Tell what was posted and cannot be read: until it is, nothing else of the run can be done."""
    yield ""
    yield look.ink("What was posted to it and this program cannot read is kept:", Style.STRONG)
    for post in unread:
        begins = ", with which the run begins" if post.is_start else ""
        yield f"  post {post.number} of {as_datetime(post.at):%Y-%m-%d %H:%M:%S} UTC{begins}:"
        yield f"    {visible(post.problem)}"
    yield "  when a worker is up of the version that wrote it, or of a later one:"
    yield f"    makegood retry {run} --reason …"
    if not any(post.is_start for post in unread):
        left_out = " ".join(f"--leave-out {post.number}" for post in unread)
        yield "  when nobody will ever read it, and the run is to go on as if it were not there:"
        yield f"    makegood retry {run} {left_out} --reason …"


def _to_do(story: Timeline, run: str, look: Look) -> Iterator[str]:
    if story.status != "parked":
        return
    nodes = {node.path: node for node in story.nodes}
    yield ""
    yield look.ink("When it is known how things stand outside:", Style.STRONG)
    for path in story.left:
        node, about = shlex.quote(visible(path)), nodes[path]
        if about.child is not None and about.standing is Standing.WAITING:
            yield f"  {visible(path)} goes on by itself when the run that it has called does:"
            yield f"    makegood show {about.child}"
        for meaning, option in _options(about.standing):
            yield f"  {visible(path)} {meaning}:"
            yield f"    makegood settle {run} {node} {option} --reason …"
    if story.reason not in {ParkReason.UNRECORDED, ParkReason.CHILD_PARKED}:
        yield "  what gave up is to be tried again:"
        yield f"    makegood retry {run} --reason …"


def _options(standing: Standing) -> tuple[tuple[str, str], ...]:
    """Return how a node may be settled: what that means, and the option."""
    match standing:
        case Standing.IN_DOUBT:
            return (
                ("did happen, with this result", "--happened JSON"),
                ("did not happen, and nothing of it is left", "--did-not-happen"),
            )
        case Standing.LEFT:
            return (
                ("was undone by hand", "--undone"),
                ("is to stay as it is", "--kept"),
            )
        case Standing.FAILED:
            return (("was done by hand, with this result", "--happened JSON"),)
        case _:
            return ()
