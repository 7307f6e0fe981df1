"""What the journals' tests share: a journal in the world that each of them brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journal.records import STOCK

if TYPE_CHECKING:
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.protocol import Journal
    from tests.journal.records import World

# The suite is a package of tests that others import: its asserts explain themselves as theirs do.
pytest.register_assert_rewrite("tests.journal.contract")


@pytest.fixture
async def journal(world: World) -> Journal:
    return await world.open(migrations=(STOCK,))


@pytest.fixture
def post(journal: Journal) -> KeepsMessages:
    return journal.messages
