"""What the tests of upkeep share: a store of each kind that an earlier program may have made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journal.upkeep.kept import KeptFile, KeptSchema

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.journal.postgres.served import Served
    from tests.journal.upkeep.kept import Kept


@pytest.fixture(params=["sqlite", "postgres"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Kept, None]:
    """A store that can be made as an earlier program made it."""
    if request.param == "sqlite":
        yield KeptFile(tmp_path)
        return
    served: Served = request.getfixturevalue("served")
    world = await served.world()
    yield KeptSchema(world)
    await world.close()
