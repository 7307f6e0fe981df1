"""Does the journal in SQLite keep the promises?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.journal.sqlite.journal import SqliteJournal
from tests.journal.contract import *  # noqa: F403 - the suite that every journal passes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from makegood.journal.protocol import Journal, Migration


class SqliteWorld:
    """Workers on one file: the first leads it, the others stand by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journals: list[SqliteJournal] = []

    async def open(
        self, *, work: bool = True, migrations: Sequence[Migration] = ()
    ) -> SqliteJournal:
        journal = SqliteJournal(self.path)
        await journal.open(work=work, migrations=migrations)
        self.journals.append(journal)
        return journal

    async def kill(self, journal: Journal) -> None:
        """Give its lock back as the kernel would; what still runs of it is a zombie."""
        assert isinstance(journal, SqliteJournal)
        journal._lock.give_up()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[SqliteWorld, None]:
    world = SqliteWorld(tmp_path / "orders.journal")
    yield world
    for journal in world.journals:
        await journal.close()
