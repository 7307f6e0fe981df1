"""How do leases go on while their runs are held? One task, on a connection of its own.

It looks six times in a lease and renews what is a sixth over or more, so that a lease is a third
over at most when its turn comes. A round trip that takes longer than a quarter of a lease is given
up together with its connection, which leaves time for another one. So one answer that never comes
costs no lease, and neither does a pool whose connections are all taken.

Safety rests on none of this: whoever has lost a run is refused by its epoch. A journal that cannot
renew only stops taking on more.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from makegood.journal.messages import LaneId
from makegood.journal.postgres.connection import (
    TROUBLE,
    Patience,
    drop,
    in_transaction,
    pause,
    said,
    within,
)
from makegood.values.ids import RunId, WorkerId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from makegood.journal.postgres.connection import Connection, Driver
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.working.leaseholds import Leaseholds

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Heartbeat"]

_LOOKS_PER_LEASE = 6
_ROUND_TRIPS_PER_LEASE = 4

_NOBODY: tuple[WorkerId, tuple[RunId, ...]] = (WorkerId(""), ())
"""What is renewed where nothing is held: the question shows that it would be answered."""

T = TypeVar("T")

_log = logging.getLogger("makegood")


class Heartbeat:
    """Renews the leases of what a journal holds, until it is ended."""

    def __init__(
        self, place: Place, driver: Driver, runs: Leaseholds[RunId], lanes: Leaseholds[LaneId]
    ) -> None:
        self._place = place
        self._driver = driver
        self._runs = runs
        self._lanes = lanes
        self._sql = f'SELECT * FROM "{place.schema}".renew($1, $2, $3)'
        self._sql_of_lanes = f'SELECT * FROM "{place.schema}".renew_lanes($1, $2, $3, $4)'
        self._answer_seconds_max = place.lease_seconds / _ROUND_TRIPS_PER_LEASE
        self._connection: Connection | None = None
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        """When the last question was sent that was answered."""
        self._is_cut_off = False
        self._task = self._loop.create_task(self._beat())
        self._task.add_done_callback(_tell_of_defect)

    @property
    def is_heard(self) -> bool:
        """Whether leases could be renewed in the last half of a lease, by this loop's clock."""
        return self._loop.time() - self._heard_at <= self._place.lease_seconds / 2

    async def end(self) -> None:
        """Renew no more, and close the connection."""
        self._task.cancel()
        await asyncio.wait([self._task])
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                async with within(connection, self._place.answer_seconds_max):
                    await connection.close(timeout=self._place.answer_seconds_max)
            except TROUBLE:
                drop(connection)

    async def _beat(self) -> None:
        between = self._place.lease_seconds / _LOOKS_PER_LEASE
        while True:
            with self._noticing_standstill(between):
                await pause(between)
            await self._renew_until_answered(between)

    async def _renew_until_answered(self, age_min: float) -> None:
        patience = Patience()
        while True:
            try:
                await self._renew(age_min)
            except TROUBLE as error:
                self._lose_connection()
                if not self._is_cut_off and not self.is_heard:
                    self._is_cut_off = True
                    _log.warning(
                        "no lease can be renewed at %s (%s); until one can, nothing new is begun "
                        "or claimed here",
                        self._place.shown,
                        said(error),
                    )
            else:
                if self._is_cut_off:
                    self._is_cut_off = False
                    _log.warning("leases are renewed at %s again", self._place.shown)
                return
            await patience.wait()

    async def _renew(self, age_min: float) -> None:
        """Renew everything that is held for so many seconds, in batches."""
        connection = await self._connected()
        for worker, runs in self._runs.aged(age_min) or [_NOBODY]:
            renewed, at = await self._ask(connection, self._question(worker, runs))
            self._runs.renewed(runs, renewed, at=at)
        for worker, lanes in self._lanes.aged(age_min):
            of_lanes, at = await self._ask(connection, self._question_of_lanes(worker, lanes))
            self._lanes.renewed(lanes, of_lanes, at=at)

    async def _ask(
        self, connection: Connection, question: Callable[[Connection], Awaitable[T]]
    ) -> tuple[T, float]:
        """Ask in time, and return the answer and when it was asked for."""
        sent_at = self._loop.time()
        with self._noticing_standstill(self._answer_seconds_max):
            async with within(connection, self._answer_seconds_max):
                if self._place.pooled:
                    answer = await in_transaction(connection, question)
                else:
                    answer = await question(connection)
        self._heard_at = sent_at
        return answer, sent_at

    def _question_of_lanes(
        self, worker: WorkerId, lanes: Sequence[LaneId]
    ) -> Callable[[Connection], Awaitable[set[LaneId]]]:
        async def renew(connection: Connection) -> set[LaneId]:
            rows = await connection.fetch(
                self._sql_of_lanes,
                worker,
                [each.recipient for each in lanes],
                [each.lane for each in lanes],
                self._place.lease_micros,
            )
            return {LaneId(recipient, lane) for recipient, lane in rows}

        return renew

    def _question(
        self, worker: WorkerId, runs: Sequence[RunId]
    ) -> Callable[[Connection], Awaitable[set[RunId]]]:
        async def renew(connection: Connection) -> set[RunId]:
            rows = await connection.fetch(self._sql, worker, runs, self._place.lease_micros)
            return {RunId(run) for (run,) in rows}

        return renew

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is None or connection.is_closed():
            with self._noticing_standstill(self._answer_seconds_max):
                async with asyncio.timeout(self._answer_seconds_max):
                    self._connection = connection = await self._driver.connect(self._place)
        return connection

    def _lose_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            drop(connection)

    @contextmanager
    def _noticing_standstill(self, seconds: float) -> Generator[None]:
        """Say so when what is awaited inside ends much later than it should have at the latest.

        Then nothing else ran here in the meantime either, or the process was stopped.
        """
        due = self._loop.time() + seconds
        try:
            yield
        finally:
            late = self._loop.time() - due
            if late > self._place.lease_seconds / 2:
                _log.warning(
                    "the event loop stood still for %.1f s, and leases last %g s: runs that were "
                    "held here may be somebody else's now; look for a step that blocks, and wrap "
                    "it in threaded()",
                    late,
                    self._place.lease_seconds,
                )


def _tell_of_defect(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("a defect ended the renewing of leases; please report it", exc_info=error)
