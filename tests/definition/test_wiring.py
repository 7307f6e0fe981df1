"""A body that wires its steps wrongly is refused at the line of the call, with a remedy."""

from __future__ import annotations

import pytest

from makegood.definition.plan import Constant, FromInput, FromNode
from makegood.values.limits import NODES_PER_PLAN_MAX
from tests.definition.conftest import Declare

WIRINGS = {
    "a step used twice": (
        "    hold(order)\n    hold(order)  # wrong\n",
        'call .named("…") on one of them',
    ),
    "a name used twice": (
        "    hold.named('x')(order)\n    write.named('x')(order)  # wrong\n",
        "two nodes are named `x`",
    ),
    "an expect used twice": (
        "    expect(order.is_paid, ValueError())\n"
        "    expect(order.is_paid, ValueError())  # wrong\n",
        'give one of them name="…"',
    ),
    "a name that is no path": ("    hold.named('a b')(order)  # wrong\n", "use letters, digits"),
    "a missing argument": ("    hold()  # wrong\n", "is not given `order`; add it"),
    "an unknown argument": (
        "    hold(order, ordr=order)  # wrong\n",
        "takes no `ordr`; did you mean `order`?",
    ),
    "an argument that nothing resembles": (
        "    hold(order, xyz=order)  # wrong\n",
        "takes no `xyz`; it takes `order`",
    ),
    "too many arguments": ("    hold(order, order)  # wrong\n", "remove what is too many"),
    "an argument given twice": ("    hold(order, order=order)  # wrong\n", "give it once"),
    "an injected argument": ("    hold(order, bank=order)  # wrong\n", "takes no `bank`"),
    "a result of another type": (
        "    post(order)  # wrong\n",
        "`letter: Letter` of `post_letter` is given `find_order(…)`, which is Order; "
        "give it Letter",
    ),
    "a part of another type": (
        "    post(order.total)  # wrong\n",
        "is given `find_order(…).total`, which is int",
    ),
    "an input of another type": (
        "    hold(order_id)  # wrong\n",
        "is given `order_id`, which is OrderId",
    ),
    "a guarded result where None is refused": (
        "    letter = write.when(order.is_paid)(order)\n    post(letter)  # wrong\n",
        "which may be None; let the parameter be Letter | None, or guard this step too",
    ),
    "an optional result where None is refused": (
        "    letter = step(write_letter, irreversible='x', optional=True)(order)\n"
        "    post(letter)  # wrong\n",
        "which may be None",
    ),
    "a part of what may be None": (
        "    letter = write.when(order.is_paid)(order)\n"
        "    expect(letter.to, ValueError())  # wrong\n",
        "it may be None; take it apart in a step or in pure(…)",
    ),
    "a constant of another type": (
        "    hold(3)  # wrong\n",
        "is given a constant that does not fit: 3 is not carried as",
    ),
    "a constant that cannot be written": (
        "    hold(object)  # wrong\n",
        "is given a constant that does not fit",
    ),
    "results inside of a list": (
        "    step(threaded(blocking))([order])  # wrong\n",
        "is given results inside of a value; build it with pure(…)",
    ),
    "results inside of a dict": (
        "    step(threaded(blocking))({'order': order})  # wrong\n",
        "is given results inside of a value",
    ),
    "an unknown attribute": (
        "    expect(order.is_payed, ValueError())  # wrong\n",
        "Order has no attribute `is_payed`; did you mean `is_paid`?",
    ),
    "a method of a result": (
        "    expect(order.doubled, ValueError())  # wrong\n",
        "`doubled` is a method of Order; call it in a step",
    ),
    "an unknown item": (
        "    expect(order['is_paid'], ValueError())  # wrong\n",
        "Order has no items; ask for an attribute",
    ),
    "a flag that is no bool": (
        "    hold.when(order.total)(order)  # wrong\n",
        "which is int and not bool; make a bool of it with pure(…)",
    ),
    "a flag that is a constant": (
        "    hold.when(True)(order)  # wrong\n",
        "its flag must be an input, a result or a part of one",
    ),
    "something else of another type": (
        "    hold.when(order.is_paid, otherwise=order)(order)  # wrong\n",
        "`otherwise: Hold` of `hold_money` is given `find_order(…)`, which is Order; give it Hold",
    ),
    "something else that is no value of the type": (
        "    hold.when(order.is_paid, otherwise=3)(order)  # wrong\n",
        "`otherwise: Hold` of `hold_money` is given a constant that does not fit",
    ),
    "two guards": (
        "    hold.when(order.is_paid).when(big(order))(order)  # wrong\n",
        "combine the flags in pure(…)",
    ),
    "an expect of no bool": (
        "    expect(order, ValueError())  # wrong\n",
        "which is Order and not bool",
    ),
    "an expect with an error class": (
        "    expect(order.is_paid, ValueError)  # wrong\n",
        "give an exception instance",
    ),
    "after an input": (
        "    hold.after(order_id)(order)  # wrong\n",
        "which is there from the start; give it the result of a step",
    ),
    "after a constant": (
        "    hold.after('x')(order)  # wrong\n",
        "give it the result of a step",
    ),
    "two pivots": (
        "    hold(order)\n"
        "    a = step(write_letter, name='a', pivot=True)(order)\n"
        "    step(write_letter, name='b', pivot=True)(order)  # wrong\n",
        "`b` and `a` are both the pivot",
    ),
}


