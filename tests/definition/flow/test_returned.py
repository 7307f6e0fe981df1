"""What a body, a branch or a round returns: results in any shape, read anew when they are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import pytest

from makegood import Declined, InvalidInput, each, pure, step, switch, testing, workflow
from makegood.definition.plan import FromInput, FromNode, Items, Pairs
from tests.definition.conftest import Declare


@dataclass(frozen=True)
class Payment:
    id: str
    cents: int


@dataclass(frozen=True)
class Receipt:
    order: str
    payment: Payment
    note: str = "thanks"


class Slip(msgspec.Struct, frozen=True):
    order: str
    cents: int


class Pair(NamedTuple):
    left: str
    right: int


async def take(cents: int) -> Payment:
    return Payment("p-1", cents)


async def untake(payment: Payment) -> None: ...


def half(cents: int) -> int:
    return cents // 2


taken = step(take, undo=untake)
halved = pure(half)


@workflow
def as_dataclass(order: str, cents: int) -> Receipt:
    return Receipt(order=order, payment=taken(cents))


@workflow
def as_struct(order: str, cents: int) -> Slip:
    return Slip(order, halved(cents))


@workflow
def as_named_tuple(order: str, cents: int) -> Pair:
    return Pair(order, taken(cents).cents)


@workflow
def as_dict(order: str, cents: int) -> dict[str, Receipt]:
    return {"paid": Receipt(order, taken(cents), note="soon")}


@workflow
def as_list(order: str, cents: int) -> list[str]:
    return [order, taken(cents).id]


@workflow
def as_tuple(order: str, cents: int) -> tuple[Slip, int]:
    payment = taken(cents)
    return Slip(order, payment.cents), halved(cents)


@workflow
def in_rounds(orders: list[str], cents: int) -> list[Receipt]:
    def one(order: str) -> Receipt:
        return Receipt(order, taken(cents))

    return each(orders, one)


@workflow
def in_branches(order: str, is_big: bool) -> Slip:  # noqa: FBT001 - an input
    return switch(
        is_big,
        {True: lambda: Slip(order, halved(2)), False: lambda: Slip("small", halved.named("h")(8))},
    )


@pytest.mark.parametrize(
    ("whole", "given", "value"),
    [
        (as_dataclass, ("o", 8), Receipt("o", Payment("p-1", 8))),
        (as_struct, ("o", 8), Slip("o", 4)),
        (as_named_tuple, ("o", 8), Pair("o", 8)),
        (as_dict, ("o", 8), {"paid": Receipt("o", Payment("p-1", 8), "soon")}),
        (as_list, ("o", 8), ["o", "p-1"]),
        (as_tuple, ("o", 8), (Slip("o", 8), 4)),
        (in_rounds, (["a", "b"], 8), [Receipt(order, Payment("p-1", 8)) for order in "ab"]),
        (in_branches, ("o", True), Slip("o", 1)),
        (in_branches, ("o", False), Slip("small", 4)),
    ],
)
async def test_results_are_returned_in_any_shape(
    whole: Callable[..., Any], given: tuple[Any, ...], value: object
) -> None:
    outcome = await testing.run(whole(*given))

    assert outcome.value == value


def test_what_is_made_of_results_stands_in_the_plan_by_its_fields() -> None:
    (case, _) = in_branches.plan.nodes[0].cases

    assert as_struct.plan.returns == Pairs((("order", FromInput("order")), ("cents", FromNode(0))))
    assert isinstance(as_tuple.plan.returns, Items)
    assert case.returns == Pairs((("order", FromInput("order")), ("cents", FromNode(1))))


def test_a_field_of_another_type_is_refused(declare: Declare) -> None:
    (sentence,) = declare.refused(
        "class Slip(msgspec.Struct):\n"
        "    order: OrderId\n"
        "    total: int\n"
        "@workflow  # wrong\n"
        "def wrong(order_id: OrderId) -> Any:\n"
        "    order = find(order_id)\n"
        "    return Slip(order.id, order.id)\n"
    )

    assert sentence == (
        "`total: int` of `Slip` is given OrderId; give it int, or convert it in pure(…)"
    )


# Parts of what is given --------------------------------------------------------------------------


def add(left: int, right: int) -> int:
    return left + right


added = pure(add)


@workflow
def sums(first: Receipt, others: list[Receipt], is_big: bool) -> list[int]:  # noqa: FBT001 - input
    paid = taken(first.payment.cents)

    def one(other: Receipt) -> int:
        return switch(
            is_big,
            {
                True: lambda: added(other.payment.cents, paid.cents),
                False: lambda: added.named("less")(
                    halved(other.payment.cents), halved.named("h")(8)
                ),
            },
        )

    return each(others, one)


@pytest.mark.parametrize(("is_big", "value"), [(True, [21, 23]), (False, [4, 5])])
async def test_parts_of_inputs_results_and_items_are_what_stands_there(
    *, is_big: bool, value: list[int]
) -> None:
    """Every branch and round sees what stands outside of it, which is done once."""
    first, *others = (Receipt("o", Payment("p", cents)) for cents in (20, 1, 3))

    outcome = await testing.run(sums(first, others, is_big))

    assert (outcome.value, outcome.done.count("take")) == (value, 1)


# Parts that are not there -----------------------------------------------------------------------


@workflow
def pay_line(lines: list[dict[str, int]]) -> Payment:
    return taken(lines[1]["cents"])


async def test_a_part_that_is_not_there_fails_the_step_and_names_it_the_argument_and_the_path() -> (
    None
):
    outcome = await testing.run(pay_line([{"cents": 1}, {"dollars": 2}]))

    assert isinstance(outcome.error, InvalidInput)
    assert str(outcome.error) == (
        "`lines[1]['cents']` for `cents: int` of `take` is not there: 'cents'"
    )
    assert outcome.status == "failed"


async def test_what_was_made_of_results_is_undone_like_anything_else() -> None:
    outcome = await testing.run(
        in_rounds(["a", "b"], 8), fail={"each[1]/take": Declined("no money")}
    )

    assert (outcome.status, outcome.undone) == ("failed", ["each[0]/take"])
