"""What payment_processing.py works with: a warehouse, a carrier and a mail company, in memory.

Each request is harmless when it is repeated, as it must be with real companies.
"""

from dataclasses import dataclass

from makegood import Declined
from makegood.payments import Money

VISA = "tok_visa"
"""What the gateway calls a card; it has the number, and we have not."""


@dataclass(frozen=True)
class Order:
    """One article, sent to one place; the total includes what shipping was promised to cost."""

    id: str
    sku: str
    address: str
    total: Money
    shipping: Money


class Shop:
    """Stands for those companies, and keeps their books: what holds now, by order."""

    def __init__(self, *orders: Order, on_hand: int = 5) -> None:
        self.orders = {order.id: order for order in orders}
        self.on_hand = on_hand
        self.reserved: set[str] = set()
        self.fulfilled: set[str] = set()
        self.shipped: set[str] = set()
        self.sold: set[str] = set()
        self.letters: dict[str, str] = {}

    async def find(self, order_id: str, *, paid_by: str) -> Order:
        """Return an order, or decline one that is unknown or paid by what is no token."""
        if order_id not in self.orders or not paid_by.startswith("tok_"):
            raise Declined(f"{order_id} cannot be paid so")
        return self.orders[order_id]

    async def count(self, order: Order) -> int:
        """Return how many articles there are, or decline when there is none."""
        if self.on_hand == 0:
            raise Declined(f"{order.sku} is out of stock")
        return self.on_hand

    async def quote(self, address: str) -> Money:
        """Return what the carrier asks, who charges by the letter."""
        return Money(50 * len(address), "USD")

    async def ship(self, order_id: str, address: str) -> None:
        """Hand the parcel to the carrier, who does not go everywhere."""
        if address == "ATLANTIS":
            raise Declined("no carrier goes to Atlantis")
        self.shipped.add(order_id)
