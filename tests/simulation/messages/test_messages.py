"""Worlds of messages by their seeds: each is received once, in order, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.simulation.kinds.playing import first_red, survey
from tests.simulation.messages.ablations import EVERYBODY_LISTENS, MISSED
from tests.simulation.messages.campaign import MESSAGES

SEEDS = 40
SEEDS_MAX = 300
"""In how many worlds the lack of a safeguard must show."""


@pytest.mark.timeout(300)
def test_each_message_is_received_once_in_its_order_and_everything_is_met() -> None:
    seen = survey(MESSAGES, range(SEEDS))

    assert (seen.wrong, seen.missing) == ([], [])


@pytest.mark.timeout(300)
def test_no_order_rests_on_the_lease_by_which_one_process_listens() -> None:
    wrong = [
        (seed, each)
        for seed in range(SEEDS)
        for each in MESSAGES.play(seed, EVERYBODY_LISTENS).wrong
    ]

    assert wrong == []


def test_what_is_lost_behind_a_broker_is_noticed_by_whoever_should_have_it() -> None:
    take_away, _what = MISSED["broker acknowledged before it is stored"]

    assert first_red(MESSAGES, take_away, " misses ", seeds_max=SEEDS_MAX) is not None


@pytest.mark.parametrize("name", MISSED)
def test_the_worlds_turn_red_without(name: str) -> None:
    take_away, what = MISSED[name]

    found = first_red(MESSAGES, take_away, what, seeds_max=SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} worlds do not need this: {take_away().removes}"
