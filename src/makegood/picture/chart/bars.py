"""What stands in a chart of a run: a row for each node, in it its attempts and its rests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.picture.story import Attempted, Ending, Happened, Happening, NodeStory, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from makegood.picture.story import Timeline

__all__ = ["ROWS_MAX", "STANDING_OF", "Bar", "Mark", "Rest", "Row", "Rows", "rows_of"]

ROWS_MAX = 120
"""The most rows of one chart; what more nodes there are is only counted."""


class Bar(msgspec.Struct, frozen=True):
    """One execution of a function, from a moment to another in seconds of the run."""

    began: float
    ended: float
    entry: Attempted
    is_open: bool
    """Whether its end is not known."""


class Rest(msgspec.Struct, frozen=True):
    """A time in which a node waited: it slept, or its next attempt was to come."""

    began: float
    ended: float


class Mark(msgspec.Struct, frozen=True):
    """A moment that is the whole run's."""

    at: float
    said: str
    is_back: bool
    """Whether the run goes back from there."""


class Row(msgspec.Struct, frozen=True):
    """One node."""

    node: NodeStory
    bars: tuple[Bar, ...]
    rests: tuple[Rest, ...]


class Rows(msgspec.Struct, frozen=True):
    """Everything that a chart shows."""

    rows: tuple[Row, ...]
    marks: tuple[Mark, ...]
    more: int
    """How many nodes have no row because there are too many."""
    ended: float
    """The last moment that is known of."""

    def work(self) -> Iterator[tuple[float, float]]:
        """Give the times in which something was at work, or happened."""
        yield (0.0, 0.0)
        yield (self.ended, self.ended)
        for row in self.rows:
            yield from ((bar.began, bar.ended) for bar in row.bars)
        yield from ((mark.at, mark.at) for mark in self.marks)


def rows_of(run: Timeline) -> Rows:
    """Return the rows of a run, in the order of its nodes; only of what took time."""
    last = max([0.0, *(moment for entry in run.story for moment in _moments(run, entry))])
    bars: dict[str, list[Bar]] = {}
    rests: dict[str, list[Rest]] = {}
    for entry in run.story:
        if isinstance(entry, Attempted):
            began = _since(run, entry.began)
            ended = last if entry.ended is None else max(began, _since(run, entry.ended))
            open_ended = entry.ended is None
            bars.setdefault(entry.node, []).append(Bar(began, ended, entry, open_ended))
            if entry.again_at is not None:
                until = min(max(ended, _since(run, entry.again_at)), last)
                rests.setdefault(entry.node, []).append(Rest(ended, until))
    for node in run.nodes:
        slept = _slept(run, node.path, last)
        if slept is not None:
            rests.setdefault(node.path, []).append(slept)
    shown = [node for node in run.nodes if node.path in bars or node.path in rests]
    return Rows(
        rows=tuple(
            Row(node, tuple(bars.get(node.path, ())), tuple(rests.get(node.path, ())))
            for node in shown[:ROWS_MAX]
        ),
        marks=tuple(_marks(run)),
        more=max(0, len(shown) - ROWS_MAX),
        ended=last,
    )


def _slept(run: Timeline, path: str, last: float) -> Rest | None:
    """Return the time in which a node slept, or None when it is no sleep that has begun."""
    began = ended = None
    for entry in run.story:
        if isinstance(entry, Happened) and entry.node == path:
            if entry.what is Happening.ASLEEP:
                began = _since(run, entry.at)
            elif began is not None:
                ended = _since(run, entry.at)
    return None if began is None else Rest(began, last if ended is None else ended)


def _moments(run: Timeline, entry: Attempted | Happened) -> Iterator[float]:
    if isinstance(entry, Happened):
        yield _since(run, entry.at)
        return
    yield _since(run, entry.began)
    if entry.ended is not None:
        yield _since(run, entry.ended)


def _marks(run: Timeline) -> Iterator[Mark]:
    for entry in run.story:
        if isinstance(entry, Happened) and entry.node is None and entry.what in _MARKED:
            is_back = entry.what is Happening.ROLLBACK_BEGAN
            yield Mark(_since(run, entry.at), entry.text, is_back)


def _since(run: Timeline, moment: datetime) -> float:
    """Return how long after the beginning a moment is; the clocks of two workers may differ."""
    return max(0.0, (moment - run.began).total_seconds())


_MARKED = frozenset(
    {
        Happening.CLAIMED,
        Happening.DEADLINE_PASSED,
        Happening.ROLLBACK_BEGAN,
        Happening.PARKED,
        Happening.UNPARKED,
        Happening.ENDED,
    }
)

STANDING_OF: dict[Ending, Standing] = {
    Ending.AT_WORK: Standing.AT_WORK,
    Ending.DONE: Standing.DONE,
    Ending.ANSWERED: Standing.AT_WORK,
    Ending.AWAITING: Standing.WAITING,
    Ending.FAILED: Standing.FAILED,
    Ending.IN_DOUBT: Standing.IN_DOUBT,
    Ending.UNRECORDED: Standing.IN_DOUBT,
    Ending.REFUSED: Standing.IN_DOUBT,
    Ending.INTERRUPTED: Standing.IN_DOUBT,
    Ending.STOPPED: Standing.STOPPED,
}
"""In which colours an execution is drawn, by how it ended."""
