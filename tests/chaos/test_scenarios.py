"""Each scenario of the campaign, in short: `make chaos` has hundreds of rounds of them."""

from __future__ import annotations

import pytest

from tests.chaos.scenarios import disk_broken, disk_full, kills, stopped, takeovers

# The machine may be busy with other tests, and each of these waits for dozens of processes.
pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SEED = 17
"""With it each trouble of the disk strikes while there is work to be done."""


def for_ever() -> bool:
    return True


async def test_a_worker_that_is_killed_at_any_moment_loses_and_repeats_nothing() -> None:
    """G1–G5, G8, G13, G14, F1–F8: at birth, in recovery, at work, and in the middle of a write."""
    result = await kills(4, seed=SEED, may_go_on=for_ever)
    assert result.problems == []
    assert result.figures["killed"] == 4
    assert result.figures["ends acknowledged"] == result.figures["starts acknowledged"] > 0


async def test_a_full_disk_delays_orders_and_loses_none() -> None:
    """G32, F30: there is no room at random writes, and then there is again."""
    result = await disk_full(1, seed=SEED, may_go_on=for_ever)
    assert result.problems == []
    assert result.figures["times full"] > 0


async def test_what_was_acknowledged_outlives_failed_syncs_torn_writes_and_power_cuts() -> None:
    """G1, F20, F31, F32: the engine closes, or dies, and the next one goes on."""
    result = await disk_broken(4, seed=SEED, may_go_on=for_ever)
    assert result.problems == []
    kinds = ("fails_to_sync", "torn", "torn_death", "power_cut")
    assert [result.figures[kind] for kind in kinds] == [1, 1, 1, 1]


async def test_a_standby_takes_over_from_each_leader_that_is_killed() -> None:
    """G5, G6, F24, F37: two processes place the same orders on one file."""
    result = await takeovers(2, seed=SEED, may_go_on=for_ever)
    assert result.problems == []
    assert result.figures["killed"] == len(result.milliseconds) == 2


async def test_stopped_processes_go_on_and_nobody_takes_over_from_a_stopped_leader() -> None:
    """F13, F14, F29: and what timed out meanwhile was in doubt, and was asked about."""
    result = await stopped(1, seed=SEED, may_go_on=for_ever, hold_seconds=0.1)
    assert result.problems == []
    assert result.figures["leader killed while stopped"] == 1
    assert result.figures["timed out"] > 0
