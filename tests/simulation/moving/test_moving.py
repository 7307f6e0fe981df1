"""Worlds of moving by their seeds: runs go on under other definitions, and again from a step."""

from __future__ import annotations

import pytest

from tests.simulation.kinds.playing import first_red, survey
from tests.simulation.moving.ablations import MISSED
from tests.simulation.moving.campaign import MOVING
from tests.simulation.moving.world import play

SEEDS = 40
SEEDS_MAX = 300
"""In how many worlds the lack of a safeguard must show."""


KNOWN = {
    309: (
        "A run was handed over while it was being retried from a step: what the other definition "
        "had put in between was done before what stands in front of it."
    ),
}
"""What each seed showed when it was found."""


@pytest.mark.parametrize("seed", KNOWN)
def test_a_world_that_once_showed_a_fault_shows_none_any_more(seed: int) -> None:
    assert play(seed).wrong == (), KNOWN[seed]


@pytest.mark.timeout(300)
def test_each_run_has_done_what_its_definition_does_in_its_order_and_everything_is_met() -> None:
    seen = survey(MOVING, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


@pytest.mark.parametrize("name", MISSED)
def test_the_worlds_turn_red_without(name: str) -> None:
    ablation, what = MISSED[name]

    found = first_red(MOVING, lambda: ablation, what, seeds_max=SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} worlds do not need this: {ablation.removes}"
