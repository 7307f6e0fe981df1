"""Definitions of one workflow, as it is changed from release to release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from makegood import IdempotencyKey, Workflow, injected, query, step, workflow
from tests.runtime.outside import Outside

__all__ = ["COUNTED", "OLD", "UNFITTING", "UNREADABLE", "WITH_WRAP"]


@dataclass(frozen=True)
class Hold:
    """What is put aside."""

    sku: str


async def hold(sku: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> Hold:
    await outside.do("hold", key)
    return Hold(sku)


async def hold_counted(
    sku: int, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Hold:
    return await hold(str(sku), outside=outside, key=key)


async def release(
    hold: Hold, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("release", key)


async def pay(hold: Hold, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    await outside.do("pay", key)
    return f"paid {hold.sku}"


async def refund(
    payment: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("refund", key)


async def wrap(payment: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    await outside.do("wrap", key)
    return f"wrapped, {payment}"


async def check(sku: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> bool:
    await outside.do("check", key)
    return True


held = step(hold, undo=release)
paid = step(pay, undo=refund)


def _old() -> Workflow[..., Any]:
    @workflow
    def sell(sku: str) -> str:
        return paid(held(sku))

    return sell


def _with_wrap() -> Workflow[..., Any]:
    @workflow
    def sell(sku: str) -> str:
        return step(wrap, irreversible="it is only paper")(paid(held(sku)))

    return sell


def _unfitting() -> Workflow[..., Any]:
    @workflow
    def sell(sku: str) -> str:
        checked = query(check)(sku)
        return paid(held.after(checked)(sku))

    return sell


def _unreadable() -> Workflow[..., Any]:
    @dataclass(frozen=True)
    class Hold:
        """What is put aside, which is weighed since the last release."""

        sku: str
        grams: int

    async def hold(sku: str) -> Hold:
        return Hold(sku, 5)

    async def release(hold: Hold) -> None: ...
    async def pay(hold: Hold) -> str:
        return f"paid {hold.grams} g of {hold.sku}"

    async def refund(payment: str) -> None: ...

    @workflow
    def sell(sku: str) -> str:
        return step(pay, undo=refund)(step(hold, undo=release)(sku))

    return sell


def _counted() -> Workflow[..., Any]:
    @workflow
    def sell(sku: int) -> str:
        return paid(step(hold_counted, name="hold", undo=release)(sku))

    return sell


OLD = _old()
WITH_WRAP = _with_wrap()
"""It fits whatever has not been paid."""
UNFITTING = _unfitting()
"""It fits nothing that is held."""
COUNTED = _counted()
"""Its things have numbers for names."""
UNREADABLE = _unreadable()
"""It has the plan of `OLD`, with the same names of types, but what a `Hold` holds has changed."""
