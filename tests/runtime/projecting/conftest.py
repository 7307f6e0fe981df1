"""The worlds of these tests: whatever a store has to do with is shown in memory and on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path if request.param == "sqlite" else None) as world:
        yield world


@pytest.fixture
async def shared() -> AsyncIterator[World]:
    """A world in which several engines work at once, as in one process only memory lets them."""
    async with World() as world:
        yield world
