"""What is simulated: five workflows of a shop, in the releases and editions that are deployed.

The body of `price` is another one in every release, while the plan and its fingerprint stay.
`gift_order` comes in two editions, which are two plans of the same name. `counter_order` writes
in the journal's own database, and is ordered only where that is simulated too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from makegood import (
    Abort,
    Failure,
    FailureKind,
    IdempotencyKey,
    Proceed,
    Retry,
    RetryFresh,
    RetryNow,
    Transaction,
    Undecided,
    Verdict,
    Writes,
    expect,
    injected,
    pure,
    query,
    step,
    workflow,
)
from makegood.errors import Declined
from tests.simulation.ablation import Teller
from tests.simulation.outside import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood.definition.workflow import Workflow
    from makegood.journal.protocol import RunRow

__all__ = [
    "LOOK",
    "NOTE",
    "PUT_BACK",
    "RELEASES",
    "TAKE",
    "Order",
    "Receipt",
    "deployed",
    "recomputed",
]

RELEASES = 3
"""How many releases of the program there are."""


LOOK = "SELECT count FROM shelf WHERE name = ?"
TAKE = "UPDATE shelf SET count = count - 1 WHERE name = ? AND price >= ?"
PUT_BACK = "UPDATE shelf SET count = count + 1 WHERE name = ? AND price >= ?"
NOTE = "INSERT INTO note (name, price) VALUES (?, ?)"
"""What the steps do in the application's own tables. There is one of each thing on the shelf."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer wants."""

    id: str
    amount: int
    wants_letter: bool


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was done outside."""

    order: str
    reference: str
    amount: int


class Credit(msgspec.Struct, frozen=True):
    """What the bank says of a customer."""

    is_good: bool


def doing(operation: str) -> Callable[..., Awaitable[Receipt]]:
    """Return a function that has something done outside."""

    async def do(
        order: Order, amount: int, *, teller: Teller = injected, key: IdempotencyKey = injected
    ) -> Receipt:
        request = Request(operation=operation, key=key, order=order.id, amount=amount)
        answer = await teller.ask(request)
        return Receipt(order=order.id, reference=answer.reference, amount=answer.amount)

    return do


def undoing(operation: str) -> Callable[[Receipt], Awaitable[None]]:
    """Return a function that takes something back."""

    async def undo(
        receipt: Receipt, *, teller: Teller = injected, key: IdempotencyKey = injected
    ) -> None:
        await teller.ask(
            Request(
                operation=operation,
                key=key,
                order=receipt.order,
                amount=receipt.amount,
                reference=receipt.reference,
            )
        )

    undo.__name__ = operation
    return undo


def finding(operation: str) -> Callable[..., Awaitable[Verdict[Receipt]]]:
    """Return a function that asks outside what a failure left behind."""

    async def find(
        failure: Failure,
        order: Order,
        *,
        teller: Teller = injected,
        key: IdempotencyKey = injected,
    ) -> Verdict[Receipt]:
        if failure.kind is FailureKind.DECLINED:
            return Abort()
        request = Request(operation=f"find {operation}", key=key, order=order.id)
        answer = await teller.ask(request)
        match answer.state:
            case "done":
                receipt = Receipt(order=order.id, reference=answer.reference, amount=answer.amount)
                return Proceed(receipt)
            case "again":
                return RetryNow()
            case "close":
                return Abort("the key is closed")
            case "fresh":
                return RetryFresh("the key is closed")
            case _:
                return Undecided(after=timedelta(seconds=1))

    find.__name__ = f"find_{operation}"
    return find


async def credit(
    order: Order, *, teller: Teller = injected, key: IdempotencyKey = injected
) -> Credit:
    """Ask whether a customer is good for the money."""
    answer = await teller.ask(Request(operation="credit", key=key, order=order.id))
    return Credit(answer.state == "yes")


async def take(order: Order, *, transaction: Transaction = injected) -> Receipt:
    """Take something from the shelf, or fail because there is none: it is never in doubt."""
    await transaction.fetch(LOOK, order.id)
    await transaction.execute(TAKE, order.id, order.amount)
    return Receipt(order=order.id, reference="shelf", amount=order.amount)


async def put_back(receipt: Receipt, *, transaction: Transaction = injected) -> None:
    """Put it back."""
    await transaction.execute(PUT_BACK, receipt.order, receipt.amount)


async def ship_and_note(
    order: Order,
    amount: int,
    *,
    teller: Teller = injected,
    key: IdempotencyKey = injected,
    writes: Writes = injected,
) -> Receipt:
    """Have it shipped, and make a note of it with the record."""
    writes.execute(NOTE, order.id, order.amount, expect_rows=1)
    return await doing("ship")(order, amount, teller=teller, key=key)


AGAIN = Retry(attempts=3, delay=timedelta(milliseconds=500))
UNDO_AGAIN = Retry(attempts=4, delay=timedelta(seconds=1), factor=1.5)
FIND_AGAIN = Retry(attempts=3, delay=timedelta(seconds=1), factor=1.5)
PATIENCE = timedelta(seconds=6)
IMPATIENCE = timedelta(seconds=2)
KEY_VALID_FOR = timedelta(seconds=90)


def _step(operation: str, undo: str, **policy: Any) -> Any:  # Any: as `step` takes and returns.
    return _one_way(
        operation,
        undo=undoing(undo),
        undo_retry=UNDO_AGAIN,
        undo_timeout=PATIENCE,
        **policy,
    )


def _one_way(operation: str, **policy: Any) -> Any:  # Any: as above.
    return step(doing(operation), name=operation, retry=AGAIN, **{"timeout": PATIENCE, **policy})


def _looked_up(operation: str) -> dict[str, Any]:  # Any: as above.
    return {
        "compensate": finding(operation),
        "compensate_retry": FIND_AGAIN,
        "compensate_timeout": PATIENCE,
    }


reserve = _step("reserve", "release")
authorize = _step("authorize", "void", **_looked_up("authorize"))
capture = _step("capture", "refund", **_looked_up("capture"))
charge = _step("charge", "repay", key_valid_for=KEY_VALID_FOR)
ship = _step("ship", "recall")
wrap = _step("wrap", "unwrap", timeout=IMPATIENCE)
insure = _step("insure", "withdraw", timeout=IMPATIENCE, **_looked_up("insure"))
seat = _step("seat", "free")
issue = _one_way("issue", pivot=True, irreversible="it is theirs", **_looked_up("issue"))
letter = _one_way("letter", optional=True, irreversible="a letter cannot be unsent")
take_one = step(take, undo=put_back)
ship_noted = step(
    ship_and_note,
    name="ship",
    undo=undoing("recall"),
    undo_retry=UNDO_AGAIN,
    undo_timeout=PATIENCE,
    retry=AGAIN,
    timeout=PATIENCE,
)
ask_credit = query(credit, retry=AGAIN, timeout=PATIENCE)


def deployed(release: int, *, edition: int) -> tuple[Workflow[..., Any], ...]:  # Any: as above.
    """Return the workflows of one release, with one edition of what has several."""
    placed, quick, ticket = _RELEASED[release]
    return placed, quick, ticket, _EDITIONS[edition], _COUNTER


def _release(number: int) -> tuple[Workflow[..., Any], ...]:  # Any: as above.
    def price(order: Order) -> int:
        return _price(order, number)

    priced = pure(price)

    @workflow
    def place_order(order: Order) -> Receipt:
        """Take an order the careful way."""
        amount = priced(order)
        reserved = reserve(order, amount)
        authorized = authorize.after(reserved)(order, amount)
        captured = capture.after(authorized)(order, amount)
        shipped = ship.after(captured)(order, amount)
        letter.after(shipped).when(order.wants_letter)(order, amount)
        return shipped

    @workflow(deadline=timedelta(seconds=20))
    def quick_order(order: Order) -> Receipt:
        """Take an order fast or not at all."""
        answer = ask_credit(order)
        expect(answer.is_good, Declined("no credit"))
        reserved = reserve(order, order.amount)
        charged = charge.after(reserved)(order, order.amount)
        return ship.after(charged)(order, order.amount)

    @workflow
    def ticket_order(order: Order) -> Receipt:
        """Sell a ticket: once it is issued there is no way back."""
        seated = seat(order, order.amount)
        authorized = authorize.after(seated)(order, order.amount)
        issued = issue.after(authorized)(order, order.amount)
        capture.after(issued)(order, order.amount)
        letter.after(issued).when(order.wants_letter)(order, order.amount)
        return issued

    return place_order, quick_order, ticket_order


def _price(order: Order, release: int) -> int:
    return order.amount + release


def _edition_one() -> Workflow[..., Any]:  # Any: as above.
    @workflow
    def gift_order(order: Order) -> Receipt:
        """Do three things at once."""
        reserved = reserve(order, order.amount)
        wrapped = wrap.after(reserved)(order, order.amount)
        insured = insure.after(reserved)(order, order.amount)
        captured = capture.after(reserved)(order, order.amount)
        return ship.after(wrapped, insured, captured)(order, order.amount)

    return gift_order


def _edition_two() -> Workflow[..., Any]:  # Any: as above.
    @workflow
    def gift_order(order: Order) -> Receipt:
        """Do two things at once, and write a letter."""
        reserved = reserve(order, order.amount)
        wrapped = wrap.after(reserved)(order, order.amount)
        captured = capture.after(reserved)(order, order.amount)
        shipped = ship.after(wrapped, captured)(order, order.amount)
        letter.after(shipped)(order, order.amount)
        return shipped

    return gift_order


def _counter() -> Workflow[..., Any]:  # Any: as above.
    @workflow
    def counter_order(order: Order) -> Receipt:
        """Take it from the shelf, have it paid and shipped."""
        taken = take_one(order)
        captured = capture.after(taken)(order, order.amount)
        return ship_noted.after(captured)(order, order.amount)

    return counter_order


_COUNTER = _counter()
_RELEASED = tuple(_release(number) for number in range(RELEASES))
_EDITIONS = (_edition_one(), _edition_two())


def recomputed(row: RunRow, facts: bytes) -> bytes:
    """Return stored facts with the price as the newest release computes it."""
    if row.workflow != "place_order" or b'"price"' not in facts:
        return facts
    read: list[dict[str, Any]] = msgspec.json.decode(facts)  # Any: facts as they are stored.
    amount = next((fact["inputs"]["order"] for fact in read if fact["type"] == "run_started"), None)
    for fact in read:
        if fact["type"] == "node_done" and fact["node"] == "price" and amount is not None:
            order = msgspec.convert(amount, Order)
            fact["result"] = _price(order, RELEASES - 1)
    return msgspec.json.encode(read)
