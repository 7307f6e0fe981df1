"""Worlds of messages by their seeds: nothing is lost, nothing is given twice, and each shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood.journal.mail import Letter
from tests.simulation.ablation import Ablation, Around
from tests.simulation.crashing.test_red_mail import IN_MEMORY, KEPT, TWICE
from tests.simulation.letters.world import play

if TYPE_CHECKING:
    from makegood.journal.protocol import Append, Outgoing, Verdict
    from makegood.journal.reply import Pending

SEEDS_MAX = 60


class Hoards(Around):
    """A message for which a run does not wait any more is not given back."""

    def append(self, append: Append) -> Pending[Verdict]:
        said = tuple(each for each in append.outgoing if not _is_returned(each))
        return self.journal.append(msgspec.structs.replace(append, outgoing=said))


def _is_returned(entry: Outgoing) -> bool:
    return isinstance(entry, Letter) and entry.is_returned


GIVEN_BACK = Ablation(name="hoards", removes="What comes too late is given back.", store=Hoards)


@pytest.mark.parametrize("seeds", [range(100), range(100, 200)])
def test_each_message_is_given_once_or_kept_whatever_goes_wrong(seeds: range) -> None:
    assert [(seed, wrong) for seed in seeds if (wrong := play(seed).wrong)] == []


@pytest.mark.parametrize(
    "ablation", [TWICE, KEPT, IN_MEMORY, GIVEN_BACK], ids=lambda each: each.name
)
def test_the_worlds_turn_red_without(ablation: Ablation) -> None:
    assert any(play(seed, ablation).wrong for seed in range(SEEDS_MAX)), ablation.removes


def test_a_world_is_played_the_same_however_often() -> None:
    assert play(7) == play(7)
