"""Each scenario, in short: `make chaos` has 2,000 orders and more of everything for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.testing.servers import PostgresServer
from tests.chaos.postgres.scenarios import Trial, cuts, kills, kills_and_cuts, restarts, zombies

if TYPE_CHECKING:
    from collections.abc import Iterator

# The machine may be busy with other tests, and each of these waits for a handful of processes.
pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SEED = 17
ORDERS = 200


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


async def test_workers_that_are_killed_at_any_moment_lose_and_repeat_nothing(
    server: PostgresServer,
) -> None:
    """G1–G8, F1–F8, F24: one of four, every second, and another one in its place."""
    result = await kills(Trial(server=server, rounds=4, seed=SEED, orders=ORDERS))
    assert result.problems == []
    assert result.figures["killed"] == 4
    assert result.figures["crashes counted"] >= result.figures["killed at work"] > 0
    assert result.figures["ends acknowledged"] == ORDERS


async def test_a_server_that_stops_as_by_a_power_cut_loses_nothing_and_no_worker_has_to_restart(
    server: PostgresServer,
) -> None:
    """G1, G32, F43: three times, with orders under way each time."""
    result = await restarts(Trial(server=server, rounds=3, seed=SEED, orders=ORDERS))
    assert result.problems == []
    assert result.figures["stopped with orders under way"] == 3
    assert result.figures["waits for the server"] > 0
    assert result.figures["ends acknowledged"] == ORDERS


async def test_connections_that_are_cut_lose_and_repeat_nothing(server: PostgresServer) -> None:
    """G2, G3, F3, F45: before and after a COMMIT, a batch, a post or a claim, and half-open."""
    result = await cuts(Trial(server=server, rounds=4, seed=SEED, orders=ORDERS))
    assert result.problems == []
    assert result.figures["commit cut"] > 0
    assert result.figures["cut at random"] > 0
    assert result.figures["ends acknowledged"] == ORDERS


async def test_not_one_write_lands_of_a_worker_that_was_stopped_past_its_lease(
    server: PostgresServer,
) -> None:
    """G5, G6, F13, F14: it goes on in the belief that it still holds what others have taken."""
    result = await zombies(Trial(server=server, rounds=1, seed=SEED, orders=ORDERS))
    assert result.problems == []
    assert result.figures["taken over from a zombie"] > 0
    assert result.figures["robbed of a zombie"] > 0
    assert result.figures["writes of zombies refused"] > 0
    assert result.figures["ends acknowledged"] == ORDERS


async def test_kills_and_cuts_together_lose_and_repeat_nothing(server: PostgresServer) -> None:
    """Both at once: whoever takes over has its connections cut too."""
    orders = ORDERS - 80
    result = await kills_and_cuts(Trial(server=server, rounds=3, seed=SEED, orders=orders))
    assert result.problems == []
    assert result.figures["killed at work"] > 0
    assert result.figures["commit cut"] > 0
    assert result.figures["ends acknowledged"] == orders
