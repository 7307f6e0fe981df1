"""A run knows what it belongs to, and those that it calls belong to the same."""

from __future__ import annotations

from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import Beginning, Parent, read_facts, write_facts
from makegood.decision.outgoing import StartChild
from makegood.values.ids import RunId
from tests.decision.children.hearing import ME, spoken
from tests.decision.driver import START_AT, Run
from tests.decision.plans import child, plan_of

ROOT = RunId("root")


def begun(beginning: Beginning | None, root: RunId | None = None) -> Run:
    run = Run(plan_of(child("ship")), starts=False)
    run.turn(
        facts.RunStarted(
            workflow="shop",
            fingerprint="0" * 16,
            key=None,
            inputs={"flag": Raw(b"true")},
            deadline=None,
            at=START_AT,
            parent=None if root is None else Parent(root, "shop"),
            root=root,
            beginning=beginning,
        )
    )
    return run


def called_with(run: Run) -> Beginning | None:
    [start] = [each for each in spoken(run) if isinstance(each, StartChild)]
    return start.started.beginning


def test_a_run_from_outside_is_a_beginning_itself() -> None:
    run = begun(None)
    assert run.state.family.correlation_of(ME) == ME
    assert called_with(run) is None


def test_a_run_that_was_called_belongs_to_the_run_with_which_its_tree_began() -> None:
    run = begun(None, ROOT)
    assert run.state.family.correlation_of(ME) == ROOT
    assert called_with(run) is None


def test_what_a_message_has_started_belongs_with_it_and_so_does_what_that_calls() -> None:
    run = begun(Beginning(correlation="order-7", causation="message-1", tenant="acme"))
    assert run.state.family.correlation_of(ME) == "order-7"
    assert called_with(run) == Beginning(correlation="order-7", causation=ME, tenant="acme")


def test_what_a_schedule_has_started_is_a_beginning_of_its_own() -> None:
    run = begun(Beginning(causation="nightly@2026"))
    assert run.state.family.correlation_of(ME) == ME
    assert called_with(run) == Beginning(correlation=ME, causation=ME)


def test_a_run_that_says_nothing_of_its_beginning_is_stored_as_it_always_was() -> None:
    [started] = begun(None).history[0][:1]
    stored = write_facts([started])
    assert b"beginning" not in stored
    assert read_facts(stored) == (started,)
