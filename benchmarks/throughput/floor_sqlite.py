"""The floor on SQLite: one thread that writes, with synchronous=FULL, the journal's statements."""

from __future__ import annotations

import asyncio
import queue
import secrets
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, cast

import apsw

from benchmarks.throughput.floor import FACTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

__all__ = ["sqlite_floor"]

_BATCH_MAX = 256
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


@asynccontextmanager
async def sqlite_floor(path: str) -> AsyncGenerator[_Writer, None]:
    """Provide what appends to a fresh file."""
    writer = _Writer(path, asyncio.get_running_loop())
    writer.start()
    try:
        yield writer
    finally:
        writer.end()


class _Writer:
    """One thread that writes whatever waits, in one transaction, and wakes the loop once."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self.commits = 0
        self._path = path
        self._loop = loop
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="floor")

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
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


def _open(path: str) -> _Connection:
    opened: object = apsw.Connection(path)
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
        connection.execute(_RECORD, (run, seq, secrets.token_bytes(16), FACTS))
    connection.execute("COMMIT")


def _wake(batch: list[_Waiting]) -> None:
    for *_, durable in batch:
        if not durable.cancelled():
            durable.set_result(None)
