"""Where `hook` leaves room for a step, what `bind` puts there, and what either refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.definition.flow.hooking import Hook, hook
from makegood.definition.plan import Constant, FromInput, FromNode
from makegood.errors import DefinitionError
from tests.runtime.trips import book

if TYPE_CHECKING:
    from tests.definition.conftest import Declare

HOOKED = """
from makegood.definition.flow.hooking import hook
from makegood.definition.flow.looping import each

class Score(msgspec.Struct, frozen=True):
    points: int

async def rate(order: Order, hold: str) -> Score: ...
async def unrate(score: Score) -> None: ...
async def weigh(order: Order, score: Score | None) -> Letter: ...
async def tell(order: Order) -> str: ...
async def count(order: Order, hold: str) -> int: ...
async def few(order: Order) -> Score: ...
async def wide(order: int, hold: str) -> Score: ...

rates = step(rate, undo=unrate)
weighs = step(weigh, irreversible="a letter is a letter")
tells = step(tell, irreversible="it is told")

@workflow
def sell(order: Order, note: str) -> Letter:
    held = hold(order)
    score = hook("score", order, held.id, returns=Score)
    told = hook("tell", order)
    hook("last", note)
    return weighs.after(told)(order, score)
"""


def test_where_nothing_is_bound_there_is_nothing(declare: Declare) -> None:
    """D11: the plan says nothing of it."""
    module = declare(HOOKED)
    sell = module.sell
    assert [node.path for node in sell.plan.nodes] == ["hold_money", "weigh"]
    assert [item.source for item in sell.plan.nodes[1].arguments] == [
        FromInput("order"),
        Constant("null"),
    ]
    assert sell.plan.nodes[1].needs == ()
    assert sell.hooks == (
        Hook(name="score", given=("Order", "str"), returns="Score", bound=None),
        Hook(name="tell", given=("Order",), returns="None", bound=None),
        Hook(name="last", given=("str",), returns="None", bound=None),
    )
    # What only a hook is given is not said to be of no use.
    assert "MG101" not in {finding.code for finding in sell.findings}


def test_a_bound_step_is_a_node_like_any_other(declare: Declare) -> None:
    module = declare(HOOKED)
    unbound = module.sell
    sell = unbound.bind(score=module.rates, tell=module.tells)

    assert [(node.path, node.function, node.needs) for node in sell.plan.nodes] == [
        ("hold_money", "hold_money", ()),
        ("score", "rate", (0,)),
        ("tell", "tell", ()),
        ("weigh", "weigh", (1, 2)),
    ]
    score, weigh = sell.plan.nodes[1], sell.plan.nodes[3]
    assert score.undo is not None
    assert [item.source for item in score.arguments] == [
        FromInput("order"),
        FromNode(0, (".id",)),
    ]
    assert weigh.arguments[1].source == FromNode(1)
    assert [each.bound for each in sell.hooks] == ["rate", "tell", None]
    assert sell.plan.fingerprint != unbound.plan.fingerprint
    assert [each.bound for each in unbound.hooks] == [None, None, None]


def test_binding_one_after_the_other_is_binding_all_at_once(declare: Declare) -> None:
    module = declare(HOOKED)
    one_by_one = module.sell.bind(tell=module.tells).bind(score=module.rates)
    at_once = module.sell.bind(score=module.rates, tell=module.tells)
    assert one_by_one.plan == at_once.plan


def test_a_hook_stands_in_rounds_and_a_query_may_be_bound(declare: Declare) -> None:
    module = declare(
        HOOKED
        + "async def check(line: str) -> bool: ...\n"
        "@workflow\n"
        "def pack(order: Order) -> list[bool | None]:\n"
        "    hold(order)\n"
        "    return each(order.lines, one)\n".replace(
            "    return each",
            "    def one(line: str)"
            " -> bool | None:\n        write(order)\n"
            "        return hook('check', line, returns=bool)\n    return each",
        )
    )
    bound = module.pack.bind(check=module.query(module.check))
    (block,) = [node.block for node in bound.plan.nodes if node.block is not None]
    assert [(node.path, node.kind) for node in block.nodes] == [
        ("write_letter", "step"),
        ("check", "query"),
    ]


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        (
            "scor=rates",
            "`sell` has no hook `scor`; did you mean `score`?",
        ),
        (
            "x=rates",
            "`sell` has no hook `x`; it has `score`, `tell`, `last`",
        ),
        (
            "score=rate",
            "bind(score=…) is given a `function`; give it step(…) or query(…)",
        ),
        (
            "score=rates.named('other')",
            "bind(score=…) is given a step that is wired; give it the step as it was declared, "
            "because the body wires it",
        ),
    ],
)
def test_what_cannot_be_bound_is_refused_where_it_is_bound(
    bound: str, sentence: str, declare: Declare
) -> None:
    assert declare.refused(HOOKED + f"sell.bind({bound})  # wrong\n") == [sentence]


def test_a_second_step_in_a_hook_is_refused(declare: Declare) -> None:
    assert declare.refused(
        HOOKED + "rated = sell.bind(score=rates)\nrated.bind(score=rates)  # wrong\n"
    ) == [
        "the hook `score` of `sell` has `rate` already; bind another one to the workflow as it "
        "was declared"
    ]


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("count", "the hook `score` takes Score, and `count` returns int; bind a step that fits"),
        ("few", "`score` takes 1 argument by position, but 2 are given"),
        ("wide", "`order: int` of `score` is given `order`, which is Order; give it int, or"),
    ],
)
def test_a_step_that_does_not_fit_is_refused_on_the_line_of_the_hook(
    function: str, sentence: str, declare: Declare
) -> None:
    source = HOOKED.replace("returns=Score)\n", "returns=Score)  # wrong\n")
    (found,) = declare.refused(
        source + f"sell.bind(score=step({function}, irreversible='it is only a test'))\n"
    )
    assert found.startswith(sentence)


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("hook('a b', order)  # wrong", "the name 'a b' cannot be part of a path"),
        ("hook('hold_money', hold(order))  # wrong", "give one of them another name"),
        (
            "hold.after(hook('a', order), hook('a', order))(order)  # wrong",
            "two hooks are named `a`",
        ),
        ("hook('a', order.total + 1)  # wrong", "use pure(…)"),
        ("write(hook('a', order, returns=Order))  # wrong", "which may be None"),
        ("write(hook('a', order, returns=Order).id)  # wrong", "it may be None"),
        ("write(hook('a', order))  # wrong", "`hook('a', …)`, which may be None"),
    ],
)
def test_what_leaves_no_room_is_refused_on_its_line(
    body: str, remedy: str, declare: Declare
) -> None:
    (sentence,) = declare.refused(
        HOOKED + f"@workflow\ndef wrong(order: Order) -> None:\n    {body}\n    hold(order)\n"
    )
    assert remedy in sentence


def test_a_hook_outside_of_a_body_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"hook\(…\) is called outside the body of a workfl"):
        hook("x", 1)


def test_a_workflow_without_room_says_so() -> None:
    with pytest.raises(DefinitionError, match="no hook `x`; it has none: leave room for a"):
        book.bind(x=None)  # type: ignore[arg-type] # it has no hook to begin with


def test_a_chain_has_no_hooks(declare: Declare) -> None:
    (sentence,) = declare.refused(
        HOOKED + "from makegood.definition.chain import chain\n"
        "chain('one', write).workflow().bind(x=write)  # wrong\n"
    )
    assert sentence == "`one` is a chain, which has no hooks; add a link to it"
