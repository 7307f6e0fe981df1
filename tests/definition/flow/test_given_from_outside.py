"""What a branch or a round gives need not be its own: then it waits for what it gives."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Iterator
from typing import Any

import pytest

from makegood import Workflow, each, pure, query, repeat, switch, testing, workflow


@types.coroutine
def others() -> Iterator[None]:
    """Let everything else that is ready go on."""
    yield


async def look_up(order: str) -> str:
    # Whoever does not wait for this is faster.
    for _ in range(20):
        await others()
    return f"{order} found"


async def sign(order: str) -> str:
    return f"{order} signed"


def words(text: str) -> list[str]:
    return text.split()


def is_big(order: str) -> bool:
    return len(order) > 3


found, signed = query(look_up), query(sign)
big, split = pure(is_big), pure(words)


@workflow
def from_a_branch(order: str, *, wanted: bool) -> tuple[str, str]:
    known = found(order)
    return switch(
        wanted, {True: lambda: (signed(order), known), False: lambda: (order, order)}, name="sort"
    )


@workflow
def from_a_branch_within(order: str, *, wanted: bool) -> str:
    known = found(order)
    return switch(
        wanted,
        {
            True: lambda: switch(
                wanted, {True: lambda: known, False: lambda: signed(known)}, name="inner"
            ),
            False: lambda: order,
        },
        name="sort",
    )


@workflow
def beside_a_branch_that_is_not_chosen(order: str, *, wanted: bool) -> str:
    known = found(order)

    def outer() -> str:
        switch(wanted, {True: lambda: order, False: lambda: signed(known)}, name="inner")
        return known

    return switch(wanted, {True: outer, False: lambda: order}, name="sort")


@workflow
def from_a_round(order: str, items: list[str]) -> list[tuple[str, str]]:
    known = found(order)
    return each(items, lambda item: (signed(item), known), name="all")


@workflow
def from_a_round_within(order: str, items: list[str]) -> list[list[tuple[str, str]]]:
    known = found(order)
    return each(
        items,
        lambda _: each(items, lambda item: (signed(item), known), name="inner"),
        name="all",
    )


@workflow
def from_a_branch_in_a_round(order: str, items: list[str], *, wanted: bool) -> list[str]:
    known = found(order)
    return each(
        items,
        lambda item: switch(wanted, {True: lambda: known, False: lambda: signed(item)}),
        name="all",
    )


@workflow
def from_the_last_round(order: str) -> str:
    known = found(order)

    def one(before: str) -> str:
        signed(before)
        return known

    return repeat(one, "", times_max=2)


KNOWN = "o-1 found"


@pytest.mark.parametrize(
    ("declared", "more", "waits", "given"),
    [
        (from_a_branch, {"wanted": True}, "sort", ("o-1 signed", KNOWN)),
        (from_a_branch_within, {"wanted": True}, "sort/true/inner", KNOWN),
        (beside_a_branch_that_is_not_chosen, {"wanted": True}, "sort", KNOWN),
        (from_a_round, {"items": ["a"]}, "all", [("a signed", KNOWN)]),
        (from_a_round_within, {"items": ["a"]}, "all", [[("a signed", KNOWN)]]),
        (from_a_branch_in_a_round, {"items": ["a", "b"], "wanted": True}, "all", [KNOWN, KNOWN]),
        (from_the_last_round, {}, "repeat", KNOWN),
    ],
)
def test_it_waits_for_what_it_gives(
    declared: Workflow[..., Any], more: dict[str, object], waits: str, given: object
) -> None:
    plan = declared.plan

    outcome = asyncio.run(testing.run(declared("o-1", **more)))

    assert 0 in plan.nodes[plan.positions[waits]].needs
    assert outcome.value == given


@workflow
def after_it_anyway(order: str) -> str:
    known = found(order)
    return switch(big(known), {True: lambda: known, False: lambda: order}, name="sort")


@workflow
def by_a_node_of_its_own(order: str, *, wanted: bool) -> tuple[str, str]:
    known = found(order)
    return switch(
        wanted, {True: lambda: (signed(known), known), False: lambda: (order, order)}, name="sort"
    )


@workflow
def round_by_round_anyway(order: str) -> list[str]:
    known = found(order)

    def one(word: str) -> str:
        signed(word)
        return known

    return each(split(known), one, name="all")


@pytest.mark.parametrize(
    ("declared", "needs"),
    [
        (after_it_anyway, {"sort": (1,)}),
        (by_a_node_of_its_own, {"sort": (), "sort/true/sign": (0, 1)}),
        (round_by_round_anyway, {"all": (1,)}),
    ],
)
def test_what_waits_for_it_anyway_has_no_edge_more(
    declared: Workflow[..., Any], needs: dict[str, tuple[int, ...]]
) -> None:
    found_needs = {node.path: node.needs for node in declared.plan.nodes if node.path in needs}

    assert found_needs == needs
