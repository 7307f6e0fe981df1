"""A chain that is wrong is refused on the line of its link, with what to write instead."""

from __future__ import annotations

import pytest

from tests.definition.conftest import Declare

WRONG_LINKS = {
    "a plain function": (
        ".then(write_letter, using=lambda i, done: done[find])",
        "a chain is given `write_letter`, which is neither a step, a query nor a pure; declare it",
    ),
    "nothing that has a name": (".then(3)", "a chain is given `3`, which is neither a step"),
    "no using": (".then(hold)", "`hold_money` takes `order`, but nothing says what it is given"),
    "a using that is no function": (
        ".then(hold, using=3)",
        "using=3 is no function; write using=lambda input, done: …",
    ),
    "a using of one parameter": (
        ".then(hold, using=lambda i: i)",
        "using= cannot be called with `input`, `done`: too many positional arguments; write",
    ),
    "a using that is built in": (
        ".then(hold, using=dict)",
        "write using=lambda input, done: …",
    ),
    "an async using": (
        ".then(hold, using=later)",
        "using= is async, but it only passes values on; write using=lambda input, done: …",
    ),
    "a step that comes later": (
        ".then(hold, using=lambda i, done: done[post])",
        "`post_letter` is not done before this; done are `find_order`",
    ),
    "a name that is nearly right": (
        ".then(hold, using=lambda i, done: done.find_oder)",
        "`find_oder` is not done before this; did you mean `find_order`?",
    ),
    "another step of the same name": (
        ".then(hold, using=lambda i, done: done[another])",
        "`find_order` in this chain is find_order, and not <query find_order(order_id) -> Order>; "
        'write done["find_order"], or give the step that was added',
    ),
    "a result by its number": (
        ".then(hold, using=lambda i, done: done[0])",
        "done[0] is asked for; results are found by their step or their name",
    ),
    "the step instead of its result": (
        ".then(hold, using=lambda i, done: find)",
        "`hold_money` is given <query find_order(order_id) -> Order>, which is no value",
    ),
    "a part of the step instead of its result": (
        ".then(write, using=lambda i, done: find.total)",
        "`total` is a part of what the step returns; write `done[find].total`",
    ),
    "everything that is done": (
        ".then(hold, using=lambda i, done: done)",
        "`hold_money` is given <done: find_order>, which is no value; give it what a step returned",
    ),
    "a result of another type": (
        ".then(post, using=lambda i, done: done[find])",
        "`letter: Letter` of `post_letter` is given `find_order(…)`, which is Order; give it",
    ),
    "an optional result": (
        ".then(step(write_letter, optional=True), using=lambda i, done: done[find])"
        ".then(post, using=lambda i, done: done.write_letter)",
        "which may be None; let the parameter be Letter | None, or guard this step too",
    ),
    "a part that does not exist": (
        ".then(hold, using=lambda i, done: done[find].totl)",
        "`find_order(…).totl` does not exist: Order has no attribute `totl`; did you mean `total`?",
    ),
    "too many values": (
        ".then(hold, using=lambda i, done: (done[find], i))",
        "`hold_money` takes 1 argument by position, but 2 are given; remove what is too many",
    ),
    "an unknown name": (
        ".then(hold, using=lambda i, done: {'ordr': done[find]})",
        "`hold_money` takes no `ordr`; did you mean `order`?",
    ),
    "a name that is no text": (
        ".then(hold, using=lambda i, done: {3: done[find]})",
        "`hold_money` is given 3 by name; write the name as text",
    ),
    "a constant of another type": (
        ".then(hold, using=lambda i, done: 3)",
        "is given a constant that does not fit: 3 is not carried as",
    ),
    "results inside of a value": (
        ".then(hold, using=lambda i, done: ((done[find], i),))",
        "is given results inside of a value; build it with pure(…)",
    ),
    "a name used twice": (
        ".then(find, using=lambda i, done: i)",
        'two nodes are named `find_order`, the first on line LINE; call .named("…") on one of them',
    ),
    "a step that was wired to what is no result": (
        ".then(hold.after(3), using=lambda i, done: done[find])",
        "`hold_money`.after(…) is given 3; give it the result of a step",
    ),
    "a step that was guarded by what is no flag": (
        ".then(hold.when(True), using=lambda i, done: done[find])",
        "the guard of `hold_money` is given True",
    ),
    "two pivots": (
        ".then(step(write_letter, pivot=True), using=lambda i, done: done[find])"
        ".then(step(hold_money, pivot=True), using=lambda i, done: done[find])",
        "`hold_money` and `write_letter` are both the pivot",
    ),
    "a deadline of no time": (
        ".workflow(deadline=timedelta(0))",
        "deadline=datetime.timedelta(0) is out of bounds; give a duration above zero",
    ),
    "a returning that is no function": (
        ".workflow(returning=find)",
        "returning=<query find_order(order_id) -> Order> is no function; write returning=lambda",
    ),
    "a returning of what is not there": (
        ".workflow(returning=lambda i, done: done.hold)",
        "`hold` is not done before this; done are `find_order`",
    ),
    "a returning of what is no value": (
        ".workflow(returning=lambda i, done: done)",
        "the result of the workflow is given a constant that does not fit",
    ),
}

