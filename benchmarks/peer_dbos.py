"""The peer's side: checkout5 and its failing twin by DBOS Transact, as a user of it writes them.

`benchmarks.peer` runs this by a Python that has DBOS and has not makegood. The settings are the
best that were found for this workload, with the durability that makegood has:

- on SQLite the file is in WAL mode before DBOS opens it. DBOS itself sets no mode, and SQLite's
  default, a rollback journal, made it slower by a quarter. `synchronous` stays FULL: it is read
  back from DBOS's own connections and reported;
- on SQLite two connections: with the default of twenty they wait for each other's locks, in
  sleeps that grow. On PostgreSQL the default;
- async workflows and steps, called directly. A handle from `start_workflow_async` would record
  the reading of the result besides;
- the failing twin takes back by hand what was done, in steps of their own, and raises again:
  DBOS has no undo.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Protocol, TypeVar

from benchmarks.closed_loop import closed_loop
from benchmarks.memory import peak_rss_mb

F = TypeVar("F", bound=Callable[..., Awaitable[object]])

_SQLITE = "sqlite:///"
_SQLITE_CONNECTIONS = 2


class _Dbos(Protocol):
    """What is used of the class `DBOS`, for the checkers, which have no DBOS to look at."""

    def __call__(self, *, config: dict[str, object]) -> object: ...

    def launch(self) -> None: ...

    def destroy(self) -> None: ...

    def step(self) -> Callable[[F], F]: ...

    def workflow(self) -> Callable[[F], F]: ...


DBOS: _Dbos = importlib.import_module("dbos").DBOS

Receipt = dict[str, str | int]


class CardDeclined(Exception):
    """What the fifth step of the failing twin raises."""


def _receipt(order_id: str | int, stage: int) -> Receipt:
    return {
        "order_id": order_id,
        "reference": "7f1d2a90c4b8",
        "amount_minor": 12_990,
        "currency": "EUR",
        "stage": stage,
    }


@DBOS.step()
async def reserve_stock(order_id: str) -> Receipt:
    """Do nothing, as the first of five."""
    return _receipt(order_id, 1)


@DBOS.step()
async def authorize_card(receipt: Receipt) -> Receipt:
    """Do nothing, as the second of five."""
    return _receipt(receipt["order_id"], 2)


@DBOS.step()
async def capture_card(receipt: Receipt) -> Receipt:
    """Do nothing, as the third of five."""
    return _receipt(receipt["order_id"], 3)


@DBOS.step()
async def ship_parcel(receipt: Receipt) -> Receipt:
    """Do nothing, as the fourth of five."""
    return _receipt(receipt["order_id"], 4)


@DBOS.step()
async def tell_customer(receipt: Receipt) -> Receipt:
    """Do nothing, as the fifth of five."""
    return _receipt(receipt["order_id"], 5)


@DBOS.step()
async def tell_nobody(receipt: Receipt) -> Receipt:
    """Fail for good, as the fifth of five."""
    message = f"order {receipt['order_id']} is declined"
    raise CardDeclined(message)


@DBOS.step()
async def take_back(receipt: Receipt) -> None:
    """Undo a step that did nothing."""


@DBOS.workflow()
async def checkout5(order_id: str) -> Receipt:
    """Carry a receipt through five steps."""
    reserved = await reserve_stock(order_id)
    authorized = await authorize_card(reserved)
    captured = await capture_card(authorized)
    shipped = await ship_parcel(captured)
    return await tell_customer(shipped)


@DBOS.workflow()
async def checkout5_fail(order_id: str) -> Receipt:
    """Carry a receipt through four steps, fail in the fifth and take the four back."""
    done: list[Receipt] = []
    try:
        done.append(await reserve_stock(order_id))
        done.append(await authorize_card(done[-1]))
        done.append(await capture_card(done[-1]))
        done.append(await ship_parcel(done[-1]))
        return await tell_nobody(done[-1])
    except CardDeclined:
        for receipt in reversed(done):
            await take_back(receipt)
        raise


async def complete(number: int) -> None:
    """Carry out checkout5 and await its result."""
    await checkout5(f"order-{number}")


async def fail(number: int) -> None:
    """Carry out the failing twin and await its failure."""
    try:
        await checkout5_fail(f"order-{number}")
    except CardDeclined:
        return
    message = "a failing checkout did not fail"
    raise AssertionError(message)


class _Witness:
    """Sees what DBOS's connections to its database are set to, and how often they commit."""

    def __init__(self, questions: tuple[str, ...]) -> None:
        self.commits = 0
        self.settings: set[tuple[str, ...]] = set()
        self._questions = questions
        sqlalchemy = importlib.import_module("sqlalchemy")
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", self._look)
        sqlalchemy.event.listen(sqlalchemy.Engine, "commit", self._count)

    # Any: a connection of whichever database driver SQLAlchemy uses.
    def _look(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        answers: list[str] = []
        for question in self._questions:
            cursor.execute(question)
            answers.append(f"{question.split()[-1]}={cursor.fetchone()[0]}")
        connection.rollback()
        self.settings.add(tuple(answers))

    def _count(self, _connection: object) -> None:
        self.commits += 1


async def measure(options: argparse.Namespace) -> dict[str, object]:
    """Measure one repeat; the warm-up is not counted in any figure."""
    url: str = options.url
    config: dict[str, object] = {
        "name": "checkout5",
        "system_database_url": url,
        # A workflow that fails is logged as an error; these are meant to.
        "log_level": "CRITICAL",
    }
    questions = ("SHOW synchronous_commit", "SHOW fsync")
    if url.startswith(_SQLITE):
        config["sys_db_pool_size"] = _SQLITE_CONNECTIONS
        questions = ("PRAGMA journal_mode", "PRAGMA synchronous")
        connection = sqlite3.connect(url.removeprefix(_SQLITE))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    witness = _Witness(questions)
    DBOS(config=config)
    DBOS.launch()
    run_once = fail if options.fails else complete
    await closed_loop(run_once, runs=options.warmup, clients=options.clients)
    commits_before = witness.commits
    seconds, latencies = await closed_loop(run_once, runs=options.runs, clients=options.clients)
    commits = witness.commits - commits_before
    DBOS.destroy()
    return {
        "version": version("dbos"),
        "settings": " | ".join(" ".join(answers) for answers in sorted(witness.settings)),
        "seconds": seconds,
        "latencies_ms": latencies,
        "commits": commits,
        "rss_mb": peak_rss_mb(),
    }


def main() -> None:
    """Measure what the command line asks for, and print it as one JSON object."""
    parser = argparse.ArgumentParser(description="checkout5 by DBOS, one repeat")
    parser.add_argument("--url", required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--fails", action="store_true")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
