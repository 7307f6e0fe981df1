"""Worlds on PostgreSQL: no rule is broken, and every kind of trouble is met."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import main
from tests.simulation.campaign import replay, survey
from tests.simulation.judging.reaching import missing
from tests.simulation.postgres.keeping import IN_POSTGRES
from tests.simulation.world import play


@pytest.mark.timeout(300)
def test_no_world_breaks_a_rule_and_every_trouble_is_met() -> None:
    seen = survey(range(250), store="postgres")

    told = [
        f"{replay(failure.seed, 'postgres')}: {violation}"
        for failure in seen.failures
        for violation in failure.violations
    ]
    assert (seen.failed, told) == (0, [])
    assert missing(seen.reached, IN_POSTGRES.required) == []


def test_a_world_is_played_the_same_however_often() -> None:
    assert play(7, keep=IN_POSTGRES, tells=True) == play(7, keep=IN_POSTGRES, tells=True)
    assert play(7, keep=IN_POSTGRES).trace != play(7).trace


def test_the_story_of_a_world_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", "postgres", "--story", "7"]) == 0

    told = capsys.readouterr().out
    assert "commit smooth" in told
    assert play(7, keep=IN_POSTGRES).trace in told
