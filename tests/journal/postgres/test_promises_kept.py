"""Does the journal in PostgreSQL keep the promises?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journal.contract import *  # noqa: F403 - the suite that every journal passes
from tests.journal.contract.lanes import *  # noqa: F403 - and that of messages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    async with served.lent() as world:
        yield world
