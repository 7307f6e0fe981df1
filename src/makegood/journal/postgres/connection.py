"""What do we use of asyncpg? Its few methods, with types that can be checked, and its errors.

asyncpg has no annotations that checkers may rely on. Only this module makes connections, and
only it knows what the driver's errors and the server's codes mean for whoever was waiting.

With synchronous replication a COMMIT waits for its standby. Where that wait is cancelled it
answers as always, and a warning says that the commit may be on this server alone. Such an answer
acknowledges nothing: `within` takes it for a connection that was lost, so that the same is
written again. Whoever finds it written then waits for the standby too: see `appending.confirm`.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]

from makegood.errors import InvalidInput, StoreBusy, StoreRefused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from makegood.journal.postgres.place import Place

# The driver's methods take their own time-outs.
# ruff: noqa: ASYNC109

__all__ = [
    "ASYNCPG",
    "TROUBLE",
    "Connection",
    "Driver",
    "Fault",
    "Overtaken",
    "Patience",
    "Pool",
    "Row",
    "Unconfirmed",
    "drop",
    "fault_of",
    "in_transaction",
    "is_lost",
    "only_read",
    "pause",
    "refusal_to_connect",
    "roll_back",
    "said",
    "within",
]

_WAITS_FOR_STANDBY = "syncrep.c"
_SPEAKS_NO_TLS = "rejected SSL upgrade"
"""What the driver says, in these words alone, of a server without TLS."""

_WAIT_SECONDS_MIN = 0.02
_WAIT_SECONDS_MAX = 1.0

T = TypeVar("T")

# Any: the driver's functions, which checkers cannot read; their answers are named below.
_driver: Any = asyncpg


class Overtaken(Exception):
    """What was in the way of a write has gone while it was looked at: nothing was written."""

    sqlstate = "40001"
    """What the server says of transactions that are in each other's way."""


TROUBLE: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    Overtaken,
    # What cannot be encoded or is not of the parameter's type.
    ValueError,
    TypeError,
    OverflowError,
)
"""What the driver raises, for the server, the network or itself; a time-out is an `OSError`."""

_SETTINGS = {
    "application_name": "makegood",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "5s",
    # Less would hide the warning of a commit that its standby has not confirmed.
    "client_min_messages": "warning",
    "tcp_user_timeout": "10s",
}
"""Bounds on the server's side, for when this side is gone. A pooler would hand them to others,
so that behind one they belong to the role."""


class Row(Protocol):
    """One row of an answer."""

    # Any: a value of whatever type its column has.
    def __getitem__(self, place: int | str) -> Any: ...
    def __iter__(self) -> Any: ...


class Connection(Protocol):
    """A connection to PostgreSQL; see asyncpg's reference for each of these."""

    # Any: what is bound is whatever the statement's parameters are.
    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement, or a script without parameters, and return its tag."""
        ...

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Row]:
        """Run a statement and return its rows."""
        ...

    async def fetchrow(self, query: str, *args: Any) -> Row | None:
        """Run a statement and return its first row."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Run a statement and return the first value of its first row."""
        ...

    def is_closed(self) -> bool:
        """Whether the connection is known to be closed."""
        ...

    async def add_listener(self, channel: str, callback: Callable[..., object]) -> None:
        """Call back with the connection, a process, the channel and what was said on it."""
        ...

    def add_termination_listener(self, callback: Callable[..., object]) -> None:
        """Call back once the connection is closed, by whichever side."""
        ...

    def add_log_listener(self, callback: Callable[..., None]) -> None:
        """Call back with the connection and whatever it is warned of, before its answer."""
        ...

    def remove_log_listener(self, callback: Callable[..., None]) -> None:
        """Do so no more."""
        ...

    async def close(self, *, timeout: float) -> None:
        """Say good-bye and close."""
        ...

    def terminate(self) -> None:
        """Close the socket at once; what was under way may or may not be done."""
        ...


