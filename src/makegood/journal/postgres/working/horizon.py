"""What keeps the server from removing old rows? A transaction that is open for too long, mostly.

While one is open anywhere in the database, no row that was there when it began can be removed, and
claims find their rows among more and more dead ones. A working journal looks once in a while for
the oldest of them, for a replication slot that nobody reads, and for a prepared transaction that
nobody ends, and says so in the log, once for each.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from makegood.journal.postgres.connection import TROUBLE, pause, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.postgres.connection import Connection, Row
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place

__all__ = ["HorizonWatch"]

# Who is not allowed to see when somebody else's transaction began still sees its identity, and so
# whether it is the same as before. The same holds for replication slots, which tell no time at
# all. What a VACUUM sees holds nothing back.
_HOLDERS = """
    SELECT format('process %s', pid) AS holder,
           coalesce(xact_start::text, backend_xid::text, backend_xmin::text) AS identity,
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
      FROM pg_stat_activity
     WHERE (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL) AND pid <> pg_backend_pid()
       AND (datname = current_database() OR datname IS NULL)
       AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
    UNION ALL
    SELECT format('replication slot %s', slot_name),
           coalesce(xmin::text, '') || '/' || coalesce(catalog_xmin::text, ''), NULL
      FROM pg_replication_slots
     WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
    UNION ALL
    SELECT format('prepared transaction %s', gid), transaction::text,
           extract(epoch FROM clock_timestamp() - prepared)::float8
      FROM pg_prepared_xacts
     WHERE database = current_database()
"""

_log = logging.getLogger("makegood")


class HorizonWatch:
    """Looks for what holds back the removal of old rows, until it is ended."""

    def __init__(self, place: Place, desk: Desk) -> None:
        self._place = place
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._seen: dict[tuple[str, str], float] = {}
        """When each holder that is there was seen first, by this loop's clock."""
        self._named: tuple[str, str] | None = None
        """The one that was warned of last."""
        self._task = self._loop.create_task(self._watch())
        self._task.add_done_callback(_tell_of_defect)

    async def end(self) -> None:
        """Look no more."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _watch(self) -> None:
        while True:
            await pause(self._place.transaction_seconds_max)
            try:
                rows = await self._desk.once(_holders, seconds=self._place.answer_seconds_max)
            except TROUBLE as error:
                # It may be a right that is missing, or the server is away: others tell of that.
                _log.info("nothing can be said of old transactions: %s", said(error))
            else:
                self._judge(rows)

    def _judge(self, rows: Sequence[Row]) -> None:
        now = self._loop.time()
        seen: dict[tuple[str, str], float] = {}
        oldest: tuple[float, tuple[str, str]] | None = None
        for holder, identity, seconds in rows:
            key = (holder, identity)
            seen[key] = self._seen.get(key, now)
            age = now - seen[key] if seconds is None else seconds
            if oldest is None or age > oldest[0]:
                oldest = (age, key)
        self._seen = seen
        if oldest is None or oldest[0] < self._place.transaction_seconds_max:
            self._named = None
            return
        age, key = oldest
        if key != self._named:
            self._named = key
            _log.warning(
                "%s has kept a transaction open at %s for %.0f s; no old row can be removed before "
                "it ends, and finding work takes longer and longer: end it",
                key[0],
                self._place.shown,
                age,
            )


async def _holders(connection: Connection) -> list[Row]:
    return await connection.fetch(_HOLDERS)


def _tell_of_defect(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("a defect ended the watch over old transactions", exc_info=error)
