"""A chain grows one link at a time, is refused where it is wrong, and is a workflow like others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makegood import testing
from makegood.definition.chain import Chain, Done, chain
from makegood.definition.plan import Constant, FromInput, FromNode, Items, Pairs
from makegood.definition.step import pure, query, step
from makegood.definition.workflow import Workflow, workflow
from makegood.errors import Declined, DefinitionError
from makegood.runtime.engine import Engine
from makegood.values.limits import NODES_PER_PLAN_MAX
from tests.definition.conftest import Declare


class Parcel:
    """What no value that is carried can be."""


@dataclass(frozen=True)
class Wish:
    sku: str
    cents: int
    letter: str = "thanks"

    @property
    def parcel(self) -> Parcel:
        return Parcel()


@dataclass(frozen=True)
class Hold:
    id: str


async def find(wish: Wish) -> int: ...
async def reserve(sku: str) -> Hold:
    return Hold(f"hold on {sku}")


async def release(hold: Hold) -> None: ...
async def charge(cents: int, hold: Hold, note: str = "none") -> str:
    return f"{cents} for {hold.id}: {note}"


async def refund(payment: str) -> None: ...
async def tell(payment: str | None, *, letter: str, at_most: timedelta) -> None: ...
async def tick() -> bool: ...
async def ship(hold_id: str, payment: str, sku: str, cents: int) -> None: ...
def doubled(cents: int) -> int:
    return cents * 2


look = query(find)
hold = step(reserve, undo=release)
pay = step(charge, undo=refund)
maybe = step(charge, undo=refund, optional=True, name="maybe")
told = step(tell, irreversible="it is said")
ticked = query(tick)
twice = pure(doubled)
sent = step(ship, irreversible="it is gone")


def held() -> Chain[Wish, Hold]:
    return chain("sell", hold, takes=Wish, using=lambda wish: wish.sku)


def in_words(wish: Wish, done: Any) -> tuple[int, Hold, str]:
    """Say what the payment step is given."""
    taken: Hold = done.reserve
    return wish.cents, taken, "in words"


def test_a_chain_has_the_plan_of_the_body_that_says_the_same() -> None:
    linear = (
        chain("sell", look)
        .then(hold, using=lambda wish, _: wish.sku)
        .then(twice, using=lambda wish, _: wish.cents)
        .then(pay.named("first"), using=lambda _, done: (done[twice], done[hold]))
        .then(maybe, using=lambda wish, done: (wish.cents, done[hold], wish.letter))
        .then(ticked)
        .then(
            told,
            using=lambda wish, done: {
                "payment": done[maybe],
                "letter": wish.letter,
                "at_most": timedelta(minutes=5),
            },
        )
        .then(
            sent, using=lambda wish, done: (done.reserve.id, done["first"], wish.sku, done.doubled)
        )
        .workflow(returning=lambda _, done: done[pay.named("first")], deadline=timedelta(hours=1))
    )

    @workflow(deadline=timedelta(hours=1))
    def sell(input: Wish) -> str:
        found = look(input)
        reservation = hold.after(found)(input.sku)
        cents = twice.after(reservation)(input.cents)
        first = pay.named("first").after(cents)(cents, reservation)
        second = maybe.after(first)(input.cents, reservation, input.letter)
        tock = ticked.after(second)()
        last = told.after(tock)(second, letter=input.letter, at_most=timedelta(minutes=5))
        sent.after(last)(reservation.id, first, input.sku, cents)
        return first

    assert linear.plan == sell.plan
    assert linear.findings == sell.findings


def test_a_chain_keeps_its_fingerprint_for_ever() -> None:
    plan = held().then(pay, using=lambda wish, done: (wish.cents, done[hold])).workflow().plan

    assert plan.fingerprint == "d44569f4b796304f"


def test_a_chain_returns_what_its_last_step_returned() -> None:
    made = held().then(maybe, using=lambda wish, done: (wish.cents, done[hold])).workflow()

    assert (made.plan.returns, made.plan.returns_type) == (FromNode(1), "str | None")


@pytest.mark.parametrize(
    ("made", "returns", "kind"),
    [
        (held().workflow(returning=lambda wish, _: wish.sku), FromInput("input", (".sku",)), "str"),
        (
            held().workflow(returning=lambda wish, done: (wish, done[hold].id)),
            Items((FromInput("input"), FromNode(0, (".id",)))),
            "tuple[Wish, str]",
        ),
        (
            held().workflow(returning=lambda wish, done: {"for": [wish.cents, done.reserve]}),
            Pairs((("for", Items((FromInput("input", (".cents",)), FromNode(0)), "list")),)),
            "dict[str, list[int | Hold]]",
        ),
    ],
    ids=["a part", "a tuple", "a dict"],
)
def test_a_chain_may_return_any_shape(
    made: Workflow[[Wish], object], returns: object, kind: str
) -> None:
    assert (made.plan.returns, made.plan.returns_type) == (returns, kind)


def test_a_chain_takes_what_its_first_step_takes() -> None:
    made = chain("ask", look).workflow()

    call = made(Wish("CD-1", 100))

    assert bytes(call.input["input"]) == b'{"sku":"CD-1","cents":100,"letter":"thanks"}'
    assert made(input=Wish("CD-1", 100)).input_hash == call.input_hash


def test_a_using_may_be_a_function_that_stands_elsewhere() -> None:
    by_lambda = held().then(pay, using=lambda wish, done: (wish.cents, done[hold], "in words"))
    by_function = held().then(pay, using=in_words)

    assert by_function.workflow().plan == by_lambda.workflow().plan
    assert by_function.workflow().plan.nodes[1].arguments[2].source == Constant('"in words"')


class Using:
    """What a step is given, by an object: it has no source that could be read."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def __call__(self, wish: Wish, done: Any) -> str:
        self.taken.append(done.reserve)
        return wish.sku


