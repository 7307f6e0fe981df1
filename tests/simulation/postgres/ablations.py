"""Every safeguard of the journal in PostgreSQL that is taken away, to show that it is missed."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from makegood.journal.postgres.appending import AppendJob, verdict_instead
from makegood.journal.postgres.connection import TROUBLE, Fault, Patience, fault_of
from makegood.journal.postgres.desk import Desk
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.writer import Writer
from makegood.journal.protocol import Applied, Conflict
from tests.simulation.ablations import Caught
from tests.simulation.postgres.driver import SimulatedDriver, SimulatedPool
from tests.simulation.postgres.keeping import in_postgres
from tests.simulation.postgres.statements import SCHEMA
from tests.simulation.world import play

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.journal.postgres.connection import Row
    from makegood.journal.postgres.place import Place
    from makegood.journal.protocol import Append, Journal
    from tests.simulation.postgres.driver import SimulatedConnection
    from tests.simulation.postgres.keeping import Connect
    from tests.simulation.postgres.server import Server

__all__ = ["ABLATIONS", "SEEDS_MAX", "PostgresAblation", "first_caught"]

SEEDS_MAX = 300
"""In how many worlds the lack of a safeguard must show."""


@dataclass(frozen=True, kw_only=True)
class PostgresAblation:
    """A journal that lacks one safeguard."""

    name: str
    removes: str
    """The safeguard, in a sentence."""
    connected: Connect
    """Makes the journal of a process."""


def first_caught(ablation: PostgresAblation) -> Caught | None:
    """Return the first world in which the lack of a safeguard shows, or None."""
    keep = in_postgres(ablation.connected)
    for seed in range(SEEDS_MAX):
        played = play(seed, keep=keep)
        if played.violations:
            return Caught(seed, played.violations[0])
    return None


# What becomes of a batch ------------------------------------------------------------------------


def _writer_that(deals: Callable[[Writer, Sequence[AppendJob], Fault], Awaitable[bool]]) -> Connect:
    """Return what makes journals whose writer deals with some trouble in another way."""

    class Other(Writer):
        async def _write_until_known(self, batch: Sequence[AppendJob], **told: Any) -> None:
            try:
                await self._write(batch)
            except TROUBLE as error:
                if not await deals(self, batch, fault_of(error)):
                    await super()._write_until_known(batch, **told)

    return _with(writer=Other)


async def _tell_failure(writer: Writer, batch: Sequence[AppendJob], fault: Fault) -> bool:
    if fault is Fault.GONE:
        writer._drop_connection()
        for job in batch:
            job.outcome = Conflict()
    return fault is Fault.GONE


async def _read_instead(writer: Writer, batch: Sequence[AppendJob], fault: Fault) -> bool:
    if fault is not Fault.GONE:
        return False
    writer._drop_connection()
    patience = Patience()
    while True:
        try:
            connection = await writer._driver.connect(writer._place)
            for job in batch:
                job.outcome = await verdict_instead(connection, SCHEMA, job.append)
        except TROUBLE:
            await patience.wait()
        else:
            connection.terminate()
            return True


async def _name_anew(writer: Writer, batch: Sequence[AppendJob], fault: Fault) -> bool:
    if fault is not Fault.GONE:
        return False
    writer._drop_connection()
    renamed = [AppendJob(_renamed(job.append)) for job in batch]
    await writer._write_until_known(renamed)
    for job, other in zip(batch, renamed, strict=True):
        job.outcome = other.outcome
    return True


def _renamed(append: Append) -> Append:
    token = sha256(append.token).digest()[: len(append.token)]
    return msgspec.structs.replace(append, token=token)


async def _take_busy_for_done(_writer: Writer, batch: Sequence[AppendJob], fault: Fault) -> bool:
    if fault is Fault.AGAIN:
        for job in batch:
            job.outcome = Applied()
    return fault is Fault.AGAIN


class _HastyDesk(Desk):
    """Takes a step's transaction whose end is not known for one that was not written."""

    async def once(self, *asked: Any, **how: Any) -> Any:
        try:
            return await super().once(*asked, **how)
        except TROUBLE as error:
            if fault_of(error) is Fault.GONE:
                return Conflict()
            raise


