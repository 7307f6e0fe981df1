"""Worlds of schedules by their seeds: one run for a slot, and each slot as its policies say."""

from __future__ import annotations

import pytest

from tests.simulation.kinds.playing import first_red, survey
from tests.simulation.schedules.ablations import MISSED
from tests.simulation.schedules.campaign import SCHEDULES
from tests.simulation.schedules.world import play

SEEDS = 40
SEEDS_MAX = 300
"""In how many worlds the lack of a safeguard must show."""

KNOWN = {
    2: (
        "A slot was begun by a worker that died, and skipped by the next one: a run too many was "
        "started, and it was not waited for."
    ),
}
"""What each seed showed when it was found."""


@pytest.mark.timeout(300)
def test_each_slot_is_taken_once_or_as_its_policies_say_and_everything_is_met() -> None:
    seen = survey(SCHEDULES, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


@pytest.mark.parametrize("seed", KNOWN)
def test_a_world_that_once_showed_a_fault_shows_none_any_more(seed: int) -> None:
    assert play(seed).wrong == (), KNOWN[seed]


@pytest.mark.parametrize("name", MISSED)
def test_the_worlds_turn_red_without(name: str) -> None:
    take_away, what = MISSED[name]

    found = first_red(SCHEDULES, take_away, what, seeds_max=SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} worlds do not need this: {take_away().removes}"
