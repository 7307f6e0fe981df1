"""How are messages and what came of them written? Knows the one statement, and its answers.

Every field is one array, and the statement takes all arrays at once, as the one that appends does.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import msgspec

from makegood.journal.lanes.naming import lane_of
from makegood.journal.messages import Dead, Done, Duplicate, Later, Malformed, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.messages import Finished, Handling, Outcome, Receipt
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.protocol import Append
    from makegood.values.envelope import Envelope
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = [
    "Finishing",
    "Publishing",
    "Written",
    "publish_with",
    "work",
    "written_before",
]

_encode = msgspec.json.Encoder().encode

# Any: one array a parameter, each of its own type.
Values = tuple[Any, ...]

_OF_LANE, _OF_HANDLED, _OF_MESSAGE = 7, 11, 20
"""How many arrays there are of each kind, the one that says to which lane it belongs included."""


class Publishing:
    """Messages that are stored together, taken apart by the caller."""

    __slots__ = ("messages", "values")

    def __init__(self, messages: Sequence[Envelope | Malformed], now: Instant) -> None:
        self.messages = messages
        self.values: list[Values] = [_message(each, now) for each in messages]


class Finishing:
    """What came of a lane's deliveries, taken apart by the caller."""

    __slots__ = ("finished", "handled", "lane", "messages", "outcome")

    def __init__(self, finished: Finished, outcome: Outcome) -> None:
        self.finished = finished
        self.outcome = outcome
        id = finished.id
        blocking = [each.seq for each in outcome.handled if isinstance(each, Dead) and each.blocks]
        self.lane: Values = (
            *(id.recipient, id.lane, finished.worker, finished.epoch, finished.at),
            *(finished.release, blocking[0] if blocking else None),
        )
        self.handled: list[Values] = [
            (id.recipient, id.lane, *_handled(each)) for each in outcome.handled
        ]
        self.messages: list[Values] = [_message(each, finished.at) for each in outcome.messages]


class Written(NamedTuple):
    """What the statement has written."""

    receipts: list[tuple[Receipt, ...]]
    """For each that published, in their order."""
    fitting: frozenset[int]
    """Which of those that finished held their lanes, by their places from 0."""
    is_heard: bool
    """Whether somebody subscribes to anything that was stored."""


@cache
def _statement_of(schema: str) -> str:
    count = _OF_LANE + _OF_HANDLED + _OF_MESSAGE
    given = ", ".join(f"${number}" for number in range(1, count + 1))
    return (
        f'SELECT fitting, seqs, fresh, heard_types, heard_by FROM "{schema}".work_messages({given})'
    )


async def work(
    connection: Connection,
    schema: str,
    publishing: Sequence[Publishing],
    finishing: Sequence[Finishing],
) -> Written:
    """Write what was published, and what was finished under leases that hold."""
    lanes = [each.lane for each in finishing]
    handled = [(n, *row) for n, each in enumerate(finishing, 1) for row in each.handled]
    messages = [(0, *row) for each in publishing for row in each.values]
    messages += [(n, *row) for n, each in enumerate(finishing, 1) for row in each.messages]
    row = await connection.fetchrow(
        _statement_of(schema),
        *_columns(lanes, _OF_LANE),
        *_columns(handled, _OF_HANDLED),
        *_columns(messages, _OF_MESSAGE),
    )
    assert row is not None, "a function gives one row"
    fitting, seqs, fresh, types, recipients = row
    heard: dict[str, tuple[str, ...]] = {}
    for name, recipient in zip(types or (), recipients or (), strict=True):
        heard[name] = (*heard.get(name, ()), recipient)
    places = iter(zip(seqs or (), fresh or (), strict=True))
    receipts = [
        tuple(_receipt(message, next(places), heard) for message in each.messages)
        for each in publishing
    ]
    return Written(receipts, frozenset(n - 1 for n in fitting), bool(heard))


async def written_before(
    connection: Connection, schema: str, finished: Sequence[Finished]
) -> frozenset[int]:
    """Return the places, from 0, of those that were written before."""
    rows = [
        (n, each.id.recipient, seq, each.epoch)
        for n, each in enumerate(finished)
        for seq in _seqs(each)
    ]
    found = await connection.fetch(
        f'SELECT * FROM "{schema}".were_written($1, $2, $3, $4)', *_columns(rows, 4)
    )
    return frozenset(n for (n,) in found)


async def publish_with(connection: Connection, schema: str, appends: Iterable[Append]) -> bool:
    """Store what appends bring, in their transaction; say whether somebody is to be given it."""
    publishing = [Publishing(append.messages, append.at) for append in appends if append.messages]
    if not publishing:
        return False
    return (await work(connection, schema, publishing, ())).is_heard


def _seqs(finished: Finished) -> Sequence[int]:
    local = finished.local
    return [each.seq for each in finished.outcome.handled] if local is None else [local.seq]


def _columns(rows: Sequence[Values], count: int) -> Sequence[Values]:
    return tuple(zip(*rows, strict=True)) if rows else ((),) * count


def _receipt(
    message: Envelope | Malformed, told: tuple[int, bool], heard: dict[str, tuple[str, ...]]
) -> Receipt:
    seq, is_fresh = told
    if not is_fresh:
        return Duplicate(seq)
    return Stored(seq, () if isinstance(message, Malformed) else heard.get(message.type, ()))


def _message(message: Envelope | Malformed, now: Instant) -> Values:
    headers = _encode(message.headers).decode() if message.headers else None
    if isinstance(message, Malformed):
        return (
            *(message.tenant, message.source, message.id, "", 1, None, "", None, None, None),
            *(headers, message.at, None, now, lane_of(message)),
            *(message.recipient, message.reason, message.error.decode(), message.body),
        )
    return (
        *(message.tenant, message.source, message.id, message.type, message.version, message.key),
        *(message.correlation, message.causation, message.traceparent, message.subject),
        *(headers, message.at, message.not_before, now, lane_of(message)),
        *(None, None, None, message.body),
    )


def _handled(handled: Handling) -> Values:
    match handled:
        case Done():
            return (handled.seq, "done", 1, None, None, None, None, False)
        case Later():
            return (
                *(handled.seq, "due", int(handled.is_attempt), handled.due_at, None),
                *(handled.error.decode(), None, False),
            )
        case Dead():
            return (
                *(handled.seq, "dead", int(handled.is_attempt), None, handled.reason),
                *(handled.error.decode(), handled.fault, handled.blocks),
            )
        case _:
            assert_never(handled)
