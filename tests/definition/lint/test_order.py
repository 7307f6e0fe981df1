"""What nothing orders is found, and what anything orders is not."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from makegood import (
    IdempotencyKey,
    each,
    injected,
    lint,
    pure,
    query,
    repeat,
    step,
    switch,
    workflow,
)


class Way(Enum):
    ROAD = "road"
    RAIL = "rail"


async def charge(cents: int, *, key: IdempotencyKey = injected) -> str: ...
async def refund(payment: str, *, key: IdempotencyKey = injected) -> None: ...
async def hold(sku: str) -> str: ...
async def release(hold: str) -> None: ...
async def find(sku: str) -> bool: ...
async def post(text: str) -> None: ...


paid = step(charge, undo=refund, key_valid_for=None)
held = step(hold, undo=release)
asked = query(find)
letter = step(post, irreversible="it is in the post")
maybe = step(hold, undo=release, optional=True, compensate=None, allow={"MG113": "a test"})


@workflow
def beside_a_step(sku: str) -> None:
    held(sku)
    paid(1)


@workflow
def beside_a_query(sku: str) -> None:
    paid(1)
    asked(sku)


@workflow
def beside_several(sku: str) -> None:
    paid(1)
    asked(sku)
    held(sku)


@workflow
def two_payments() -> None:
    paid(1)
    paid.named("more")(2)


@workflow
def beside_a_round(skus: list[str]) -> None:
    each(skus, held, name="holds")
    paid(1)


@workflow
def in_a_round(skus: list[str]) -> None:
    def both(sku: str) -> str:
        paid(1)
        return held(sku)

    each(skus, both, name="holds")


@workflow
def beside_a_branch(way: Way, sku: str) -> None:
    switch(way, {Way.ROAD: lambda: held(sku), Way.RAIL: lambda: held.named("other")(sku)})
    paid(1)


@workflow
def letter_beside_a_step(sku: str) -> None:
    letter(sku)
    held(sku)


@workflow
def before_the_pivot(sku: str) -> None:
    goods = held(sku)
    paid(1)
    step(post, pivot=True).after(goods)(sku)


UNORDERED: list[tuple[Any, list[tuple[str, str]]]] = [
    (beside_a_step, [("charge", "hands out its key, and nothing orders it and `hold`,")]),
    (beside_a_query, [("charge", "nothing orders it and `find`,")]),
    (beside_several, [("charge", "nothing orders it and `find` and 1 more,")]),
    (two_payments, [("charge", "nothing orders it and `more`,")]),
    (beside_a_round, [("charge", "nothing orders it and `holds[…]/hold`,")]),
    (in_a_round, [("holds[…]/charge", "nothing orders it and `holds[…]/hold`,")]),
    (beside_a_branch, [("charge", "nothing orders it and `switch/road/hold` and 1 more,")]),
    (letter_beside_a_step, [("post", "cannot be undone, and nothing orders it and `hold`,")]),
]


@pytest.mark.parametrize(
    ("wrong", "expected"), UNORDERED, ids=lambda item: getattr(item, "name", "")
)
def test_an_effect_beside_what_can_fail_is_found(
    wrong: Any, expected: list[tuple[str, str]]
) -> None:
    found = lint(wrong)

    assert [(finding.code, finding.path) for finding in found] == [
        ("MG103", path) for path, _ in expected
    ]
    for finding, (path, text) in zip(found, expected, strict=True):
        assert finding.sentence.startswith(f"`{path}` ")
        assert text in finding.sentence


@workflow
def by_data(sku: str) -> None:
    goods = held(sku)
    letter(goods)


def text_of(hold: str) -> str: ...


@workflow
def through_a_pure(sku: str) -> None:
    letter(pure(text_of)(held(sku)))


@workflow
def in_other_cases(way: Way, sku: str) -> None:
    switch(way, {Way.ROAD: lambda: held(sku), Way.RAIL: lambda: paid(1)})


@workflow
def after_a_switch(way: Way, sku: str) -> None:
    done = switch(way, {Way.ROAD: lambda: held(sku), Way.RAIL: lambda: held.named("other")(sku)})
    paid.after(done)(1)


@workflow
def after_a_switch_in_a_switch(way: Way, sku: str, *, big: bool) -> None:
    done = switch(
        way,
        {
            Way.ROAD: lambda: switch(
                big,
                {True: lambda: held(sku), False: lambda: held.named("small")(sku)},
                name="inner",
            ),
            Way.RAIL: lambda: held.named("other")(sku),
        },
    )
    paid.after(done)(1)


@workflow
def before_a_switch(sku: str) -> None:
    payment = paid(1)
    goods = pure(text_of)(payment)
    switch(goods, {"a": lambda: held(sku)}, default=lambda: held.named("other")(sku))


@workflow
def after_rounds(skus: list[str]) -> None:
    goods = each(skus, held, name="holds")
    paid.after(goods)(1)


@workflow
def one_round_beside_the_next(cents: list[int]) -> None:
    each(cents, paid, name="payments")


@workflow
def one_round_after_the_other(sku: str) -> str:
    def both(goods: str) -> str:
        return held(pure(text_of)(step(charge, name="pay", undo=refund, key_valid_for=None)(1)))

    return repeat(both, sku, times_max=2)


@workflow
def beside_what_may_fail(sku: str) -> None:
    maybe(sku)
    paid(1)


@workflow
def past_the_pivot(sku: str) -> None:
    gone = step(post, name="gone", pivot=True)(sku)
    paid.after(gone)(1)
    held.after(gone)(sku)


ORDERED = [
    by_data,
    through_a_pure,
    in_other_cases,
    after_a_switch,
    after_a_switch_in_a_switch,
    before_a_switch,
    after_rounds,
    one_round_beside_the_next,
    one_round_after_the_other,
    beside_what_may_fail,
    past_the_pivot,
]


@pytest.mark.parametrize("right", ORDERED, ids=lambda item: item.name)
def test_an_effect_that_is_ordered_is_not_found(right: Any) -> None:
    assert lint(right) == ()


def test_both_sides_of_the_pivot_are_looked_at_by_themselves() -> None:
    assert [finding.code for finding in lint(before_the_pivot)] == ["MG103", "MG104"]


@workflow
def beside_the_pivot(skus: list[str], sku: str) -> None:
    each(skus, held, name="holds")
    maybe(sku)
    step(post, name="note", optional=True, irreversible="a note")(sku)
    asked(sku)
    step(post, pivot=True)(sku)


def test_every_effect_beside_the_pivot_is_found_that_may_be_undone_or_not() -> None:
    found = [finding for finding in lint(beside_the_pivot) if finding.code == "MG104"]

    assert [finding.path for finding in found] == ["holds[…]/hold", "hold"]
    assert found[0].sentence == (
        "nothing orders `holds[…]/hold` and the pivot `post`, so it depends on the moment whether "
        "it is undone; put one .after(…) the other"
    )
