"""Lanes and schedules on the simulated server: nothing is lost or doubled, and all is met."""

from __future__ import annotations

from functools import partial

import pytest

from tests.simulation.kinds.playing import Kind, first_red, survey
from tests.simulation.postgres.beside.ablations import MISSED
from tests.simulation.postgres.beside.campaign import ON_SERVER
from tests.simulation.postgres.beside.keeping import OnServer
from tests.simulation.schedules.world import play

SEEDS = 40
SEEDS_MAX = 300
"""In how many worlds the lack of a safeguard must show."""


@pytest.mark.timeout(300)
def test_slots_and_messages_come_to_what_they_should_and_everything_is_met() -> None:
    seen = survey(ON_SERVER, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


def test_a_world_is_played_the_same_however_often() -> None:
    assert play(7, keep=OnServer) == play(7, keep=OnServer)


@pytest.mark.parametrize("name", MISSED)
def test_the_worlds_turn_red_without(name: str) -> None:
    missed = MISSED[name]
    kind = Kind(name=name, play=partial(play, keep=missed.keep), required=())

    found = first_red(kind, lambda: missed.ablation, missed.shown_by, seeds_max=SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} worlds do not need this: {missed.removes}"
