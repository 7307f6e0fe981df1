"""What `note` adds to a plan, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.definition.flow.noting import note
from makegood.definition.plan import (
    Argument,
    Backoff,
    Constant,
    FromInput,
    FromNode,
    Items,
    Kind,
    Node,
    Pairs,
)
from makegood.errors import DefinitionError

if TYPE_CHECKING:
    from tests.definition.conftest import Declare

NOTING = "from makegood.definition.flow.noting import note\n"


def test_a_note_is_a_node_that_waits_for_what_it_shows(declare: Declare) -> None:
    module = declare(
        NOTING + "@workflow\n"
        "def sell(order: Order) -> Letter:\n"
        "    held = hold(order)\n"
        "    letter = write.after(held)(order)\n"
        "    note('totals', {'total': order.total, 'of': (held.id, letter), 'tax': 19})\n"
        "    note('letter', letter)\n"
        "    return letter\n"
    )
    *_steps, totals, letter = module.sell.plan.nodes

    assert totals == Node(
        path="totals",
        kind=Kind.NOTE,
        function="note",
        arguments=(
            Argument(
                name="value",
                source=Pairs(
                    (
                        ("total", FromInput("order", (".total",))),
                        ("of", Items((FromNode(0, (".id",)), FromNode(1)))),
                        ("tax", Constant("19")),
                    )
                ),
                type="dict[str, int | tuple[str, Letter]]",
            ),
        ),
        needs=(0, 1),
        returns="dict[str, int | tuple[str, Letter]]",
        retry=Backoff(attempts=1),
        timeout=None,
    )
    assert (letter.path, letter.needs, letter.returns) == ("letter", (1,), "Letter")
    assert module.sell.findings == ()


def test_rounds_wait_for_what_they_note(declare: Declare) -> None:
    module = declare(
        NOTING + "from makegood.definition.flow.looping import each\n"
        "@workflow\n"
        "def sell(order: Order, more: list[Order]) -> list[Letter]:\n"
        "    held = hold(order)\n"
        "    def one(item: Order) -> Letter:\n"
        "        note('held', held.id)\n"
        "        return write(item)\n"
        "    return each(more, one, name='letters')\n"
    )
    _hold, letters = module.sell.plan.nodes

    assert letters.needs == (0,)


def test_notes_stand_in_branches_and_rounds_like_any_node(declare: Declare) -> None:
    module = declare(
        NOTING + "from makegood.definition.flow.branching import switch\n"
        "from makegood.definition.flow.looping import each\n"
        "async def pack(line: str) -> str: ...\n"
        "packs = step(pack, irreversible='it is only a test')\n"
        "@workflow\n"
        "def sell(order: Order, is_big: bool) -> list[str]:\n"
        "    def big() -> None:\n"
        "        note('is_big', order.total)\n"
        "    def one(line: str) -> str:\n"
        "        packed = packs(line)\n"
        "        note('packed', (line, packed))\n"
        "        return packed\n"
        "    switch(is_big, {True: big}, default=lambda: note('is_small', order.total))\n"
        "    return each(order.lines, one)\n"
    )
    plan = module.sell.plan
    assert [node.path for node in plan.nodes if node.kind is Kind.NOTE] == [
        "switch/true/is_big",
        "switch/default/is_small",
    ]
    (block,) = [node.block for node in plan.nodes if node.block is not None]
    assert [(node.path, node.kind, node.needs) for node in block.nodes] == [
        ("pack", Kind.STEP, ()),
        ("packed", Kind.NOTE, (0,)),
    ]


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("note('a', order.total + 1)  # wrong", "use pure(…)"),
        ("note('a b', order)  # wrong", "the name 'a b' cannot be part of a path"),
        ("note('hold_money', hold(order))  # wrong", "give one of them another name"),
        ("note('a', {1: order})  # wrong", "the note `a` is a dict whose keys are not text"),
        ("note('a', bank)  # wrong", "the note `a` is given a constant that does not fit"),
        ("hold(note('a', order))  # wrong", "is given a constant that does not fit"),
    ],
)
def test_what_cannot_be_noted_is_refused_on_its_line(
    body: str, remedy: str, declare: Declare
) -> None:
    (sentence,) = declare.refused(
        NOTING + "class Bench: ...\nbank = Bench()\n"
        "@workflow\n"
        f"def sell(order: Order) -> None:\n    {body}\n    write(order)\n"
    )
    assert remedy in sentence


def test_a_note_outside_of_a_body_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"note\(…\) is called outside the body of a workfl"):
        note("x", 1)
