"""Does a server from a wheel start, crash, recover and leave nothing behind?"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from makegood.testing.servers import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real

SETTINGS = {"work_mem": "5MB", "max_connections": "7"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(settings=SETTINGS) as server:
        yield server


async def asked(server: PostgresServer, sql: str) -> object:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_it_is_a_postgresql_18_on_loopback_whose_commits_reach_the_disk(
    server: PostgresServer,
) -> None:
    assert str(await asked(server, "SHOW server_version")).startswith("18.")
    assert await asked(server, "SHOW listen_addresses") == "127.0.0.1"
    assert await asked(server, "SHOW fsync") == "on"
    assert await asked(server, "SHOW synchronous_commit") == "on"


async def test_settings_that_are_asked_for_come_before_those_that_suit_tests(
    server: PostgresServer,
) -> None:
    assert await asked(server, "SHOW work_mem") == "5MB"
    assert await asked(server, "SHOW max_connections") == "7"
    assert await asked(server, "SHOW autovacuum") == "off"


@pytest.mark.parametrize("immediate", [True, False])
async def test_what_was_committed_is_there_after_a_stop_on_the_same_port(
    server: PostgresServer, *, immediate: bool
) -> None:
    url = server.url("orders")
    await asked(server, f"CREATE TABLE kept_{immediate} AS SELECT 7 AS n")

    await asyncio.to_thread(server.stop, immediate=immediate)
    with pytest.raises(OSError, match=str(server.port)):
        await asked(server, "SELECT 1")
    await asyncio.to_thread(server.start)

    assert await asked(server, f"TABLE kept_{immediate}") == 7
    assert server.url("orders") == url


def test_two_servers_stand_side_by_side_and_leave_nothing_behind() -> None:
    with PostgresServer() as one, PostgresServer() as two:
        ports = {one.port, two.port}
        folders = [server._made() for server in (one, two)]
        processes = [server._process.pid for server in (one, two) if server._process is not None]

    assert len(ports) == len(processes) == 2
    assert [folder.exists() for folder in folders] == [False, False]
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_server_that_does_not_start_says_why(server: PostgresServer) -> None:
    """It is not started a second time on a folder that another one uses."""
    second = PostgresServer()
    second._folder, second._programs = server._folder, server._programs
    second.port = server.port
    folder = Path(server._made())

    with pytest.raises(RuntimeError, match=r"(?s)did not start; it said: .*postmaster\.pid"):
        second.start()

    assert folder.exists()
