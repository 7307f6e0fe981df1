"""How is a batch of messages stored? Knows the one statement, and what its gaps mean.

A batch is one statement over an array of packed messages, as a batch of appends is, and for the
same reason. A packed message is the length of its head (6 digits), its head (a JSON array of small
values) and its body, which SQLite copies without looking into it. Each is given the number of its
place in the batch; one that was known leaves its number unused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from makegood.journal.application.connection import array_of
from makegood.journal.lanes.naming import lane_of
from makegood.journal.messages import Duplicate, Malformed, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.messages import Receipt
    from makegood.values.envelope import Envelope
    from makegood.values.instants import Instant

__all__ = ["Receipts", "pack_messages", "store"]

_STORE = """
WITH packed AS MATERIALIZED (
    SELECT CAST(substr(value, 7, CAST(substr(value, 1, 6) AS INTEGER)) AS TEXT) AS head,
           substr(value, 7 + CAST(substr(value, 1, 6) AS INTEGER)) AS body
      FROM carray(?1)
)
INSERT INTO makegood_publish (seq, tenant, source, id, type, version, key, correlation, causation,
       traceparent, subject, headers, at, not_before, stored_at, lane, recipient, reason, error,
       body)
SELECT ?2 + row_number() OVER (), head ->> 0, head ->> 1, head ->> 2, head ->> 3, head ->> 4,
       head ->> 5, head ->> 6, head ->> 7, head ->> 8, head ->> 9, head ->> 10, head ->> 11,
       head ->> 12, head ->> 13, head ->> 14, head ->> 15, head ->> 16, head ->> 17, body
  FROM packed
"""

_encode = msgspec.json.Encoder().encode


def pack_messages(messages: Iterable[Envelope | Malformed], now: Instant) -> list[bytes]:
    """Return messages as the storing statement takes them."""
    return [_packed(each, now) for each in messages]


def store(connection: Connection, packed: Sequence[bytes]) -> int:
    """Store messages that are not known; return the number before the first of theirs."""
    found = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = 'makegood_message'"
    ).get
    base = 0 if found is None else cast("int", found)
    connection.execute(_STORE, (array_of(tuple(packed)), base))
    return base


class Receipts:
    """Says what became of messages that were stored as one batch behind a number."""

    def __init__(self, connection: Connection, base: int) -> None:
        self._connection = connection
        self._base = base
        new = connection.execute("SELECT seq FROM makegood_message WHERE seq > ?", (base,))
        self._new = {seq for (seq,) in new}
        self._recipients: dict[str, tuple[str, ...]] = {}

    def of(self, messages: Sequence[Envelope | Malformed], place: int) -> tuple[Receipt, ...]:
        """Return the receipts for messages that stand in the batch behind so many others."""
        first = self._base + place + 1
        return tuple(self._receipt(message, seq) for seq, message in enumerate(messages, first))

    def _receipt(self, message: Envelope | Malformed, seq: int) -> Receipt:
        if seq not in self._new:
            return Duplicate(_known_as(self._connection, message))
        if isinstance(message, Malformed):
            return Stored(seq)
        recipients = self._recipients.get(message.type)
        if recipients is None:
            recipients = _recipients_of(self._connection, message.type)
            self._recipients[message.type] = recipients
        return Stored(seq, recipients)


def _packed(message: Envelope | Malformed, now: Instant) -> bytes:
    if isinstance(message, Malformed):
        head = _encode(
            (
                message.tenant,
                message.source,
                message.id,
                *("", 1, None, "", None, None, None),
                message.headers or None,
                message.at,
                None,
                now,
                lane_of(message),
                message.recipient,
                message.reason,
                message.error.decode(),
            )
        )
    else:
        head = _encode(
            (
                message.tenant,
                message.source,
                message.id,
                message.type,
                message.version,
                message.key,
                message.correlation,
                message.causation,
                message.traceparent,
                message.subject,
                message.headers or None,
                message.at,
                message.not_before,
                now,
                lane_of(message),
            )
        )
    return b"%06d%b%b" % (len(head), head, message.body)


def _known_as(connection: Connection, message: Envelope | Malformed) -> int:
    found = connection.execute(
        "SELECT seq FROM makegood_message WHERE source = ? AND id = ? AND tenant = ?",
        (message.source, message.id, message.tenant),
    ).get
    return cast("int", found)


def _recipients_of(connection: Connection, type: str) -> tuple[str, ...]:  # noqa: A002
    found = connection.execute(
        "SELECT recipient FROM makegood_subscription WHERE type = ? ORDER BY recipient", (type,)
    ).fetchall()
    return tuple(cast("str", recipient) for (recipient,) in found)
