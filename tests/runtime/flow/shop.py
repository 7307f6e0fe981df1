"""Workflows that branch, go over items, go round and sleep, for the runtime's tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from makegood import (
    Declined,
    IdempotencyKey,
    Retry,
    each,
    fail,
    injected,
    pure,
    repeat,
    sleep,
    step,
    switch,
    workflow,
)
from tests.runtime.outside import Outside

SOON = Retry(attempts=3, delay=timedelta(seconds=1), jitter=False)


class Method(Enum):
    CARD = "card"
    INVOICE = "invoice"
    GIFT = "gift"


async def charge_card(
    order: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"charge {order}", key)


async def refund_card(
    charged: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"refund {charged}", key)


async def write_invoice(
    order: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"bill {order}", key)


async def tear_invoice(
    billed: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"tear {billed}", key)


async def pack_line(
    line: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"pack {line}", key)


async def unpack_line(
    packed: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"undo {packed}", key)


async def stick_label(
    packed: str, order: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"label {packed} of {order}", key)


async def ship_parcels(
    parcels: list[str], *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"ship {len(parcels)}", key)


async def ask_again(
    asked: int, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> int:
    await outside.do(f"ask {asked}", key)
    return asked + 1


charge = step(charge_card, undo=refund_card, retry=SOON)
bill = step(write_invoice, undo=tear_invoice, retry=SOON)
pack = step(pack_line, undo=unpack_line, retry=SOON)
label = step(stick_label, undo=unpack_line, retry=SOON)
ship = step(ship_parcels, irreversible="it has left", retry=SOON)
ask = step(ask_again, irreversible="it is only a question", retry=SOON)


@workflow
def pay(order: str, method: Method) -> str:
    """Pay by card, waiting a while, or by invoice; nothing else."""

    def by_card() -> str:
        charged = charge(order)
        sleep.after(charged)(timedelta(minutes=5))
        return charged

    paid = switch(
        method,
        {Method.CARD: by_card, Method.INVOICE: lambda: bill(order)},
        default=lambda: fail(Declined("gifts are not taken")),
    )
    return label.named("stamp")(paid, order)


@workflow
def send(order: str, lines: list[str]) -> str:
    """Pack and label each line, two at once, and ship all of it."""

    def one(line: str) -> str:
        packed = pack(line)
        return label(packed, order)

    return ship(each(lines, one, at_once=2))


def is_third(asked: int) -> bool:
    return asked >= 3


@workflow
def insist(first: int) -> int:
    """Ask until the third time."""
    return repeat(ask, first, until=is_third, times_max=4)


@workflow
def nag() -> int:
    """Ask five times."""
    return repeat(ask, 0, times_max=5)


def lines_of(parcel: str) -> list[str]:
    return parcel.split("+")


def is_heavy(line: str) -> bool:
    return line == "anvil"


@workflow
def send_parcels(order: str, parcels: list[str]) -> list[list[str]]:
    """Go over the lines of each parcel, and treat what is heavy in its own way."""

    def one_line(line: str) -> str:
        return switch(
            pure(is_heavy)(line),
            {True: lambda: label(pack(line), order), False: lambda: pack.named("wrap")(line)},
        )

    def one_parcel(parcel: str) -> list[str]:
        return each(pure(lines_of)(parcel), one_line, at_once=2, name="lines")

    return each(parcels, one_parcel, at_once=2, name="parcels")


@workflow
def wait_until(moment: datetime, order: str) -> str:
    """Charge when the time has come."""
    waited = sleep(until=moment)
    return charge.after(waited)(order)
