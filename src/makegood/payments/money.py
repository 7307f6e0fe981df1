"""How much money: an integer of minor units and a currency, and how to share it out exactly.

Nothing here knows a gateway or how an amount is displayed. No float ever touches an amount.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from makegood import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Money", "split"]

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in minor units of one currency: `Money(1177, "USD")` is 11 dollars 77.

    Amounts are added, subtracted and compared within one currency only, and never divided: use
    `split`. An amount may be negative, because a ledger's entry may; what may be asked of a
    gateway is checked where it is asked.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            message = f"{self.minor!r} is not an amount; give whole minor units, such as 1177"
            raise InvalidInput(message)
        if not _CURRENCY.fullmatch(self.currency):
            message = f"{self.currency!r} is not a currency; give three letters, such as USD"
            raise InvalidInput(message)

    def __str__(self) -> str:
        """Return the amount as it is stored, because its decimals are the currency's business."""
        return f"{self.minor} {self.currency} (minor units)"

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.minor - other.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.minor <= other.minor

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            message = f"{self} and {other} are of two currencies; convert one of them first"
            raise InvalidInput(message)


def split(amount: Money, weights: Sequence[int]) -> tuple[Money, ...]:
    """Share an amount out by weights, so that the parts add up to it exactly.

    Each part is rounded down, then the units that remain go one each to the parts that lost most
    by it, the earlier one where two lost the same. No part exceeds its weight while the amount
    does not exceed their sum, so lines that are refunded by what is left of them end at zero.
    """
    whole = sum(weights)
    if amount.minor < 0 or whole <= 0 or min(weights) < 0:
        message = f"{amount} cannot be split by {tuple(weights)!r}; both must be positive"
        raise InvalidInput(message)
    parts = [amount.minor * weight // whole for weight in weights]
    by_loss = sorted(range(len(parts)), key=lambda i: (-(amount.minor * weights[i] % whole), i))
    for index in by_loss[: amount.minor - sum(parts)]:
        parts[index] += 1
    return tuple(Money(part, amount.currency) for part in parts)
