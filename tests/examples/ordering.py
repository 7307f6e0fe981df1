"""An order of examples/lifecycle, carried out in memory with a clock that is turned."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from order_carrier import Carrier
from order_companies import Bank, State, Warehouse
from order_machine import orders
from order_record import Line, Order, total_of

from makegood import testing
from makegood.payments import Money
from makegood.testing import AfterEffect
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime
    from enum import Enum

    from makegood.testing import Passage

__all__ = ["Company", "Shop", "Trouble", "an_order", "ordered"]

Trouble = BaseException | AfterEffect | None
"""What comes of a call: an error before it has any effect, or after that, or none."""


class Company:
    """Somebody the shop works with, who fails as scripted."""

    def __init__(self, inner: object) -> None:
        self.inner = inner
        self.troubles: dict[str, list[Trouble]] = {}

    # Any: the methods of the one that it stands before.
    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        async def called(*given: Any, **named: Any) -> Any:
            troubles = self.troubles.get(name)
            trouble = troubles.pop(0) if troubles else None
            if isinstance(trouble, BaseException):
                raise trouble
            answer = await method(*given, **named)
            if isinstance(trouble, AfterEffect):
                raise trouble.error
            return answer

        return called


class Shop:
    """Everybody whom an order has to do with."""

    def __init__(self) -> None:
        self.clock = testing.TurnableClock()
        self.bank, self.carrier = Bank(), Carrier()
        self.warehouse = Warehouse(laptop=5, desktop=5)
        self._companies = {
            "bank": Company(self.bank),
            "carrier": Company(self.carrier),
            "warehouse": Company(self.warehouse),
        }

    @property
    def services(self) -> dict[type, object]:
        return {
            Bank: self._companies["bank"],
            Carrier: self._companies["carrier"],
            Warehouse: self._companies["warehouse"],
        }

    @property
    def now(self) -> datetime:
        return as_datetime(self.clock.now())

    def trouble(self, called: str, *troubles: Trouble) -> None:
        """Let calls of `company.method` end as scripted, one after the other."""
        company, _, method = called.partition(".")
        self._companies[company].troubles[method] = [*troubles]

    def decide(self, state: State) -> None:
        """Let the bank decide about every charge that is pending."""
        for key, taken in self.bank.charges.items():
            if taken.state is State.PENDING:
                self.bank.charges[key] = type(taken)(state, taken.amount)

    def sell_everything(self) -> None:
        """Let the warehouse let go of what is held, and sell it to somebody else."""
        self.warehouse.holds.clear()
        self.warehouse.stock.clear()


@asynccontextmanager
async def ordered(
    order: Order,
    shop: Shop,
    *happenings: object,
    troubles: Mapping[str, tuple[Trouble, ...]] | None = None,
) -> AsyncIterator[Passage[Order, Enum]]:
    """Start an order and let this happen: a message, time that passes, what the shop does."""
    for called, scripted in (troubles or {}).items():
        shop.trouble(called, *scripted)
    async with testing.lifecycle(
        orders, order, services=shop.services, clock=shop.clock
    ) as passage:
        for happening in happenings:
            if isinstance(happening, timedelta):
                await passage.turn(happening)
            elif callable(happening):
                happening(shop)
            else:
                await passage.send(happening)
        yield passage


def an_order(
    *articles: tuple[str, int], method: str = "credit_card", customer: str = "ann", **others: Any
) -> Order:
    """Return an order of some articles, at the prices of the shop."""
    prices = Warehouse().prices
    wanted = articles or (("laptop", 1),)
    lines = tuple(Line(sku, many, prices[sku]) for sku, many in wanted)
    given = {
        "id": "order-1",
        "customer": customer,
        "lines": lines,
        "total": total_of(lines) if lines else Money(1, "USD"),
        "method": method,
        "address": "123 Main St",
    }
    return Order(**{**given, **others})