PASSING = {
    "is None": ("i is None", "`i is None` would be computed now, before the value exists"),
    "comparison": ("done[find].total > 3", "compute it in .then(pure(…), using=…), and pass its"),
    "arithmetic": ("done[find].total + 1", "`done[find].total + 1` would be computed now"),
    "and": ("i and done[find]", "`i and done[find]` would be computed now"),
    "conditional": ("i if done else i", "`i if done else i` would be computed now"),
    "f-string": ("f'{i}'", "would be computed now"),
    "comprehension": ("[line for line in done[find].lines]", "would be computed now"),
    "a lambda": ("(lambda: i)", "`lambda: i` would be computed now"),
    "unpacking": ("(*done[find].lines,)", "`*done[find].lines` would be computed now"),
    "a slice": ("done[find].lines[1:]", "a slice is taken now"),
    "an item by a result": ("done[find].lines[done[find].total]", "constant text or number"),
    "isinstance": ("isinstance(i, str)", "`isinstance(…)` is called where values are only passed"),
    "a step": ("hold(done[find])", "`hold(…)` is called where values are only passed on; let a"),
    "a declaration": ("step(hold_money)(done[find])", "`step(…)` is called where values are only"),
    "a pure": ("big(done[find])", "let a .then(…) of its own call it, as a step, a query or pure"),
    "a class given results": ("Letter(done[find].id)", "`Letter(…)` is called where values are"),
    "a function": ("len(done[find].lines)", "`len(…)` is called where values are only passed on"),
    "a result": ("done[find]()", "`done[find](…)` is called where values are only passed on"),
    "an unknown name": ("nowhere", "`nowhere` is not defined; assign it above, or import it"),
}


def refused(declare: Declare, links: str) -> list[str]:
    """Return why a chain of one query and these links is refused, on the line of the links."""
    return declare.refused(
        "from makegood.definition.chain import chain\n"
        "async def later(i, done): return i\n"
        "another = query(find_order)\n"
        "begun = chain('sell', find)\n"
        f"begun{links}  # wrong\n"
    )


@pytest.mark.parametrize(("links", "message"), WRONG_LINKS.values(), ids=WRONG_LINKS)
def test_a_wrong_link_is_refused_on_its_line(declare: Declare, links: str, message: str) -> None:
    sentences = refused(declare, links)

    line = declare.path.read_text().splitlines().index("begun = chain('sell', find)") + 1
    assert message.replace("LINE", str(line)) in "\n".join(sentences)


@pytest.mark.parametrize(("value", "message"), PASSING.values(), ids=PASSING)
def test_a_using_only_passes_values_on(declare: Declare, value: str, message: str) -> None:
    [sentence] = refused(declare, f".then(hold, using=lambda i, done: {value})")

    assert message in sentence


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("chain(find, hold)", "chain(<query find_order(order_id) -> Order>, …) begins without a"),
        ("chain('a b', find)", "the name 'a b' cannot be part of a path; use letters, digits"),
        ("chain('sell', find_order)", "a chain is given `find_order`, which is neither a step"),
        (
            "chain('sell', query(two))",
            "`two` takes `first`, `second`, but a chain takes one input; say its type with takes=…",
        ),
        ("chain('sell', query(none))", "`none` takes nothing, but a chain takes one input"),
        ("chain('sell', query(named))", "`named` takes `only`, but a chain takes one input"),
        ("chain('sell', find, takes=OrderId)", "takes= and using= need each other"),
        ("chain('sell', find, using=lambda i: i)", "takes= and using= need each other"),
        (
            "chain('sell', find, takes=object(), using=lambda i: i)",
            "`input` of `sell`: ",
        ),
        (
            "chain('sell', find, takes=Order, using=lambda i: i.total)",
            "`order_id: OrderId` of `find_order` is given `input.total`, which is int",
        ),
        (
            "chain('sell', find, takes=Order, using=lambda i, done: i.id)",
            "using= cannot be called with `input`: missing a required argument: 'done'; write "
            "using=lambda input: …",
        ),
    ],
)
def test_a_wrong_beginning_is_refused_on_its_line(
    declare: Declare, source: str, message: str
) -> None:
    [sentence] = declare.refused(
        "from makegood.definition.chain import chain\n"
        "async def two(first: int, second: int) -> int: ...\n"
        "async def none() -> int: ...\n"
        "async def named(*, only: int) -> int: ...\n"
        f"{source}  # wrong\n"
    )

    assert message in sentence


def test_every_mistake_of_a_using_is_found_at_once_on_its_own_line(declare: Declare) -> None:
    sentences = declare.refused(
        "from makegood.definition.chain import chain\n"
        "made = (\n"
        "    chain('sell', find)\n"
        "    .then(\n"
        "        hold,\n"
        "        using=lambda order_id, done: (\n"
        "            order_id is None,  # wrong\n"
        "            done[find].total + 1,  # wrong\n"
        "        ),\n"
        "    )\n"
        ")\n"
    )

    assert [sentence.split("`")[1] for sentence in sentences] == [
        "order_id is None",
        "done[find].total + 1",
    ]


def test_each_of_several_usings_on_a_line_is_read_by_itself(declare: Declare) -> None:
    right, wrong = "using=lambda i, done: done[find]", "using=lambda i, done: i is None"
    other = "lambda i, done: i is None"

    module = declare(
        "from makegood.definition.chain import chain\n"
        f"made, _ = chain('sell', find).then(hold, {right}), {other}\n"
        "def within(total: int) -> object:\n"
        "    made = chain('w', find)\n"
        "    return made.then(pure(add), using=lambda i, done: (done[find].total, total))\n"
        "def add(one: int, other: int) -> int: ...\n"
        "added = within(3)\n"
    )
    assert repr(module.made) == "<chain sell(OrderId): find_order → hold_money>"
    assert repr(module.added) == "<chain w(OrderId): find_order → add>"
    [sentence] = refused(declare, f".then(hold, {right}).then(write, {wrong})")
    assert sentence.startswith("`i is None`")
