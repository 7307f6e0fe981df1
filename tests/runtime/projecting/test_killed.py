"""A process that is killed while it folds loses nothing, and folds nothing twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, MessageOperator, ModelBehind, ReadModel
from tests.journal.postgres.served import eventually
from tests.runtime.projecting.orders import DAYS, SUMMARIES, Day
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

KILLS = 4
PUBLISHED = 60
"""How many orders each process has published when it is killed."""


def killed(journal: Path, first: int) -> int:
    """Let a process work, kill it, and return the number of the next order."""
    command = [sys.executable, "-m", "tests.runtime.projecting.child", str(journal), str(first)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    try:
        said = [child.stdout.readline() for _ in range(PUBLISHED)]
    finally:
        child.kill()
    # It went on until it was dead, which takes a while on a machine that has much else to do.
    with child.stdout:
        rest = child.stdout.read()
    child.wait(timeout=30)
    return int([*said, *rest.splitlines()][-1]) + 1


async def rows_of(journal: Path) -> tuple[Day | None, int]:
    """Return the sum of the day, once all that is stored was folded, and how many orders are."""
    async with Engine(f"sqlite:///{journal}") as engine:
        engine.serve(DAYS, SUMMARIES)
        days, summaries = ReadModel(engine, DAYS), ReadModel(engine, SUMMARIES)

        async def is_folded() -> bool:
            return all(each.waiting == 0 for each in await MessageOperator(engine).lag())

        await eventually(is_folded)

        async def is_read() -> bool:
            try:
                await summaries.page()
                await days.page()
            except ModelBehind:
                return False
            return True

        await eventually(is_read)
        orders, after = 0, None
        while True:
            page = await summaries.page(after=after, limit=100)
            orders += len(page.rows)
            if page.next is None:
                return await days.get("monday"), orders
            after = page.next


def test_a_process_that_is_killed_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    journal, first = tmp_path / "orders.journal", 0
    for _ in range(KILLS):
        first = killed(journal, first)

    day, orders = asyncio.run(rows_of(journal))

    assert day is not None
    # One more may be durable than its process could say.
    assert first <= orders <= first + 1
    assert day == Day(orders, sum(range(orders)))
