"""A process whose children die at every point of a run, each of them at one.

Called with the database's address, the engine's schema, the path of the witness's book and the
name of a workflow. A first child carries out one run and tells its points: every call to the
server, before it is sent and when its answer has come but nothing has used it. Then a child is
forked for each point, which carries out a run of its own and kills itself there. A point is known
by its call and by how often there was such a call before, so that what goes on beside a run does
not shift it. Every line that is said has the number of a run, what became of it, and the point.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, Engine
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from tests.journal.postgres.faults.shop import Shop, drink, drop, order
from tests.journal.postgres.faults.watched import Moment, WatchedDriver
from tests.runtime.child import Book
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WORKFLOWS", "main"]

WORKFLOWS = {each.plan.workflow: each for each in (drink, order, drop)}

DIES_OPENING = "drink"
"""Opening is the same for all: its points are those of this workflow alone."""

LEASE_SECONDS = 600.0
"""Long: nobody takes over from a dead child before the test says so."""

SELDOM = timedelta(seconds=60)
"""The children do not look for work: what they do beside their run would only cost time."""

AT_ONCE = 4
CHARACTERS = 60

Point = tuple[str, str, int]
"""A call, the moment, and how often there was the same before."""


class Points:
    """Counts the points of a process, and ends it at one of them."""

    def __init__(self, fatal: Point | None) -> None:
        self.passed: list[Point] = []
        self.opening: int = 0
        """How many of them were passed before the engine was open."""
        self._fatal = fatal
        self._counts: Counter[tuple[str, str]] = Counter()

    def pass_by(self, moment: Moment, sent: str) -> None:
        call = " ".join(sent.split())[:CHARACTERS]
        point = (call, moment.name, self._counts[call, moment.name])
        self._counts[call, moment.name] += 1
        self.passed.append(point)
        if point == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


async def carry_out(place: Place, book: str, trip: str, points: Points) -> None:
    """Start a run and carry it out, up to the fatal point."""
    name, _space, _number = trip.partition(" ")
    engine = Engine(
        PostgresJournal(place, driver=WatchedDriver(points.pass_by)),
        services={Outside: Book(book)},
        extensions=[Shop()],
        config=Config(shutdown_grace=timedelta(0), poll_min=SELDOM, poll_max=SELDOM),
    )
    async with engine:
        points.opening = len(points.passed)
        engine.serve(*WORKFLOWS.values())
        await (await engine.start(WORKFLOWS[name](trip), key=trip)).outcome()


def main(dsn: str, schema: str, book: str, name: str) -> None:
    """Let a child die at every point of a run."""
    place = Place(dsn=dsn, schema=schema, lease_seconds=LEASE_SECONDS, connections_max=2)
    points = _rehearsed(place, book, f"{name} 0")
    at_work: dict[int, int] = {}
    for number, point in enumerate(points, 1):
        if len(at_work) == AT_ONCE:
            _await_one(at_work, points)
        child = os.fork()
        if child == 0:
            asyncio.run(carry_out(place, book, f"{name} {number}", Points(point)))
            os._exit(0)
        at_work[child] = number
    while at_work:
        _await_one(at_work, points)


def _rehearsed(place: Place, book: str, trip: str) -> list[Point]:
    """Return the points of a run, as a child passes by them."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        points = Points(None)
        asyncio.run(carry_out(place, book, trip, points))
        is_opening = trip.startswith(DIES_OPENING)
        with os.fdopen(writing, "w") as told:
            json.dump(points.passed[0 if is_opening else points.opening :], told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        passed = [(call, moment, count) for call, moment, count in json.load(told)]
    os.waitpid(child, 0)
    return passed


def _await_one(at_work: dict[int, int], points: Sequence[Point]) -> None:
    child, status = os.wait()
    number = at_work.pop(child)
    assert status in {0, signal.SIGKILL}, "a child ends well or is killed"
    call, moment, _count = points[number - 1]
    became = "killed" if status else "ended"
    sys.stdout.write(f"{number} {became} {moment} {call}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
