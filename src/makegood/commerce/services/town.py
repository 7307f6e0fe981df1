"""Which services there are, and what each of them sends to the others and hears from them.

What goes between two services is read from their receptors: what one sends and another receives.
So a service that begins to hear a message is sent it, and nobody keeps a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources

from makegood import Receptors, Route, Transport
from makegood.commerce.services.charges import payments
from makegood.commerce.services.letters import notifications
from makegood.commerce.services.orders import orders
from makegood.commerce.services.shipments import shipping
from makegood.commerce.services.stock import HELD_FOR, stock
from makegood.extension import Command, Extension, HttpRoute, Migration

__all__ = ["RECEPTORS", "SERVICES", "Service", "in_one_process", "services", "topics_of"]


@dataclass(frozen=True, slots=True)
class _Tables:
    """A service's tables, as an engine knows them."""

    name: str
    script: str

    @property
    def migrations(self) -> Sequence[Migration]:
        """The script that makes them."""
        folder = resources.files("makegood.commerce.services")
        sql = folder.joinpath(self.script).read_text(encoding="utf-8")
        return (Migration(owner=f"commerce.{self.name}", number=1, sql=sql),)

    @property
    def commands(self) -> Sequence[Command]:
        """None."""
        return ()

    @property
    def routes(self) -> Sequence[HttpRoute]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class Service:
    """One of the services: what it receives, and its tables."""

    name: str
    receptors: Receptors
    extension: Extension

    @property
    def sends(self) -> Mapping[str, type]:
        """The classes of messages that it sends, by their names."""
        return {
            schema.name: kind
            for receptor in self.receptors.receptors
            for kind, schema in receptor.sends.items()
        }

    @property
    def receives(self) -> Mapping[str, type]:
        """The classes of messages that it receives, by their names."""
        return {
            schema.name: kind
            for receptor in self.receptors.receptors
            for kind, schema in receptor.receives.items()
        }

    def route(self, transport: Transport, *, among: Iterable[Service]) -> Route:
        """Return its way to the others: what they hear goes out, and what they say comes in."""
        others = [each for each in among if each.name != self.name]
        heard = {name for each in others for name in each.receives}
        said = {name for each in others for name in each.sends}
        return Route(
            "bus",
            transport,
            sends={kind: name for name, kind in self.sends.items() if name in heard},
            hears=[name for name in sorted(self.receives) if name in said],
            group=self.name,
        )


def services(*, held_for: timedelta = HELD_FOR) -> tuple[Service, ...]:
    """Return the five services; goods are held so long for an order that is not paid."""
    return tuple(
        Service(receptors.name, receptors, _Tables(receptors.name, script))
        for receptors, script in (
            (orders, "orders.sql"),
            (stock(held_for), "stock.sql"),
            (payments, "charges.sql"),
            (shipping, "shipments.sql"),
            (notifications, "letters.sql"),
        )
    )


SERVICES = services()
"""The five services as a shop would have them."""


RECEPTORS = tuple(each.receptors for each in SERVICES)
"""What they receive and send: what `makegood diagram messages` draws."""


def topics_of(among: Iterable[Service]) -> tuple[str, ...]:
    """Return what a broker is to keep for these services."""
    found = [*among]
    said = {name for each in found for name in each.sends}
    heard = {name for each in found for name in each.receives}
    return tuple(sorted(said & heard))


def in_one_process(among: Iterable[Service]) -> tuple[list[Receptors], list[Extension]]:
    """Return what one engine serves, and its extensions, where all of them share its store."""
    found = [*among]
    return [each.receptors for each in found], [each.extension for each in found]