def _with(*, writer: type[Writer] = Writer, desk: type[Desk] = Desk) -> Connect:
    """Return what makes journals whose parts are others."""

    class Other(PostgresJournal):
        async def open(self, **how: Any) -> None:
            await super().open(**how)
            assert self._opened is not None
            # They are made inside; nothing has been asked of them yet.
            self._opened.writer.__class__ = writer
            self._opened.steps_desk.__class__ = desk

    return lambda place, driver, _server: Other(place, driver=driver)


# What becomes of a connection -------------------------------------------------------------------


class _Around:
    """A connection that does what the one inside does, but for what a subclass takes away."""

    def __init__(self, connection: SimulatedConnection) -> None:
        self._connection = connection

    # Any: whatever the connection inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class _KeptOpen(_Around):
    def terminate(self) -> None:
        """Leave it as it is, with the answer that it still owes."""


class _KeepsLost(SimulatedDriver):
    """Its pools give out connections again that were given up on."""

    def __init__(self, driver: SimulatedDriver) -> None:
        self.__dict__.update(driver.__dict__)
        self._inside = driver

    async def pool_of(self, place: Place) -> SimulatedPool:
        return SimulatedPool(_Wrapping(self._inside, _KeptOpen), place)


class _Wrapping(SimulatedDriver):
    """Wraps every connection that it makes."""

    def __init__(
        self, driver: SimulatedDriver, around: Callable[[SimulatedConnection], Any]
    ) -> None:
        self.__dict__.update(driver.__dict__)
        self._around = around

    async def connect(self, place: Place) -> Any:
        return self._around(await super().connect(place))

    async def pool_of(self, place: Place) -> SimulatedPool:
        return SimulatedPool(self, place)


def _keeping_lost(place: Place, driver: SimulatedDriver, _server: Server) -> Journal:
    return PostgresJournal(place, driver=_KeepsLost(driver))


def _renewing_all(place: Place, driver: SimulatedDriver, server: Server) -> Journal:
    workers: set[str] = set()

    class RenewsAll(_Around):
        """Renews what the server says that a worker holds, whether the worker knows it or not."""

        async def fetch(self, query: str, *args: Any, **how: Any) -> list[Row]:
            if ".lease(" in query:
                workers.add(args[0])
            if ".renew(" in query and workers:
                (worker,) = workers
                held = [row.run for row in server.store.records.values() if row.owner == worker]
                args = (worker, held, *args[2:])
            return await self._connection.fetch(query, *args, **how)

    return PostgresJournal(place, driver=_Wrapping(driver, RenewsAll))


ABLATIONS = (
    PostgresAblation(
        name="commit told as failed",
        removes="An error from a commit is not a failure: the same is written again.",
        connected=_writer_that(_tell_failure),
    ),
    PostgresAblation(
        name="commit of a step told as failed",
        removes="The same holds for the transaction of a step.",
        connected=_with(desk=_HastyDesk),
    ),
    PostgresAblation(
        name="read instead",
        removes="What a read does not find may still be committed: only writing tells.",
        connected=_writer_that(_read_instead),
    ),
    PostgresAblation(
        name="named anew",
        removes="What is written again has the same token.",
        connected=_writer_that(_name_anew),
    ),
    PostgresAblation(
        name="busy told as done",
        removes="What others are in the way of is not written.",
        connected=_writer_that(_take_busy_for_done),
    ),
    PostgresAblation(
        name="lost connection kept",
        removes="A connection on which an answer is owed is never used again.",
        connected=_keeping_lost,
    ),
    PostgresAblation(
        name="everything renewed",
        removes="A claim whose answer was lost is not renewed, and ends with its lease.",
        connected=_renewing_all,
    ),
)
"""What is taken away, one at a time."""
