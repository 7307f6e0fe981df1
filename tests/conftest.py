"""What every test has: one event loop's kind, and a hypothesis that repeats itself exactly.

Temporary files lie in memory where the machine has room for that. Every store waits for its disk
as in production, and most of what the suite waits for would be that. Nothing is shown less for it:
what is in a file outlives every process that is killed, and a disk that loses something is played
by the tests that are about that.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.journal.postgres.served import Served

# The same examples on every machine and every day; `--hypothesis-profile=explore` looks further.
# There is no deadline in any, because no test depends on the real clock. `branches` measures which
# lines of the decisions are reached: its few examples are not meant to find anything.
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", max_examples=2_000, deadline=None, print_blob=True)
settings.register_profile(
    "branches", max_examples=20, derandomize=True, deadline=None, database=None
)
settings.load_profile("ci")


IN_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of its own in it
"""Where Linux keeps files in memory."""

MEMORY_BYTES_MIN = 8 * 1024**3
"""How much room there must be for files in memory: the suite needs a fraction of it."""


def pytest_configure() -> None:
    """Let interrupts arrive, also where a shell that starts us in the background ignores them.

    The processes that tests start and interrupt would ignore them as well.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "TMPDIR" not in os.environ and _has_room(IN_MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what is collected out of every search for garbage: it stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _has_room(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= MEMORY_BYTES_MIN


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, which is what the engine is written for."""
    return "asyncio"


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """A PostgreSQL that all tests of this process share; each has schemas of its own in it."""
    from tests.journal.postgres.served import served_here  # noqa: PLC0415 - for those who ask

    with served_here() as served:
        yield served
