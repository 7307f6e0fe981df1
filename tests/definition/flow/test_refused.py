"""What `switch`, `each`, `repeat`, `sleep` and `fail` refuse when a workflow is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.definition.conftest import Declare

FLOW = """
from makegood.definition.flow.branching import switch
from makegood.definition.flow.failing import fail
from makegood.definition.flow.looping import Collect, Quorum, each, repeat
from makegood.definition.flow.sleeping import sleep

class Method(Enum):
    CARD = "card"
    INVOICE = "invoice"

class Colour(Enum):
    RED = "light red"

async def pay(order: Order) -> Hold: ...
async def bill(order: Order) -> Hold: ...
async def pack(line: str) -> str: ...
async def grow(number: int) -> int: ...

pays = step(pay, irreversible="it is only a test")
bills = step(bill, irreversible="it is only a test")
packs = step(pack, irreversible="it is only a test")
grows = step(grow, irreversible="it is only a test")
ends = step(pay, name="ends", irreversible="it is only a test", pivot=True)
"""


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("switch(method, {Method.CARD: lambda: pays(order)})  # wrong", "lacks <Method.INVOICE"),
        ("switch(order.total, {1: lambda: pays(order)})  # wrong", "has no default"),
        (
            "switch(method, {1: lambda: pays(order)}, default=lambda: bills(order))  # wrong",
            "1 is no case of `switch`, whose value is Method",
        ),
        (
            "switch(colour, {Colour.RED: lambda: pays(order)})  # wrong",
            "cannot be part of a path; switch on an enum whose values are plain words",
        ),
        (
            'switch(order.id, {OrderId("default"): lambda: pays(order)}, '
            "default=lambda: bills(order))  # wrong",
            "is called like the default",
        ),
        (
            "switch(method, {Method.CARD: lambda: pays(order), "
            "Method.INVOICE: lambda: write(order)})  # wrong",
            "the branches of `switch` differ: `card` returns Hold and `invoice` Letter; let them "
            "return one type",
        ),
        ("switch(Method.CARD, {Method.CARD: lambda: pays(order)})  # wrong", "must be an input"),
        ("switch(method, {})  # wrong", "has no cases"),
        ("switch(method, cases)  # wrong", "the cases of a switch are written out"),
        ("switch(method, {Method.CARD: pays(order)})  # wrong", "a branch is a lambda without"),
        (
            "switch(method, {Method.CARD: lambda x: pays(x)})  # wrong",
            "a branch is a lambda without parameters",
        ),
        ('fail("no")  # wrong', "give an exception instance"),
        ("each(order, lambda line: packs(line))  # wrong", "give it a list or a tuple"),
        ("each(order.id, lambda line: packs(line))  # wrong", "give it a list or a tuple"),
        ("each(order.lines, lambda: packs(order.id))  # wrong", "a round is a lambda with one"),
        ("each(order.lines, lambda line: line)  # wrong", "a round of `each` has no steps"),
        ("each(order.lines, packs, at_once=0)  # wrong", "at_once is 0; give 1 to 1,000"),
        (
            "each(order.lines, packs, policy=Collect(done_min=-1))  # wrong",
            "done_min is -1; give 0 to 10,000",
        ),
        ("each(order.lines, packs, policy=Quorum(0))  # wrong", "Quorum is 0; give 1 to 10,000"),
        (
            'each(order.lines, packs, policy="collect")  # wrong',
            "the policy of `each` is 'collect'; give it Collect() or Quorum(…)",
        ),
        ("each(order.lines, lambda line: ends(order))  # wrong", "`ends` is the pivot"),
        ("each(order.lines, lambda line: grows(line))  # wrong", "is given `an item of each`"),
        ("repeat(grows, order.total, times_max=0)  # wrong", "times_max is 0"),
        ("repeat(grows, order.id, times_max=3)  # wrong", "is given `the value of repeat`"),
        (
            "repeat(lambda n: packs.after(grows(n))(order.id), 1, times_max=3)  # wrong",
            "a round of `repeat` is given int and gives str",
        ),
        ('sleep("a day")  # wrong', "is given a constant that does not fit"),
    ],
)
def test_what_cannot_be_is_refused_on_its_line(body: str, remedy: str, declare: Declare) -> None:
    sentences = declare.refused(
        FLOW + "cases = {}\n@workflow\n"
        "def sell(order: Order, method: Method, colour: Colour) -> None:\n    " + body + "\n"
    )

    assert len(sentences) == 1
    assert remedy in sentences[0]


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (
            "    def by_card() -> Hold:\n"
            "        held = pays(order)\n"
            "        kept.append(held)  # wrong\n"
            "        return held\n"
            "    switch(method, {Method.CARD: by_card}, default=lambda: bills(order))\n",
            "`kept.append()` would be computed now",
        ),
        (
            "    def by_card(more: int) -> Hold:\n"
            "        return pays(order)\n"
            "    switch(method, {Method.CARD: by_card}, default=lambda: bills(order))  # wrong\n",
            "a branch is a lambda without parameters, or a function without parameters",
        ),
        (
            "    def by_card() -> Hold:\n        return pays(order)\n    by_card()  # wrong\n",
            "is a part of the body; give it to switch(…)",
        ),
        (
            "    @staticmethod\n"
            "    def by_card() -> Hold:  # wrong\n"
            "        return pays(order)\n"
            "    switch(method, {Method.CARD: by_card}, default=lambda: bills(order))\n",
            "is decorated",
        ),
        (
            "    def by_card(*, more: int = 1) -> Hold:  # wrong\n        return pays(order)\n",
            "has parameters that are not plain",
        ),
    ],
)
def test_a_part_of_the_body_has_the_grammar_of_the_body(
    body: str, remedy: str, declare: Declare
) -> None:
    sentences = declare.refused(
        FLOW + "kept = []\n@workflow\ndef sell(order: Order, method: Method) -> None:\n" + body
    )

    assert any(remedy in sentence for sentence in sentences)


def test_what_a_branch_makes_is_there_in_it_alone(declare: Declare) -> None:
    sentences = declare.refused(
        FLOW + "seen = {}\n"
        "def note(held):\n"
        "    seen['held'] = held\n"
        "    return held\n"
        "@workflow\n"
        "def sell(order: Order, method: Method) -> None:\n"
        "    def by_card() -> Hold:\n"
        "        held = pays(order)\n"
        "        return held\n"
        "    def by_invoice() -> Hold:\n"
        "        held = bills(order)\n"
        "        return held\n"
        "    switch(method, {Method.CARD: by_card, Method.INVOICE: by_invoice})\n"
        "    write.after(held)(order)  # wrong\n"
    )

    assert "`held` is not defined" in sentences[0]


def test_two_that_are_named_alike_are_told_apart_by_their_branch(declare: Declare) -> None:
    module = declare(
        FLOW + "@workflow\n"
        "def sell(order: Order, method: Method) -> Hold:\n"
        "    return switch(method, {\n"
        "        Method.CARD: lambda: pays(order), Method.INVOICE: lambda: pays(order),\n"
        "    })\n"
    )

    assert [node.path for node in module.sell.plan.nodes] == [
        "switch",
        "switch/card/pay",
        "switch/invoice/pay",
    ]


def test_two_switches_in_one_body_need_two_names(declare: Declare) -> None:
    sentences = declare.refused(
        FLOW + "@workflow\n"
        "def sell(order: Order, method: Method) -> None:\n"
        "    switch(method, {Method.CARD: lambda: pays(order)}, default=lambda: bills(order))\n"
        "    switch(method, {Method.CARD: lambda: pays(order)}, default=lambda: bills(order))"
        "  # wrong\n"
    )

    assert 'give one of them name="…"' in sentences[0]


@pytest.mark.parametrize(
    "call", ["switch(1, {})", "fail(ValueError())", "each([], pack)", "sleep()"]
)
def test_flow_is_said_only_in_the_body_of_a_workflow(call: str, declare: Declare) -> None:
    sentences = declare.refused(FLOW + f"{call}  # wrong\n")

    assert "call it inside a function under @workflow" in sentences[0]
