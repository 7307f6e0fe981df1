"""A process of a bank that hears what is reserved: `child.py JOURNAL NATS HOW`.

Where `HOW` is `still` it stands still with the first batch that it is handed, until it is told to
go on by a line, or is killed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from makegood import Engine, Receptors, Route
from makegood.messaging.nats import NatsTransport
from tests.runtime.receiving.shop import Reserved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.runtime.transporting.transport import Arrived, Confirmed, Outbound, Refused, Take

STREAM, TOPIC = "town", "orders"


class Still:
    """Has the whole process stand still with the first batch, as one that is stopped does."""

    def __init__(self, within: NatsTransport) -> None:
        self._within = within
        self.close = within.close
        self._was_still = False

    async def send(self, message: Outbound) -> Confirmed | Refused:
        return await self._within.send(message)

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        async def stand_still(arrived: Sequence[Arrived]) -> None:
            if not self._was_still:
                self._was_still = True
                say(f"has {len(arrived)}")
                sys.stdin.readline()
            await take(arrived)

        await self._within.listen(topics, group=group, batch=batch, take=stand_still)


async def charge(event: Reserved) -> None:
    """Charge nothing: what is looked at is the order in which it came."""


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def work(journal: str, nats: str, how: str) -> None:
    """Hear and receive for ever."""
    bus = NatsTransport(nats, stream=STREAM, subjects=[TOPIC], timeout_seconds=1.0)
    route = Route("bus", Still(bus) if how == "still" else bus, hears=[TOPIC], group="bank")
    async with Engine(journal) as engine:
        engine.serve(Receptors("bank").on(charge), route)
        say("serves")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
