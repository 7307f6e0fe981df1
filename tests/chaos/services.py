"""The order flow of five services, in one process and in five, whose processes are killed.

What is played is the demonstration itself, as a person plays it; this side reads what it found.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.chaos.scenarios import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

__all__ = ["SCENARIOS", "apart", "apart_on_postgres", "together", "together_on_postgres"]

ORDERS = 2_000
CRASHES = 60
SECONDS_MAX = 1_800

COUNTED = (
    *("orders_found", "closed", "refunded", "cancelled", "rejected", "letters", "parcels"),
    *("repeated", "moved", "dead_letters"),
)


async def apart(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Play days with five processes, a SQLite file each, and NATS."""
    return await _days(rounds, seed, may_go_on)


async def apart_on_postgres(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Play days with five processes, a PostgreSQL database each, and NATS."""
    return await _days(rounds, seed, may_go_on, "--store", "postgres")


async def together(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Play days with all services in one process, on one SQLite file."""
    return await _days(rounds, seed, may_go_on, "--together")


async def together_on_postgres(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Play days with all services in one process, on one PostgreSQL database."""
    return await _days(rounds, seed, may_go_on, "--together", "--store", "postgres")


async def _days(
    rounds: int,
    seed: int,
    may_go_on: Callable[[], bool],
    *options: str,
    orders: int = ORDERS,
    crashes: int = CRASHES,
) -> Result:
    result = Result()
    for number in range(rounds):
        if may_go_on():
            asked = (*options, "--seed", f"{seed + number}", "--crashes", f"{crashes}")
            ended = await asyncio.to_thread(_play, "--orders", f"{orders}", *asked)
            _take(result, ended, orders)
    return result


def _play(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "makegood.cli", "demo", "--services", "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )


def _take(result: Result, ended: subprocess.CompletedProcess[str], orders: int) -> None:
    result.count("days")
    if not ended.stdout:
        result.problems.append(f"a day ended with {ended.returncode}: {ended.stderr[-2_000:]}")
        return
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    for name in COUNTED:
        result.count(name, report[name])
    for name, times in report["kills"].items():
        result.count(f"{name} killed", times)
    result.problems += [f"{each['of']} {each['problem']}" for each in report["disputed"]]
    if report["books_agree"] is not True or report["orders_found"] != orders or ended.returncode:
        result.problems.append(f"the books do not agree: {ended.stderr[-4_000:]}")


SCENARIOS: Mapping[str, tuple[Callable[..., Coroutine[Any, Any, Result]], int]] = {
    "services-together": (together, 1),
    "services-together-postgres": (together_on_postgres, 1),
    "services": (apart, 1),
    "services-postgres": (apart_on_postgres, 1),
}
"""Each scenario by its name, and how many days of it a campaign has."""