class Pool(Protocol):
    """A pool of connections."""

    async def acquire(self) -> Connection:
        """Take a connection, made when none is free; wait while all are taken."""
        ...

    async def release(self, connection: Connection, *, timeout: float) -> None:
        """Give one back, as it was."""
        ...

    async def expire_connections(self) -> None:
        """Have every connection replaced before it is used again."""
        ...

    async def close(self) -> None:
        """Wait until all are given back, and close them."""
        ...

    def terminate(self) -> None:
        """Close all of them at once."""
        ...


class Driver(Protocol):
    """What makes connections: asyncpg, or in a simulation something that stands for a server."""

    async def connect(self, place: Place) -> Connection:
        """Connect to a server that can be written to."""
        ...

    async def pool_of(self, place: Place) -> Pool:
        """Return a pool that connects when it is first used."""
        ...


class Notice(Protocol):
    """What the server says beside its answer."""

    message: str
    server_source_filename: str | None
    """Which of the server's own sources says it: its words are in the server's language."""


class Unconfirmed(ConnectionError):
    """A commit is on the server, and nobody knows whether it is on the standby too."""


class Fault(Enum):
    """What an error means for whoever waits."""

    GONE = "gone"
    """The connection is of no more use, and what was under way may or may not be written."""
    AGAIN = "again"
    """Nothing was written; the same will do when it is tried again."""
    FULL = "full"
    """Nothing was written, for there is no room."""
    REFUSED = "refused"
    """Nothing was written, for what was given does not fit."""
    BROKEN = "broken"
    """The store is not what it should be; trying again does not help."""


_FAULTS = {
    # By the server's code, then by its class.
    # A statement that was prepared on another session.
    "26000": Fault.GONE,
    "42P05": Fault.GONE,
    # A server that can only be read, as an old primary is after a failover.
    "25006": Fault.GONE,
    "25P03": Fault.GONE,
    "25P04": Fault.GONE,
    "40003": Fault.GONE,
    "53100": Fault.FULL,
    "53300": Fault.GONE,
    "55P03": Fault.AGAIN,
    "57014": Fault.AGAIN,
    "08": Fault.GONE,
    "22": Fault.REFUSED,
    "23": Fault.REFUSED,
    "28": Fault.GONE,
    "3D": Fault.GONE,
    "40": Fault.AGAIN,
    "53": Fault.AGAIN,
    "54": Fault.REFUSED,
    "57": Fault.GONE,
    "P0": Fault.REFUSED,
}


_OF_THE_SERVER_ITSELF = frozenset({"58", "XX"})
"""The classes of codes for its disk and for its own defects, whatever the statement was."""


def fault_of(error: Exception) -> Fault:
    """Say what an error of the driver, of the server or of the network means."""
    code = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        # It was prepared before the schema changed. What is not supported has the same code.
        return Fault.GONE
    if isinstance(code, str):
        return _FAULTS.get(code) or _FAULTS.get(code[:2], Fault.BROKEN)
    if isinstance(error, ValueError | TypeError | OverflowError):
        # The driver cannot encode what it was given; nothing was sent.
        return Fault.REFUSED
    if isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return Fault.GONE
    return Fault.BROKEN


def is_lost(connection: Connection, error: Exception) -> bool:
    """Say whether a statement failed for the store's sake: that is never recorded as its outcome.

    What the driver refuses before it sends anything leaves the connection open.
    """
    if isinstance(error, asyncpg.InterfaceError) and not _is_closed(connection):
        return False
    code = getattr(error, "sqlstate", None)
    if isinstance(code, str) and code[:2] in _OF_THE_SERVER_ITSELF:
        return True
    return fault_of(error) in {Fault.GONE, Fault.AGAIN, Fault.FULL}


class _Asyncpg:
    """The driver, over the network."""

    async def connect(self, place: Place) -> Connection:
        made: Connection = await _driver.connect(**_options(place))
        return made

    async def pool_of(self, place: Place) -> Pool:
        made: Pool = await _driver.create_pool(
            **_options(place), min_size=0, max_size=place.connections_max
        )
        return made


ASYNCPG: Driver = _Asyncpg()
"""The real one."""


