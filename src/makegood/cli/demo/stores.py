"""Where a demonstration keeps its books, and that it is the only one there.

A store is a file, a schema of a PostgreSQL database, or a server that is started for this one
demonstration and removed after it.
"""

from __future__ import annotations

import asyncio
import fcntl
import signal
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from makegood.commerce.bookshelf import gateway_path, is_address
from makegood.errors import InvalidInput, MakegoodError, StoreBusy, StoreRefused
from makegood.journal.address import open_journal
from makegood.journal.postgres.place import Place
from makegood.testing.servers import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Generator

    from makegood.journal.postgres.connection import Connection

__all__ = [
    "SERVED_HERE",
    "Store",
    "alone_at",
    "ending_in_order",
    "served_here",
    "storing",
    "with_lease",
]

SERVED_HERE = "postgres"
"""The word for a server that is started for this demonstration."""

LEASE_SECONDS = 2
"""How long a run stays with a worker that was killed, where the address does not say it."""

CLOSING_SECONDS_MAX = 5.0

_SQLITE = "sqlite:///"


class Store(NamedTuple):
    """A place that this demonstration has for itself."""

    address: str
    """Of the journal, as an engine takes it; the shop's books are in the same database."""
    gateway: Path
    """The gateway's books."""
    again: str | None
    """What is given to the next demonstration to go on here; None: nothing is left of it."""


@contextmanager
def storing(asked: str | None) -> Generator[Store]:
    """Give the store that is asked for, or one in a folder that is removed afterwards.

    Raises `InvalidInput` for what names no store, `StoreBusy` while another demonstration is at
    work in it, and `StoreRefused` where something is missing that it needs.
    """
    if asked is None or asked == SERVED_HERE:
        with tempfile.TemporaryDirectory(prefix="makegood-demo-") as folder:
            if asked is None:
                path = Path(folder) / "shop.journal"
                yield Store(f"{_SQLITE}{path}", gateway_path(path), None)
                return
            with served_here() as url:
                address = with_lease(url)
                yield Store(address, Path(folder) / gateway_path(address), None)
    elif is_address(asked):
        address = with_lease(asked)
        with _alone_in_schema(address):
            yield Store(address, gateway_path(address).absolute(), asked)
    else:
        path = _checked(asked)
        with alone_at(path):
            yield Store(f"{_SQLITE}{path.absolute()}", gateway_path(path).absolute(), asked)


def _checked(asked: str) -> Path:
    path = Path(asked.removeprefix(_SQLITE))
    folder = path.absolute().parent
    if "://" in asked.removeprefix(_SQLITE) or path.is_dir() or not folder.is_dir():
        message = (
            f"--store {asked} is no place for a file; name a file in a folder that exists, "
            f"postgresql://user@host/database, or {SERVED_HERE}"
        )
        raise InvalidInput(message)
    return path


@contextmanager
def alone_at(path: Path) -> Generator[None]:
    """Keep a second demonstration out: the books can be compared only when nobody is at work."""
    with path.with_name(path.name + ".demo").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _taken(str(path)) from error
        yield


def _taken(where: str) -> StoreBusy:
    return StoreBusy(
        f"another demonstration is at work in {where}; wait for it, or name another store"
    )


def with_lease(address: str) -> str:
    """Say in an address how long a lease lasts, unless it does: a killed worker is soon followed.

    Nobody at work here takes longer over anything, and a demonstration is watched.
    """
    if "lease_seconds=" in address:
        return address
    return f"{address}{'&' if '?' in address else '?'}lease_seconds={LEASE_SECONDS}"


@contextmanager
def _alone_in_schema(address: str) -> Generator[None]:
    """Keep a second demonstration out of a schema, on whichever machine it is.

    The lock belongs to a transaction that stays open, so that it ends with this process, however
    that ends, and holds behind a pooler too.
    """
    # What is wrong with the address, or missing for it, is said where journals are opened.
    open_journal(address)
    from makegood.journal.postgres.connection import TROUBLE  # noqa: PLC0415 - an optional extra

    with asyncio.Runner() as runner:
        connection = runner.run(_locked(Place.of(address)))
        try:
            yield
        finally:
            # The server may have gone meanwhile, and the lock with it.
            with suppress(*TROUBLE):
                runner.run(connection.close(timeout=CLOSING_SECONDS_MAX))


async def _locked(place: Place) -> Connection:
    """Connect, and take the lock; `StoreBusy` while somebody else has it."""
    from makegood.journal.postgres import connection as driver  # noqa: PLC0415 - as above

    try:
        connection = await driver.ASYNCPG.connect(place)
        await connection.execute("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0")
        is_ours = await connection.fetchval(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('makegood demo ' || $1, 0))",
            place.schema,
        )
    except driver.TROUBLE as error:
        raise driver.refusal_to_connect(place, error) from error
    if not is_ours:
        connection.terminate()
        raise _taken(f"the schema {place.schema} of {place.shown}")
    return connection


@contextmanager
def served_here() -> Generator[str]:
    """Start a server, and stop it whether the demonstration ends or is ended."""
    server = PostgresServer()
    open_journal(server.url())
    with ending_in_order(), ExitStack() as running:
        try:
            running.enter_context(server)
        except LookupError as error:
            raise StoreRefused(str(error)) from None
        except RuntimeError as error:
            raise MakegoodError(str(error)) from error
        yield server.url()


@contextmanager
def ending_in_order() -> Generator[None]:
    """Have whoever ends the demonstration interrupt it, so that it stops what it has started."""
    ordinary = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, ordinary)
