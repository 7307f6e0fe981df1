"""What `wait` and `send` declare, and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, NewType

import pytest

from makegood.definition.flow.looping import each
from makegood.definition.flow.messaging import send, wait
from makegood.definition.plan import Constant, FromInput, Kind, numbered_nodes
from makegood.definition.workflow import workflow
from makegood.values.messages import message_name, misfit_message

if TYPE_CHECKING:
    from makegood.definition.plan import Argument, Node
    from tests.definition.conftest import Declare

OrderId = NewType("OrderId", str)


@dataclass(frozen=True)
class Shipped:
    parcel: str


@dataclass(frozen=True)
class Paid:
    message_name: ClassVar[str] = "shop.Paid"

    cents: int


@dataclass(frozen=True)
class Lost:
    parcel: str


def declared(kind: type) -> Node:
    @workflow
    def follow(order: OrderId) -> None:
        wait(kind, key=order, within=timedelta(days=1))

    return follow.plan.nodes[0]


def given(node: Node) -> dict[str, Argument]:
    return {item.name: item for item in node.arguments}


def test_a_wait_is_a_node_that_names_its_message_and_gives_it() -> None:
    @workflow
    def follow(order: OrderId, pause: timedelta) -> Shipped:
        return wait.named("parcel")(Shipped, key=order, within=pause)

    node = follow.plan.nodes[0]
    name = "tests.definition.flow.test_messages.Shipped"
    assert (node.path, node.kind, node.function, node.returns) == (
        "parcel",
        Kind.WAIT,
        name,
        "Shipped",
    )
    assert [item.source for item in node.arguments] == [FromInput("order"), FromInput("pause")]


def test_a_wait_for_ever_gives_no_duration() -> None:
    @workflow
    def follow(order: OrderId) -> Shipped:
        return wait(Shipped, key=order, forever=True)

    assert given(follow.plan.nodes[0])["within"].source == Constant("null")


def test_what_is_sent_says_for_how_long_and_when() -> None:
    @workflow
    def tell(order: OrderId, paid: Paid) -> None:
        send(paid, key=order, keep=timedelta(hours=1), on="success")

    node = tell.plan.nodes[0]
    assert (node.path, node.kind, node.function) == ("send", Kind.SEND, "shop.Paid")
    found = given(node)
    assert found["message"].source == FromInput("paid")
    assert found["on"].source == Constant('"success"')


def test_a_constant_can_be_sent() -> None:
    @workflow
    def tell(order: OrderId) -> None:
        send(Shipped("parcel 9"), key=order)

    assert given(tell.plan.nodes[0])["message"].source == Constant('{"parcel":"parcel 9"}')


def test_the_fingerprint_tells_messages_apart_that_look_the_same() -> None:
    assert declared(Shipped).returns != declared(Lost).returns
    assert declared(Shipped).function != declared(Lost).function


def test_a_message_is_known_by_its_class_or_by_what_that_says() -> None:
    assert message_name(Paid) == "shop.Paid"
    assert message_name(Shipped) == "tests.definition.flow.test_messages.Shipped"


@pytest.mark.parametrize("kind", [str, dict, list[str], OrderId, None])
def test_what_is_no_class_of_the_programs_own_is_no_message(kind: object) -> None:
    why = misfit_message(kind)

    assert why is not None
    assert "is not a class of messages; declare one" in why


def test_nodes_are_numbered_as_their_code_is() -> None:
    @workflow
    def follow_all(orders: list[str]) -> list[Shipped]:
        return each(orders, lambda order: wait(Shipped, key=order, forever=True))

    numbers = [number for number, _node in numbered_nodes(follow_all.plan)]
    assert sorted(numbers) == sorted(follow_all.code.nodes)
    assert len(numbers) == 2


MESSAGES = """
from makegood.definition.flow.messaging import send, wait

class Shipped(msgspec.Struct, frozen=True):
    parcel: str
"""


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("wait(Shipped, key=order.id)  # wrong", "has no end; give it within=…, or forever=True"),
        (
            "wait(Shipped, key=order.id, within=timedelta(1), forever=True)  # wrong",
            "says both within= and forever=True",
        ),
        ("wait(str, key=order.id, forever=True)  # wrong", "`str` is not a class of messages"),
        ("wait(Shipped, key=order.total, forever=True)  # wrong", "is given `order.total`"),
        (
            "wait.when(order.is_paid)(Shipped, key=order.id, forever=True)  # wrong",
            "wait(…) is not guarded by .when(…); let switch(flag,",
        ),
        ("send(order.id, key=order.id)  # wrong", "is not a class of messages"),
        ("send(order, key=order.total)  # wrong", "is given `order.total`"),
        ('send(order, key=order.id, on="failure")  # wrong', 'give on="now" or on="success"'),
    ],
)
def test_what_has_no_sense_is_refused_where_it_stands(
    body: str, remedy: str, declare: Declare
) -> None:
    sentences = declare.refused(
        MESSAGES + f"@workflow\ndef follow(order: Order) -> None:\n    {body}\n"
    )

    assert remedy in sentences[0]


@pytest.mark.parametrize("call", ['wait(Shipped, key="a", forever=True)', 'send(1, key="a")'])
def test_messages_are_said_only_in_the_body_of_a_workflow(call: str, declare: Declare) -> None:
    sentences = declare.refused(MESSAGES + f"{call}  # wrong\n")

    assert "call it inside a function under @workflow" in sentences[0]
