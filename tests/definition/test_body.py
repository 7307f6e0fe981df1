"""A body is a straight line of calls: everything else is refused at its line, with a remedy."""

from __future__ import annotations

import pytest

from tests.definition.conftest import Declare

BODIES = {
    "if": (
        "    if order.is_paid:  # wrong\n        hold(order)\n",
        "guard a step with .when(…)",
    ),
    "if else": (
        "    if order.is_paid:  # wrong\n        hold(order)\n    else:\n        write(order)\n",
        "guard a step with .when(…)",
    ),
    "conditional expression": ("    hold(order if order_id else order)  # wrong\n", ".when(…)"),
    "match": ("    match order:  # wrong\n        case _:\n            hold(order)\n", ".when(…)"),
    "for": ("    for line in order.lines:  # wrong\n        hold(order)\n", "pass the whole list"),
    "while": ("    while order:  # wrong\n        hold(order)\n", "repeat inside a step"),
    "with": ("    with order:  # wrong\n        hold(order)\n", "open and close inside a step"),
    "try": (
        "    try:  # wrong\n        hold(order)\n    except ValueError:\n        write(order)\n",
        "compensate=",
    ),
    "raise": ("    hold(order)\n    raise ValueError  # wrong\n", "expect(flag, error)"),
    "assert": ("    hold(order)\n    assert order  # wrong\n", "expect(flag, error)"),
    "augmented assignment": ("    hold(order)\n    order += 1  # wrong\n", "pure(…)"),
    "del": ("    hold(order)\n    del order  # wrong\n", "remove it"),
    "import": ("    import json  # wrong\n    hold(order)\n", "top of the module"),
    "import from": ("    from json import loads  # wrong\n    hold(order)\n", "top of the module"),
    "function": ("    def f(): ...  # wrong\n    hold(order)\n", "this line does nothing"),
    "class": ("    class C: ...  # wrong\n    hold(order)\n", "move it out"),
    "global": ("    global post  # wrong\n    hold(order)\n", "return what is needed"),
    "comparison": ("    expect(order.total > 3, Declined())  # wrong\n", "compare in pure(…)"),
    "equality": ("    hold.when(order.id == order_id)(order)  # wrong\n", "compare in pure(…)"),
    "is None": ("    hold.when(order is None)(order)  # wrong\n", "compare in pure(…)"),
    "in": ('    hold.when("a" in order.lines)(order)  # wrong\n', "compare in pure(…)"),
    "not": ("    hold.when(not order.is_paid)(order)  # wrong\n", "pure(…)"),
    "and": ("    hold.when(order.is_paid and True)(order)  # wrong\n", "combine flags in pure(…)"),
    "arithmetic": ("    hold(order)\n    return order.total + 1  # wrong\n", "use pure(…)"),
    "negation": ("    hold(order)\n    return -order.total  # wrong\n", "use pure(…)"),
    "f-string": ('    hold(order)\n    return f"{order.id}"  # wrong\n', "text in pure(…)"),
    "comprehension": (
        "    hold(order)\n    return [line for line in order.lines]  # wrong\n",
        "pass the whole list",
    ),
    "generator": ("    hold(*(o for o in order))  # wrong\n", "pass the whole"),
    "set": ("    hold(order)\n    return {order}  # wrong\n", "use a tuple or a list"),
    "slice": ("    hold(order)\n    return order.lines[1:]  # wrong\n", "take it in pure(…)"),
    "item by a result": (
        "    hold(order)\n    return order.lines[order.total]  # wrong\n",
        "constant text or number",
    ),
    "walrus": ("    (again := hold(order))  # wrong\n", "a line of its own"),
    "starred": ("    hold(*order)  # wrong\n", "pass the whole value on"),
    "double starred": ("    hold(**order)  # wrong\n", "pass the whole value on"),
    "unpacking": (
        "    hold(order)\n    first, second = order.lines  # wrong\n    return first\n",
        "take parts with [0], [1]",
    ),
    "lambda": ("    hold(lambda: order)  # wrong\n", "a lambda is a branch of switch(…)"),
    "yield": ("    hold(order)\n    yield order  # wrong\n", "return a tuple or a list"),
    "isinstance": ("    hold.when(isinstance(order, Order))(order)  # wrong\n", "use pure(…)"),
    "len": ("    hold(order)\n    return len(order.lines)  # wrong\n", "use pure(…)"),
    "str": ("    hold(order)\n    return str(order.id)  # wrong\n", "pure(…)"),
    "bool": ("    hold.when(bool(order))(order)  # wrong\n", "pure(…)"),
    "print": ("    print(order)  # wrong\n    hold(order)\n", "use pure(…)"),
    "method of a result": (
        "    hold(order)\n    return order.doubled()  # wrong\n",
        "call it in a step or in pure(…)",
    ),
    "attribute assigned": ("    order.total = 3  # wrong\n    hold(order)\n", "plain names"),
    "undeclared async function": ("    hold_money(order)  # wrong\n", "write step(hold_money)(…)"),
    "undeclared function": (
        "    hold.when(is_big(order))(order)  # wrong\n",
        "write pure(is_big)(…)",
    ),
    "class of results": (
        "    return UUID(order.id)  # wrong\n",
        '`UUID` is given results; write pure(UUID, name="uuid")(…)',
    ),
    "a record of results that is passed on": (
        "    post(Letter(order.id))  # wrong\n",
        "is given results inside of a value; build it with pure(…)",
    ),
    "method of a class": (
        "    hold(order, float.fromhex('1'))  # wrong\n",
        "name the constant outside of the body",
    ),
    "result in a declaration": ("    step(order)(order)  # wrong\n", "pass it when you call"),
    "unknown name": ("    hold(ordre)  # wrong\n", "assign it above, or import it"),
    "unknown attribute of a module": ("    hold(msgspec.nothing)  # wrong\n", "does not exist"),
    "step not called": ("    hold(order)\n    return hold.id  # wrong\n", "`hold` is not called"),
    "unknown wiring": ("    step(hold_money).later(order)(order)  # wrong\n", ".named, .after"),
    "line without effect": ("    hold(order)\n    order.total  # wrong\n", "does nothing"),
    "code after return": (
        "    hold(order)\n    return 1\n    post(1)  # wrong\n",
        "after `return`",
    ),
    "called constant": ("    hold(order)\n    LIMITS['eu']()  # wrong\n", "cannot be called"),
    "results as keys": ("    hold(order)\n    return {order: 1}  # wrong\n", "cannot be a key"),
    "spread dict": ("    hold(order)\n    return {**order}  # wrong\n", "pass the whole value on"),
    "shape's attribute": ("    hold(order)\n    return (order, 1).count  # wrong\n", "use pure(…)"),
    "shape's item": ("    hold(order)\n    return (order, 1)[0]  # wrong\n", "use pure(…)"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_refuses_what_is_no_call(declare: Declare, name: str) -> None:
    body, remedy = BODIES[name]

    sentences = declare.refused(
        "from uuid import UUID\n"
        "LIMITS = {'eu': 5}\n"
        "@workflow\n"
        "def wrong(order_id: OrderId) -> Any:\n"
        "    order = find(order_id)\n" + body
    )

    assert len(sentences) == 1
    assert remedy in sentences[0]


def test_await_and_async_are_refused_together(declare: Declare) -> None:
    sentences = declare.refused(
        "async def wrong(order_id: OrderId) -> Order:  # wrong\n"
        "    return await find(order_id)  # wrong\n"
        "workflow(wrong)\n"
    )

    assert "write plain `def`" in sentences[0]
    assert "remove `await`" in sentences[1]


def test_all_problems_of_a_body_are_reported_at_once(declare: Declare) -> None:
    sentences = declare.refused(
        "@workflow\n"
        "def wrong(order_id: OrderId) -> Any:\n"
        "    order = find(order_id)\n"
        "    if order.is_paid:  # wrong\n"
        "        held = hold_money(order)  # wrong\n"
        "    for line in held:  # wrong\n"
        "        post(line)\n"
        "    return order.total * 2  # wrong\n"
    )

    assert len(sentences) == 4


def test_a_refused_construct_does_not_make_its_names_unknown(declare: Declare) -> None:
    sentences = declare.refused(
        "@workflow\n"
        "def wrong(order_id: OrderId) -> Any:\n"
        "    total = order_id + 'x'  # wrong\n"
        "    with total as opened:  # wrong\n"
        "        order = find(opened)\n"
        "    return total, opened, order\n"
    )

    assert [sentence.split(";")[0] for sentence in sentences] == [
        "a body does not calculate",
        "`with` has no place in a body",
    ]


def test_a_body_may_hold_everything_in_the_grammar(declare: Declare) -> None:
    module = declare(
        "class Size(Enum):\n"
        "    SMALL = 'small'\n"
        "async def wait(order: Order, size: Size, at_most: timedelta, limit: int) -> Hold: ...\n"
        "from uuid import UUID\n"
        "LIMITS = {'eu': 5}\n"
        "@workflow\n"
        "def right(order_id: OrderId, name: str = 'x') -> dict[str, Any]:\n"
        "    '''Docstring\nthat is not indented.'''\n"
        "    order: Order = find(order_id)\n"
        "    pass\n"
        "    first, second = hold(order), hold.named('again').after(order)(order=order)\n"
        "    expect(order.is_paid, Declined('not paid'), name='paid')\n"
        "    late = step(wait, irreversible='x').after(first, second)(\n"
        "        order, Size.SMALL, timedelta(minutes=5), LIMITS['eu'],\n"
        "    )\n"
        "    step(threaded(blocking), name='slow', irreversible='x')(order)\n"
        "    write.when(big(order))(order)\n"
        "    line = order.lines[0]\n"
        "    return {'id': order.id, 'all': [late, line], 'one': (-1, None, name)}\n"
    )

    assert [node.path for node in module.right.plan.nodes] == [
        "find_order",
        "hold_money",
        "again",
        "paid",
        "wait",
        "slow",
        "is_big",
        "write_letter",
    ]
    assert module.right.plan.summary == "Docstring"


def test_a_workflow_is_refused_in_the_body_of_another(declare: Declare) -> None:
    sentences = declare.refused(
        "@workflow\n"
        "def inner(order_id: OrderId) -> Order:\n"
        "    return find(order_id)\n"
        "@workflow\n"
        "def outer(order_id: OrderId) -> Any:\n"
        "    return inner(order_id)  # wrong\n"
    )

    assert "write step(inner)(…) for a run of its own" in sentences[0]


def test_without_source_a_warning_says_that_only_placeholders_watch(declare: Declare) -> None:
    module = declare("")
    source = "def typed(order_id: OrderId) -> Order:\n    return find(order_id)\n"
    exec(compile(source, "<typed>", "exec", dont_inherit=True), vars(module))  # noqa: S102

    with pytest.warns(UserWarning, match="the source of `typed` cannot be read"):
        declared = module.workflow(module.typed)

    assert [node.path for node in declared.plan.nodes] == ["find_order"]
