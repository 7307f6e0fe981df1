"""Each safeguard of the journal in PostgreSQL, taken away: the worlds must notice, and soon."""

from __future__ import annotations

import pytest

from tests.simulation.postgres.ablations import ABLATIONS, SEEDS_MAX, PostgresAblation, first_caught


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.name)
def test_the_worlds_turn_red_without(ablation: PostgresAblation) -> None:
    caught = first_caught(ablation)

    assert caught is not None, f"{SEEDS_MAX} worlds do not need this: {ablation.removes}"


def test_every_safeguard_is_named_once() -> None:
    assert len({ablation.name for ablation in ABLATIONS}) == len(ABLATIONS) == 7
