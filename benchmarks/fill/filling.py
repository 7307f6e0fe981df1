"""A journal with a million runs, finished or due, made in minutes and not in hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from benchmarks.checkout import checkout5, checkout5_fail
from benchmarks.fill.filled import APART, FAILED_EVERY, RUNS_MIN, Filled, filled
from benchmarks.fill.shelf_postgres import postgres_shelf
from benchmarks.fill.shelf_sqlite import sqlite_shelf
from makegood import Engine
from makegood.journal.postgres.place import Place
from makegood.testing import TurnableClock
from makegood.values.ids import RunId, WorkerId
from makegood.values.instants import Instant, as_datetime, as_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from benchmarks.fill.shelf import Records, Row, Rows, Shelf, Table

__all__ = ["fill", "rows_by_engine", "shelf_at", "undrawn"]

_RUNS_IN_A_TRANSACTION = 10_000
_SAMPLES = 5

_DRAWN = "post_tokens"
"""The column whose values the store draws itself, so that two runs never have the same."""


def shelf_at(url: str) -> AbstractAsyncContextManager[Shelf]:
    """Open the tables of a journal past any engine."""
    path = url.removeprefix("sqlite:///")
    return postgres_shelf(url) if path == url else sqlite_shelf(path)


async def fill(url: str, *, runs: int, now: datetime, ends: bool = True) -> None:
    """Fill a new journal with so many runs, the last of them some seconds before `now`.

    With `ends` they are finished, otherwise they are due and nobody has touched them yet.
    """
    assert runs >= RUNS_MIN, f"{runs} runs are too few; {RUNS_MIN} is one of each kind"
    first_at = as_instant(now - (runs + 1) * APART)
    models = [filled(number, first_at=first_at) for number in range(RUNS_MIN)]
    await _write_by_engine(url, models, ends=ends)
    async with shelf_at(url) as shelf:
        kinds = {model.fails: _Kind(model, await shelf.rows_of(model.run)) for model in models}
        columns = kinds[True].columns
        for start in range(RUNS_MIN, runs, _RUNS_IN_A_TRANSACTION):
            new: dict[Table, Records] = {table: [] for table in columns}
            for number in range(start, min(start + _RUNS_IN_A_TRANSACTION, runs)):
                one = filled(number, first_at=first_at)
                kinds[one.fails].copy(one, new)
            await shelf.insert(columns, new)
        sample = _sample(runs, first_at)
        copied = [await shelf.rows_of(one.run) for one in sample]
    for one, rows, by_engine in zip(
        sample, copied, await rows_by_engine(_beside(url), sample, ends=ends), strict=True
    ):
        assert undrawn(rows) == undrawn(by_engine), f"run {one.number} is not the engine's"


async def rows_by_engine(url: str, runs: Sequence[Filled], *, ends: bool = True) -> list[Rows]:
    """Have the engine write these runs in a new journal of their own, and return their rows."""
    await _write_by_engine(url, runs, ends=ends)
    async with shelf_at(url) as shelf:
        return [await shelf.rows_of(one.run) for one in runs]


def undrawn(rows: Rows) -> Rows:
    """Return the rows of a run without what the store draws."""
    return {
        table: tuple({name: row[name] for name in row if name != _DRAWN} for row in of_table)
        for table, of_table in rows.items()
    }


class _Kind:
    """How runs of one kind are made: as the engine's own rows, but for what is theirs."""

    def __init__(self, model: Filled, rows: Rows) -> None:
        self._model = model
        self._rows: Rows = {table: of_table for table, of_table in rows.items() if of_table}

    @property
    def columns(self) -> dict[Table, tuple[str, ...]]:
        """The columns of each table that these runs have rows in."""
        return {table: tuple(rows[0]) for table, rows in self._rows.items()}

    def copy(self, one: Filled, new: dict[Table, Records]) -> None:
        """Add the rows of one run to what is to be inserted."""
        theirs: Row = {
            **dict.fromkeys(("id", "run"), one.run),
            **dict.fromkeys(("created_at", "ended_at", "wake_at", "at"), one.at),
            "key": one.key,
            "input_hash": one.call.input_hash,
            _DRAWN: list(one.tokens[:1]),
        }
        for table, rows in self._rows.items():
            for row in rows:
                if "body" in row:
                    theirs["body"] = self._body(cast("bytes", row["body"]), one)
                # An append has the token of its number; its run that of its newest append.
                seq = cast("int", row.get("seq", 0))
                theirs["token"] = one.tokens[seq - 1]
                # What the model has not, none of its kind has.
                values = [
                    theirs.get(name, value) if value else value for name, value in row.items()
                ]
                new[table].append(tuple(values))

    def _body(self, body: bytes, one: Filled) -> bytes:
        model = self._model
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


async def _write_by_engine(url: str, runs: Iterable[Filled], *, ends: bool) -> None:
    """Write these runs one after the other, by a clock that stands still in each.

    An engine that does not work starts them and leaves them to others.
    """
    ids, clock = _Given(), TurnableClock(as_datetime(Instant(0)))
    async with Engine(url, clock=clock, ids=ids, work=ends) as engine:
        engine.serve(checkout5, checkout5_fail)
        for one in runs:
            clock.turn_to(one.at)
            ids.expect(one)
            run = await engine.start(one.call, key=one.key)
            if ends:
                await run.outcome()


def _sample(runs: int, first_at: Instant) -> list[Filled]:
    """Return some of the runs, of both kinds."""
    numbers: set[int] = set()
    for part in range(1, _SAMPLES + 1):
        number = part * (runs - 1) // _SAMPLES
        numbers |= {number, number - number % FAILED_EVERY}
    return [filled(number, first_at=first_at) for number in sorted(numbers)]


def _beside(url: str) -> str:
    """Return the address of a journal that is beside this one and holds nothing."""
    if url.startswith("sqlite"):
        return f"{url}.sample"
    return f"{url}{'&' if '?' in url else '?'}schema={Place.of(url).schema}_sample"
