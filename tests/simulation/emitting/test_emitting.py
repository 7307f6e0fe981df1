"""Worlds of emitting by their seeds: what is on record is told, once, and nothing else is."""

from __future__ import annotations

import pytest

from tests.simulation.emitting.ablations import MISSED
from tests.simulation.emitting.campaign import EMITTING
from tests.simulation.kinds.playing import first_red, survey

SEEDS = 40
SEEDS_MAX = 300
"""In how many worlds the lack of a safeguard must show."""


@pytest.mark.timeout(300)
def test_what_runs_record_is_told_once_with_it_and_everything_is_met() -> None:
    seen = survey(EMITTING, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


@pytest.mark.parametrize("name", MISSED)
def test_the_worlds_turn_red_without(name: str) -> None:
    take_away, what = MISSED[name]

    found = first_red(EMITTING, take_away, what, seeds_max=SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} worlds do not need this: {take_away().removes}"
