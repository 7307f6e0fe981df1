"""Worlds of lifecycles by their seeds: a record is what its moves make of it."""

from __future__ import annotations

import pytest

from tests.simulation.kinds.playing import first_red, survey
from tests.simulation.lifecycles.ablations import MISSED
from tests.simulation.lifecycles.campaign import LIFECYCLES
from tests.simulation.lifecycles.world import play

SEEDS = 50
SEEDS_MAX = 400
"""In how many worlds the lack of a safeguard must show."""

KNOWN = {
    262: (
        "A run was cancelled before it had entered its first status: it could not be read any "
        "more, and was parked without its beginning."
    ),
}
"""What each seed showed when it was found."""


@pytest.mark.timeout(300)
def test_records_are_what_their_moves_make_of_them_and_everything_is_met() -> None:
    seen = survey(LIFECYCLES, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


@pytest.mark.parametrize("seed", KNOWN)
def test_a_world_that_once_showed_a_fault_shows_none_any_more(seed: int) -> None:
    assert play(seed).wrong == (), KNOWN[seed]


@pytest.mark.parametrize("name", MISSED)
def test_the_worlds_turn_red_without(name: str) -> None:
    take_away, what = MISSED[name]

    found = first_red(LIFECYCLES, take_away, what, seeds_max=SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} worlds do not need this: {take_away().removes}"
