"""Each safeguard, taken away: the simulation must notice, and soon."""

from __future__ import annotations

import pytest

from tests.simulation.ablation import Ablation
from tests.simulation.ablations import ABLATIONS, SEEDS_MAX, first_caught


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.name)
def test_the_simulation_turns_red_without(ablation: Ablation) -> None:
    caught = first_caught(ablation)

    assert caught is not None, f"{SEEDS_MAX} worlds do not need this: {ablation.removes}"


def test_every_safeguard_is_named_once() -> None:
    assert len({ablation.name for ablation in ABLATIONS}) == len(ABLATIONS) >= 12
