"""What every test has: one event loop's kind, and a hypothesis that repeats itself exactly."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def pytest_configure() -> None:
    """Let interrupts arrive, also where a shell that starts us in the background ignores them.

    The processes that tests start and interrupt would ignore them as well.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