@pytest.mark.parametrize("name", WIRINGS)
def test_a_wrong_wiring_is_refused(declare: Declare, name: str) -> None:
    body, remedy = WIRINGS[name]

    sentences = declare.refused(
        "@workflow\ndef wrong(order_id: OrderId) -> Any:\n    order = find(order_id)\n" + body
    )

    assert len(sentences) == 1
    assert remedy in sentences[0]


WORKFLOWS = {
    "nothing to do": (
        "@workflow  # wrong\ndef wrong(order_id: OrderId) -> OrderId:\n    return order_id\n",
        "call at least one step in its body",
    ),
    "an input without a type": (
        "@workflow  # wrong\ndef wrong(order_id) -> None:\n    find(order_id)\n",
        "does not say what type `order_id` has",
    ),
    "no return annotation": (
        "@workflow  # wrong\ndef wrong(order_id: OrderId):\n    find(order_id)\n",
        "`-> None` for nothing",
    ),
    "an input that cannot be carried": (
        "@workflow  # wrong\ndef wrong(bank: Bank) -> None:\n    find('x')\n",
        "Bank cannot be carried",
    ),
    "an injected input": (
        "@workflow  # wrong\n"
        "def wrong(order_id: OrderId, *, bank: Bank = injected) -> None:\n"
        "    find(order_id)\n",
        "let the step that needs it inject it",
    ),
    "any number of inputs": (
        "@workflow  # wrong\ndef wrong(*order_id: OrderId) -> None:\n    pass\n",
        "name each parameter",
    ),
    "a result of another type": (
        "@workflow  # wrong\ndef wrong(order_id: OrderId) -> Hold:\n    return find(order_id)\n",
        "says it returns Hold, but it returns Order; correct one of them",
    ),
    "a result that may be None": (
        "@workflow  # wrong\n"
        "def wrong(order_id: OrderId, flag: bool) -> Order:\n"
        "    return find.when(flag)(order_id)\n",
        "what it returns may be None; write `-> Order | None`",
    ),
    "a result that is forgotten": (
        "@workflow  # wrong\ndef wrong(order_id: OrderId) -> Order:\n    find(order_id)\n",
        "what it returns may be None",
    ),
    "a dict with keys that are no text": (
        "@workflow  # wrong\n"
        "def wrong(order_id: OrderId) -> Any:\n"
        "    return {1: find(order_id)}\n",
        "the result of the workflow is a dict whose keys are not text",
    ),
    "a returned value that cannot be written": (
        "@workflow  # wrong\n"
        "def wrong(order_id: OrderId) -> Any:\n"
        "    find(order_id)\n"
        "    return Order\n",
        "the result of the workflow is given a constant that does not fit",
    ),
    "a shape of another type": (
        "@workflow  # wrong\n"
        "def wrong(order_id: OrderId) -> tuple[Order, int]:\n"
        "    return find(order_id), order_id\n",
        "it returns tuple[Order, OrderId]",
    ),
    "a default that does not fit": (
        "@workflow  # wrong\n"
        "def wrong(order_id: OrderId = 3) -> Order:\n    return find(order_id)\n",
        "the default of `order_id: OrderId` of `wrong` does not fit",
    ),
    "a deadline of nothing": (
        "@workflow(deadline=timedelta(0))  # wrong\n"
        "def wrong(order_id: OrderId) -> Order:\n    return find(order_id)\n",
        "deadline=datetime.timedelta(0) is out of bounds",
    ),
    "a name that is no path": (
        "workflow(lambda order_id: order_id)  # wrong\n",
        'give it one with name="…"',
    ),
    "a strict step without undo": (
        "async def f(order_id: OrderId) -> Order: ...\n"
        "@workflow(strict=True)\n"
        "def wrong(order_id: OrderId) -> Order:\n    return step(f)(order_id)  # wrong\n",
        'say why there is none with irreversible="…"',
    ),
    "a strict step that assumes a horizon": (
        "async def f(order_id: OrderId, *, k: IdempotencyKey = injected) -> Order: ...\n"
        "@workflow(strict=True)\n"
        "def wrong(order_id: OrderId) -> Order:\n"
        "    return step(f, irreversible='x')(order_id)  # wrong\n",
        "say with key_valid_for= how long",
    ),
    "strict attempts that outlive the key": (
        "async def f(order_id: OrderId, *, k: IdempotencyKey = injected) -> Order: ...\n"
        "@workflow(strict=True)\n"
        "def wrong(order_id: OrderId) -> Order:\n"
        "    declared = step(f, irreversible='x', key_valid_for=timedelta(seconds=9))  # wrong\n"
        "    return declared(order_id)\n",
        "may take 0:01:33, but its key is valid for 0:00:09",
    ),
    "a strict input that is not used": (
        "@workflow(strict=True)  # wrong\n"
        "def wrong(order_id: OrderId, more: int) -> Order:\n    return find(order_id)\n",
        "does not use its input `more`; pass it on, or drop it",
    ),
}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_wrong_workflow_is_refused(declare: Declare, name: str) -> None:
    source, remedy = WORKFLOWS[name]

    assert any(remedy in sentence for sentence in declare.refused(source))


