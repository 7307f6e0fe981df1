"""What any engine on this disk could reach: the journal's own statements, and nothing else.

A bare group commit: whatever waits at one moment is written in one transaction by one thread,
with synchronous=FULL. There is no plan, no decision, no typed value, no lease, no recovery.
"""

from __future__ import annotations

import asyncio
import queue
import secrets
import threading
from typing import TYPE_CHECKING, Protocol, Self, cast

import apsw
import uuid_utils

from benchmarks.closed_loop import closed_loop
from benchmarks.measurement import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["APPENDS", "APPENDS_FAIL", "measure_floor"]

APPENDS = 6
"""The durable waits of checkout5: its start, and each of five steps."""

APPENDS_FAIL = 10
"""The same, with four undone one by one."""

_BATCH_MAX = 256
_FACTS = (
    b'[{"t":"done","n":3,"v":{"order_id":"order-1234","reference":"7f1d2a90c4b8","stage":3}}]' * 2
)

_SCHEMA = """
CREATE TABLE run (
    id TEXT PRIMARY KEY, workflow TEXT, fingerprint TEXT, input_hash TEXT, status TEXT,
    seq INTEGER, inbox_head INTEGER, epoch INTEGER, claims INTEGER, owner TEXT,
    wake_at INTEGER, created_at INTEGER, ended_at INTEGER
) WITHOUT ROWID;
CREATE INDEX run_due ON run (wake_at) WHERE wake_at IS NOT NULL;
CREATE TABLE facts (
    run TEXT, seq INTEGER, epoch INTEGER, token BLOB, at INTEGER, body BLOB,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
"""
_CREATE = (
    "INSERT INTO run VALUES (?, 'checkout5', 'f0e1d2c3b4a59687', 'a1b2c3d4e5f60718', 'running',"
    " 1, 0, 1, 0, 'w', 4102444800000000, 1, NULL)"
)
_ADVANCE = (
    "UPDATE run SET seq = ?, status = 'running', claims = 0"
    " WHERE id = ? AND epoch = 1 AND seq = ? AND inbox_head = 0"
)
_FINISH = (
    "UPDATE run SET seq = ?, status = 'completed', owner = NULL, wake_at = NULL, ended_at = 2"
    " WHERE id = ? AND epoch = 1 AND seq = ? AND inbox_head = 0"
)
_RECORD = "INSERT INTO facts VALUES (?, ?, 1, ?, 1, ?)"


class _Connection(Protocol):
    """What is used of apsw's connection, whose own types name one that Python 3.11 has not."""

    def execute(self, statements: str, bindings: Sequence[str | int | bytes] = (), /) -> object: ...

    def changes(self) -> int: ...

    def close(self) -> None: ...


_Waiting = tuple[str, int, bool, asyncio.Future[None]]


async def measure_floor(
    path: Path, *, appends: int, runs: int, clients: int, warmup: int
) -> Sample:
    """Measure one repeat of the bare loop, on a fresh file."""
    with _Writer(path, asyncio.get_running_loop()) as writer:

        async def run_once(_number: int) -> None:
            run = str(uuid_utils.uuid7())
            for seq in range(1, appends + 1):
                await writer.append(run, seq, is_last=seq == appends)

        await closed_loop(run_once, runs=warmup, clients=clients)
        commits_before = writer.commits
        seconds, latencies = await closed_loop(run_once, runs=runs, clients=clients)
        commits = writer.commits - commits_before
    return Sample(seconds=seconds, latencies_ms=latencies, commits=commits)


class _Writer:
    """One thread that writes whatever waits, in one transaction, and wakes the loop once."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.commits = 0
        self._path = path
        self._loop = loop
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="floor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waiting.put(None)
        self._thread.join()

    def append(self, run: str, seq: int, *, is_last: bool) -> asyncio.Future[None]:
        durable: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put((run, seq, is_last, durable))
        return durable

    def _write(self) -> None:
        connection = _open(self._path)
        while (first := self._waiting.get()) is not None:
            batch = [first]
            while len(batch) < _BATCH_MAX and not self._waiting.empty():
                more = self._waiting.get()
                if more is None:
                    self._waiting.put(None)
                    break
                batch.append(more)
            _commit(connection, batch)
            self.commits += 1
            self._loop.call_soon_threadsafe(_wake, batch)
        connection.close()


def _open(path: Path) -> _Connection:
    opened: object = apsw.Connection(str(path))
    connection = cast("_Connection", opened)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    connection.execute(_SCHEMA)
    return connection


def _commit(connection: _Connection, batch: list[_Waiting]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for run, seq, is_last, _ in batch:
        if seq == 1:
            connection.execute(_CREATE, (run,))
        else:
            connection.execute(_FINISH if is_last else _ADVANCE, (seq, run, seq - 1))
            assert connection.changes() == 1, f"run {run} was not at append {seq - 1}"
        connection.execute(_RECORD, (run, seq, secrets.token_bytes(16), _FACTS))
    connection.execute("COMMIT")


def _wake(batch: list[_Waiting]) -> None:
    for *_, durable in batch:
        if not durable.cancelled():
            durable.set_result(None)
