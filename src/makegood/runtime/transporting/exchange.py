"""All routes of one engine: what they send and take, from the engine's beginning to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.errors import DefinitionError
from makegood.runtime.transporting.sender import Sender
from makegood.runtime.transporting.taker import Taker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.runtime.receiving.reception import Reception
    from makegood.runtime.shell import Shell
    from makegood.runtime.transporting.route import Route

__all__ = ["Exchange"]


class Exchange:
    """Sends and takes for one engine, whose reception learns what is to be kept and was stored."""

    def __init__(self, shell: Shell, reception: Reception) -> None:
        self._shell = shell
        self._reception = reception
        self._routes: dict[str, Route] = {}
        self._senders: list[Sender] = []
        self._takers: list[Taker] = []
        self._is_open = False

    @property
    def is_asking(self) -> bool:
        """Whether the journal owes one of them an answer."""
        asking = (sender.lookout.is_asking for sender in self._senders)
        return any(asking) or any(taker.is_asking for taker in self._takers)

    def serve(self, routes: Iterable[Route]) -> None:
        """Send and take by these too; refuse another one of a name that is served."""
        for route in routes:
            self._require_alone(route)
            before = self._routes.setdefault(route.name, route)
            if before is not route:
                message = f"two routes are named {route.name!r}; give one another name"
                raise DefinitionError(message)
            if any(sender.route is route for sender in self._senders):
                continue
            reception = self._reception
            reception.keep_for(route.recipient, route.topics)
            self._senders.append(Sender(self._shell, route, subscribe=reception.subscribe))
            self._takers.append(
                Taker(self._shell, route, subscribe=reception.subscribe, stored=reception.stored)
            )
            if self._is_open:
                self._senders[-1].lookout.start()
                self._takers[-1].start()

    def _require_alone(self, route: Route) -> None:
        """Refuse a route that would take over for ever from another one, and it from this one."""
        for other in self._routes.values():
            if (
                other is not route
                and other.hears
                and route.hears
                and other.transport is route.transport
                and other.group == route.group
            ):
                message = (
                    f"the routes {other.name!r} and {route.name!r} both listen under the group "
                    f"{route.group!r}; let one of them hear all topics, or give it another group"
                )
                raise DefinitionError(message)

    def start(self) -> None:
        """Begin."""
        self._is_open = True
        for sender in self._senders:
            sender.lookout.start()
        for taker in self._takers:
            taker.start()

    def ring(self) -> None:
        """Learn that something may have been stored that is to be sent."""
        for sender in self._senders:
            sender.lookout.ring()

    async def stop(self) -> None:
        """Take nothing more, send what is stored once more, and let the brokers go."""
        self._is_open = False
        # All are told before one is waited for. Nothing new is begun: the loop may be ending, too.
        for taker in self._takers:
            taker.end_soon()
        for taker in self._takers:
            await taker.stop()
        for sender in self._senders:
            sender.lookout.end_soon()
        for sender in self._senders:
            await sender.lookout.stop()
        for route in self._routes.values():
            await route.transport.close()
