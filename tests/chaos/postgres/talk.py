"""What does a client ask of a PostgreSQL server? The bytes that it sends, taken apart into asks.

An ask is what is answered as a whole: a simple query, or everything up to a Sync. A statement that
was prepared is asked for by its name alone, so that what was prepared is remembered. The format is
that of the PostgreSQL documentation, chapter "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

__all__ = ["Ask", "Kind", "Talk"]


class Kind(Enum):
    """What an ask is for."""

    BATCH = "batch"
    """Appends, written in one statement that commits by itself."""
    STEP = "step"
    """An append with a step's own work, inside a transaction whose COMMIT is to carry it."""
    COMMIT = "commit"
    """The end of such a transaction."""
    POST = "post"
    LEASE = "lease"
    RENEW = "renew"
    OTHER = "other"
    """Opening, preparing, reading, and what a step does in its transaction."""


class Ask(NamedTuple):
    """One ask, as it was sent."""

    kind: Kind
    sent: bytes


_NAMED = (
    (b".move_runs(", Kind.BATCH),
    (b".post(", Kind.POST),
    (b".lease(", Kind.LEASE),
    (b".renew(", Kind.RENEW),
)
"""By which words the statements are told."""

_LENGTH = struct.Struct("!I")
_STARTUP = 196_608
"""The code of the message after which messages have types: version 3.0."""

_ENDS = b"QSHXF"
"""The types of the messages that end an ask: Query, Sync, Flush, Terminate, FunctionCall."""


class Talk:
    """What one client says on one connection."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._has_begun = False
        self._ask = bytearray()
        self._kind = Kind.OTHER
        self._prepared: dict[bytes, bytes] = {}
        self._is_in_transaction = False
        self._carries_a_step = False
        """Whether the transaction that is open does."""

    def hear(self, sent: bytes) -> list[Ask]:
        """Take in what was sent, and return the asks that are whole now."""
        self._unread += sent
        asks: list[Ask] = []
        while (message := self._next_message()) is not None:
            self._ask += message
            if self._read(message):
                asks.append(Ask(self._kind, bytes(self._ask)))
                self._ask.clear()
                self._kind = Kind.OTHER
        return asks

    def _next_message(self) -> bytes | None:
        """Cut the next message off what is unread, its type and its length included."""
        head = 1 if self._has_begun else 0
        if len(self._unread) < head + _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._unread, head)
        if len(self._unread) < head + length:
            return None
        message = bytes(self._unread[: head + length])
        del self._unread[: head + length]
        return message

    def _read(self, message: bytes) -> bool:
        """Take notice of a message, and say whether it ends an ask."""
        if not self._has_begun:
            (code,) = _LENGTH.unpack_from(message, _LENGTH.size)
            self._has_begun = code == _STARTUP
            return True
        kind, body = message[:1], message[1 + _LENGTH.size :]
        match kind:
            case b"P":
                name, sql, _ = body.split(b"\0", 2)
                self._prepared[name] = sql
            case b"B":
                _, name, _ = body.split(b"\0", 2)
                self._name(self._prepared.get(name, b""))
            case b"Q":
                self._query(body)
            case _:
                pass
        return kind in _ENDS

    def _name(self, sql: bytes) -> None:
        for words, kind in _NAMED:
            if words in sql:
                is_step = kind is Kind.BATCH and self._is_in_transaction
                self._carries_a_step |= is_step
                self._kind = Kind.STEP if is_step else kind
                return

    def _query(self, body: bytes) -> None:
        if body.startswith(b"BEGIN"):
            self._is_in_transaction, self._carries_a_step = True, False
        elif body.startswith((b"COMMIT\0", b"ROLLBACK\0")):
            if body.startswith(b"COMMIT") and self._carries_a_step:
                self._kind = Kind.COMMIT
            self._is_in_transaction = self._carries_a_step = False
