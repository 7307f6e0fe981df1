"""What the runtime reads through a workflow's code: fresh values, by declared types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest
from msgspec import Raw

from makegood.definition.flow.failing import expect
from makegood.definition.step import pure, query, step
from makegood.definition.workflow import Workflow, workflow
from makegood.errors import Declined, InvalidInput
from makegood.values.codec import NotCarried
from makegood.values.injectable import Attempt, IdempotencyKey, Transaction, Writes, injected
from makegood.values.verdict import Failure, Verdict


@dataclass
class Order:
    id: str
    lines: list[str] = field(default_factory=list[str])
    labels: dict[str, Any] = field(default_factory=dict[str, Any])
    is_paid: bool = False


class Bank(Protocol): ...


class Post(Protocol): ...


class Clerk(Protocol): ...


async def find(order_id: str, *, clerk: Clerk = injected) -> Order: ...
async def pay(
    order: Order,
    cents: int,
    note: str = "none",
    *,
    bank: Bank = injected,
    key: IdempotencyKey = injected,
) -> Order: ...
async def unpay(order: Order, *, bank: Bank = injected, attempt: Attempt = injected) -> None: ...
async def find_payment(
    failure: Failure, cents: int, *, post: Post = injected, writes: Writes = injected
) -> Verdict[Order]: ...
async def note(text: str | None, order: Order | None) -> str: ...
async def keep(order: Order, *, transaction: Transaction = injected) -> int: ...
def both(left: str, right: int) -> str: ...


@workflow
def sell(
    order_id: str, *, flag: bool = False
) -> tuple[Order, dict[str, Any], list[str], None, int]:
    order = query(find)(order_id)
    paid = step(pay, undo=unpay, compensate=find_payment)(order, 7)
    noted = step(note, irreversible="x", optional=True)("said", paid)
    later = step(note, name="later", irreversible="x").when(order.is_paid)(noted, order)
    step(note, name="last", irreversible="x")(later, None)
    pure(both)(order.lines[0], order.labels["size"])
    kept = step(keep, irreversible="x")(order)
    expect(flag, Declined("flag"))
    return paid, {"id": order.id, "flag": flag}, [order.id], None, kept


FOUND = Raw(b'{"id":"o1","lines":["a"],"labels":{"size":4},"is_paid":true}')
PAID = Raw(b'{"id":"paid"}')
INPUTS = {"order_id": Raw(b'"o1"'), "flag": Raw(b"true")}


def node(path: str) -> Any:
    return sell.code.nodes[sell.plan.positions[path]]


def test_arguments_are_decoded_by_the_type_of_their_producer() -> None:
    order = Order("o1", ["a"], {"size": 4}, is_paid=True)

    assert node("find").arguments(INPUTS, []) == {"order_id": "o1"}
    assert node("pay").arguments(INPUTS, [FOUND]) == {"order": order, "cents": 7, "note": "none"}
    assert node("note").arguments(INPUTS, [FOUND, PAID]) == {"text": "said", "order": Order("paid")}
    assert node("both").arguments(INPUTS, [FOUND]) == {"left": "a", "right": 4}


def test_every_reading_is_fresh() -> None:
    first = node("pay").arguments(INPUTS, [FOUND])["order"]
    first.lines.append("changed")

    second = node("pay").arguments(INPUTS, [FOUND])["order"]

    assert second.lines == ["a"]
    assert second is not first


def test_a_skipped_producer_is_none() -> None:
    results = [FOUND, PAID, None, None]

    assert node("later").arguments(INPUTS, results)["text"] is None
    assert node("last").arguments(INPUTS, results) == {"text": None, "order": None}


def test_a_recorded_none_of_an_optional_step_is_none() -> None:
    results = [FOUND, PAID, Raw(b"null"), Raw(b'"said"')]

    assert node("later").arguments(INPUTS, results)["text"] is None
    assert node("last").arguments(INPUTS, results)["text"] == "said"


def test_a_guard_and_an_expect_read_their_flag() -> None:
    unpaid = Raw(b'{"id":"o1"}')

    assert node("pay").holds(INPUTS, [])
    assert node("later").holds(INPUTS, [FOUND])
    assert not node("later").holds(INPUTS, [unpaid])
    assert node("expect").holds(INPUTS, [])
    assert not node("expect").holds({**INPUTS, "flag": Raw(b"false")}, [])
    assert isinstance(node("expect").error, Declined)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b'{"id":"o1"}', "`find(…).lines[0]` for `left: str` of `both` is not there: list index"),
        (
            b'{"id":"o1","lines":["a"]}',
            "`find(…).labels['size']` for `right: int` of `both` is not there: 'size'",
        ),
    ],
)
def test_a_part_that_is_not_there_is_named(stored: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        node("both").arguments(INPUTS, [Raw(stored)])

    assert str(caught.value).startswith(message)


def test_a_value_that_is_no_longer_of_its_type_is_named_with_its_step() -> None:
    with pytest.raises(NotCarried, match="an argument of `pay` cannot be read: the stored value"):
        node("pay").arguments(INPUTS, [Raw(b'{"name":"x"}')])


def test_the_value_of_a_workflow_has_the_shape_that_its_body_returns() -> None:
    results: list[Raw | None] = [FOUND, PAID, None, None, None, None, Raw(b"3"), None]

    value = sell.code.result(INPUTS, results)

    assert value == (Order("paid"), {"id": "o1", "flag": True}, ["o1"], None, 3)
    assert sell.code.result_codec.read(sell.code.result_codec.write(value)) == value


def test_the_code_knows_what_each_function_needs() -> None:
    paying = node("pay")

    assert sell.code.needs() == {Bank, Clerk, Post}
    assert [(item.name, item.wants) for item in paying.injections] == [
        ("bank", Bank),
        ("key", IdempotencyKey),
    ]
    assert paying.function is pay
    assert paying.undo.function is unpay
    assert [item.wants for item in paying.undo.injections] == [Bank, Attempt]
    assert paying.compensate.function is find_payment
    assert paying.compensate.parameters == ("cents",)
    assert [item.wants for item in paying.compensate.injections] == [Post, Writes]


def test_a_compensate_is_given_what_the_step_is_given() -> None:
    paying = node("pay")
    arguments = paying.arguments(INPUTS, [FOUND])

    assert {name: arguments[name] for name in paying.compensate.parameters} == {"cents": 7}


def test_a_result_is_written_and_read_by_the_declared_type() -> None:
    codec = node("find").result

    assert codec.read(codec.write(Order("x", ["y"]))) == Order("x", ["y"])
    with pytest.raises(NotCarried):
        codec.write("no order")


def test_a_local_step_is_injected_with_its_transaction() -> None:
    assert [item.wants for item in node("keep").injections] == [Transaction]


def declared(of: Callable[..., Any]) -> Workflow[..., Any]:
    return workflow(of)


def test_a_constant_that_is_mutable_is_fresh_for_every_attempt() -> None:
    async def total(prices: list[int]) -> int: ...

    def body(order_id: str) -> int:
        query(find)(order_id)
        return query(total)([1, 2])

    read = declared(body).code.nodes[1].arguments
    read({}, [])["prices"].append(3)

    assert read({}, []) == {"prices": [1, 2]}
