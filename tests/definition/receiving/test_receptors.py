"""Receptors are declared by their annotations; what cannot work is refused by a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from makegood.definition.call import Call
from makegood.definition.policy import Retry
from makegood.definition.receiving.receptors import Receptors, require_owned
from makegood.errors import DefinitionError
from makegood.values.injectable import Emit, IdempotencyKey, MessageInfo, Transaction, injected

if TYPE_CHECKING:
    from tests.definition.conftest import Declare


@dataclass(frozen=True)
class Reserved:
    message_name: ClassVar[str] = "shop.Reserved"

    order_id: str


@dataclass(frozen=True)
class Cancelled:
    message_name: ClassVar[str] = "shop.Cancelled"

    order_id: str


@dataclass(frozen=True)
class Paid:
    message_name: ClassVar[str] = "shop.Paid"
    message_version: ClassVar[int] = 2

    order_id: str

    @staticmethod
    def upcast(version: int, data: dict[str, object]) -> dict[str, object]:
        return {**data, "version": version}


@dataclass(frozen=True)
class Charge:
    message_name: ClassVar[str] = "shop.Charge"
    message_kind: ClassVar[str] = "command"

    order_id: str


async def charge(
    event: Reserved, *, key: IdempotencyKey = injected, info: MessageInfo = injected
) -> Paid | Cancelled:
    """Take the money."""
    return Paid(event.order_id)


async def log(event: Reserved | Paid) -> None: ...


async def plan(event: Paid, *, emit: Emit[Reserved] = injected) -> tuple[Charge, ...] | None: ...


async def start(event: Paid) -> Sequence[Call[str] | Cancelled]: ...


async def book(event: Paid, *, transaction: Transaction = injected) -> None: ...


async def bill(command: Charge) -> list[Paid] | tuple[()]: ...


def test_annotations_say_what_is_received_and_sent() -> None:
    group = Receptors("payments").on(charge).on(log).on(plan).on(start)
    assert [(each.name, each.types, set(each.sends), each.calls) for each in group.receptors] == [
        ("payments/charge", ("shop.Reserved",), {Paid, Cancelled}, False),
        ("payments/log", ("shop.Paid", "shop.Reserved"), set[type](), False),
        ("payments/plan", ("shop.Paid",), {Charge, Reserved}, False),
        ("payments/start", ("shop.Paid",), {Cancelled}, True),
    ]


def test_what_is_received_is_found_by_its_name() -> None:
    (receptor,) = Receptors("payments").on(log).receptors
    schema = receptor.schema_of("shop.Paid")
    assert schema is not None
    assert (schema.type, schema.version) == (Paid, 2)
    assert receptor.schema_of("shop.Charge") is None


def test_a_group_is_a_value_and_on_returns_another_one() -> None:
    empty = Receptors("payments")
    one = empty.on(charge, name="take", retry=Retry(attempts=2), timeout=timedelta(seconds=1))
    assert empty.receptors == ()
    (receptor,) = one.receptors
    assert receptor.name == "payments/take"
    assert (receptor.retry, receptor.timeout) == (Retry(attempts=2), timedelta(seconds=1))
    assert (receptor.at_once, receptor.blocks, receptor.is_local) == (None, False, False)
    assert receptor.summary == "Take the money."


def test_a_policy_that_is_not_given_is_that_of_messages() -> None:
    (receptor,) = Receptors("payments").on(charge).receptors
    assert (receptor.retry.attempts, receptor.timeout) == (5, timedelta(seconds=30))


def test_options_of_a_receptor_stand_on_it() -> None:
    (receptor,) = Receptors("payments").on(book, at_once=3, on_dead="block").receptors
    assert (receptor.at_once, receptor.blocks, receptor.is_local) == (3, True, True)


def test_a_definition_is_told_from_one_that_sends_something_else() -> None:
    async def charge(event: Reserved) -> Paid:
        return Paid(event.order_id)

    first, again, other = (
        Receptors("payments").on(function).receptors[0].fingerprint
        for function in (log, log, charge)
    )
    assert first == again
    assert first != other


def test_what_a_person_holds_says_what_it_is() -> None:
    group = Receptors("payments").on(charge).on(book)
    assert repr(group) == "<receptors payments: charge, book>"
    assert repr(group.receptors[0]) == "<receptor payments/charge(Reserved) -> Paid | Cancelled>"
    assert repr(group.receptors[1]) == "<receptor payments/book(Paid) -> None>"
    assert repr(Receptors("empty")) == "<receptors empty: none>"


def test_a_command_has_one_owner_in_a_group_and_among_several() -> None:
    says = "the command `shop.Charge` is received by `a/bill` and by `a/again`; a command has one"
    with pytest.raises(DefinitionError, match=says):
        Receptors("a").on(bill).on(bill, name="again")
    served = (*Receptors("a").on(bill).receptors, *Receptors("b").on(bill).receptors)
    with pytest.raises(DefinitionError, match="is received by `a/bill` and by `b/bill`"):
        require_owned(served)


def test_an_event_has_any_number_of_receptors() -> None:
    require_owned((*Receptors("a").on(log).receptors, *Receptors("b").on(log).receptors))


def test_two_classes_of_one_name_are_told_apart() -> None:
    @dataclass(frozen=True)
    class Other:
        message_name: ClassVar[str] = "shop.Paid"

    async def other(event: Other) -> None: ...

    with pytest.raises(DefinitionError, match=r"two classes of messages are named `shop\.Paid`"):
        Receptors("a").on(log).on(other)


IMPORTS = """
from makegood.definition.call import Call
from makegood.definition.receiving.receptors import Receptors
from makegood.values.injectable import (
    CompletionToken, Emit, MessageInfo, Once, Record, RunInfo,
)
group = Receptors("shop")
"""

REFUSED: dict[str, tuple[str, str]] = {
    "a group without a name": ('Receptors("")  # wrong\n', "the name '' cannot be part of a path"),
    "no function": ("group.on(7)  # wrong\n", "on(7) is given no function; give it one"),
    "a function that blocks": (
        "def take(order: Order) -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` is not async; write `async def`, or on(threaded(take)) for a function that blocks",
    ),
    "no message": (
        "async def take() -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` takes 0 parameters by position; a receptor takes the message that it receives, "
        "and everything else injected behind a `*`",
    ),
    "two messages": (
        "async def take(a: Order, b: Letter) -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` takes 2 parameters by position",
    ),
    "an option of its own": (
        "async def take(a: Order, *, more: int) -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` takes `more`, which nobody gives it; write `more: int = injected`, or remove it",
    ),
    "no class of messages": (
        "async def take(a: int) -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` receives what is no message: `int` is not a class of messages; declare one",
    ),
    "anything": (
        "async def take(a: Any) -> None: ...  # wrong\ngroup.on(take)\n",
        "receives what is no message: `Any` is known by no name; say which classes there may be",
    ),
    "nothing that is annotated": (
        "async def take(a) -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` does not say what type `a` has; annotate it",
    ),
    "a result that is no message": (
        "async def take(a: Order) -> str | None: ...  # wrong\ngroup.on(take)\n",
        "`take` sends what is no message: `str` is not a class of messages",
    ),
    "results of an unknown class": (
        "async def take(a: Order) -> tuple[object, ...]: ...  # wrong\ngroup.on(take)\n",
        "`take` sends what is no message: `object` is known by no name",
    ),
    "two classes of one name": (
        "@dataclass\nclass A:\n    message_name = 'x'\n"
        "@dataclass\nclass B:\n    message_name = 'x'\n"
        "async def take(a: Order) -> A | B: ...  # wrong\ngroup.on(take)\n",
        "`take` sends two classes by the name `x`; give one of them a message_name of its own",
    ),
    "a version without an upcast": (
        "@dataclass\nclass A:\n    message_version = 2\n"
        "async def take(a: A) -> None: ...  # wrong\ngroup.on(take)\n",
        "receives what is no message: `A` has message_version=2 and reads nothing that came before",
    ),
    "what only a run has": (
        "async def take(  # wrong\n"
        "    a: Order, *, r: Record[Hold] = injected, i: RunInfo = injected,\n"
        "    t: CompletionToken = injected,\n) -> None: ...\ngroup.on(take)\n",
        "`take` injects `r: Record[Hold]`, which only a step has; remove it, or start a workflow",
    ),
    "an Emit of nothing": (
        "async def take(a: Order, *, emit: Emit = injected) -> None: ...  # wrong\n"
        "group.on(take)\n",
        "`take` injects `emit: Emit`; say which messages it sends, as in `Emit[OrderPaid]`",
    ),
    "an Emit by position": (
        "async def take(a: Order, emit: Emit[Letter]) -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` takes `emit: Emit[Letter]` as an argument; write `*, emit: Emit[Letter] = ",
    ),
    "two Emits": (
        "async def take(  # wrong\n"
        "    a: Order, *, e: Emit[Letter] = injected, f: Emit[Hold] = injected,\n"
        ") -> None: ...\ngroup.on(take)\n",
        "`take` injects `e` and `f`; one Emit is enough",
    ),
    "an Emit of calls": (
        "async def take(a: Order, *, emit: Emit[Call[str]] = injected)"
        " -> None: ...  # wrong\ngroup.on(take)\n",
        "`take` emits a call; return it, and a run is started",
    ),
    "a transaction and the outside": (
        "async def take(  # wrong\n"
        "    a: Order, *, t: Transaction = injected, bank: Bank = injected,\n"
        "    w: Writes = injected, o: Once = injected,\n) -> None: ...\ngroup.on(take)\n",
        "`take` takes a Transaction, within which it cannot await the service `bank`",
    ),
    "a timeout of nothing": (
        "async def take(a: Order) -> None: ...\ngroup.on(take, timeout=timedelta(0))  # wrong\n",
        "timeout=datetime.timedelta(0) is out of bounds",
    ),
    "none at once": (
        "async def take(a: Order) -> None: ...\ngroup.on(take, at_once=0)  # wrong\n",
        "at_once=0 receives nothing; give at least 1, or leave it out",
    ),
    "half a one at once": (
        "async def take(a: Order) -> None: ...\ngroup.on(take, at_once=0.5)  # wrong\n",
        "at_once=0.5 is no whole number; give one of at least 1, or leave it out",
    ),
    "an unknown way on": (
        "async def take(a: Order) -> None: ...\ngroup.on(take, on_dead='stop')  # wrong\n",
        'on_dead=\'stop\' is unknown; say "go on" or "block"',
    ),
    "a name that is none": (
        "async def take(a: Order) -> None: ...\ngroup.on(take, name='a/b')  # wrong\n",
        "the name 'a/b' cannot be part of a path",
    ),
    "a name that is taken": (
        "async def take(a: Order) -> None: ...\ngroup.on(take).on(take)  # wrong\n",
        "two receptors are named `shop/take`; give one of them another name, as in on(…, name=",
    ),
    "a step that asks which message": (
        "async def take(a: str, *, info: MessageInfo = injected) -> None: ...  # wrong\n"
        "step(take)\n",
        "`take` injects `info: MessageInfo`, which only a receptor has; remove it",
    ),
    "an undo that acts once": (
        "async def back(h: Hold, *, once: Once = injected) -> None: ...  # wrong\n"
        "step(hold_money, undo=back)\n",
        "`back` injects `once: Once`, which only a receptor has; remove it",
    ),
}


@pytest.mark.parametrize(("source", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_where_it_stands(
    declare: Declare, source: str, says: str
) -> None:
    assert says in declare.refused(IMPORTS + source)[0]


def test_everything_that_is_wrong_is_said_at_once(declare: Declare) -> None:
    source = REFUSED["a transaction and the outside"][0]
    assert declare.refused(IMPORTS + source) == [
        "`take` takes a Transaction, within which it cannot await the service `bank`; ask it in a "
        "receptor before this one",
        "`take` takes a Transaction, by which it writes; remove the Writes",
        "`take` takes a Transaction and Once; insert the key into a table of your own instead",
    ]
