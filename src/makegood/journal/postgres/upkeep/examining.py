"""Can the engine rely on this server and this schema? Each look is a check; nothing is changed.

A check that this user has no right to make is a warning and no failure: the others still tell.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.errors import StoreRefused
from makegood.journal.postgres.connection import (
    TROUBLE,
    Fault,
    fault_of,
    refusal_to_connect,
    said,
    within,
)
from makegood.journal.postgres.opening import (
    DURABLE,
    SERVER_MAJOR_MIN,
    number_of,
    scripts,
)
from makegood.journal.upkeep import Check, Health, indexes_check, indexes_made, lag, schema_check
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.journal.postgres.connection import Connection, Driver
    from makegood.journal.postgres.place import Place
    from makegood.journal.upkeep import Bounds

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Examiner"]

_TOO_LONG = 5
"""How many times a bound is wrong, and no warning any more."""

_POOLER_SECONDS_MAX = 3.0
"""How long a second connection is waited for that shows whether the first keeps its session."""

_CLOSE_SECONDS_MAX = 5.0

_TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

_PROTOCOL_VIOLATION = "08P01"

_MICROS = 1_000_000


class Examiner:
    """Looks at one schema and its server, on one connection and for a moment a second one."""

    def __init__(
        self, place: Place, driver: Driver, bounds: Bounds, now: Callable[[], Instant]
    ) -> None:
        self._place = place
        self._driver = driver
        self._bounds = bounds
        self._now = now

    async def examine(self) -> tuple[Check, ...]:
        """Connect, make every check, and close; `StoreBusy` when there is no connection."""
        try:
            connection = await self._driver.connect(self._place)
        except TROUBLE as error:
            # A transaction pooler refuses the settings of a session.
            if getattr(error, "sqlstate", None) == _PROTOCOL_VIOLATION:
                says = f"what answers is no server, but stands before one: {said(error)}"
                return (_pooler_unnamed(says),)
            raise refusal_to_connect(self._place, error) from error
        try:
            return tuple(await self._examine(connection))
        finally:
            if not connection.is_closed():
                await connection.close(timeout=_CLOSE_SECONDS_MAX)

    async def _examine(self, connection: Connection) -> list[Check]:
        looks: list[tuple[str, Callable[[Connection], Awaitable[Sequence[Check]]]]] = [
            ("server", self._server),
            ("settings", self._settings),
            ("connections", self._connections),
            ("clock", self._clock),
            ("pooler", self._pooler),
            ("transactions", self._transactions),
            ("schema", self._schema),
        ]
        checks: list[Check] = []
        for name, look in looks:
            checks += await self._looked(connection, name, look)
        if any(each.name == "schema" and each.health is Health.OK for each in checks):
            checks += await self._looked(connection, "indexes", self._indexes)
            checks += await self._looked(connection, "lag", self._lag)
            checks += await self._looked(connection, "leases", self._leases)
        return checks

    async def _looked(
        self,
        connection: Connection,
        name: str,
        look: Callable[[Connection], Awaitable[Sequence[Check]]],
    ) -> Sequence[Check]:
        try:
            async with within(connection, self._place.answer_seconds_max):
                return await look(connection)
        except TROUBLE as error:
            if fault_of(error) is Fault.GONE or connection.is_closed():
                raise refusal_to_connect(self._place, error) from error
            says = f"this user cannot look: {said(error)}"
            return (
                Check(name=name, health=Health.WARNING, says=says, remedy="grant it the right"),
            )

    # The server -------------------------------------------------------------------------------

    async def _server(self, connection: Connection) -> Sequence[Check]:
        major = int(await connection.fetchval("SHOW server_version_num")) // 10_000
        says = f"PostgreSQL {await connection.fetchval('SHOW server_version')}"
        if major >= SERVER_MAJOR_MIN:
            return (Check(name="server", health=Health.OK, says=says),)
        remedy = f"upgrade it to {SERVER_MAJOR_MIN} or newer"
        return (Check(name="server", health=Health.WRONG, says=says, remedy=remedy),)

    async def _settings(self, connection: Connection) -> Sequence[Check]:
        names = [*DURABLE, "data_checksums", *(_TIMEOUTS if self._place.pooled else ())]
        rows = await connection.fetch(
            "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", names
        )
        found = {str(name): str(setting) for name, setting in rows}
        checks = [
            Check(
                name="settings",
                health=Health.WRONG,
                says=f"{name} is off, which loses what was acknowledged",
                remedy=f"set {name} = on",
            )
            for name in DURABLE
            if found[name] == "off"
        ]
        if found["data_checksums"] == "off":
            remedy = "enable them with pg_checksums while the server is stopped"
            says = "data_checksums is off, so a page that the disk damaged is not noticed"
            checks.append(Check(name="settings", health=Health.WARNING, says=says, remedy=remedy))
        checks += [
            Check(
                name="settings",
                health=Health.WARNING,
                says=f"{name} is 0, and behind a pooler no engine can set it for itself",
                remedy=f"ALTER ROLE … SET {name} = '10s'",
            )
            for name in _TIMEOUTS
            if found.get(name) == "0"
        ]
        return checks or (
            Check(name="settings", health=Health.OK, says="as durability needs them"),
        )

    async def _connections(self, connection: Connection) -> Sequence[Check]:
        row = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
                   current_setting('max_connections')::bigint
                   - current_setting('superuser_reserved_connections')::bigint
                   - coalesce(current_setting('reserved_connections', true), '0')::bigint
            """
        )
        assert row is not None, "a statement without FROM has a row"
        used, allowed = row
        # One writes, one renews leases, one listens, and there are two pools.
        wanted = 3 + 2 * self._place.connections_max
        says = f"{used} of {allowed} are used"
        if allowed - used >= wanted:
            return (Check(name="connections", health=Health.OK, says=says),)
        return (
            Check(
                name="connections",
                health=Health.WARNING,
                says=f"{says}, and one more worker may need {wanted}",
                remedy="raise max_connections, or let a pooler stand between",
            ),
        )

    async def _clock(self, connection: Connection) -> Sequence[Check]:
        before = self._now()
        told: int = await connection.fetchval(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        )
        after = self._now()
        # The server told its time somewhere in between, so that much is not known.
        apart = max(before - told, told - after, 0) / _MICROS
        if apart <= self._bounds.skew_seconds:
            says = "this host and the server tell the same time"
            return (Check(name="clock", health=Health.OK, says=says),)
        return (
            Check(
                name="clock",
                health=Health.WARNING,
                says=f"this host and the server are {apart:,.1f} s apart",
                remedy="synchronize both: timers go by this host, and leases by the server",
            ),
        )

    async def _pooler(self, connection: Connection) -> Sequence[Check]:
        before = await connection.fetchval("SELECT pg_backend_pid()")
        try:
            async with asyncio.timeout(_POOLER_SECONDS_MAX):
                other = await self._driver.connect(self._place)
                try:
                    # Whoever pools sessions gives the one that is free to this transaction.
                    await other.execute("BEGIN")
                    now = await connection.fetchval("SELECT pg_backend_pid()")
                finally:
                    other.terminate()
        except TROUBLE as error:
            says = f"a second connection tells nothing: {said(error)}"
            return (Check(name="pooler", health=Health.WARNING, says=says),)
        if before != now and not self._place.pooled:
            return (_pooler_unnamed("two transactions of one connection had two sessions"),)
        how = "a pooler stands between" if before != now else "a connection keeps its session"
        return (Check(name="pooler", health=Health.OK, says=how),)

    async def _transactions(self, connection: Connection) -> Sequence[Check]:
        """Look for what holds vacuum back: dead rows stay, and every look gets slower."""
        row = await connection.fetchrow(
            """
            SELECT who, seconds::float8 FROM (
                SELECT 'process ' || pid, extract(epoch FROM clock_timestamp() - xact_start)
                  FROM pg_stat_activity
                 WHERE xact_start IS NOT NULL AND backend_type = 'client backend'
                   AND pid <> pg_backend_pid()
                UNION ALL
                SELECT 'the prepared transaction ' || gid,
                       extract(epoch FROM clock_timestamp() - prepared)
                  FROM pg_prepared_xacts
            ) AS open (who, seconds)
             ORDER BY seconds DESC LIMIT 1
            """
        )
        slots = await connection.fetch(
            """
            SELECT slot_name FROM pg_replication_slots
             WHERE NOT active AND (xmin IS NOT NULL OR catalog_xmin IS NOT NULL)
            """
        )
        checks = [
            Check(
                name="transactions",
                health=Health.WARNING,
                says=f"the replication slot {name} holds back vacuum, and nobody uses it",
                remedy="start its consumer, or drop it with pg_drop_replication_slot",
            )
            for (name,) in slots
        ]
        bound = self._bounds.transaction_seconds
        if row is not None and row[1] > bound:
            who, seconds = row
            is_wrong = seconds > bound * _TOO_LONG
            checks.append(
                Check(
                    name="transactions",
                    health=Health.WRONG if is_wrong else Health.WARNING,
                    says=f"{who} has a transaction open for {seconds:,.0f} s: vacuum waits for it",
                    remedy="end it: pg_terminate_backend(process), or ROLLBACK PREPARED",
                )
            )
        if checks:
            return checks
        oldest = "none is open" if row is None else f"the oldest is {row[1]:.1f} s old"
        return (Check(name="transactions", health=Health.OK, says=oldest),)

    # The schema -------------------------------------------------------------------------------

    async def _schema(self, connection: Connection) -> Sequence[Check]:
        try:
            number = await number_of(connection, self._place.schema)
        except StoreRefused as error:
            remedy = "name the engine's own schema with ?schema= in the address"
            return (Check(name="schema", health=Health.WRONG, says=str(error), remedy=remedy),)
        return (schema_check(number, len(scripts())),)

    async def _indexes(self, connection: Connection) -> Sequence[Check]:
        rows = await connection.fetch(
            """
            SELECT relname::text, indisvalid AND indisready FROM pg_index
              JOIN pg_class ON pg_class.oid = indexrelid
             WHERE relnamespace = to_regnamespace($1)
            """,
            self._place.schema,
        )
        there = {str(name): bool(is_valid) for name, is_valid in rows}
        wanted = indexes_made(scripts())
        invalid = [name for name, is_valid in there.items() if not is_valid]
        return (indexes_check(wanted - there.keys(), invalid),)

    async def _lag(self, connection: Connection) -> Sequence[Check]:
        oldest: int | None = await connection.fetchval(
            f"""
            SELECT min(wake_at) FROM "{self._place.schema}".run
             WHERE wake_at IS NOT NULL AND owner IS NULL
            """
        )
        now = self._now()
        due = None if oldest is None or oldest > now else Instant(oldest)
        return (lag(due, now, self._bounds),)

    async def _leases(self, connection: Connection) -> Sequence[Check]:
        """Look for runs whose holder has died and which nobody claims."""
        schema = self._place.schema
        over = round(self._bounds.lease_seconds_over * _MICROS)
        count = await connection.fetchval(
            f"""
            SELECT count(*) FROM "{schema}".run
             WHERE wake_at IS NOT NULL AND owner IS NOT NULL
               AND wake_at < "{schema}".server_now() - $1::bigint
            """,
            over,
        )
        if not count:
            return (Check(name="leases", health=Health.OK, says="none is long over"),)
        return (
            Check(
                name="leases",
                health=Health.WRONG,
                says=f"runs that workers held who are gone, and that nobody claims: {count}",
                remedy="start a worker that serves them; see `makegood stuck --app`",
            ),
        )


def _pooler_unnamed(says: str) -> Check:
    remedy = "add pooled=1 to the address"
    return Check(name="pooler", health=Health.WRONG, says=says, remedy=remedy)
