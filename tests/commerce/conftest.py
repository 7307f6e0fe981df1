"""The stores that the shop is shown on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.commerce.shop import shop_in_file, shop_served

if TYPE_CHECKING:
    from tests.commerce.shop import Shop


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.real)])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    """An empty shop, on each store that has tables of its own kind."""
    if request.param == "file":
        yield shop_in_file(tmp_path / "shop.journal")
        return
    async with shop_served(request.getfixturevalue("served")) as shop:
        yield shop
