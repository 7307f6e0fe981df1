"""Workflows that wait for messages and send them, for the tests of both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from makegood import injected, send, step, wait, workflow
from tests.runtime.outside import Outside

THREE_DAYS = timedelta(days=3)


@dataclass(frozen=True)
class Shipped:
    """A parcel is on its way."""

    order: str
    parcel: str


@dataclass(frozen=True)
class Paid:
    """Money came in."""

    message_name: ClassVar[str] = "shop.Paid"

    order: str
    cents: int


@dataclass(frozen=True)
class Unheard:
    """Nobody waits for this."""

    text: str


async def hold_stock(order: str, *, outside: Outside = injected) -> str:
    return await outside.do("hold", order)  # type: ignore[arg-type]


async def free_stock(held: str, *, outside: Outside = injected) -> None:
    await outside.do("free", held)  # type: ignore[arg-type]


async def notify(order: str, parcel: str, *, outside: Outside = injected) -> str:
    await outside.do(f"notify {parcel}", order)  # type: ignore[arg-type]
    return parcel


async def pack(order: str, *, outside: Outside = injected) -> Shipped:
    await outside.do("pack", order)  # type: ignore[arg-type]
    return Shipped(order, f"parcel of {order}")


hold = step(hold_stock, undo=free_stock)
tell = step(notify, irreversible="a mail cannot be unsent")
packed = step(pack, irreversible="it is only packed")


@workflow
def follow(order: str) -> str:
    """Hold the stock, wait until the parcel is on its way, and tell the customer."""
    held = hold(order)
    shipped = wait.after(held)(Shipped, key=order, within=THREE_DAYS)
    return tell(order, shipped.parcel)


@workflow
def follow_for_ever(order: str) -> str:
    """The same, however long it takes."""
    held = hold(order)
    shipped = wait.after(held)(Shipped, key=order, forever=True)
    return tell(order, shipped.parcel)


@workflow
def perhaps(order: str) -> Shipped | None:
    """Wait, and go on without."""
    return wait(Shipped, key=order, within=THREE_DAYS, optional=True)


@workflow
def ship(order: str) -> None:
    """Pack an order, and say that it is on its way."""
    send(packed(order), key=order)


@workflow
def ship_and_finish(order: str) -> str:
    """Say it only when all is well."""
    parcel = packed(order)
    send(parcel, key=order, on="success")
    return tell(order, parcel.parcel)