class Patience:
    """Waits before something is tried again, twice as long each time, up to a second."""

    def __init__(self) -> None:
        self.seconds: float = _WAIT_SECONDS_MIN
        """How long the next wait is."""

    async def wait(self) -> None:
        """Wait, in real time."""
        await pause(self.seconds)
        self.seconds = min(self.seconds * 2, _WAIT_SECONDS_MAX)


async def pause(seconds: float) -> None:
    """Wait in real time: the server keeps no other."""
    await asyncio.sleep(seconds)


@asynccontextmanager
async def within(connection: Connection, seconds: float) -> AsyncGenerator[None]:
    """Bound everything that is awaited of a connection inside the `with` block.

    When the time is over, or when whoever waits is cancelled, the socket is closed: a connection
    whose answer nobody waits for is never used again. The same is done, and `Unconfirmed` raised,
    when a commit inside was not confirmed by its standby.
    """
    unconfirmed: list[str] = []

    def listen(_connection: object, notice: Notice) -> None:
        if notice.server_source_filename == _WAITS_FOR_STANDBY:
            unconfirmed.append(notice.message)

    connection.add_log_listener(listen)
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, asyncio.CancelledError):
        drop(connection)
        raise
    finally:
        with suppress(asyncpg.InterfaceError):
            connection.remove_log_listener(listen)
    if unconfirmed:
        drop(connection)
        message = f"a commit is not known to be on the standby: {unconfirmed[0]}"
        raise Unconfirmed(message)


async def in_transaction(
    connection: Connection, work: Callable[[Connection], Awaitable[T]], *, begin: str = "BEGIN"
) -> T:
    """Do the work in a transaction of its own; `begin` may set what holds only within it.

    A pooler keeps a transaction on one session.
    """
    await connection.execute(begin)
    try:
        done = await work(connection)
    except BaseException as error:
        await roll_back(connection, error)
        raise
    await connection.execute("COMMIT")
    return done


async def roll_back(connection: Connection, error: BaseException) -> None:
    """Roll back after an error, unless the connection is lost with it anyway.

    Whoever was cancelled has run out of time, and does not wait for one more answer.
    """
    if not (_is_closed(connection) or isinstance(error, asyncio.CancelledError)):
        await connection.execute("ROLLBACK")


def drop(connection: Connection) -> None:
    """Close the socket at once; a pool may have taken a closed connection back already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def _is_closed(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has taken it back, for it is closed.
        return True


def _options(place: Place) -> dict[str, Any]:  # Any: each option has its own type.
    options: dict[str, Any] = {
        "dsn": place.dsn,
        "timeout": place.answer_seconds_max,
    }
    if place.pooled:
        # Which server answers is asked by whoever opens, inside a transaction.
        options["statement_cache_size"] = 0
    else:
        lock_timeout = f"{round(place.lock_seconds_max * 1000)}ms"
        options["target_session_attrs"] = "read-write"
        options["server_settings"] = _SETTINGS | {"lock_timeout": lock_timeout}
    return options


def refusal_to_connect(place: Place, error: Exception) -> Exception:
    """Return the error that tells a person why there is no connection."""
    code = getattr(error, "sqlstate", None)
    where = place.shown
    if code in {"28000", "28P01"}:
        return StoreRefused(f"{where} does not let this user in ({error}); look at the password")
    if code == "3D000":
        return StoreRefused(f"{where} does not exist; create the database first")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return StoreRefused(only_read(place))
    if isinstance(error, ssl.SSLError) or _SPEAKS_NO_TLS in str(error):
        message = f"{where} cannot be talked to by TLS ({said(error)}); look at sslmode"
        return StoreRefused(message)
    if isinstance(error, ValueError | TypeError | OverflowError):
        return InvalidInput(f"the address of {where} cannot be used: {error}")
    if code == "53300":
        return StoreBusy(f"{where} has no connection left; close some, or allow more")
    return StoreBusy(f"{where} cannot be reached ({said(error)}); start it, or look at the address")


def only_read(place: Place) -> str:
    """Return what is said of a replica."""
    return f"{place.shown} can only be read; give the address of its primary server"


def said(error: Exception) -> str:
    """Return what an error says, or its name where it says nothing."""
    return str(error) or type(error).__name__
