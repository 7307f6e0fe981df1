"""A declared workflow keeps a plan that says all, and makes calls that are parsed at the door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, NewType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.definition.flow.failing import expect
from makegood.definition.plan import (
    Argument,
    Backoff,
    Constant,
    FromInput,
    FromNode,
    Input,
    Items,
    Kind,
    Node,
    Pairs,
    Plan,
    Remedy,
    fingerprint_of,
)
from makegood.definition.step import pure, query, step
from makegood.definition.workflow import workflow
from makegood.errors import Declined, InvalidInput, PayloadTooLarge
from makegood.values.injectable import Transaction, injected
from makegood.values.limits import PAYLOAD_BYTES_MAX

OrderId = NewType("OrderId", str)


@dataclass(frozen=True)
class Order:
    id: OrderId
    total: int
    is_gift: bool = False


class Payment(NamedTuple):
    id: str


async def find(order_id: OrderId) -> Order: ...
async def charge(order: Order, cents: int, note: str = "none") -> Payment:
    """Take the money."""
    return Payment(note)


async def refund(payment: Payment) -> None: ...
async def hold(order: Order, *, transaction: Transaction = injected) -> int: ...
async def wrap(order: Order) -> None: ...
def is_large(order: Order) -> bool:
    return order.total > 100


@workflow(deadline=timedelta(hours=1))
def sell(order_id: OrderId, limit: int = 5) -> dict[str, Any]:
    """Sell one order.

    Whatever it takes.
    """
    order = query(find)(order_id)
    expect(order.is_gift, Declined("no gift"), name="gift")
    held = step(hold, irreversible="stock is counted by hand")(order)
    paid = step(charge, undo=refund).after(held)(order, order.total)
    large = pure(is_large)(order)
    step(wrap, irreversible="paper is torn", optional=True).when(large)(order)
    return {"paid": paid, "all": (order.id, limit, [1])}


WHOLE = FromNode(0)
NODES = (
    Node(
        path="find",
        kind=Kind.QUERY,
        function="find",
        arguments=(Argument(name="order_id", source=FromInput("order_id"), type="OrderId"),),
        feeds=(1, 2, 3, 4, 5),
        returns="Order",
    ),
    Node(
        path="gift",
        kind=Kind.EXPECT,
        function="expect",
        arguments=(
            Argument(name="flag", source=FromNode(0, (".is_gift",)), type="bool"),
            Argument(name="error", source=Constant("null"), type="Declined"),
        ),
        needs=(0,),
        retry=Backoff(attempts=1),
        timeout=None,
        summary="no gift",
    ),
    Node(
        path="hold",
        kind=Kind.LOCAL,
        function="hold",
        arguments=(Argument(name="order", source=WHOLE, type="Order"),),
        needs=(0,),
        feeds=(3,),
        returns="int",
        irreversible="stock is counted by hand",
    ),
    Node(
        path="charge",
        kind=Kind.STEP,
        function="charge",
        arguments=(
            Argument(name="order", source=WHOLE, type="Order"),
            Argument(name="cents", source=FromNode(0, (".total",)), type="int"),
            Argument(name="note", source=Constant('"none"'), type="str"),
        ),
        needs=(0, 2),
        returns="Payment",
        undo=Remedy(function="refund", retry=Backoff(attempts=10), timeout=timedelta(seconds=30)),
        key_valid_for=timedelta(hours=24),
        summary="Take the money.",
    ),
    Node(
        path="is_large",
        kind=Kind.PURE,
        function="is_large",
        arguments=(Argument(name="order", source=WHOLE, type="Order"),),
        needs=(0,),
        feeds=(5,),
        returns="bool",
        retry=Backoff(attempts=1),
        timeout=None,
    ),
    Node(
        path="wrap",
        kind=Kind.STEP,
        function="wrap",
        arguments=(Argument(name="order", source=WHOLE, type="Order"),),
        needs=(0, 4),
        when=FromNode(4),
        irreversible="paper is torn",
        optional=True,
        key_valid_for=timedelta(hours=24),
    ),
)


def test_a_plan_says_everything_that_is_to_happen() -> None:
    plan = Plan(
        workflow="sell",
        fingerprint=sell.plan.fingerprint,
        nodes=NODES,
        inputs=(
            Input(name="order_id", type="OrderId"),
            Input(name="limit", type="int", required=False),
        ),
        returns=Pairs(
            (
                ("paid", FromNode(3)),
                (
                    "all",
                    Items(
                        (FromNode(0, (".id",)), FromInput("limit"), Items((Constant("1"),), "list"))
                    ),
                ),
            )
        ),
        returns_type="dict[str, Any]",
        deadline=timedelta(hours=1),
        summary="Sell one order.",
    )

    assert sell.plan == plan


def test_a_plan_survives_being_stored() -> None:
    stored = msgspec.json.encode(sell.plan)

    assert msgspec.json.decode(stored, type=Plan) == sell.plan
    assert fingerprint_of(msgspec.json.decode(stored, type=Plan)) == sell.plan.fingerprint


def test_a_workflow_shows_what_it_is() -> None:
    assert repr(sell) == ("<workflow sell(order_id, limit) -> dict[str, Any]: 6 nodes, 1 finding>")
    assert sell.name == "sell"


def test_a_body_that_returns_nothing_gives_none() -> None:
    @workflow
    def quiet(order_id: OrderId) -> None:
        query(find)(order_id)

    assert quiet.plan.returns == Constant("null")
    assert quiet.code.result({}, [None]) is None


def test_a_body_is_run_once_when_it_is_declared() -> None:
    declared: list[object] = []

    def noted(function: Any) -> Any:
        declared.append(function)
        return function

    @workflow
    def once(order_id: OrderId) -> Order:
        return query(noted(find))(order_id)

    once(OrderId("1"))

    assert declared == [find]


def test_a_call_holds_the_json_of_every_input() -> None:
    call = sell(OrderId("17"))

    assert call.workflow is sell
    assert {name: bytes(raw) for name, raw in call.input.items()} == {
        "order_id": b'"17"',
        "limit": b"5",
    }
    assert repr(call) == f"<call sell(order_id, limit) {call.input_hash[:8]}>"


def test_the_same_inputs_have_the_same_hash_however_they_are_given() -> None:
    hashes = {
        sell(OrderId("17")).input_hash,
        sell(OrderId("17"), 5).input_hash,
        sell(limit=5, order_id=OrderId("17")).input_hash,
    }

    assert len(hashes) == 1
    assert sell(OrderId("17"), 6).input_hash not in hashes


async def count(amounts: dict[str, int]) -> int: ...


@workflow
def tally(amounts: dict[str, int]) -> int:
    return query(count)(amounts)


@given(st.dictionaries(st.text(), st.integers(-(2**60), 2**60)))
def test_the_order_of_a_dict_does_not_change_the_hash(amounts: dict[str, int]) -> None:
    turned = dict(reversed(amounts.items()))

    assert tally(amounts).input_hash == tally(turned).input_hash


@given(st.text(), st.text(), st.text(), st.text())
def test_inputs_never_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    assert ((a, b) == (c, d)) == (join(a, b).input_hash == join(c, d).input_hash)


async def joined(left: str, right: str) -> str: ...


@workflow
def join(left: str, right: str) -> str:
    return query(joined)(left, right)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "`sell` is not given `order_id`; add it"),
        (("1", 2, 3), {}, "`sell` takes 2 arguments by position, but 3 are given; remove what is"),
        (("1",), {"limt": 3}, "`sell` takes no `limt`; did you mean `limit`?"),
        (("1",), {"order_id": "1"}, "`sell` is given `order_id` twice; give it once"),
        ((1,), {}, "the input `order_id: OrderId` of `sell`: 1 is not carried as"),
        (("1", "5"), {}, "the input `limit: int` of `sell`: '5' is not carried as int"),
        (("1", None), {}, "Expected `int`, got `null`"),
        (("1", float("nan")), {}, "the input `limit: int` of `sell`: nan is not carried"),
    ],
)
def test_wrong_inputs_are_refused_by_name(
    args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        sell(*args, **kwargs)

    assert message in str(caught.value)


def test_every_wrong_argument_of_a_call_is_reported_at_once() -> None:
    untyped: Any = sell

    with pytest.raises(InvalidInput) as caught:
        untyped(limt=3)

    assert str(caught.value) == (
        "`sell` takes no `limt`; did you mean `limit`?\n`sell` is not given `order_id`; add it"
    )


def test_a_long_value_is_cut_in_the_message() -> None:
    untyped: Any = sell

    with pytest.raises(InvalidInput) as caught:
        untyped("1", "x" * 1_000)

    assert len(str(caught.value)) < 250


def test_an_input_that_is_too_large_is_refused() -> None:
    with pytest.raises(
        PayloadTooLarge, match=r"the input `order_id: OrderId` of `sell`: the value"
    ):
        sell(OrderId("x" * PAYLOAD_BYTES_MAX))


def test_inputs_that_are_too_large_together_are_refused() -> None:
    half = "x" * (PAYLOAD_BYTES_MAX // 2)

    with pytest.raises(PayloadTooLarge, match="the inputs of `join` have 1,000,004 bytes"):
        join(half, half)


def varied(**changes: Any) -> Plan:
    plan = msgspec.structs.replace(sell.plan, **changes)
    return msgspec.structs.replace(plan, fingerprint=fingerprint_of(plan))


def with_node(index: int, **changes: Any) -> Plan:
    nodes = list(sell.plan.nodes)
    nodes[index] = msgspec.structs.replace(nodes[index], **changes)
    return varied(nodes=tuple(nodes))


durations = st.timedeltas(timedelta(seconds=1), timedelta(days=1))
backoffs = st.builds(Backoff, attempts=st.integers(1, 50), delay=durations, jitter=st.booleans())


policies = st.fixed_dictionaries(
    {
        "retry": backoffs,
        "timeout": durations,
        "timeout_total": durations | st.none(),
        "summary": st.text(),
        "irreversible": st.text() | st.none(),
        "key_valid_for": durations | st.none(),
        "function": st.text(),
        "undo": st.builds(Remedy, function=st.just("refund"), retry=backoffs, timeout=durations),
    }
)


@given(policies, durations | st.none(), st.text())
def test_a_fingerprint_does_not_know_policies_and_docs(
    policy: dict[str, Any], deadline: timedelta | None, summary: str
) -> None:
    plan = msgspec.structs.replace(
        with_node(3, **policy), deadline=deadline, summary=summary, strict=True
    )

    assert fingerprint_of(plan) == sell.plan.fingerprint


STRUCTURAL: dict[str, dict[str, Any]] = {
    "path": {"path": "other"},
    "kind": {"kind": Kind.QUERY},
    "no arguments": {"arguments": ()},
    "another source": {
        "arguments": (Argument(name="order", source=FromNode(0, (".id",)), type="Order"),)
    },
    "another type": {"arguments": (Argument(name="order", source=FromNode(0), type="Ordre"),)},
    "another constant": {"arguments": (Argument(name="x", source=Constant("1"), type="int"),)},
    "needs": {"needs": (0, 1)},
    "guard": {"when": FromNode(1)},
    "result": {"returns": "Other"},
    "no undo": {"undo": None},
    "another undo": {
        "undo": Remedy(function="other", retry=Backoff(), timeout=timedelta(seconds=1))
    },
    "compensate": {
        "compensate": Remedy(function="ask", retry=Backoff(), timeout=timedelta(seconds=1))
    },
    "optional": {"optional": True},
    "pivot": {"pivot": True},
}


def test_a_fingerprint_changes_with_everything_structural() -> None:
    plans = [sell.plan, *(with_node(3, **changes) for changes in STRUCTURAL.values())]
    plans += [
        varied(workflow="other"),
        varied(nodes=sell.plan.nodes[:-1]),
        varied(inputs=sell.plan.inputs[:1]),
        varied(returns=FromNode(3)),
        varied(returns_type="Payment"),
    ]

    assert len({plan.fingerprint for plan in plans}) == len(plans)


def test_two_declarations_of_the_same_body_have_one_fingerprint() -> None:
    def declare(timeout: timedelta) -> Plan:
        @workflow
        def same(order_id: OrderId) -> Order:
            return query(find, timeout=timeout)(order_id)

        return same.plan

    assert declare(timedelta(1)).fingerprint == declare(timedelta(2)).fingerprint
