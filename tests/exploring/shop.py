"""Workflows to explore, small enough to know beforehand what they would leave behind."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import msgspec

from makegood import (
    Collect,
    CompletionToken,
    Declined,
    Failure,
    Quorum,
    Verdict,
    each,
    expect,
    fail,
    injected,
    note,
    pure,
    query,
    repeat,
    sleep,
    step,
    switch,
    wait,
    workflow,
)

ENOUGH = 3
MINUTE = timedelta(minutes=1)


class Secret(msgspec.Struct, frozen=True):
    word: str

    def __post_init__(self) -> None:
        if self.word != "sesame":
            message = f"{self.word} opens nothing"
            raise ValueError(message)


class Method(StrEnum):
    CARD = "card"
    INVOICE = "invoice"


async def look(order: str) -> list[str]:
    """Say what is in the order."""
    raise AssertionError(order)


async def hold(order: str) -> str:
    """Hold the goods."""
    raise AssertionError(order)


async def release(held: str) -> None:
    """Let go of the goods."""
    raise AssertionError(held)


async def pay(order: str) -> int:
    """Take the money."""
    raise AssertionError(order)


async def refund(payment: int) -> None:
    """Give the money back."""
    raise AssertionError(payment)


async def find_payment(failure: Failure, order: str) -> Verdict[int]:
    """Say whether the money was taken."""
    raise AssertionError(failure, order)


async def tell(order: str) -> bool:
    """Tell the customer."""
    raise AssertionError(order)


def doubled(payment: int) -> int:
    return payment * 2


def inverse(payment: int) -> float:
    return 1 / (payment - 1)


held = step(hold, undo=release)
paid = step(pay, undo=refund, compensate=find_payment)
told = step(tell, irreversible="it has been said")


@workflow
def kept(order: str) -> bool:
    """Tell the customer, and do nothing else."""
    return told(order)


@workflow
def harmless(order: str) -> list[str]:
    """Only ask."""
    return query(look)(order)


@workflow
def noted(order: str) -> list[str]:
    """Only ask, and say so."""
    note("order", order)
    return query(look)(order)


async def enter(secret: Secret) -> bool:
    """Open the door."""
    raise AssertionError(secret)


@workflow
def guarded(secret: Secret) -> bool:
    """Take what only one word is an example of."""
    return query(enter)(secret)


@workflow
def order(order: str) -> int:
    """Hold, pay, tell."""
    goods = held(order)
    payment = paid.after(goods)(order)
    told.after(payment)(order)
    return payment


@workflow
def branching(order: str, method: Method, *, is_gift: bool) -> int:
    """Go every way that there is."""
    goods = held.when(is_gift)(order)
    told.when(is_gift).after(goods)(order)
    return switch(
        method,
        {
            Method.CARD: lambda: paid(order),
            Method.INVOICE: lambda: fail(Declined("no invoices")),
        },
    )


@workflow
def rounds(order: str, *, is_open: bool) -> list[str]:
    """Go round, wait and demand."""
    expect(is_open, Declined("closed"), name="opening_hours")
    sleep(timedelta(days=1))
    items = query(look)(order)
    # A round is wired where it is written, so it is a lambda though it only calls.
    repeat(
        lambda count: pure(doubled, name="more")(count),  # noqa: PLW0108
        1,
        until=lambda it: it > ENOUGH,
        times_max=9,
    )
    return each(items, held)


@workflow
def beside(order: str) -> bool:
    """Hold and pay at once, then tell."""
    goods, payment = held(order), paid(order)
    return told.after(goods, payment)(order)


@workflow
def computing(order: str) -> float:
    """Compute what cannot be computed from every value."""
    return pure(inverse)(paid(order))


@workflow
def parcels(order: str) -> int:
    """Hold and pay for each item; what cannot be is left out, and two are enough."""
    items = query(look)(order)

    def parcel(item: str) -> int:
        goods = held(item)
        return paid.after(goods)(item)

    collected = each(items, parcel, policy=Collect())
    each(items, held, policy=Quorum(1), name="enough")
    last = paid.named("last").after(collected)(order)
    told.named("end").after(last)(order)
    return last


bound = step(pay, pivot=True, key_valid_for=timedelta(seconds=10), timeout=MINUTE)


@workflow
def forward(order: str) -> bool:
    """Pay, and from there on only go forward; the bank forgets its keys soon."""
    goods = held(order)
    payment = bound.after(goods)(order)
    return told.after(payment)(order)


async def order_transfer(order: str, *, token: CompletionToken = injected) -> int:
    """Order a transfer, of which the bank says later that it was made."""
    raise AssertionError(order, token)


@workflow
def transfer(order: str) -> bool:
    """Hold, wait for the bank, tell."""
    goods = held(order)
    paid_later = step(order_transfer, undo=refund)
    payment = paid_later.after(goods)(order)
    return told.after(payment)(order)


@workflow
def sale(order: str) -> int:
    """Hold and take the money, as a workflow of its own."""
    goods = held(order)
    return paid.after(goods)(order)


@workflow
def calling(order: str) -> bool:
    """Sell, then tell."""
    payment = step(sale)(order)
    return told.after(payment)(order)


class Left(msgspec.Struct, frozen=True):
    """The parcel has left."""

    order: str


@workflow
def awaited(order: str) -> Left:
    """Hold, then wait for a message."""
    goods = held(order)
    return wait.after(goods)(Left, key=order, within=timedelta(days=2))
