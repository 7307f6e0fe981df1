"""What does a run do, from a position on? Its facts as they are recorded, wherever it is at work.

Whatever this engine records itself arrives at once. What another worker records is read from the
journal, soon while something happens and seldom while nothing does. The journal is the truth in
either case: where the events that arrive leave a gap it is read again, so that each fact comes at
its position and none is left out.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput, StoreBusy
from makegood.runtime.asking.reading import facts_of, history_of
from makegood.runtime.ports import Event
from makegood.values.instants import after as later

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator
    from datetime import timedelta

    from makegood.journal.protocol import History
    from makegood.runtime.observing.feed import Feed
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["follow", "has_settled"]


async def follow(
    shell: Shell,
    run: RunId,
    *,
    after: int,
    is_joined: bool = False,
    until: Instant | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield the events of a run behind a position, until it moves no more by itself.

    With `until` it ends at that moment too, once it has been found that nothing more is recorded.
    """
    if after < 0:
        message = f"after={after} is no position; give 0, or the position of the last event seen"
        raise InvalidInput(message)
    reader = _Reader(run, after)
    wait = shell.config.poll_min
    with shell.telemetry.feed(run) as feed, _rung_at(shell, feed, until):
        while True:
            # What has come by now is read with the rest, and must wake nobody a second time.
            feed.empty()
            try:
                history = await history_of(shell, run, is_joined=is_joined)
            except StoreBusy as error:
                shell.outage.tell(f"following run {run}", error)
            else:
                for event in reader.read(history):
                    wait = shell.config.poll_min
                    yield event
                if has_settled(history):
                    return
            if _is_over(shell, until):
                return
            if run not in shell.active:
                await _wait(shell, feed, wait)
                wait = min(wait * 2, shell.config.poll_max)
            async for event in _recorded_here(shell, feed, reader, until):
                yield event


async def _recorded_here(
    shell: Shell, feed: Feed, reader: _Reader, until: Instant | None
) -> AsyncGenerator[Event, None]:
    """Yield what comes at the feed while this engine holds the run and no event is missing."""
    while reader.run in shell.active and not _is_over(shell, until):
        await feed.wait()
        for event in feed.empty():
            if event.position > reader.position + 1:
                return
            if event.position > reader.position:
                reader.position = event.position
                yield event


class _Reader:
    """How far a run was read, in appends and in facts."""

    __slots__ = ("_appends", "_facts", "position", "run")

    def __init__(self, run: RunId, position: int) -> None:
        self.run = run
        self.position = position
        """Of the last event that was seen."""
        self._appends = 0
        self._facts = 0
        """How many facts these appends hold."""

    def read(self, history: History) -> Iterator[Event]:
        """Yield what is new in a history, each event once."""
        for append in facts_of(history, after=self._appends):
            first = self._facts + 1
            self._appends += 1
            self._facts += len(append)
            for position, fact in enumerate(append, first):
                if position > self.position:
                    self.position = position
                    workflow = history.row.workflow
                    yield Event(run=self.run, workflow=workflow, position=position, fact=fact)
        if self.position > self._facts:
            message = (
                f"run {self.run} has recorded {self._facts} facts, and after={self.position} is "
                "behind them; give the position of an event of this run"
            )
            raise InvalidInput(message)


@contextmanager
def _rung_at(shell: Shell, feed: Feed, until: Instant | None) -> Generator[None]:
    """Wake whoever waits at a feed when its time is over."""
    timer = None if until is None else shell.clock.call_at(until, feed.ring)
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


def _is_over(shell: Shell, until: Instant | None) -> bool:
    return until is not None and shell.clock.now() >= until


def has_settled(history: History) -> bool:
    """Say whether a run moves no more by itself, and nothing was asked of it.

    What waits in its inbox though nobody holds it, and nothing wakes it, cannot be read.
    """
    row = history.row
    is_asked = bool(history.inbox) and not (row.owner is None and row.wake_at is None)
    return (row.ended_at is not None or row.status == "parked") and not is_asked


async def _wait(shell: Shell, feed: Feed, wait: timedelta) -> None:
    """Wait for an event, but not longer than this."""
    timer = shell.clock.call_at(later(shell.clock.now(), wait), feed.ring)
    try:
        await feed.wait()
    finally:
        timer.cancel()
