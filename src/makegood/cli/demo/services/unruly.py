"""A transport that is as bad as one may be: what it carries comes twice, and out of order.

It keeps every promise about acknowledgements, so nothing is lost. What it does beyond them, it does
by its seed: it sends some messages twice, hands over what came together in another order, some of
it twice, and some again that came long ago.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.decision.retry import Chance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood import Transport
    from makegood.runtime.transporting.transport import (
        Arrived,
        Confirmed,
        Outbound,
        Refused,
        Take,
    )

__all__ = ["UnrulyTransport"]

TWICE_SHARE = 0.05
"""How many messages come twice, for each of three reasons."""

REMEMBERED_MAX = 200
"""How many messages may come again long after."""


class UnrulyTransport:
    """Carries by another transport, unruly by a seed, which says where it stands too."""

    def __init__(self, within: Transport, *, seed: str) -> None:
        self._within = within
        self._chance = Chance(seed)
        self._drawn = 0
        self._before: deque[Arrived] = deque(maxlen=REMEMBERED_MAX)
        self.repeated = 0
        """How many messages were carried once more than they had to be."""
        self.moved = 0
        """How many were handed over at another place than they had among those beside them."""

    async def send(self, message: Outbound) -> Confirmed | Refused:
        """Send it, and now and then once more, under another id by which no broker knows it."""
        answer = await self._within.send(message)
        if self._draw() < TWICE_SHARE:
            self.repeated += 1
            await self._within.send(replace(message, id=f"{message.id}:again"))
        return answer

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        """Hand over what arrives, and more, in any order; it is acknowledged as it should be."""

        async def unruly(arrived: Sequence[Arrived]) -> None:
            await take(self._mixed(arrived))
            self._before.extend(arrived)

        await self._within.listen(topics, group=group, batch=batch, take=unruly)

    async def close(self) -> None:
        """Close the other one."""
        await self._within.close()

    def _mixed(self, arrived: Sequence[Arrived]) -> Sequence[Arrived]:
        again = [each for each in arrived if self._draw() < TWICE_SHARE]
        again += [each for each in self._before if self._draw() < TWICE_SHARE / 10]
        self.repeated += len(again)
        mixed = sorted((*arrived, *again), key=lambda _: self._draw())
        self.moved += sum(one is not other for one, other in zip(mixed, arrived, strict=False))
        return mixed

    def _draw(self) -> float:
        self._drawn += 1
        return self._chance.fraction("unruly", self._drawn)
