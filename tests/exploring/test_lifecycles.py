"""A lifecycle in every world: what its handlers give, what comes, who dies and who cancels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from makegood.decision.decide import decide
from makegood.decision.facts import Moved
from makegood.errors import InvalidInput
from makegood.exploring.examples import Examples
from makegood.exploring.exploration import explore
from makegood.exploring.setting import Setting
from makegood.exploring.survey import survey
from makegood.testing import explore_for_real
from tests.exploring import orders as shop
from tests.simulation.ablations import ABLATIONS, forgetful, undo_forwards

if TYPE_CHECKING:
    from makegood import Workflow
    from makegood.decision.commands import Decision
    from makegood.decision.imagined import Decide
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.exploring.survey import Explored
    from makegood.values.instants import Instant


def seen(workflow: Workflow[[shop.Order], shop.Order]) -> list[Explored]:
    """Return every world of a lifecycle."""
    worlds: list[Explored] = []

    def look(world: Explored) -> list[str]:
        worlds.append(world)
        return []

    assert explore(workflow, invariants=[look]).broken == ()
    return worlds


def by_cause(workflow: Workflow[[shop.Order], shop.Order]) -> dict[str, Explored]:
    """Return the worlds in which one thing alone is otherwise."""
    return {world.cause[0]: world for world in seen(workflow) if len(world.cause) == 1}


GOOD = ("NEW", "PAYING", "PAID", "SHIPPED")


def test_every_outcome_of_a_handler_is_a_world() -> None:
    worlds = by_cause(shop.orders)

    stayed = worlds["settle lets the record stay"]
    assert (stayed.status, stayed.moves) == ("completed", ("NEW", "PAYING", "DROPPED"))
    cancelled = worlds["in PAYING a Stopped comes"]
    assert (cancelled.status, cancelled.undone) == ("cancelled", ("order[0]/reserve",))


def test_a_message_that_never_comes_leaves_it_to_the_time() -> None:
    late = by_cause(shop.orders)["in PAYING no message comes before the next time"]

    assert (late.status, late.moves) == ("completed", ("NEW", "PAYING", "DROPPED"))


def test_a_message_may_come_twice_and_while_another_is_handled() -> None:
    worlds = seen(shop.orders)

    twice = [
        world for world in worlds if world.cause[-1:] == ("the same Paid comes a second time",)
    ]
    assert {world.cause[0] for world in twice} == {"settle lets the record stay"}
    meanwhile = [
        world
        for world in worlds
        if world.cause == ("a Stopped comes while order[1]/settle is at work",)
    ]
    assert [(world.status, world.moves) for world in meanwhile] == [("completed", GOOD)]


def test_a_person_may_cancel_it_wherever_it_stands() -> None:
    cancelled = by_cause(shop.orders)["a person cancels it while it stands in PAYING"]

    assert (cancelled.status, cancelled.undone) == ("cancelled", ("order[0]/reserve",))


def test_a_worker_may_die_at_every_append_and_every_handler_may_fail() -> None:
    worlds = seen(shop.orders)

    causes = [world.cause for world in worlds]
    assert causes.count(("the worker dies right after it has recorded what is to happen",)) >= 4
    failing = {cause[0] for cause in causes if cause and cause[0].endswith("definitely fails")}
    assert failing == {
        f"order[{at}]/{name} definitely fails"
        for at, name in enumerate(("reserve", "settle", "ship"))
    }
    # What is given its record alone may fail, and nothing else can become of it.
    assert not [cause for cause in causes if "settle is in doubt" in " ".join(cause)]


def test_what_is_left_is_named_and_what_acts_on_its_record_alone_is_not_kept() -> None:
    found = explore(shop.orders)

    assert {str(finding) for finding in found.left} == {
        "order[…]/reserve may or may not have happened: nobody can say",
        "order[…]/reserve still stands: release gave up",
        "order[…]/reserve may or may not stand: release gave no answer",
        "order[…]/ship may or may not have happened: nobody can say",
    }
    assert [str(finding) for finding in found.kept] == ["order[…]/ship stays: it is gone"]
    story = next(each.story for each in found.left if each.what.endswith("release gave up"))
    assert "order: NEW → PAYING, by reserve." in story


def test_a_record_that_stands_for_ever_is_left_and_its_story_is_short() -> None:
    found = explore(shop.unhurried)
    [standing] = [each for each in found.left if "for ever" in each.what]

    assert str(standing) == "stands in PAYING for ever, where no Paid or Stopped comes"
    assert standing.cause == (
        "the record says no time for remind",
        "in PAYING no message ever comes",
    )
    assert standing.held == ("order[0]/reserve",)
    assert len(standing.story) < 20
    assert found.ends["waiting"] == standing.worlds


def test_a_workflow_that_is_called_may_fail_or_wait_for_a_person() -> None:
    worlds = by_cause(shop.unhurried)

    assert worlds["order[2]/shipped-run definitely fails"].moves == GOOD
    assert worlds["order[2]/shipped-run waits for a person"].status == "parked"
    assert worlds["shipped leads to DROPPED"].moves[-1] == "DROPPED"


def test_what_goes_round_for_ever_comes_to_rest() -> None:
    worlds = by_cause(shop.short().workflow())

    assert worlds["anything leads to DROPPED"].moves == ("NEW", "DROPPED")
    assert "anything cancels the run" not in worlds
    paused = worlds["ask pauses the run"]
    assert (paused.status, paused.moves[-1]) == ("paused", "PAID")
    assert worlds["ask fails the run"].status == "failed"
    found = explore(shop.short().workflow())
    assert "is paused in PAID by ask: only a person lets it go on" in map(str, found.left)


def test_a_handler_that_writes_in_the_journals_database_is_explored_too() -> None:
    worlds = by_cause(shop.short(keeps=True).workflow())

    [failed] = [world for cause, world in worlds.items() if "/keep definitely fails" in cause]
    assert failed.status == "failed"


def test_a_subscription_that_never_ends_is_no_endless_story() -> None:
    endless = (
        shop.made(start=shop.Status.NEW, visits_max=100)
        .on(shop.Status.NEW, shop.anything, name="forth", to={shop.Status.PAYING})
        .on(shop.Status.PAYING, shop.anything, name="back", to={shop.Status.NEW})
    )
    with pytest.raises(Exception, match="nothing leads from NEW to PAID"):
        endless.workflow()
    ended = endless.expire(
        shop.Status.PAYING,
        shop.anything,
        name="end",
        after=shop.DAY,
        to={shop.Status.PAID, shop.Status.SHIPPED, shop.Status.DROPPED},
    )

    found = explore(ended.workflow(), worlds_max=200)

    assert found.broken == ()


def test_an_invariant_is_asked_where_the_record_has_been() -> None:
    def never_ships_unpaid(world: Explored) -> list[str]:
        is_shipped = "SHIPPED" in world.moves
        return ["shipped, and nobody has paid"] if is_shipped and "PAID" not in world.moves else []

    def never_drops(world: Explored) -> list[str]:
        return ["dropped"] if "DROPPED" in world.moves else []

    assert explore(shop.orders, invariants=[never_ships_unpaid]).broken == ()
    [finding] = explore(shop.orders, invariants=[never_drops]).broken
    assert finding.cause == ("in PAYING no message comes before the next time",)


def test_pairs_are_explored_too() -> None:
    found = explore(shop.orders, pairs=True)

    assert found.broken == ()
    assert found.worlds > 5 * explore(shop.orders).worlds


def test_an_example_is_needed_of_every_message() -> None:
    with pytest.raises(InvalidInput, match=r"no example of `.*Never"):
        explore(
            shop.begun.hear(shop.Status.PAYING, shop.Never, shop.never, to={shop.Status.PAID})
            .on(shop.Status.PAID, shop.anything, to={shop.Status.SHIPPED, shop.Status.DROPPED})
            .workflow()
        )


async def test_a_lifecycle_is_not_explored_for_real() -> None:
    with pytest.raises(InvalidInput, match="`order` is a lifecycle, to which nobody sends"):
        await explore_for_real(shop.orders(shop.Order("o-1")), services=dict)


def elsewhere(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Let a record go to where its handler has not led it."""
    decision = decide(plan, state, now, chance)
    moved = tuple(
        replace(fact, status="SHIPPED") if isinstance(fact, Moved) and fact.origin else fact
        for fact in decision.facts
    )
    return replace(decision, facts=moved)


CORES: dict[str, Decide] = {
    "elsewhere": elsewhere,
    **{each.name: each.decide for each in ABLATIONS if each.decide in {undo_forwards, forgetful}},
}


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
def test_a_core_without_one_of_its_rules_is_found(core: Decide) -> None:
    setting = Setting(shop.unhurried, Examples(), {}, decide=core)

    assert any(each.broken for each in survey(setting, pairs=True))


def test_what_befalls_the_part_that_two_ways_share_is_played_once() -> None:
    worlds = [world.cause for world in seen(shop.orders) if world.cause]

    failing = [cause for cause in worlds if cause[-1] == "order[0]/reserve definitely fails"]
    assert failing == [("order[0]/reserve definitely fails",)]
    later = [cause[:-1] for cause in worlds if cause[-1] == "order[1]/settle definitely fails"]
    assert later == [(), ("settle lets the record stay",)]
