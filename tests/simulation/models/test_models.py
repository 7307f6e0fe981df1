"""Worlds of read models by their seeds: no message counts twice, and none is left out."""

from __future__ import annotations

import pytest

from tests.simulation.kinds.playing import first_red, survey
from tests.simulation.models.ablations import MISSED
from tests.simulation.models.campaign import MODELS

SEEDS = 40
SEEDS_MAX = 300
"""In how many worlds the lack of a safeguard must show."""


@pytest.mark.timeout(300)
def test_rows_are_what_their_messages_give_and_everything_is_met() -> None:
    seen = survey(MODELS, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


@pytest.mark.parametrize("name", MISSED)
def test_the_worlds_turn_red_without(name: str) -> None:
    take_away, what = MISSED[name]

    found = first_red(MODELS, take_away, what, seeds_max=SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} worlds do not need this: {take_away().removes}"
