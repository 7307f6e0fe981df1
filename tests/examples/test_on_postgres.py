"""The examples of orders and of payments do the same on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import order_processing
import payment_worker
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.journal.postgres.served import Served

pytestmark = pytest.mark.real


def ends(printed: str) -> list[str]:
    """Return what came of it; events of different orders are told in any order."""
    return [line for line in printed.splitlines() if not line.startswith("Payment")]


@pytest.mark.parametrize(
    "example", [order_processing.main, payment_worker.main], ids=["orders", "payments"]
)
async def test_an_example_ends_on_postgresql_as_on_a_file(
    example: Callable[[str], Awaitable[None]],
    served: Served,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = await served.world()
    try:
        await example(f"{world.dsn}&schema={world.place.schema}")
        on_postgresql = ends(capsys.readouterr().out)
        await example(f"sqlite:///{tmp_path / 'example.journal'}")

        assert on_postgresql == ends(capsys.readouterr().out) != []
    finally:
        await world.close()