def test_a_result_of_another_workflow_is_refused(declare: Declare) -> None:
    sentences = declare.refused(
        "import warnings\n"
        "stolen = []\n"
        "exec(r'''\n"
        "from __future__ import annotations\n"
        "def victim(order_id: OrderId) -> Order:\n"
        "    stolen.append(find(order_id))\n"
        "    return stolen[0]\n"
        "''')\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore')\n"
        "    workflow(victim)\n"
        "@workflow\n"
        "def thief(order: Order) -> Any:\n"
        "    hold(stolen[0])  # wrong\n"
    )

    assert "belongs to another workflow; pass it as an input" in sentences[0]


def test_a_plan_has_a_bounded_number_of_nodes(declare: Declare) -> None:
    calls = "".join(f"    find.named('n{n}')(order_id)\n" for n in range(NODES_PER_PLAN_MAX))

    sentences = declare.refused(
        f"@workflow\ndef wrong(order_id: OrderId) -> None:\n{calls}"
        "    find.named('last')(order_id)  # wrong\n"
    )

    assert "more than 2,000 nodes; split it into several workflows" in sentences[0]


def test_all_arguments_that_do_not_bind_are_reported_at_once(declare: Declare) -> None:
    sentences = declare.refused(
        "@workflow\n"
        "def wrong(order_id: OrderId) -> None:\n"
        "    find(ordr_id=order_id, more=order_id)  # wrong\n"
    )

    assert sentences == [
        "`find_order` takes no `ordr_id`; did you mean `order_id`?",
        "`find_order` takes no `more`; it takes `order_id`",
        "`find_order` is not given `order_id`; add it",
    ]


def test_findings_of_a_workflow_that_is_not_strict_are_listed_and_allowed(
    declare: Declare,
) -> None:
    module = declare(
        "async def f(order_id: OrderId, *, k: IdempotencyKey = injected) -> Order: ...\n"
        "@workflow\n"
        "def loose(order_id: OrderId, more: int) -> tuple[Order, Order]:\n"
        "    declared = step(f)\n"
        "    return declared(order_id), declared.named('again')(order_id)\n"
    )

    assert [finding.code for finding in module.loose.findings] == [
        "MG101",
        "MG102",
        "MG103",
        "MG110",
    ]
    assert repr(module.loose) == (
        "<workflow loose(order_id, more) -> tuple[Order, Order]: 2 nodes, 4 findings>"
    )


