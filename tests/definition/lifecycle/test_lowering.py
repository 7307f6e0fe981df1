"""A lifecycle is lowered to a plan of one node, which has a block for each handler."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import Enum

import msgspec
import pytest
from msgspec import Raw

from makegood.definition.lifecycle.builder import Lifecycle
from makegood.definition.lifecycle.machine import Handler, Machine, Trigger
from makegood.definition.plan import (
    Backoff,
    FromInput,
    FromNode,
    FromRound,
    Kind,
    Plan,
    numbered_nodes,
)
from makegood.definition.policy import Retry
from makegood.definition.step import step
from makegood.definition.workflow import workflow
from makegood.errors import InvalidInput
from makegood.values.outcomes import Goto
from tests.definition.lifecycle.shop import (
    Order,
    Paid,
    Status,
    declared,
    drop,
    hold_money,
    remind,
    settle,
)


def test_its_plan_has_one_node_which_knows_its_statuses() -> None:
    plan = declared().workflow(deadline=timedelta(days=9)).plan

    assert (plan.workflow, plan.returns, plan.returns_type) == ("order", FromNode(0), "Order")
    assert [(item.name, item.type) for item in plan.inputs] == [("record", "Order")]
    assert (plan.deadline, plan.summary) == (
        timedelta(days=9),
        "An order that goes from status to status.",
    )
    [node] = plan.nodes
    assert (node.path, node.kind, node.returns) == ("order", Kind.LIFECYCLE, "Order")
    assert node.arguments[0].source == FromInput("record")
    assert plan.machine == Machine(
        statuses=("NEW", "PAYING", "SHIPPING", "SHIPPED", "DROPPED"),
        start="NEW",
        terminal=("SHIPPED", "DROPPED"),
        handlers=(
            Handler(
                name="hold_money",
                trigger=Trigger.ENTRY,
                statuses=("NEW",),
                to=("PAYING", "DROPPED"),
            ),
            Handler(
                name="settle",
                trigger=Trigger.MESSAGE,
                statuses=("PAYING",),
                to=("SHIPPING",),
                message="tests.definition.lifecycle.shop.Paid",
            ),
            Handler(
                name="remind",
                trigger=Trigger.TIMER,
                statuses=("PAYING",),
                after=timedelta(days=1),
            ),
            Handler(name="drop", trigger=Trigger.TIMER, statuses=("PAYING",), to=("DROPPED",)),
            Handler(
                name="shipped",
                trigger=Trigger.CALL,
                statuses=("SHIPPING",),
                to=("SHIPPED", "DROPPED"),
            ),
        ),
        visits_max=1_000,
        repeats_max=1_000,
        resumes_max=5,
    )


def test_each_handler_is_a_block_of_its_own_with_the_policy_of_a_step() -> None:
    plan = declared().workflow().plan

    nodes = {node.path: (number, node) for number, node in numbered_nodes(plan)}
    assert {path: number for path, (number, _node) in nodes.items()} == {
        "order": 0,
        "hold_money": 10_000,
        "settle": 20_000,
        "remind": 30_000,
        "drop": 40_000,
        "shipped-run": 50_000,
        "shipped": 50_001,
    }
    held = nodes["hold_money"][1]
    assert (held.kind, held.returns) == (Kind.STEP, "Next[Status, Order]")
    assert held.undo is not None
    assert (held.undo.function, held.services) == ("release_money", ("Bank",))
    assert [(item.name, item.source) for item in nodes["settle"][1].arguments] == [
        ("order", FromRound(2, (".record",))),
        ("paid", FromRound(2, (".message",))),
    ]


def test_a_workflow_that_is_called_is_a_child_which_keeps_its_failure() -> None:
    plan = declared().workflow().plan

    child, after = plan.nodes[0].blocks[4].nodes
    assert (child.kind, child.keeps_failure, child.returns) == (Kind.CHILD, True, "Parcel")
    assert (child.timeout_total, after.timeout_total) == (timedelta(days=3), None)
    assert (child.feeds, after.needs) == ((1,), (0,))
    assert after.arguments[1].source == FromNode(50_000)


def test_a_plan_of_a_lifecycle_can_be_stored_and_read_again() -> None:
    plan = declared().workflow().plan

    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_it_says_which_messages_it_hears() -> None:
    plan = declared().workflow().plan

    assert plan.heard == {"tests.definition.lifecycle.shop.Paid"}
    assert plan.speaks
    assert plan.number_of("order[7]/settle") == 20_000


def test_a_lifecycle_that_neither_hears_nor_calls_has_nothing_to_say() -> None:
    class Light(Enum):
        ON = 1
        OFF = 2

    async def switch_off(order: Order) -> Goto[Light, Order]:
        return Goto(Light.OFF, order)

    made = Lifecycle("light", Order, Light, key=lambda order: order.id)

    assert not made.on(Light.ON, switch_off, to={Light.OFF}).workflow().plan.speaks


CHANGES = {
    "another message": lambda made: replace(
        made, handlings=made.handlings[:1] + made.handlings[2:]
    ).hear(Status.PAYING, Order, _heard, to={Status.SHIPPING}),
    "a pivot": lambda made: replace(made, pivots={Status.SHIPPING}),
    "another schema": lambda made: replace(made, schema=2, upcasts={1: dict}),
    "one handler less": lambda made: replace(
        made, handlings=(*made.handlings[:2], *made.handlings[3:])
    ),
}

POLICIES = {
    "how often it pauses": lambda made: replace(made, pause_after=2),
    "how long it pauses": lambda made: replace(made, resume_after=timedelta(hours=1)),
    "how often it moves": lambda made: replace(made, visits_max=7),
    "another key": lambda made: replace(made, key=lambda _order: "1"),
}


async def _heard(order: Order, other: Order) -> Goto[Status, Order]:
    return Goto(Status.SHIPPING, other if other.total else order)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_may_happen_is_in_its_fingerprint(change: object) -> None:
    made = declared()

    assert callable(change)
    assert change(made).workflow().plan.fingerprint != made.workflow().plan.fingerprint


@pytest.mark.parametrize("change", POLICIES.values(), ids=POLICIES)
def test_a_policy_is_not_in_its_fingerprint(change: object) -> None:
    made = declared()

    assert callable(change)
    assert change(made).workflow().plan.fingerprint == made.workflow().plan.fingerprint


def test_what_its_statuses_stand_for_is_not_in_its_plan() -> None:
    def made(values: type[Enum]) -> str:
        async def go(order: Order) -> Goto[Enum, Order]:
            return Goto(values["B"], order)  # type: ignore[misc] # it is a member

        lifecycle = Lifecycle("x", Order, values, key=lambda order: order.id)
        return lifecycle.on(values["A"], go, to={values["B"]}).workflow().plan.fingerprint

    class Status(Enum):
        A = 1
        B = 2

    one = made(Status)
    renumbered = made(Enum("Status", {"A": "first", "B": "second"}))

    assert one == renumbered


def test_a_call_of_it_carries_the_key_of_its_record() -> None:
    made = declared().workflow()

    call = made(Order("7"))

    assert call.key == "order-7"
    assert repr(call).startswith("<call order(record)")
    assert call.input == {"record": Raw(b'{"id":"7","total":0,"due":null}')}


def test_a_key_that_is_none_is_refused_with_the_call() -> None:
    made = replace(declared(), key=lambda _order: " ").workflow()

    with pytest.raises(InvalidInput, match="key"):
        made(Order("7"))


def test_the_attempts_before_a_pause_bound_those_of_every_policy() -> None:
    made = replace(declared(), pause_after=2).on(
        Status.SHIPPED, _back, to={Status.DROPPED}, retry=Retry(attempts=1)
    )

    attempts = {
        node.path: node.retry.attempts for _number, node in numbered_nodes(made.workflow().plan)
    }

    assert (attempts["settle"], attempts["_back"]) == (2, 1)


async def _back(order: Order) -> Goto[Status, Order]:
    return Goto(Status.DROPPED, order)


def test_a_handler_may_stand_for_several_statuses() -> None:
    made = declared().hear({Status.NEW, Status.SHIPPING}, Paid, _refuse, to={Status.DROPPED})

    machine = made.workflow().plan.machine

    assert machine is not None
    assert machine.handlers[-1].statuses == ("NEW", "SHIPPING")
    assert {status: [*heard] for status, heard in machine.hears.items() if heard} == {
        "NEW": ["tests.definition.lifecycle.shop.Paid"],
        "PAYING": ["tests.definition.lifecycle.shop.Paid"],
        "SHIPPING": ["tests.definition.lifecycle.shop.Paid"],
    }


async def _refuse(order: Order, _paid: Paid) -> Goto[Status, Order]:
    return Goto(Status.DROPPED, order)


def test_adding_to_a_lifecycle_leaves_it_as_it_was() -> None:
    begun = Lifecycle("order", Order, Status, key=lambda order: order.id)

    added = begun.on(Status.NEW, hold_money, to={Status.PAYING, Status.DROPPED})

    assert repr(begun) == "<lifecycle order(Order): nothing yet>"
    assert repr(added) == "<lifecycle order(Order): hold_money>"


def test_its_workflow_may_be_a_step_of_another_one() -> None:
    orders = declared().workflow()

    @workflow
    def sell(order: Order) -> Order:
        return step(orders)(order)

    [node] = sell.plan.nodes
    assert (node.kind, node.function, node.returns) == (Kind.CHILD, "order", "Order")
    assert sell.children() == (orders,)


def test_a_lifecycle_has_versions_like_every_workflow() -> None:
    orders = declared().workflow()

    assert orders.version("2").plan.fingerprint != orders.plan.fingerprint
    assert orders.version("2")(Order("7")).key == "order-7"


def test_a_handler_knows_where_it_is_called_and_how_often_at_once() -> None:
    made = Lifecycle("order", Order, Status, key=lambda order: order.id, start=Status.PAYING)

    handled = made.hear(Status.PAYING, Paid, settle, to={Status.SHIPPING}, at_once=3)

    assert handled.handlings[0].handler.at_once == 3
    assert handled.handlings[0].recipe.node.retry == Backoff()


def test_timers_may_be_due_at_once() -> None:
    made = declared().expire(
        Status.SHIPPED, drop, after=timedelta(0), to={Status.DROPPED}, name="x"
    )

    assert made.handlings[-1].handler.after == timedelta(0)
    assert remind.__name__ == made.handlings[2].handler.name
