"""A server that tests may break, and a world on it that is not patient."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from makegood.testing.servers import PostgresServer
from tests.journal.postgres.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from tests.journal.postgres.served import PostgresWorld

SECONDS_MAX = 10


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server that is stopped, filled and locked up by one test at a time."""
    with PostgresServer(settings={"max_connections": "20"}) as server:
        yield server


@pytest.fixture
async def world(server: PostgresServer) -> AsyncGenerator[PostgresWorld, None]:
    world = await Served(server.url(), is_ours=True).world(ask_seconds_max=1.0)
    yield world
    await world.close()


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    """A disk that is soon full, mounted where the server may write; skipped where none can be."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = Path(tempfile.mkdtemp(prefix="makegood-tiny-disk-"))
    user = pwd.getpwnam("nobody").pw_uid
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size=1m,mode=700,uid={user}", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    if made.returncode != 0:
        folder.rmdir()
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([unmount, "--lazy", folder], check=True, timeout=SECONDS_MAX)
        folder.rmdir()
