"""Does the journal keep its promises behind a real PgBouncer that hands out transactions?"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from makegood.journal.postgres.place import Place
from tests.journal.contract import *  # noqa: F403 - the suite that every journal passes
from tests.journal.postgres.faults.day import day_at
from tests.journal.postgres.served import PostgresWorld, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from makegood.testing.servers import PostgresServer

pytestmark = pytest.mark.real

_numbers = count(1)

SETTINGS = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
reserve_pool_size = 0
server_reset_query_always = 0
"""


def installed() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(frozen=True)
class Pooler:
    """A pooler that was started, and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    async def listens(self) -> bool:
        assert self.process.poll() is None, "pgbouncer runs"
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@pytest.fixture(scope="module")
def pooler(server: PostgresServer) -> Iterator[Pooler]:
    """A pooler before the server; three sessions serve everybody of a database."""
    program = installed()
    if program is None:
        pytest.skip("the program pgbouncer is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="makegood-pgbouncer-"))
    users = folder / "users"
    users.write_text('"postgres" ""\n')
    settings = folder / "pgbouncer.ini"
    settings.write_text(SETTINGS.format(server_port=server.port, port=port, users=users))
    # It refuses to be run by root, and whoever runs it reads its settings.
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        for path in (folder, users, settings):
            shutil.chown(path, user)
    process = subprocess.Popen(
        [program, settings], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Pooler(process, port)
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder)


@pytest.fixture
async def world(server: PostgresServer, pooler: Pooler) -> AsyncGenerator[PostgresWorld, None]:
    """A database of its own: behind a pooler a session's search path is nobody's."""
    await eventually(pooler.listens)
    name = f"pooled_{next(_numbers)}"
    async with connected(server.url()) as outside:
        await outside.execute(f"CREATE DATABASE {name}")
    dsn = server.url(name)
    place = Place(dsn=dsn.replace(f":{server.port}/", f":{pooler.port}/"), pooled=True)
    world = PostgresWorld(place, dsn, is_ours=True)
    yield world
    await world.close()
    async with connected(server.url()) as outside:
        # The pooler keeps its sessions for whoever comes next.
        await outside.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_an_engine_works_behind_a_pooler_whose_server_connections_are_ended(
    world: PostgresWorld,
) -> None:
    async with day_at(replace(world.place, connections_max=8)) as day, world.outside() as outside:
        for _ in range(5):
            await outside.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            await day.gets_on()
