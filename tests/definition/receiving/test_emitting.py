"""A step, its undo and its compensate may emit what they name; whatever only asks may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from makegood.definition.step import step
from makegood.definition.workflow import workflow
from makegood.values.injectable import Emit, injected
from makegood.values.verdict import Abort, Failure, Verdict

if TYPE_CHECKING:
    from tests.definition.conftest import Declare


@dataclass(frozen=True)
class Paid:
    order_id: str


@dataclass(frozen=True)
class Refunded:
    order_id: str


async def pay(order_id: str, *, emit: Emit[Paid | Refunded] = injected) -> str:
    return order_id


async def pay_silently(order_id: str) -> str:
    return order_id


async def refund(paid: str, *, emit: Emit[Refunded] = injected) -> None: ...


async def find(failure: Failure, *, emit: Emit[Paid] = injected) -> Verdict[str]:
    return Abort()


def test_a_step_and_its_remedies_say_what_they_send() -> None:
    recipe = step(pay, undo=refund, compensate=find).recipe
    assert recipe.undo is not None
    assert recipe.compensate is not None
    assert [*recipe.body.sends] == [Paid, Refunded]
    assert [*recipe.undo.sends] == [Refunded]
    assert [*recipe.compensate.sends] == [Paid]


def test_what_a_step_sends_has_no_part_in_its_fingerprint() -> None:
    @workflow
    def order(order_id: str) -> str:
        return step(pay, name="pay", irreversible="a test")(order_id)

    speaking = order

    @workflow
    def order(order_id: str) -> str:  # type: ignore[no-redef]
        return step(pay_silently, name="pay", irreversible="a test")(order_id)

    assert speaking.plan.fingerprint == order.plan.fingerprint


IMPORTS = """
from dataclasses import dataclass

from makegood.definition.call import Call
from makegood.definition.step import pure, query, step
from makegood.values.injectable import Emit, MessageInfo, injected

@dataclass(frozen=True)
class Paid:
    order_id: str

async def pay(order_id: str) -> str: ...
"""

REFUSED = {
    "a query that sends": (
        "async def ask(*, emit: Emit[Paid] = injected) -> None: ...  # wrong\nquery(ask)\n",
        "the query `ask` takes Emit[Paid], but a query only asks; declare it as step(…)",
    ),
    "a pure that sends": (
        "def add(*, emit: Emit[Paid] = injected) -> int: ...  # wrong\npure(add)\n",
        "the pure `add` takes injected parameters",
    ),
    "two Emits": (
        "async def say(  # wrong\n"
        "    *, e: Emit[Paid] = injected, f: Emit[Paid] = injected\n"
        ") -> None: ...\nstep(say)\n",
        "`say` injects `e` and `f`; one Emit is enough",
    ),
    "an Emit of calls": (
        "async def say(*, emit: Emit[Call[str]] = injected) -> None: ...  # wrong\nstep(say)\n",
        "`say` emits a call; return it, and a run is started",
    ),
    "an Emit of what is no message": (
        "async def say(*, emit: Emit[Paid | int] = injected) -> None: ...  # wrong\nstep(say)\n",
        "`say` sends what is no message: `int` is not a class of messages",
    ),
    "an undo that emits what is no message": (
        "async def back(paid: str, *, emit: Emit[str] = injected) -> None: ...  # wrong\n"
        "step(pay, undo=back)\n",
        "the undo `back` sends what is no message: `str` is not a class of messages",
    ),
}


@pytest.mark.parametrize(("source", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_sent_is_refused_where_it_stands(
    declare: Declare, source: str, says: str
) -> None:
    assert says in declare.refused(IMPORTS + source)[0]
