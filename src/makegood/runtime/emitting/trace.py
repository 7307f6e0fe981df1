"""What came of one beginning: the messages and the runs that share its correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from makegood.errors import InvalidInput
from makegood.journal.lanes.shown import MessageFilter
from makegood.journal.protocol import Filter
from makegood.values.ids import parse_run_id
from makegood.values.instants import as_datetime
from makegood.values.limits import PAGE_MESSAGES_MAX, PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from makegood.journal.lanes.shown import Kept
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.protocol import Journal, RunRow
    from makegood.values.ids import RunId

__all__ = ["TRACED_MAX", "TracedDelivery", "TracedMessage", "TracedRun", "traced"]

TRACED_MAX = 2_000
"""The most messages, and the most runs, of one trace that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedDelivery:
    """What became of a message at one recipient."""

    receptor: str
    state: str
    attempts: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedMessage:
    """A message of a trace, and what became of it."""

    kind: Literal["message"] = "message"
    id: str
    type: str
    key: str | None
    causation: str | None
    """The message or the run that it came from; its own id where it came from outside."""
    stored_at: datetime
    deliveries: tuple[TracedDelivery, ...]

    @property
    def at(self) -> datetime:
        """When it was stored."""
        return self.stored_at


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRun:
    """A run of a trace, and how it stands."""

    kind: Literal["run"] = "run"
    id: str
    workflow: str
    key: str | None
    causation: str
    """The message, the run or the slot of a schedule that has started it; its own id where it was
    started from outside."""
    started_at: datetime
    status: str

    @property
    def at(self) -> datetime:
        """When it was started."""
        return self.started_at


async def traced(
    journal: Journal, messages: KeepsMessages, id: str
) -> tuple[TracedMessage | TracedRun, ...]:
    """Return everything with a correlation, the oldest first.

    An id of a run stands for the correlation that the run has.
    """
    named = await _run_named(journal, id)
    correlation = id if named is None or named.correlation is None else named.correlation
    rows = [*await _runs_of(journal, correlation)]
    root = named if named is not None and named.correlation is None else None
    if root is None and correlation != id:
        root = await _run_named(journal, correlation)
    if root is not None and all(row.run != root.run for row in rows):
        rows.append(root)
    found = [_of_run(row) for row in rows]
    sent = [_of_message(each) for each in await _messages_of(messages, correlation)]
    return tuple(_in_order([*sent, *found]))


def _in_order(found: list[TracedMessage | TracedRun]) -> Iterator[TracedMessage | TracedRun]:
    """Give the oldest first, and nothing before what it came from, whatever the clocks say."""
    waiting = {each.id: each for each in sorted(found, key=lambda each: each.at)}
    while waiting:
        line = [next(iter(waiting.values()))]
        while (cause := waiting.get(line[-1].causation or "")) is not None and cause not in line:
            line.append(cause)
        for each in reversed(line):
            yield waiting.pop(each.id)


async def _run_named(journal: Journal, id: str) -> RunRow | None:
    try:
        run = parse_run_id(id)
    except InvalidInput:
        return None
    histories = await journal.read_all([run])
    return histories[0].row if histories else None


async def _runs_of(journal: Journal, correlation: str) -> list[RunRow]:
    rows: list[RunRow] = []
    after: RunId | None = None
    while True:
        page = await journal.list(Filter(correlation=correlation, after=after, limit=PAGE_RUNS_MAX))
        rows += page.rows
        after = page.next
        if after is None or len(rows) >= TRACED_MAX:
            return rows[:TRACED_MAX]


async def _messages_of(messages: KeepsMessages, correlation: str) -> list[Kept]:
    found: list[Kept] = []
    after: int | None = None
    while True:
        page = await messages.messages(
            MessageFilter(correlation=correlation, after=after, limit=PAGE_MESSAGES_MAX)
        )
        found += page.rows
        after = page.next
        if after is None or len(found) >= TRACED_MAX:
            return [*reversed(found[:TRACED_MAX])]


def _of_run(row: RunRow) -> TracedRun:
    return TracedRun(
        id=row.run,
        workflow=row.workflow,
        key=row.key,
        causation=row.causation or row.run,
        started_at=as_datetime(row.created_at),
        status=row.status,
    )


def _of_message(kept: Kept) -> TracedMessage:
    return TracedMessage(
        id=kept.message.id,
        type=kept.message.type,
        key=kept.message.key,
        causation=kept.message.causation,
        stored_at=as_datetime(kept.stored_at),
        deliveries=tuple(
            TracedDelivery(
                receptor=each.id.recipient,
                state=each.state.value,
                attempts=each.attempts,
                reason=each.reason,
            )
            for each in kept.deliveries
        ),
    )
