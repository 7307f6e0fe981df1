"""A step, query or pure that is declared wrongly is refused at once, with place and remedy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from makegood.definition.plan import Backoff, Kind, Node, Remedy
from makegood.definition.policy import Retry
from makegood.definition.step import pure, query, step
from makegood.errors import DefinitionError, Unavailable
from makegood.values.injectable import IdempotencyKey, Transaction, injected
from makegood.values.verdict import Abort, Failure, Proceed
from tests.definition.conftest import Declare

DECLARATIONS = {
    "a function that is not async": (
        "def f(order: Order) -> Hold: ...  # wrong\nstep(f)\n",
        "step(threaded(f))",
    ),
    "a query that is not async": (
        "def f(order: Order) -> Hold: ...  # wrong\nquery(f)\n",
        "query(threaded(f))",
    ),
    "a pure that is async": (
        "async def f(order: Order) -> Hold: ...  # wrong\npure(f)\n",
        "query(f)",
    ),
    "no function at all": ("step(3)  # wrong\n", "step(3) is given no function"),
    "a parameter without a type": (
        "async def f(order) -> Hold: ...  # wrong\nstep(f)\n",
        "does not say what type `order` has; annotate it",
    ),
    "a result without a type": (
        "async def f(order: Order): ...  # wrong\nstep(f)\n",
        "`-> None` for nothing",
    ),
    "an unknown type": (
        "async def f(order: Ordre) -> Hold: ...  # wrong\nstep(f)\n",
        "`Ordre` is not known when the module is imported; import it above",
    ),
    "a type imported for checking only": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from decimal import Decimal\n"
        "async def f(amount: Decimal) -> Hold: ...  # wrong\nstep(f)\n",
        "move its import out of `if TYPE_CHECKING:`",
    ),
    "an annotation that is no type": (
        "async def f(order: 'Order[') -> Hold: ...  # wrong\nstep(f)\n",
        "which is no type",
    ),
    "an input that cannot be carried": (
        "class Socket: ...\nasync def f(socket: Socket) -> Hold: ...  # wrong\nstep(f)\n",
        "`socket` of `f`: Socket cannot be carried; use a dataclass",
    ),
    "a result that cannot be carried": (
        "class Socket: ...\nasync def f(order: Order) -> list[Socket]: ...  # wrong\nstep(f)\n",
        "Socket inside list[declared.Socket] cannot be carried; use a dataclass",
    ),
    "any number of arguments": (
        "async def f(*orders: Order) -> Hold: ...  # wrong\nstep(f)\n",
        "takes `*orders: 'Order'`; name each parameter",
    ),
    "a positional-only parameter": (
        "async def f(order: Order, /) -> Hold: ...  # wrong\nstep(f)\n",
        "remove the `/`",
    ),
    "an injected parameter by position": (
        "async def f(order: Order, bank: Bank = injected) -> Hold: ...  # wrong\nstep(f)\n",
        "put it after a `*`",
    ),
    "an injected parameter without a type": (
        "async def f(order: Order, *, bank=injected) -> Hold: ...  # wrong\nstep(f)\n",
        "does not say what type `bank` has",
    ),
    "an injected parameter of any type": (
        "async def f(order: Order, *, bank: Any = injected) -> Hold: ...  # wrong\nstep(f)\n",
        "annotate it with the service's type",
    ),
    "a key that is not injected": (
        "async def f(order: Order, key: IdempotencyKey) -> Hold: ...  # wrong\nstep(f)\n",
        "write `*, key: IdempotencyKey = injected`",
    ),
    "a name that is no path": (
        "step(hold_money, name='a/b', undo=release_money)  # wrong\n",
        "use letters, digits, `_` and `-`",
    ),
    "a name that is empty": ("step(hold_money, name='', undo=release_money)  # wrong\n", "letters"),
    "a name that is too long": (
        "step(hold_money, name='x' * 201, undo=release_money)  # wrong\n",
        "has 201 characters; at most 200",
    ),
    "an undo of another type": (
        "async def undo(order: Order) -> None: ...  # wrong\nstep(hold_money, undo=undo)\n",
        "takes `order: Order`, but `hold_money` returns Hold",
    ),
    "an undo that takes nothing": (
        "async def undo() -> None: ...  # wrong\nstep(hold_money, undo=undo)\n",
        "its first parameter takes what `hold_money` returned: Hold",
    ),
    "an undo that takes too much": (
        "async def undo(hold: Hold, why: str) -> None: ...  # wrong\nstep(hold_money, undo=undo)\n",
        "also takes `why`; an undo takes the result only",
    ),
    "an undo that is not async": (
        "def undo(hold: Hold) -> None: ...  # wrong\nstep(hold_money, undo=undo)\n",
        "write `async def`, or `undo=threaded(undo)`",
    ),
    "a local undo that asks a service": (
        "async def undo(hold: Hold, *, t: Transaction = injected, bank: Bank = injected)"
        " -> None: ...  # wrong\n"
        "step(hold_money, undo=undo)\n",
        "takes a Transaction, so it cannot await `bank`",
    ),
    "a compensate that does not take the failure": (
        "async def ask(order: Order) -> Verdict[Hold]: ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "begin with `failure: Failure`",
    ),
    "a compensate that takes what the step does not": (
        "async def ask(failure: Failure, payment: str) -> Verdict[Hold]: ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "takes `payment`, which `hold_money` does not take",
    ),
    "a compensate whose parameter has another type": (
        "async def ask(failure: Failure, order: str) -> Verdict[Hold]: ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "takes `order: str`, but `hold_money` takes `order: Order`; give both the same type",
    ),
    "a compensate that is not async": (
        "def ask(failure: Failure) -> Verdict[Hold]: ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "the compensate `ask` is not async",
    ),
    "a compensate that returns no verdict": (
        "async def ask(failure: Failure) -> Hold: ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "returns Hold; a verdict is one of Abort, Proceed",
    ),
    "a compensate that proceeds with another type": (
        "async def ask(failure: Failure) -> Proceed[Order] | Abort: ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "proceed with the step's own result",
    ),
    "a compensate that takes a Transaction": (
        "async def ask(failure: Failure, *, t: Transaction = injected) -> Abort: ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "record with `Writes`",
    ),
    "a compensate without annotations": (
        "async def ask(failure, order): ...  # wrong\n"
        "step(hold_money, irreversible='x', compensate=ask)\n",
        "does not say what type `failure` has",
    ),
    "undo beside irreversible": (
        "step(hold_money, undo=release_money, irreversible='no')  # wrong\n",
        "contradict each other; keep the one that is true",
    ),
    "irreversible without a reason": (
        "step(hold_money, irreversible=' ')  # wrong\n",
        "say why it cannot be undone",
    ),
    "undo on a pivot": (
        "step(hold_money, undo=release_money, pivot=True)  # wrong\n",
        "nothing is undone after it",
    ),
    "an optional pivot": (
        "step(hold_money, irreversible='x', optional=True, pivot=True)  # wrong\n",
        "a run cannot be past a step that need not happen",
    ),
    "the policy of an undo that is not there": (
        "step(hold_money, irreversible='x', undo_retry=Retry(attempts=2))  # wrong\n",
        "no effect without undo=",
    ),
    "the policy of a compensate that is not there": (
        "step(hold_money, undo=release_money, compensate_timeout=timedelta(1))  # wrong\n",
        "no effect without compensate=",
    ),
    "a timeout of nothing": (
        "step(hold_money, undo=release_money, timeout=timedelta(0))  # wrong\n",
        "give a duration above zero",
    ),
    "a timeout without end": (
        "query(find_order, timeout=timedelta.max)  # wrong\n",
        "at most 366 days",
    ),
    "a total below one attempt": (
        "step(hold_money, undo=release_money, timeout_total=timedelta(seconds=1))  # wrong\n",
        "shorter than timeout=",
    ),
    "a local step that asks a service": (
        "async def f(o: Order, *, t: Transaction = injected, bank: Bank = injected)"
        " -> Hold: ...  # wrong\n"
        "step(f, irreversible='x')\n",
        "cannot await the service `bank`; ask it in a step before this one",
    ),
    "a local step with Writes": (
        "async def f(o: Order, *, t: Transaction = injected, w: Writes = injected)"
        " -> Hold: ...  # wrong\n"
        "step(f, irreversible='x')\n",
        "remove the Writes",
    ),
    "a local step with a compensate": (
        "async def f(order: Order, *, t: Transaction = injected) -> Hold: ...  # wrong\n"
        "step(f, irreversible='x', compensate=find_hold)\n",
        "never in doubt; remove compensate=",
    ),
    "a local step with a horizon": (
        "async def f(order: Order, *, t: Transaction = injected) -> Hold: ...  # wrong\n"
        "step(f, irreversible='x', key_valid_for=timedelta(1))\n",
        "remove key_valid_for=",
    ),
    "a query that writes": (
        "async def f(o: Order, *, w: Writes = injected) -> Hold: ...  # wrong\nquery(f)\n",
        "a query only asks; declare it as step(…)",
    ),
    "a query with a Transaction": (
        "async def f(o: Order, *, t: Transaction = injected) -> Hold: ...  # wrong\nquery(f)\n",
        "a query only asks; declare it as step(…)",
    ),
    "a pure that is injected": (
        "def f(o: Order, *, bank: Bank = injected) -> Hold: ...  # wrong\npure(f)\n",
        "a pure depends on its arguments only",
    ),
    "a pure without annotations": ("pure(len)  # wrong\n", "wrap it in a function of your own"),
    "too few attempts": ("Retry(attempts=0)  # wrong\n", "lie between 1 and 1,000"),
    "too many attempts": ("Retry(attempts=1_001)  # wrong\n", "lie between 1 and 1,000"),
    "a negative delay": ("Retry(delay=timedelta(-1))  # wrong\n", "duration of 0 or more"),
    "a longest delay below the first": (
        "Retry(delay=timedelta(1), delay_max=timedelta(0))  # wrong\n",
        "raise delay_max or lower delay",
    ),
    "a delay without end": ("Retry(delay_max=timedelta(31))  # wrong\n", "at most 30 days"),
    "a factor that shrinks": ("Retry(factor=0.5)  # wrong\n", "between 1 and 100"),
    "a factor for what is linear": ("Retry(linear=True, factor=3)  # wrong\n", "says two things"),
    "a factor that is no number": ("Retry(factor=float('nan'))  # wrong\n", "between 1 and 100"),
    "a retry on no exception": ("Retry(on=int)  # wrong\n", "name a class"),
    "a retry on an instance": ("Retry(on=(ValueError('x'),))  # wrong\n", "name a class"),
    "a retry on cancellation": ("Retry(on=KeyboardInterrupt)  # wrong\n", "name a class"),
    "threaded without threads": (
        "threaded(blocking, threads_max=0)  # wrong\n",
        "give 1 or more",
    ),
    "threaded and async": ("threaded(hold_money)  # wrong\n", "use it as it is"),
    "a call outside of a body": (
        "hold(Order(OrderId('1'), 2))  # wrong\n",
        "call it inside a function under @workflow, or `hold_money` itself in a test",
    ),
    "an expect outside of a body": (
        "expect(True, ValueError())  # wrong\n",
        "call it inside a function under @workflow",
    ),
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_a_wrong_declaration_is_refused(declare: Declare, name: str) -> None:
    source, remedy = DECLARATIONS[name]

    sentences = declare.refused(source)

    assert remedy in sentences[0]


def test_a_lambda_needs_a_name_and_types(declare: Declare) -> None:
    sentences = declare.refused("pure(lambda order: order)  # wrong\n")

    assert 'give it one with name="…"' in sentences[-1]


def test_all_problems_of_a_declaration_are_reported_at_once(declare: Declare) -> None:
    sentences = declare.refused(
        "def f(order) -> Hold: ...  # wrong\n"
        "def g(order: Order) -> None: ...  # wrong\n"
        "step(f, name='!', undo=g, irreversible='', timeout=timedelta(0))  # wrong\n"
    )

    assert len(sentences) == 8


async def charge(amount: int, *, key: IdempotencyKey = injected) -> str:
    """Take the money.

    And more about it.
    """
    return key


async def refund(charge: str) -> None: ...
async def find_charge(failure: Failure, amount: int) -> Proceed[str] | Abort: ...
async def book(amount: int, *, transaction: Transaction = injected) -> int: ...
async def unbook(row: int, *, transaction: Transaction = injected) -> None: ...


def test_a_step_says_its_whole_policy_in_its_node() -> None:
    declared = step(
        charge,
        name="take",
        undo=refund,
        undo_timeout=timedelta(seconds=5),
        compensate=find_charge,
        compensate_retry=Retry(attempts=3),
        retry=Retry((OSError, KeyError), attempts=7, jitter=False),
        timeout=timedelta(seconds=2),
        timeout_total=timedelta(minutes=1),
        key_valid_for=timedelta(days=1),
        optional=True,
    )

    assert declared.recipe.node == Node(
        path="take",
        kind=Kind.STEP,
        function="charge",
        returns="str",
        retry=Backoff(attempts=7, jitter=False),
        timeout=timedelta(seconds=2),
        timeout_total=timedelta(minutes=1),
        undo=Remedy(function="refund", retry=Backoff(attempts=10), timeout=timedelta(seconds=5)),
        compensate=Remedy(
            function="find_charge", retry=Backoff(attempts=3), timeout=timedelta(seconds=30)
        ),
        optional=True,
        key_valid_for=timedelta(days=1),
        summary="Take the money.",
    )
    assert declared.recipe.body.retry_on == (OSError, KeyError)
    assert repr(declared) == (
        "<step take(amount) -> str: undo refund, compensate find_charge, optional>"
    )


def test_a_step_that_takes_a_transaction_is_local() -> None:
    declared = step(book, undo=unbook)

    assert declared.recipe.node.kind is Kind.LOCAL
    assert declared.recipe.node.key_valid_for is None
    assert declared.recipe.node.undo is not None
    assert declared.recipe.node.undo.local


def test_a_query_and_a_pure_have_nothing_to_undo() -> None:
    asked = query(charge, timeout=timedelta(seconds=1))
    computed = pure(timedelta_of)

    assert asked.recipe.node == Node(
        path="charge",
        kind=Kind.QUERY,
        function="charge",
        returns="str",
        timeout=timedelta(seconds=1),
        summary="Take the money.",
    )
    assert computed.recipe.node == Node(
        path="timedelta_of",
        kind=Kind.PURE,
        function="timedelta_of",
        returns="timedelta",
        retry=Backoff(attempts=1),
        timeout=None,
    )
    assert repr(asked) == "<query charge(amount) -> str>"


def timedelta_of(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)


def test_types_declared_inside_a_function_are_found() -> None:
    @dataclass
    class Local:
        amount: int

    async def make(amount: int) -> Local: ...
    async def unmake(made: Local) -> None: ...

    declared = step(make, undo=unmake)

    assert declared.recipe.signature.returns is Local


def test_a_declared_step_is_frozen_and_wiring_copies_it() -> None:
    declared = step(charge, undo=refund)

    again = declared.named("again")

    assert (declared.wiring.name, again.wiring.name) == (None, "again")
    assert again.recipe is declared.recipe
    with pytest.raises(AttributeError):
        declared.recipe = again.recipe  # type: ignore[misc]


def test_without_a_word_a_step_is_tried_three_times_with_growing_delays_and_chance() -> None:
    """T1: what may pass is; everything else has failed at its first attempt."""
    node, body = step(charge, undo=refund).recipe.node, step(charge, undo=refund).recipe.body

    assert node.retry == Backoff(
        attempts=3,
        delay=timedelta(seconds=1),
        factor=2.0,
        delay_max=timedelta(minutes=1),
        jitter=True,
    )
    assert body.retry_on == ()


def test_a_policy_reads_as_it_was_written() -> None:
    policy = Retry(Unavailable, attempts=2)

    assert policy.classes == (Unavailable,)
    assert policy.backoff == Backoff(attempts=2)
    assert Retry().classes == ()


def test_a_wrong_policy_says_all_that_is_wrong() -> None:
    with pytest.raises(DefinitionError) as caught:
        Retry(attempts=0, factor=0, delay=timedelta(-1))

    assert len(caught.value.problems) == 3
