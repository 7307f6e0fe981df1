"""A rule of the core that is taken away shows: some world has a broken promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.decision.decide import decide
from makegood.exploring.examples import Examples
from makegood.exploring.setting import Setting
from makegood.exploring.survey import survey
from tests.exploring import shop
from tests.simulation.ablations import ABLATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.decision.imagined import Decide
    from tests.simulation.ablation import Ablation

OF_THE_CORE = [each for each in ABLATIONS if each.decide is not decide]


def broken(core: Decide) -> Iterator[str]:
    """Give the promises that are broken in the worlds of two workflows, pairs included."""
    for workflow in (shop.beside, shop.forward):
        for seen in survey(Setting(workflow, Examples(), {}, decide=core), pairs=True):
            yield from seen.broken


def test_the_core_as_it_is_keeps_every_promise() -> None:
    assert set(broken(decide)) == set()


@pytest.mark.parametrize("ablation", OF_THE_CORE, ids=lambda each: each.name)
def test_a_core_without_one_of_its_rules_is_found(ablation: Ablation) -> None:
    assert next(broken(ablation.decide), None) is not None


def test_every_rule_of_the_core_that_the_simulation_takes_away_is_taken_away_here() -> None:
    assert len(OF_THE_CORE) >= 5
