"""Does a server from a wheel start, crash, recover and leave nothing behind?"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from makegood.testing.servers import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real

SECONDS_MAX = 30.0
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
        folders = [server._child.folder for server in (one, two)]
        found = [server._child._process for server in (one, two)]
        processes = [process.pid for process in found if process is not None]

    assert len(ports) == len(processes) == 2
    assert [folder.exists() for folder in folders] == [False, False]
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_server_that_does_not_start_says_why(server: PostgresServer) -> None:
    """It is not started a second time on a folder that another one uses."""
    second = PostgresServer()
    second._child._folder, second._programs = server._child.folder, server._programs
    second.port = server.port
    folder = server._child.folder

    with pytest.raises(RuntimeError, match=r"(?s)did not start; it said: .*postmaster\.pid"):
        second.start()

    assert folder.exists()


LEFT_ALONE = """
import sys
from makegood.testing.servers import NatsServer, PostgresServer

with PostgresServer() as postgres, NatsServer() as nats:
    print(postgres.port, nats.port, flush=True)
    sys.stdin.read()
"""


def test_no_server_outlives_a_process_that_is_killed(open_folder: Path) -> None:
    environment = {**os.environ, "TMPDIR": os.fspath(open_folder)}
    with subprocess.Popen(
        [sys.executable, "-c", LEFT_ALONE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        ports = [int(port) for port in parent.stdout.readline().split()]
        folders = [*open_folder.iterdir()]
        answered = [answers(port) for port in ports]
        parent.kill()

    deadline = time.monotonic() + SECONDS_MAX
    while any(map(answers, ports)) or any(open_folder.iterdir()):
        assert time.monotonic() < deadline, f"there are still {[*open_folder.iterdir()]}"
        time.sleep(0.05)

    assert answered == [True, True]
    assert len(folders) == 2


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that the user may enter who runs a server for root."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
