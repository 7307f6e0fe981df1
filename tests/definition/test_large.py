"""Declaring a workflow costs in proportion to its nodes, however they hang together.

The cost is counted and not timed: as the instructions of the interpreter that a declaration takes.
So many nodes more take so many more of them, whether there are few already or many.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.instructions import instructions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.definition.conftest import Declare

NODES = 24
TIMES_MAX = 1.03
"""By how much it may grow: not all lines of a source are of one length."""

FLOW = (
    "from makegood.definition.chain import chain\n"
    "from makegood.definition.flow.branching import switch\n"
    "from makegood.definition.flow.looping import each\n"
    "from makegood.values.injectable import IdempotencyKey\n"
    "async def charge(order: Order, *, key: IdempotencyKey = injected) -> Hold: ...\n"
    "charged = step(charge, irreversible='it is charged')\n"
    "async def move(hold: Hold, *, key: IdempotencyKey = injected) -> Hold: ...\n"
    "moved = step(move, irreversible='it is moved')\n"
)


def in_order(nodes: int) -> str:
    lines = [f"    h{n} = moved.named('n{n}')(h{n - 1})\n" for n in range(1, nodes)]
    return (
        "@workflow\n"
        "def sell(order: Order) -> Hold:\n"
        "    h0 = charged(order)\n"
        f"{''.join(lines)}"
        f"    return h{nodes - 1}\n"
    )


def side_by_side(nodes: int) -> str:
    lines = [f"    h{n} = charged.named('n{n}')(order)\n" for n in range(nodes)]
    held = ", ".join(f"h{n}" for n in range(nodes))
    return (
        f"@workflow\ndef sell(order: Order) -> list[Hold]:\n{''.join(lines)}    return [{held}]\n"
    )


def in_branches(nodes: int) -> str:
    lines = [
        f"    h{n} = switch(order.is_paid, {{True: lambda: moved(h{n - 1}), "
        f"False: lambda: moved(h{n - 1})}}, name='n{n}')\n"
        for n in range(1, nodes // 3)
    ]
    return (
        "@workflow\n"
        "def sell(order: Order) -> Hold:\n"
        "    h0 = charged(order)\n"
        f"{''.join(lines)}"
        f"    return h{nodes // 3 - 1}\n"
    )


def in_rounds(nodes: int) -> str:
    lines = [
        f"    each(orders, lambda order: charged(order), name='n{n}')\n" for n in range(nodes // 2)
    ]
    return f"@workflow\ndef sell(orders: list[Order]) -> None:\n{''.join(lines)}"


def in_a_chain(nodes: int) -> str:
    lines = [
        f"grown = grown.then(charged.named('n{n}'), using=lambda order, done: order)\n"
        for n in range(1, nodes)
    ]
    return f"grown = chain('sell', charged)\n{''.join(lines)}sell = grown.workflow()\n"


def beside_one_another(nodes: int) -> str:
    lines = [
        f"grown = grown.beside(charged.named('n{n}'), using=lambda order, done: order)\n"
        for n in range(1, nodes)
    ]
    return f"grown = chain('sell', charged)\n{''.join(lines)}sell = grown.workflow()\n"


@pytest.mark.parametrize(
    "shape", [in_order, side_by_side, in_branches, in_rounds, in_a_chain, beside_one_another]
)
def test_what_a_node_costs_does_not_depend_on_how_many_there_are(
    declare: Declare, shape: Callable[[int], str]
) -> None:
    declare(FLOW + shape(NODES))  # What is done once in a process is done now.

    few, more, most = (
        instructions_of(partial(declare, FLOW + shape(times * NODES))) for times in (1, 2, 3)
    )

    assert most - more < TIMES_MAX * (more - few)
