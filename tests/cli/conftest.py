"""The store that most commands are shown on."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import fill

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a journal with an order of every kind, which nobody changes."""
    path = tmp_path_factory.mktemp("filled") / "shop.journal"
    asyncio.run(fill(path))
    return path


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> str:
    """Return the path of a journal with an order of every kind, all of it in its file."""
    return str(shutil.copy(filled, tmp_path))
