"""Six hundred worlds: no rule is broken, everything is met, and a seed is a world for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.campaign import replay, survey
from tests.simulation.judging.reaching import missing
from tests.simulation.known import KNOWN
from tests.simulation.traces import KINDS
from tests.simulation.world import play

ROOT = Path(__file__).parents[2]
TRACES = """
import gc, sys
from tests.simulation.traces import main
gc.set_threshold(int(sys.argv[1]))
main(["--seeds", sys.argv[2]])
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seeds", [range(600)])
def test_no_world_breaks_a_rule_and_everything_is_met(seeds: range) -> None:
    seen = survey(seeds)

    told = [
        f"{replay(failure.seed)}: {violation}"
        for failure in seen.failures
        for violation in failure.violations
    ]
    assert (seen.failed, told) == (0, [])
    assert missing(seen.reached) == []


@pytest.mark.parametrize("seed", KNOWN)
def test_a_world_that_once_showed_a_fault_shows_none_any_more(seed: int) -> None:
    assert play(seed).violations == (), KNOWN[seed]


def test_a_world_is_played_the_same_however_often() -> None:
    assert play(7, tells=True) == play(7, tells=True)
    assert play(7).trace != play(8).trace


def test_the_story_of_a_world_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--story", "7"]) == 0

    told = capsys.readouterr().out
    assert "[run_started]" in told
    assert play(7).trace in told


@pytest.mark.real
def test_a_world_is_the_same_in_every_process() -> None:
    """Nothing in it depends on the order of a set, an address, a collection, or what ran before."""
    told = _traces("12:18", hash_seed="1", collections="0")

    assert len(told) == 6 * len(KINDS)
    assert _traces("17:11:-1", hash_seed="4242", collections="100") == told


def _traces(seeds: str, *, hash_seed: str, collections: str) -> set[str]:
    """Return what a process tells that collects garbage after so many allocations, or never."""
    told = subprocess.run(
        [sys.executable, "-c", TRACES, collections, seeds],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    return set(told.stdout.splitlines())
