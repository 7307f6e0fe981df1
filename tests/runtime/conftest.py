"""The worlds of the runtime's tests: in memory, and for what a store decides in SQLite too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest.fixture(params=["memory", "sqlite"])
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A world on every store: what is shown on it does not rest on the store in memory."""
    async with World(tmp_path if request.param == "sqlite" else None) as world:
        yield world
