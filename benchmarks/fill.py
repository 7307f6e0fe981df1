"""A journal with a million finished runs, made in minutes and not in hours.

The engine writes one run of each kind. Every other run is made by SQL from the rows of its kind,
with an id, a key, tokens and a time of its own. In the end the engine writes some of these runs
again, elsewhere, and whole rows are compared: what was filled in is what the engine writes.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

import apsw

from benchmarks.checkout import checkout5, checkout5_fail
from makegood import Engine
from makegood.journal.application.connection import connect
from makegood.testing import TurnableClock
from makegood.values.ids import RunId, WorkerId
from makegood.values.instants import Instant, after, as_datetime, as_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from makegood.journal.application.connection import Connection
    from makegood.values.injectable import Sql

__all__ = [
    "APART",
    "RUNS_MIN",
    "Filled",
    "completed_near",
    "fill",
    "filled",
    "key_of",
    "rows_by_engine",
    "rows_of",
]

RUNS_MIN = 2
"""The fewest runs that can be filled in: one that has failed, and one that is completed."""

_FAILED_EVERY = 10
"""One run in so many has failed, the first of all among them."""

APART = timedelta(seconds=30)
"""The time between two runs: a million of them are a year of a shop's orders."""

_APPENDS_MAX = 10
_TOKEN_BYTES = 16
_DIGEST_BYTES = 64
_RUNS_IN_A_TRANSACTION = 10_000
_CACHE_KILOBYTES = 500_000
_SAMPLES = 5

Row = dict[str, "Sql"]


@dataclass(frozen=True, slots=True)
class Filled:
    """One run of a fill: who it is, when it was and how it ended, all told by its number."""

    number: int
    at: Instant
    run: RunId
    tokens: tuple[bytes, ...]
    """The token of each append; a run that needs fewer leaves the last ones."""

    @property
    def order_id(self) -> str:
        """The input. All have one length, so that all runs of a kind have."""
        return f"order-{self.number:07}"

    @property
    def key(self) -> str:
        """The key, which others can tell from the number too."""
        return key_of(self.number)

    @property
    def fails(self) -> bool:
        """Whether the run fails in its fifth step."""
        return self.number % _FAILED_EVERY == 0


def key_of(number: int) -> str:
    """Return the key of a run: in no order, as the keys of a web shop are."""
    return blake2b(b"%d" % number, digest_size=16).hexdigest()


def completed_near(number: int) -> int:
    """Return the number of a run that is completed: this one, or one beside it."""
    return number if number % _FAILED_EVERY else max(number - 1, 1)