@pytest.mark.filterwarnings("ignore:the source of")
def test_a_chain_asks_once_what_a_step_is_given() -> None:
    using = Using()

    grown = held().then(hold.named("again"), using=using).then(ticked)
    grown.workflow()

    assert len(using.taken) == 1


def test_a_chain_never_changes_and_may_go_on_twice() -> None:
    begun = held()
    first = begun.then(twice, using=lambda wish, _: wish.cents)
    second = begun.then(pay, using=lambda wish, done: (wish.cents, done[hold]))

    assert [repr(one) for one in (begun, first, second)] == [
        "<chain sell(Wish): reserve>",
        "<chain sell(Wish): reserve → doubled>",
        "<chain sell(Wish): reserve → charge>",
    ]
    assert len(begun.workflow().plan.nodes) == 1
    assert begun.workflow().plan == begun.workflow().plan
    assert second.name == second.workflow().name == "sell"


def test_a_chain_goes_on_in_what_it_shares_until_it_goes_on_twice() -> None:
    begun = held()
    first = begun.then(twice, using=lambda wish, _: wish.cents)
    second = begun.then(pay, using=lambda wish, done: (wish.cents, done[hold]))

    assert first.links.trace is begun.links.trace
    assert second.links.trace is not begun.links.trace


def test_a_link_that_is_refused_leaves_the_chain_as_it_was() -> None:
    begun = held()

    with pytest.raises(DefinitionError, match="`doubled` is given"):
        begun.then(twice, using=lambda wish, _: wish.sku)
    with pytest.raises(DefinitionError, match="`charge` is not done before this"):
        begun.then(twice, using=lambda _, done: done.charge)
    grown = begun.then(twice, using=lambda wish, _: wish.cents)

    assert repr(grown) == "<chain sell(Wish): reserve → doubled>"
    whole = held().then(twice, using=lambda wish, _: wish.cents).workflow()
    assert grown.workflow().plan == whole.plan


def test_a_chain_that_has_gone_on_is_still_the_workflow_that_it_was() -> None:
    begun = held()
    before = begun.workflow().plan
    grown = begun.then(twice, using=lambda wish, _: wish.cents)

    assert begun.workflow().plan == before
    assert repr(begun) == "<chain sell(Wish): reserve>"
    assert [node.path for node in grown.workflow().plan.nodes] == ["reserve", "doubled"]


def test_what_is_done_in_one_chain_is_no_part_of_another() -> None:
    using = Using()

    with pytest.warns(UserWarning, match="the source of `Using` cannot be read"):
        held().then(hold.named("again"), using=using)

    with pytest.raises(DefinitionError, match="belongs to another workflow; pass it as an input"):
        held().then(pay, using=lambda wish, _: (wish.cents, using.taken[0]))


