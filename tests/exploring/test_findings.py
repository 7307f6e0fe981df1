"""A promise that is broken is found: by the witness in the facts, or by what stands outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood.decision import facts
from makegood.exploring.examples import Examples
from makegood.exploring.faults import Befalls, How
from makegood.exploring.findings import broken_in
from makegood.exploring.setting import Setting
from makegood.exploring.world import STARTS_AT, Played, World, play
from makegood.values.instants import after
from tests.exploring import shop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact

SETTING = Setting(shop.order, Examples(), {})
NOW = after(STARTS_AT, timedelta(minutes=1))
NO = Befalls("tell", "do", How.FAILS)


def played(*faults: Befalls) -> Played:
    return play(SETTING, World(faults=faults))


def broken(world: Played) -> list[str]:
    return [*broken_in(SETTING.plan, world, SETTING.atlas)]


def with_facts(world: Played, told: Sequence[Fact]) -> Played:
    return replace(world, facts=told)


@pytest.mark.parametrize("faults", [(), (NO,)])
def test_a_world_in_which_all_promises_are_kept_has_no_finding(faults: Sequence[Befalls]) -> None:
    assert broken(played(*faults)) == []


def test_undoing_out_of_order_is_found() -> None:
    world = played(NO)
    undone = [fact for fact in world.facts if isinstance(fact, facts.UndoStarted | facts.UndoDone)]
    rest = [fact for fact in world.facts if fact not in undone]
    [sentence] = broken(with_facts(world, [*rest[:-1], *undone[2:], *undone[:2], rest[-1]]))
    assert sentence == "UndoStarted hold: hold is not the last that was done"


def test_undoing_while_something_is_in_doubt_is_found() -> None:
    world = played(Befalls("tell", "do", How.LOST_BEFORE))
    at = next(i for i, fact in enumerate(world.facts) if isinstance(fact, facts.NodeFailed))
    back = [facts.RollbackBegan(facts.Cause.ERROR, NOW), facts.UndoStarted("pay", 1, NOW)]
    [sentence] = broken(with_facts(world, [*world.facts[: at + 1], *back]))
    assert sentence == ("UndoStarted pay: an effect was undone while another was in doubt")


def test_an_effect_under_two_keys_is_found() -> None:
    world = played()
    world.outside.stands["pay"] = {0, 1}
    assert broken(world) == ["pay happened 2 times, each under a key of its own"]


def test_an_effect_that_the_run_knows_nothing_of_is_found() -> None:
    world = played(NO)
    world.outside.stands["pay"] = {0}
    assert broken(world) == ["pay stands, and for the run it is undone"]


def test_a_result_without_an_effect_is_found() -> None:
    world = played()
    del world.outside.stands["pay"]
    assert broken(world) == ["pay is done for the run, and nothing of it stands"]


def test_a_run_that_does_not_come_to_rest_is_found() -> None:
    assert broken(replace(played(), is_at_rest=False)) == [
        "the run does not come to rest: it is completed"
    ]
