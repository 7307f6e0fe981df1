"""The floor on PostgreSQL: one connection, and one call of a function with arrays for a batch."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.database import connected
from benchmarks.throughput.floor import FACTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from benchmarks.database import Database

__all__ = ["postgres_floor"]

_BATCH_MAX = 128
"""One half of 256 is written while the loop wakes the other half; all at once was slower."""

# The plan is pinned as the journal's is: without statistics it would join the whole table.
_SCHEMA = """
CREATE TABLE run (
    id text COLLATE "C" PRIMARY KEY, workflow text, fingerprint text, input_hash text, status text,
    seq bigint, inbox_head bigint, epoch bigint, claims bigint, owner text,
    wake_at bigint, created_at bigint, ended_at bigint
) WITH (fillfactor = 50);
CREATE INDEX run_due ON run (wake_at) WHERE wake_at IS NOT NULL;
CREATE TABLE facts (
    run text COLLATE "C", seq bigint, epoch bigint, token bytea, at bigint, body bytea,
    PRIMARY KEY (run, seq)
);
CREATE FUNCTION write(runs text[], seqs bigint[], lasts boolean[], tokens bytea[], bodies bytea[])
RETURNS bigint LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_material = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
    written bigint;
BEGIN
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(runs, seqs, lasts, tokens, bodies)
                   AS given (id, seq, is_last, token, body)
    ), made AS (
        INSERT INTO run
        SELECT id, 'checkout5', 'f0e1d2c3b4a59687', 'a1b2c3d4e5f60718', 'running', 1, 0, 1, 0,
               'w', 4102444800000000, 1, NULL
          FROM given WHERE seq = 1
        RETURNING id
    ), moved AS (
        UPDATE run
           SET seq = given.seq, claims = 0,
               status = CASE WHEN given.is_last THEN 'completed' ELSE 'running' END,
               owner = CASE WHEN NOT given.is_last THEN run.owner END,
               wake_at = CASE WHEN NOT given.is_last THEN run.wake_at END,
               ended_at = CASE WHEN given.is_last THEN 2 END
          FROM given
         WHERE run.id = given.id AND run.epoch = 1 AND run.seq = given.seq - 1
           AND run.inbox_head = 0
        RETURNING run.id
    ), recorded AS (
        INSERT INTO facts
        SELECT given.id, given.seq, 1, given.token, 1, given.body
          FROM given
    )
    SELECT (SELECT count(*) FROM made) + (SELECT count(*) FROM moved) INTO written;
    RETURN written;
END $$;
"""
_WRITE = "SELECT write($1, $2, $3, $4, $5)"

_Waiting = tuple[str, int, bool, asyncio.Future[None]]


@asynccontextmanager
async def postgres_floor(url: str) -> AsyncGenerator[_Writer, None]:
    """Provide what appends to a fresh database."""
    async with connected(url) as connection:
        await connection.execute(_SCHEMA)
        writer = _Writer(connection)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(writer.write())
            yield writer
            task.cancel()


class _Writer:
    """One task that writes whatever waits, in one round trip."""

    def __init__(self, connection: Database) -> None:
        self.commits = 0
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._bell = asyncio.Event()

    def append(self, run: str, seq: int, *, is_last: bool) -> asyncio.Future[None]:
        durable: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((run, seq, is_last, durable))
        self._bell.set()
        return durable

    async def write(self) -> None:
        """Write what waits, for ever; whoever waits is woken while the next batch is on its way."""
        while await self._bell.wait():
            batch, self._waiting = self._waiting[:_BATCH_MAX], self._waiting[_BATCH_MAX:]
            if not self._waiting:
                self._bell.clear()
            runs, seqs, lasts, _ = zip(*sorted(batch), strict=True)
            tokens = [secrets.token_bytes(16) for _ in batch]
            written = await self._connection.fetchval(
                _WRITE, runs, seqs, lasts, tokens, [FACTS] * len(batch)
            )
            assert written == len(batch), f"{written} of {len(batch)} appends were written"
            self.commits += 1
            self._loop.call_soon(_wake, batch)


def _wake(batch: list[_Waiting]) -> None:
    for *_, durable in batch:
        if not durable.cancelled():
            durable.set_result(None)
