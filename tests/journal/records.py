"""What the journals' tests append and post, with the fields that a test does not care about."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from makegood.journal.protocol import (
    Append,
    Journal,
    LocalOutcome,
    Migration,
    NewRun,
    Post,
    Summary,
)
from makegood.values.ids import RunId, WorkerId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.values.envelope import Envelope
    from makegood.values.injectable import Transaction

ALICE = WorkerId("alice")
BOB = WorkerId("bob")
SECOND = 1_000_000
AFTER_EVERY_LEASE = Instant(1_000_000 * SECOND)
STOCK = Migration(
    owner="shop",
    number=1,
    sql="CREATE TABLE stock (sku TEXT PRIMARY KEY, count INTEGER NOT NULL CHECK (count >= 0)); "
    "INSERT INTO stock VALUES ('tea', 5);",
)

_tokens = itertools.count(1)


class World(Protocol):
    """A store, and the workers on it."""

    async def open(self, *, work: bool = True, migrations: Sequence[Migration] = ()) -> Journal:
        """Open the store as one more worker, which is closed at the end of the test."""
        ...

    async def kill(self, journal: Journal) -> None:
        """Let a worker die as far as the others can see; its journal object goes on answering."""
        ...


def run_id(number: int) -> RunId:
    return RunId(f"0192f0c4-0000-7000-8000-{number:012d}")


def facts(*names: str) -> bytes:
    return msgspec.json.encode(names)


def token() -> bytes:
    return next(_tokens).to_bytes(16, "big")


def new_run(key: str | None = None, **other: Any) -> NewRun:
    fields: dict[str, Any] = {
        "workflow": "place_order",
        "fingerprint": "plan-1",
        "input_hash": "hash-1",
        "created_at": Instant(0),
    }
    return NewRun(key=key, **(fields | other))


def append(run: RunId, seq: int, **other: Any) -> Append:
    """Return an append of Alice's under epoch 1 that has seen no post."""
    fields: dict[str, Any] = {
        "worker": ALICE,
        "epoch": 1,
        "inbox_head": 0,
        "inbox_taken": 0,
        "token": token(),
        "facts": b"" if "local" in other else facts(f"{run[-3:]}/{seq}"),
        "at": Instant(seq),
        "summary": Summary(status="running"),
    }
    return Append(run=run, seq=seq, **(fields | other))


def first(run: RunId, key: str | None = None, **other: Any) -> Append:
    """Return the append that makes a run."""
    new = {name: other.pop(name) for name in NewRun.__struct_fields__ if name in other}
    return append(run, 1, create=new_run(key, **new), **other)


def last(run: RunId, seq: int, *, ended_at: int, **other: Any) -> Append:
    """Return the append that ends a run and gives it back."""
    summary = Summary(status="completed", ended_at=Instant(ended_at))
    return append(run, seq, summary=summary, release=True, **other)


def post(run: RunId, body: bytes = b'"cancel"', at: int = 0, **other: Any) -> Post:
    return Post(run=run, body=body, at=Instant(at), **other)


@dataclass
class Body:
    """A local step: `LocalWork` around a function of the transaction."""

    function: Callable[[Transaction], Awaitable[object]]
    timeout_seconds: float = 30.0
    times_run: int = 0
    error: Exception | None = None
    messages: tuple[Envelope, ...] = ()

    async def run(self, transaction: Transaction) -> LocalOutcome:
        self.times_run += 1
        given = msgspec.json.encode([await self.function(transaction)])
        return LocalOutcome(given, self.messages)

    def failed(self, error: Exception) -> LocalOutcome:
        self.error = error
        return LocalOutcome(facts("failed"))
