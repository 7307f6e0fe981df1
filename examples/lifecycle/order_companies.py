"""Whom the shop works with, in memory: a bank and a warehouse.

Each tells requests apart by their keys, as real ones do: the same key again is the same request.
"""

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum

from order_record import Line

from makegood.payments import Money

__all__ = ["Bank", "State", "Taken", "Warehouse"]

CREDIT_MAX = 100_000
"""The most that the bank lets anybody pay by credit card, in minor units."""


class State(Enum):
    """What has become of a charge, or of a parcel."""

    PENDING = "pending"
    DONE = "done"
    """The money is taken; the parcel is accepted."""
    REFUSED = "refused"
    """It will never be done, whatever comes: refused, or called off in time."""


@dataclass(frozen=True)
class Taken:
    """What the bank says of a charge."""

    state: State
    amount: Money


class Bank:
    """Takes money from cards, once for each key, and gives it back."""

    def __init__(self) -> None:
        self.charges: dict[str, Taken] = {}
        self.refunds: dict[str, Money] = {}
        self.others = {"premium_customer": ("debit_card",)}

    async def charge(self, key: str, amount: Money, method: str) -> Taken:
        """Take money, or say no; a slow method says neither yet."""
        if key not in self.charges:
            state = State.PENDING if method == "slow_card" else State.DONE
            if method == "invalid_card" or (method == "credit_card" and amount.minor > CREDIT_MAX):
                state = State.REFUSED
            self.charges[key] = Taken(state, amount)
        return self.charges[key]

    async def find(self, key: str) -> Taken | None:
        """Return what has become of a charge; None: it has not come here, but may yet."""
        return self.charges.get(key)

    async def void(self, key: str, amount: Money) -> Taken:
        """Call a charge off, so that its key never takes money any more, unless it has."""
        found = self.charges.get(key)
        if found is None or found.state is State.PENDING:
            self.charges[key] = Taken(State.REFUSED, amount)
        return self.charges[key]

    async def refund(self, charge: str, amount: Money, *, key: str) -> None:
        """Give money of a charge back."""
        assert self.charges[charge].state is State.DONE, "only what was taken is given back"
        self.refunds[key] = amount

    async def other_methods(self, customer: str) -> tuple[str, ...]:
        """Return the methods by which a customer may pay besides."""
        return self.others.get(customer, ())

    @property
    def has(self) -> int:
        """How much money it has of us, in minor units."""
        taken = [each.amount.minor for each in self.charges.values() if each.state is State.DONE]
        return sum(taken) - sum(refund.minor for refund in self.refunds.values())


class Warehouse:
    """Holds goods, each at its price, for a while, and lets go of them."""

    def __init__(self, **stock: int) -> None:
        self.prices = {"laptop": Money(9_999, "USD"), "desktop": Money(150_000, "USD")}
        self.prices |= {"out_of_stock": Money(4_999, "USD"), "cable": Money(500, "USD")}
        self.stock = Counter(stock)
        self.holds: dict[str, tuple[Line, ...]] = {}
        self.restocked: set[str] = set()

    async def price(self, sku: str) -> Money | None:
        """Return what one of an article costs; None: there is no such article."""
        return self.prices.get(sku)

    async def hold(self, key: str, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Hold what is there of these lines, and return it; nothing is held where nothing is."""
        if key not in self.holds:
            found = [replace(e, quantity=min(e.quantity, self.stock[e.sku])) for e in lines]
            held = tuple(line for line in found if line.quantity)
            if not held:
                return ()
            self.stock -= Counter({line.sku: line.quantity for line in held})
            self.holds[key] = held
        return self.holds[key]

    async def keep(self, hold: str, lines: tuple[Line, ...]) -> bool:
        """Hold exactly these for longer, or again where the time was over; say whether they are."""
        if self.holds.get(hold) == lines:
            return True
        if any(self.stock[line.sku] < line.quantity for line in lines):
            return False
        await self.release(hold)
        return await self.hold(hold, lines) == lines

    async def release(self, hold: str) -> None:
        """Let go of what is held."""
        for line in self.holds.pop(hold, ()):
            self.stock[line.sku] += line.quantity

    async def hand_over(self, hold: str) -> None:
        """Let the carrier have what is held."""
        self.holds.pop(hold, None)

    async def restock(self, lines: tuple[Line, ...], *, key: str) -> None:
        """Take back what came back, once for each key."""
        if key not in self.restocked:
            self.restocked.add(key)
            self.stock.update({line.sku: line.quantity for line in lines})
