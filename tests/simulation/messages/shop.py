"""Two services that speak by messages: a shop that takes orders, and a yard that sends parcels.

Every effect is a thing with a name of its own, made of the receptor and the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Protocol

from makegood import (
    IdempotencyKey,
    MessageInfo,
    Receptors,
    Retry,
    Route,
    Transport,
    Writes,
    injected,
)
from makegood.extension import Command, Migration
from tests.simulation.kinds.books import Clerk, Deed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "NOTEBOOK",
    "NOTED",
    "RECEPTORS",
    "SENDS",
    "Ordered",
    "Reaper",
    "bus_of",
    "thing_of",
]

AGAIN = Retry(attempts=60, delay=timedelta(seconds=1), delay_max=timedelta(seconds=4))
"""So often that only what is declined, or kills, is given up."""
PATIENCE = timedelta(seconds=6)


class Reaper(Protocol):
    """What a deadly message does to the process that receives it."""

    async def die(self) -> None:
        """End the process, and never return."""
        ...


@dataclass(frozen=True)
class _OfOrder:
    order: str
    number: int

    @property
    def message_key(self) -> str:
        return self.order


@dataclass(frozen=True)
class Ordered(_OfOrder):
    """Somebody orders something."""

    message_name: ClassVar[str] = "simulated.Ordered"

    is_deadly: bool = False
    """Whether receiving it ends the process, every time."""


@dataclass(frozen=True)
class Billed(_OfOrder):
    message_name: ClassVar[str] = "simulated.Billed"


@dataclass(frozen=True)
class Parcel(_OfOrder):
    message_name: ClassVar[str] = "simulated.Parcel"


@dataclass(frozen=True)
class Sent(_OfOrder):
    message_name: ClassVar[str] = "simulated.Sent"


def thing_of(receptor: str, source: str, message: str) -> str:
    """Return what a receptor does about a message."""
    return f"{receptor} {source}:{message}"


NOTE = "INSERT INTO noted (receptor, message) VALUES (?, ?)"


async def _do(message: _OfOrder, clerk: Clerk, key: str, info: MessageInfo) -> None:
    thing = thing_of(info.receptor, info.source, info.id)
    name = info.receptor.rpartition("/")[2]
    about = f"{name} {message.order}-{message.number}"
    await clerk.ask(Deed(thing=thing, key=key, of=info.id, about=about))


def _note(writes: Writes, info: MessageInfo) -> None:
    writes.execute(NOTE, info.receptor, f"{info.source}:{info.id}", expect_rows=1)


async def take(
    ordered: Ordered,
    *,
    clerk: Clerk = injected,
    reaper: Reaper = injected,
    key: IdempotencyKey = injected,
    info: MessageInfo = injected,
    writes: Writes = injected,
) -> tuple[Billed, Parcel]:
    """Take an order: note it, and have it billed and sent."""
    if ordered.is_deadly:
        await reaper.die()
    await _do(ordered, clerk, key, info)
    _note(writes, info)
    return Billed(ordered.order, ordered.number), Parcel(ordered.order, ordered.number)


async def enter(
    billed: Billed,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: MessageInfo = injected,
) -> None:
    """Enter a bill; what is entered quickly, one after the other, is marked together."""
    await _do(billed, clerk, key, info)


async def send(
    parcel: Parcel,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: MessageInfo = injected,
) -> Sent:
    """Send a parcel, and say so."""
    await _do(parcel, clerk, key, info)
    return Sent(parcel.order, parcel.number)


async def close(
    sent: Sent,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: MessageInfo = injected,
    writes: Writes = injected,
) -> None:
    """Close an order that was sent."""
    await _do(sent, clerk, key, info)
    _note(writes, info)


RECEPTORS = {
    "shop": Receptors("shop")
    .on(take, retry=AGAIN, timeout=PATIENCE)
    .on(enter, retry=AGAIN, timeout=PATIENCE)
    .on(close, retry=AGAIN, timeout=PATIENCE),
    "yard": Receptors("yard").on(send, retry=AGAIN, timeout=PATIENCE),
}
"""What each service receives."""

NOTED = frozenset({"shop/take", "shop/close"})
"""Which receptors write into a table of their own."""

SENDS: Mapping[str, Sequence[str]] = {
    "shop/take": (Billed.message_name, Parcel.message_name),
    "yard/send": (Sent.message_name,),
}
"""What comes of receiving a message, by receptor."""


def bus_of(service: str, transport: Transport) -> Route:
    """Return a service's way to the other one."""
    if service == "shop":
        return Route(
            *("bus", transport),
            sends={Parcel: "parcels"},
            hears=["sent"],
            group="shop",
            is_linked=True,
        )
    return Route(
        *("bus", transport), sends={Sent: "sent"}, hears=["parcels"], group="yard", is_linked=True
    )


class Notebook:
    """The table into which receptors write."""

    name = "notebook"
    migrations: Sequence[Migration] = (
        Migration(
            owner="notebook",
            number=1,
            sql="CREATE TABLE noted (receptor TEXT NOT NULL, message TEXT NOT NULL)",
        ),
    )
    commands: Sequence[Command] = ()


NOTEBOOK = Notebook()
