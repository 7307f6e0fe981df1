"""Workflows that call one another, for the runtime's tests."""

from __future__ import annotations

from datetime import timedelta

from makegood import (
    Call,
    IdempotencyKey,
    Retry,
    each,
    injected,
    pure,
    repeat,
    step,
    switch,
    workflow,
)
from tests.runtime.outside import Outside

SOON = Retry(attempts=3, delay=timedelta(seconds=1), jitter=False)


async def do_charge(
    order: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"charge {order}", key)


async def do_refund(
    charged: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"undo {charged}", key)


async def do_pick(
    order: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"pick {order}", key)


async def do_wrap(
    picked: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"wrap {picked}", key)


async def take_back(
    done: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"undo {done}", key)


async def do_ship(
    packed: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"ship {packed}", key)


charge = step(do_charge, undo=do_refund, retry=SOON)
pick = step(do_pick, undo=take_back, retry=SOON)
wrap = step(do_wrap, undo=take_back, retry=SOON)
ship = step(do_ship, undo=take_back, retry=SOON)


@workflow
def pack_order(order: str) -> str:
    """Pick and wrap."""
    return wrap(pick(order))


pack = step(pack_order, name="pack")


@workflow
def sell(order: str) -> str:
    """Charge, let the order be packed, and ship it."""
    charged = charge(order)
    packed = pack.after(charged)(order)
    return ship(packed)


@workflow
def sell_quickly(order: str) -> str:
    """Charge and pack at once."""
    charged = charge(order)
    packed = pack(order)
    return ship.after(charged)(packed)


@workflow
def sell_gently(order: str) -> str | None:
    """Charge, and pack if that works."""
    charged = charge(order)
    return step(pack_order, optional=True).after(charged)(order)


@workflow(deadline=timedelta(hours=1))
def sell_soon(order: str) -> str:
    """Pack within an hour."""
    return pack(order)


@workflow
def pack_with_pivot(order: str) -> str:
    """Pick, which cannot be taken back."""
    return wrap(step(do_pick, pivot=True)(order))


@workflow
def sell_for_good(order: str) -> str:
    """Ship what was packed for good."""
    return ship(step(pack_with_pivot)(order))


def is_big(order: str) -> bool:
    return order.startswith("big")


@workflow
def sell_many(orders: list[str]) -> list[str]:
    """Let each order be packed, the big ones in their own way."""

    def one(order: str) -> str:
        return switch(
            pure(is_big)(order),
            {True: lambda: pack(order), False: lambda: pick(order)},
        )

    return each(orders, one, at_once=2)


async def shorten(order: str) -> str:
    return order[:-1]


@workflow
def shorten_once(order: str) -> str:
    return step(shorten, irreversible="it is a word")(order)


def is_short(order: str) -> bool:
    return len(order) <= 1


a_letter_less = step(shorten_once)


@workflow
def shorten_all(order: str) -> str:
    return repeat(a_letter_less, order, until=is_short, times_max=9)


# Five runs in one another -----------------------------------------------------------------------


@workflow
def fifth(order: str) -> str:
    return pick(order)


@workflow
def fourth(order: str) -> str:
    return step(fifth)(order)


@workflow
def third(order: str) -> str:
    return step(fourth)(order)


@workflow
def second(order: str) -> str:
    return step(third)(order)


@workflow
def first(order: str) -> str:
    return step(second)(order)


# Steps that return a call -----------------------------------------------------------------------


async def count_down(
    left: int, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> int | Call[int]:
    await outside.do(f"count {left}", key)
    return 0 if left == 0 else countdown(left - 1)


async def count_up(
    reached: int, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"undo count to {reached}", key)


@workflow
def countdown(left: int) -> int:
    """Count down, each number in a run of its own."""
    return step(count_down, undo=count_up, retry=SOON)(left)


def times(number: int, product: int) -> int:
    return number * product


def less(number: int) -> int:
    return number - 1


async def multiply(number: int) -> int | Call[int]:
    return 1 if number <= 1 else factorial(number - 1)


@workflow
def factorial(number: int) -> int:
    """Multiply a number with the factorial of the one before."""
    before = step(multiply, irreversible="it is arithmetic")(number)
    return pure(times)(number, before)
