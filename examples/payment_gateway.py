"""What a payment worker asks of a payment company, and such a company in memory.

What is declined is an answer, and no exception. `ConnectionError` says that there was none: the
same key again is the same payment, so asking again is harmless.
"""

from dataclasses import dataclass
from typing import Protocol

from makegood.payments import Money

__all__ = ["Captured", "PaymentGateway", "Refused", "TestGateway"]


@dataclass(frozen=True)
class Captured:
    """The money is taken."""

    transaction: str
    amount: Money


@dataclass(frozen=True)
class Refused:
    """It is not, and never will be under this key."""

    code: str
    reason: str


class PaymentGateway(Protocol):
    """A payment company, whichever it is."""

    async def charge(self, amount: Money, method: str, *, key: str) -> Captured | Refused:
        """Take money, once for each key."""
        ...

    async def refund(self, transaction: str, amount: Money, *, key: str) -> str | Refused:
        """Give money back, once for each key, and return the refund's id."""
        ...


class TestGateway:
    """A payment company that keeps its books in memory."""

    __test__ = False  # Its name is not for pytest.

    def __init__(self, *, outages: int = 0) -> None:
        self.outages = outages
        """How many calls from now on get no answer."""
        self.asked = 0
        self.charges: dict[str, Captured | Refused] = {}
        self.refunds: dict[str, Money] = {}

    async def charge(self, amount: Money, method: str, *, key: str) -> Captured | Refused:
        """Take money, once for each key."""
        if key not in self.charges:
            declined = Refused("card_declined", "Your card was declined")
            taken = Captured(f"pi_{len(self.charges) + 1}", amount)
            self.charges[key] = declined if method == "pm_card_declined" else taken
        self._answer()
        return self.charges[key]

    async def refund(self, transaction: str, amount: Money, *, key: str) -> str | Refused:
        """Give money back, once for each key."""
        if not any(transaction == getattr(each, "transaction", "") for each in self._all):
            return Refused("unknown", f"there is no {transaction}")
        self.refunds.setdefault(key, amount)
        self._answer()
        return f"re_{[*self.refunds].index(key) + 1}"

    @property
    def has(self) -> int:
        """How much money it has of us, in minor units."""
        taken = sum(each.amount.minor for each in self._all if isinstance(each, Captured))
        return taken - sum(amount.minor for amount in self.refunds.values())

    @property
    def _all(self) -> list[Captured | Refused]:
        return [*self.charges.values()]

    def _answer(self) -> None:
        """Lose the answer while there is an outage: what was asked has happened all the same."""
        self.asked += 1
        if self.outages:
            self.outages -= 1
            raise ConnectionError("the line went dead")