@pytest.mark.filterwarnings("ignore:the source of")
def test_what_is_done_shows_what_it_has_and_is_no_container() -> None:
    class Looking(Using):
        def __call__(self, wish: Wish, done: Any) -> str:
            self.taken += [repr(done), hasattr(done, "__len__"), hasattr(done, "__wrapped__")]
            return wish.sku

    using = Looking()
    held().then(hold.named("again"), using=using)

    assert using.taken == ["<done: reserve>", False, False]


def test_a_chain_returns_only_what_can_be_carried() -> None:
    with pytest.raises(DefinitionError, match="the result of `sell`: Parcel"):
        held().workflow(returning=lambda wish, _: wish.parcel)


def test_a_strict_chain_refuses_what_looks_wrong() -> None:
    loose = chain("ask", step(find))

    assert "the step `find` has no undo" in loose.workflow().findings[0].sentence
    with pytest.raises(DefinitionError, match="the step `find` has no undo"):
        loose.workflow(strict=True)
    assert loose.workflow().plan.strict is False
    assert held().workflow(strict=True).plan.strict is True


def test_where_a_using_cannot_be_read_only_placeholders_watch(declare: Declare) -> None:
    module = declare("from makegood.definition.chain import chain\n")
    unseen = "chain('sell', find).then(hold, using=lambda i, done: {})"

    def typed(value: str) -> Any:
        with pytest.warns(UserWarning, match="the source of `<lambda>` cannot be read"):
            return eval(unseen.format(value), vars(module))  # noqa: S307 - there is no file

    assert repr(typed("done.find_order")) == "<chain sell(OrderId): find_order → hold_money>"
    with pytest.raises(DefinitionError, match="the body decides by `find_order"):
        typed("done.find_order and i")
    with pytest.raises(DefinitionError, match="`hold_money` is called outside the body"):
        typed("hold(done.find_order)")


def test_a_chain_has_as_many_links_as_a_plan_has_nodes() -> None:
    grown: Chain[Wish, object] = held()
    for number in range(1, NODES_PER_PLAN_MAX):
        grown = grown.then(ticked.named(f"tick-{number}"))

    assert len(grown.workflow().plan.nodes) == NODES_PER_PLAN_MAX
    with pytest.raises(DefinitionError, match="has more than 2,000 nodes"):
        grown.then(ticked)


def result_of(name: str) -> Callable[[object, Done], Any]:
    return lambda _, done: done[name]


@given(st.lists(st.booleans(), max_size=6), st.data())
@settings(max_examples=3 * settings().max_examples // 10)
def test_links_run_in_order_and_are_undone_in_reverse(undoable: list[bool], data: Any) -> None:
    happened: list[str] = []

    async def begin(number: int) -> int:
        happened.append("begin")
        return number

    async def count(before: int) -> int:
        happened.append(f"count {before}")
        return before + 1

    async def back(counted: int) -> None:
        happened.append(f"back {counted}")

    last = "begin"
    grown = chain("count", query(begin))
    for number, has_undo in enumerate(undoable):
        counting = step(count, undo=back) if has_undo else step(count, irreversible="it is counted")
        grown = grown.then(counting.named(f"n{number}"), using=result_of(last))
        last = f"n{number}"
    paths = [f"n{number}" for number in range(len(undoable))]
    broken = data.draw(st.sampled_from([None, *range(len(undoable))]))

    script = {} if broken is None else {paths[broken]: Declined("no")}
    outcome = asyncio.run(testing.run(grown.workflow()(0), fail=script))

    counted = range(len(undoable) if broken is None else broken)
    undone = [] if broken is None else [n for n in reversed(counted) if undoable[n]]
    assert outcome.is_completed == (broken is None)
    assert outcome.undone == [paths[number] for number in undone]
    assert happened == [
        "begin",
        *(f"count {number}" for number in counted),
        *(f"back {number + 1}" for number in undone),
    ]


@pytest.mark.real
async def test_a_run_goes_on_under_a_chain_that_was_built_again(tmp_path: Path) -> None:
    def built(attempts: int) -> Workflow[[Wish], str]:
        paying = step(charge, undo=refund, timeout=timedelta(seconds=attempts))
        return held().then(paying, using=lambda wish, done: (wish.cents, done[hold])).workflow()

    store = f"sqlite:///{tmp_path / 'shop.journal'}"
    async with Engine(store, work=False) as engine:
        run = await engine.start(built(attempts=1)(Wish("CD-1", 100)), key="order-1")
    async with Engine(store) as engine:
        engine.serve(built(attempts=2))
        again = engine.run(run.id)

        assert await again.result() == "100 for hold on CD-1: none"
