"""What would be left behind by small workflows, of which it is known beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from makegood.commerce.place_order import place_order
from makegood.errors import InvalidInput
from makegood.exploring.examples import Examples
from makegood.exploring.exploration import Exploration, explore
from makegood.exploring.setting import Setting
from tests.exploring import shop

if TYPE_CHECKING:
    from makegood import Workflow
    from makegood.exploring.survey import Explored

NEVER = "the message for wait never comes"
UNKNOWN = "may or may not have happened: nobody can say"


def left(found: Exploration) -> dict[str, int]:
    """Return what is left, and in how many worlds."""
    return {str(finding): finding.worlds for finding in found.left}


def test_what_only_asks_leaves_nothing() -> None:
    found = explore(shop.harmless)
    assert found == Exploration(
        workflow="harmless",
        fingerprint=shop.harmless.plan.fingerprint,
        pairs=False,
        worlds=10,
        ends={"cancelled": 1, "completed": 6, "failed": 3},
        left=(),
        kept=(),
        broken=(),
    )
    assert found.is_clean


def test_what_is_in_doubt_for_ever_is_left_and_what_cannot_be_taken_back_is_kept() -> None:
    found = explore(shop.kept)
    # In doubt or late every time, and each of these with its effect and without it.
    assert left(found) == {f"tell {UNKNOWN}": 4}
    assert [str(finding) for finding in found.kept] == ["tell stays: it has been said"]
    assert not found.is_clean
    assert found.left[0].story == (
        "tell is in doubt: no reply came, 3 times.",
        "tell: nobody can say whether it happened, and nothing more can be asked or tried.",
        "The run is parked, in doubt: nobody can say whether something happened.",
    )


def test_an_undo_that_gives_up_is_told_with_what_led_to_it() -> None:
    found = explore(shop.order)
    [refund] = [each for each in found.left if each.what == "still stands: refund gave up"]
    assert (refund.node, refund.cause) == (
        "pay",
        ("tell definitely fails", "the undo of pay definitely fails"),
    )
    assert refund.story == (
        "hold and pay are done.",
        "tell fails: a definite no.",
        "The run goes back: a step definitely failed.",
        "refund, which undoes pay, fails: a definite no.",
        "pay: its undo gave up, and it still stands.",
        "hold is undone.",
        "The run is parked, undo gave up: what it was to take back still stands.",
    )


def test_what_stands_until_a_person_has_settled_what_is_left_is_named() -> None:
    found = explore(shop.order)
    held = {finding.node: finding.held for finding in found.left if finding.what == UNKNOWN}
    assert held == {"hold": (), "pay": ("hold",), "tell": ("pay", "hold")}


def test_a_run_is_explored_in_every_branch_with_and_without_what_is_guarded() -> None:
    worlds = seen(shop.branching)
    causes = {cause for world in worlds for cause in world.cause}
    assert causes >= {
        "the guard of hold does not hold",
        "switch takes the case invoice",
        "of what is at work at once the last begun ends first",
    }
    # Both steps have the same guard, so one does not happen without the other.
    assert {path for world in worlds for path in world.done} == {"hold", "tell", "switch/card/pay"}
    completed = [world for world in worlds if world.status == "completed"]
    assert not [world for world in completed if ("tell" in world.done) != ("hold" in world.done)]


def test_a_run_is_explored_with_as_many_items_as_make_a_difference() -> None:
    found = explore(shop.rounds)
    assert left(found).keys() == {
        f"each[…]/hold {UNKNOWN}",
        "each[…]/hold still stands: release gave up",
        "each[…]/hold may or may not stand: release gave no answer",
    }
    causes = {cause for finding in found.left for cause in finding.cause}
    assert "the undo of each[0]/hold definitely fails" in causes


def test_rounds_that_fail_by_themselves_keep_every_promise() -> None:
    found = explore(shop.parcels)
    assert found.broken == ()
    assert "each[…]/hold still stands: release gave up" in left(found)


def test_a_run_that_is_called_is_explored_as_one_unit() -> None:
    found = explore(shop.calling, pairs=True)
    assert found.broken == ()
    assert {each.what: each.cause for each in found.left if each.node == "sale"} == {
        "waits for a person: it is a run of its own": ("sale waits for a person",),
        "still stands: it is a run of its own, and could not be undone": (
            "tell definitely fails",
            "the undo of sale waits for a person",
        ),
    }


def test_a_step_that_is_completed_from_outside_is_answered_or_is_not() -> None:
    found = explore(shop.transfer, pairs=True)
    assert found.broken == ()
    stories = [each.story for each in explore(shop.transfer).left if each.what == UNKNOWN]
    told = [sentence for story in stories for sentence in story]
    assert "order_transfer is in doubt: no reply came, 3 times." in told
    causes = {cause for world in seen(shop.transfer) for cause in world.cause}
    assert "order_transfer times out once, though it happens" in causes


def test_a_message_comes_or_never_does() -> None:
    never = [world for world in seen(shop.awaited) if NEVER in world.cause]
    # Nothing else goes wrong in the first of them: what was held is let go of again.
    assert (never[0].cause, never[0].status, never[0].undone) == ((NEVER,), "failed", ("hold",))
    assert explore(shop.awaited, pairs=True).broken == ()


def test_what_is_at_work_at_once_ends_both_ways_round() -> None:
    undone = {tuple(world.undone) for world in seen(shop.beside)}
    assert {("hold", "pay"), ("pay", "hold")} <= undone


def seen(workflow: Workflow[..., Any]) -> list[Explored]:
    """Return what became of every world."""
    worlds: list[Explored] = []

    def note(world: Explored) -> list[str]:
        worlds.append(world)
        return []

    explore(workflow, invariants=[note])
    return worlds


def test_what_cannot_be_computed_from_an_example_is_an_example_too() -> None:
    found = explore(shop.computing)
    assert found.ends["completed"] == 16
    [refund] = [each for each in found.left if each.what == "still stands: refund gave up"]
    assert refund.cause[0] == "inverse cannot be computed"


@pytest.mark.parametrize("pairs", [False, True])
def test_the_shops_own_workflow_keeps_every_promise(*, pairs: bool) -> None:
    found = explore(place_order, pairs=pairs)
    assert found.broken == ()
    assert {(each.node, each.what) for each in found.left} == {
        ("authorize_payment", UNKNOWN),
        ("capture_payment", UNKNOWN),
        ("send_confirmation", "may or may not have happened, and is optional: nobody asks"),
        ("reserve_inventory", "still stands: release_inventory gave up"),
        ("authorize_payment", "still stands: void_authorization gave up"),
        ("authorize_payment", "may or may not stand: void_authorization gave no answer"),
        ("capture_payment", "still stands: refund_payment gave up"),
        ("capture_payment", "may or may not stand: refund_payment gave no answer"),
        ("fulfil_order", "still stands: recall_shipment gave up"),
    }


def test_every_pair_holds_every_single_fault_and_more() -> None:
    singles, pairs = explore(shop.order), explore(shop.order, pairs=True)
    assert pairs.worlds > 5 * singles.worlds
    assert left(pairs).keys() >= left(singles).keys()


def test_more_worlds_than_are_to_be_played_are_left_out_and_that_is_said() -> None:
    found = explore(shop.order, worlds_max=20)
    assert (found.worlds, found.is_cut) == (20, True)
    assert "There are more worlds" in str(found)


def test_an_invariant_is_asked_of_every_world_and_told_with_the_shortest_story() -> None:
    asked = 0

    def nobody_pays_for_nothing(world: Explored) -> list[str]:
        nonlocal asked
        asked += 1
        is_wrong = "pay" in world.stands and "hold" not in world.stands
        return ["paid, and nothing is held"] if is_wrong else []

    found = explore(shop.order, invariants=[nobody_pays_for_nothing])
    [broken] = found.broken
    assert str(broken) == "paid, and nothing is held"
    assert broken.cause[0] == "tell definitely fails"
    assert asked == found.worlds


def test_inputs_and_examples_are_used_where_they_are_given() -> None:
    given = Setting(shop.kept, Examples(), {"order": "A-17"})
    made = Setting(shop.kept, Examples({str: "B-18"}), {})
    assert (bytes(given.inputs["order"]), bytes(made.inputs["order"])) == (b'"A-17"', b'"B-18"')
    assert explore(shop.kept, inputs={"order": "A-17"}) == explore(shop.kept)


def test_an_input_that_the_workflow_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidInput, match="`kept` has no input `oder`; it has order"):
        explore(shop.kept, inputs={"oder": "A-17"})


def test_a_note_changes_nothing_in_any_world() -> None:
    assert explore(shop.noted).worlds == explore(shop.harmless).worlds