def filled(number: int, *, first_at: Instant) -> Filled:
    """Return the run of a number, the same whenever it is asked for."""
    drawn = b"".join(
        blake2b(b"%d of %d" % (part, number), digest_size=_DIGEST_BYTES).digest()
        for part in range(_APPENDS_MAX * _TOKEN_BYTES // _DIGEST_BYTES + 1)
    )
    at = after(first_at, number * APART)
    time, chance = f"{at // 1000:012x}", drawn[-8:].hex()
    return Filled(
        number=number,
        at=at,
        run=RunId(f"{time[:8]}-{time[8:]}-7{chance[:3]}-8{chance[1:4]}-{chance[4:]}"),
        tokens=tuple(
            drawn[start : start + _TOKEN_BYTES]
            for start in range(0, _APPENDS_MAX * _TOKEN_BYTES, _TOKEN_BYTES)
        ),
    )


def fill(path: Path, *, runs: int, now: datetime) -> None:
    """Make a journal of so many finished runs, the last of them some seconds before `now`."""
    assert runs >= RUNS_MIN, f"{runs} runs are too few; {RUNS_MIN} is one of each kind"
    first_at = as_instant(now - (runs + 1) * APART)
    models = [filled(number, first_at=first_at) for number in range(RUNS_MIN)]
    asyncio.run(_write_by_engine(path, models))
    connection = connect(os.fspath(path))
    try:
        connection.execute(f"PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KILOBYTES}")
        kinds = {model.fails: _Kind(connection, model) for model in models}
        for start in range(RUNS_MIN, runs, _RUNS_IN_A_TRANSACTION):
            connection.execute("BEGIN")
            for number in range(start, min(start + _RUNS_IN_A_TRANSACTION, runs)):
                one = filled(number, first_at=first_at)
                kinds[one.fails].insert(connection, one)
            connection.execute("COMMIT")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        _require_as_the_engine_writes(connection, path.with_suffix(".sample"), runs, first_at)
    finally:
        connection.close()
    _sync(path)


def rows_of(connection: Connection, run: RunId) -> tuple[Row, ...]:
    """Return the row of a run and those of its appends, every column by its name."""
    return (
        *_rows(connection, "makegood_run", "id", run),
        *_rows(connection, "makegood_facts", "run", run),
    )


def rows_by_engine(path: Path, runs: Sequence[Filled]) -> list[tuple[Row, ...]]:
    """Have the engine carry out these runs in a journal of their own, and return their rows."""
    asyncio.run(_write_by_engine(path, runs))
    connection = connect(os.fspath(path))
    try:
        return [rows_of(connection, one.run) for one in runs]
    finally:
        connection.close()


class _Kind:
    """How runs of one kind are inserted: as the engine's own rows, but for what is theirs."""

    def __init__(self, connection: Connection, model: Filled) -> None:
        row, *appends = rows_of(connection, model.run)
        self._model = model
        self._row = row
        self._appends = appends
        self._insert_run = _insert_into("makegood_run", row)
        self._insert_facts = _insert_into("makegood_facts", appends[0])

    def insert(self, connection: Connection, one: Filled) -> None:
        """Insert one run and its appends."""
        call = (checkout5_fail if one.fails else checkout5)(one.order_id)
        row = self._row | {
            "id": one.run,
            "key": one.key,
            "input_hash": call.input_hash,
            "created_at": one.at,
            "ended_at": one.at,
            "token": one.tokens[len(self._appends) - 1],
        }
        connection.execute(self._insert_run, tuple(row.values()))
        for append, token in zip(self._appends, one.tokens, strict=False):
            theirs = {"run": one.run, "token": token, "at": one.at, "body": self._body(append, one)}
            connection.execute(self._insert_facts, tuple((append | theirs).values()))

    def _body(self, append: Row, one: Filled) -> bytes:
        model = self._model
        body = cast("bytes", append["body"])
        for told, instead in (
            (str(model.at), str(one.at)),
            (model.order_id, one.order_id),
            (model.key, one.key),
        ):
            body = body.replace(told.encode(), instead.encode())
        return body


class _Given:
    """The ids of runs that are known before they begin."""

    def __init__(self) -> None:
        self._run = RunId("")
        self._tokens: list[bytes] = []

    def expect(self, one: Filled) -> None:
        """Give the next run this identity."""
        self._run = one.run
        self._tokens = list(reversed(one.tokens))

    def worker(self) -> WorkerId:
        return WorkerId("0011223344556677")

    def run(self) -> RunId:
        return self._run

    def token(self) -> bytes:
        return self._tokens.pop()


async def _write_by_engine(path: Path, runs: Iterable[Filled]) -> None:
    """Carry out these runs one after the other, by a clock that stands still in each."""
    ids, clock = _Given(), TurnableClock(as_datetime(Instant(0)))
    async with Engine(f"sqlite:///{path}", clock=clock, ids=ids) as engine:
        engine.serve(checkout5, checkout5_fail)
        for one in runs:
            clock.turn_to(one.at)
            ids.expect(one)
            call = (checkout5_fail if one.fails else checkout5)(one.order_id)
            run = await engine.start(call, key=one.key)
            await run.outcome()


def _rows(connection: Connection, table: str, column: str, run: RunId) -> list[Row]:
    names = [
        cast("str", name)
        for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    ]
    sql = f"SELECT * FROM {table} WHERE {column} = ? ORDER BY seq"  # noqa: S608 - named above
    found = connection.execute(sql, (run,))
    return [dict(zip(names, values, strict=True)) for values in found]


def _insert_into(table: str, row: Row) -> str:
    columns, places = ", ".join(row), ", ".join("?" * len(row))
    return f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 - a table's own names


def _require_as_the_engine_writes(
    connection: Connection, scratch: Path, runs: int, first_at: Instant
) -> None:
    """Compare some runs, whole rows of them, with what the engine writes of the same ones."""
    numbers: set[int] = set()
    for part in range(1, _SAMPLES + 1):
        number = part * (runs - 1) // _SAMPLES
        numbers |= {number, number - number % _FAILED_EVERY}
    sample = [filled(number, first_at=first_at) for number in sorted(numbers)]
    for one, rows in zip(sample, rows_by_engine(scratch, sample), strict=True):
        assert rows_of(connection, one.run) == rows, f"run {one.number} is not the engine's"


def _sync(path: Path) -> None:
    """Have the file on the disk, so that nobody is measured while it is still being written."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