def test_a_pivot_and_a_stated_policy_satisfy_a_strict_workflow(declare: Declare) -> None:
    module = declare(
        "async def f(o: Order, *, k: IdempotencyKey = injected) -> Hold: ...\n"
        "@workflow(strict=True)\n"
        "def strict(order_id: OrderId) -> Hold:\n"
        "    order = find(order_id)\n"
        "    first = step(keep, name='first', irreversible='x')(order)\n"
        "    return step(f, pivot=True, key_valid_for=None).after(first)(order)\n"
    )

    assert module.strict.findings == ()


def test_queries_and_pures_are_wired_like_steps(declare: Declare) -> None:
    module = declare(
        "@workflow\n"
        "def wired(order_id: OrderId, flag: bool) -> Any:\n"
        "    order = find(order_id)\n"
        "    again = find.named('again').after(order).when(flag)(order_id)\n"
        "    large = big.named('large').after(again).when(flag)(order)\n"
        "    return again, large\n"
    )

    assert [(node.path, node.needs, node.when) for node in module.wired.plan.nodes] == [
        ("find_order", (), None),
        ("again", (0,), FromInput("flag")),
        ("large", (0, 1), FromInput("flag")),
    ]


def test_one_edge_is_kept_however_often_a_result_is_used(declare: Declare) -> None:
    module = declare(
        "async def both(left: Order, right: int) -> int: ...\n"
        "@workflow\n"
        "def wired(order_id: OrderId) -> int | None:\n"
        "    order = find(order_id)\n"
        "    return query(both).after(order, order).when(order.is_paid)(order, order.total)\n"
    )

    assert module.wired.plan.nodes[1].needs == (0,)
    assert module.wired.plan.nodes[0].feeds == (1,)


def test_a_guard_or_an_order_on_what_may_be_skipped_is_allowed(declare: Declare) -> None:
    module = declare(
        "@workflow\n"
        "def wired(order_id: OrderId, flag: bool) -> None:\n"
        "    order = find(order_id)\n"
        "    letter = write.when(flag)(order)\n"
        "    hold.after(letter)(order)\n"
    )

    assert module.wired.plan.nodes[2].needs == (0, 1)


def test_a_guard_that_gives_something_else_gives_no_none(declare: Declare) -> None:
    module = declare(
        "@workflow\n"
        "def wired(order_id: OrderId, kept: Letter, flag: bool) -> Letter:\n"
        "    order = find(order_id)\n"
        "    first = write.when(flag, otherwise=kept)(order)\n"
        "    post(first)\n"
        "    large = big.when(flag, otherwise=True)(order)\n"
        "    return write.named('again').when(large, otherwise=first)(order)\n"
    )

    assert [(node.needs, node.otherwise) for node in module.wired.plan.nodes] == [
        ((), None),
        ((0,), FromInput("kept")),
        ((1,), None),
        ((0,), Constant("true")),
        ((0, 1, 3), FromNode(1)),
    ]


def test_what_a_guard_gives_instead_is_a_part_of_the_fingerprint(declare: Declare) -> None:
    bodies = ("write.when(flag)", "write.when(flag, otherwise=a)", "write.when(flag, otherwise=b)")
    prints = {
        declare(
            "@workflow\n"
            "def wired(order: Order, a: Letter, b: Letter, flag: bool) -> Letter | None:\n"
            f"    return {body}(order)\n"
        ).wired.plan.fingerprint
        for body in bodies
    }

    assert len(prints) == 3


def test_a_step_without_parameters_and_a_method_can_be_declared(declare: Declare) -> None:
    module = declare(
        "class Desk:\n"
        "    async def ring(self) -> int: ...\n"
        "    async def answer(self, times: int) -> None: ...\n"
        "desk = Desk()\n"
        "@workflow\n"
        "def call() -> None:\n"
        "    query(desk.answer)(query(desk.ring)())\n"
    )

    assert [node.path for node in module.call.plan.nodes] == ["ring", "answer"]
    assert module.call.code.nodes[0].arguments({}, []) == {}
