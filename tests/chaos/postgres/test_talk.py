"""What a client asks is told from its bytes, in whichever pieces they come."""

from __future__ import annotations

import struct

import pytest

from tests.chaos.postgres.talk import Ask, Kind, Talk

STARTUP = struct.pack("!II", 8 + 5, 196_608) + b"user\0"
TLS_ASKED = struct.pack("!II", 8, 80_877_103)
SYNC = b"S" + struct.pack("!I", 4)
WRITE = b'SELECT "makegood".make_runs($1), "makegood".move_runs($2)'


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", 4 + len(body)) + body


def prepare(name: bytes, sql: bytes) -> bytes:
    return message(b"P", name + b"\0" + sql + b"\0" + b"\0\0") + SYNC


def bind(name: bytes) -> bytes:
    return message(b"B", b"\0" + name + b"\0" + b"rest") + message(b"E", b"\0\0\0\0\0") + SYNC


def simple(sql: bytes) -> bytes:
    return message(b"Q", sql + b"\0")


TALK = [
    (TLS_ASKED, Kind.OTHER),
    (STARTUP, Kind.OTHER),
    (prepare(b"one", WRITE), Kind.OTHER),
    (bind(b"one"), Kind.BATCH),
    (prepare(b"two", b'SELECT * FROM "makegood".post($1)'), Kind.OTHER),
    (bind(b"two"), Kind.POST),
    (simple(b"BEGIN; SET LOCAL statement_timeout = 1"), Kind.OTHER),
    (bind(b"one"), Kind.STEP),
    (simple(b"ROLLBACK TO SAVEPOINT makegood_local"), Kind.OTHER),
    (simple(b"COMMIT"), Kind.COMMIT),
    (simple(b"BEGIN"), Kind.OTHER),
    (bind(b"one"), Kind.STEP),
    (simple(b"ROLLBACK"), Kind.OTHER),
    (bind(b"one"), Kind.BATCH),
    (simple(b"BEGIN"), Kind.OTHER),
    (bind(b"unknown"), Kind.OTHER),
    # Whoever makes the schema or asks behind a pooler commits no step.
    (simple(b"COMMIT"), Kind.OTHER),
    (message(b"X", b""), Kind.OTHER),
]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_asks_are_told_from_their_bytes_in_whichever_pieces_they_come(size: int) -> None:
    sent = b"".join(part for part, _ in TALK)
    talk = Talk()

    asks = [ask for at in range(0, len(sent), size) for ask in talk.hear(sent[at : at + size])]

    assert asks == [Ask(kind, part) for part, kind in TALK]
