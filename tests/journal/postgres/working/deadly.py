"""Workers in processes of their own, of which one of their runs kills one after the other.

Called with the database's address and the engine's schema. This process forks each of them, which
is sooner than to start it anew, and says how many died before one found nothing left to do.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta

import asyncpg

from makegood import Engine, Filter, injected, step, workflow
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place

__all__ = ["Mill", "grind", "main"]

DEATHS_MAX = 20


class Mill:
    """Where one of those at work is deadly, and the others get on only when they are alone."""

    def __init__(self) -> None:
        self.at_work: set[str] = set()


async def grind_corn(name: str, *, mill: Mill = injected) -> str:
    mill.at_work.add(name)
    if name == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if len(mill.at_work) > 1:
        await asyncio.get_running_loop().create_future()
    mill.at_work.discard(name)
    return name


@workflow
def grind(name: str) -> str:
    """Do one thing."""
    return step(grind_corn, irreversible="test", key_valid_for=timedelta(days=1))(name)


async def main(dsn: str, schema: str) -> None:
    """Work until every run has ended or is parked, after all leases have run out."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(f'SET search_path = "{schema}"')
    await connection.execute("UPDATE run SET wake_at = 0 WHERE owner IS NOT NULL")
    await connection.close()
    journal = PostgresJournal(Place(dsn=dsn, schema=schema, lease_seconds=60))
    async with Engine(journal, services={Mill: Mill()}) as engine:
        engine.serve(grind)
        for row in (await engine.list(Filter())).rows:
            await engine.run(row.run).outcome()


def deaths(dsn: str, schema: str) -> int:
    """Fork one worker after the other, and return how many died."""
    for died in range(DEATHS_MAX):
        process = os.fork()
        if not process:
            asyncio.run(main(dsn, schema))
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            return died
    return DEATHS_MAX


if __name__ == "__main__":
    os.write(1, f"{deaths(sys.argv[1], sys.argv[2])}\n".encode())
