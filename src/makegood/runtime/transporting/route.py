"""Which messages leave a store by which transport, and which arrive by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.errors import DefinitionError
from makegood.values.ids import parse_message_key
from makegood.values.schemas import Schema, misfit_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from makegood.runtime.transporting.transport import Transport

__all__ = ["BATCH", "Route"]

BATCH = 256
"""How much a route takes at once, unless it says otherwise."""

BATCH_MAX = 10_000
"""The most that it may take at once."""


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Route:
    """Sends messages of these classes to others, and receives what arrives on these topics.

    `sends` says by class to which topic a message goes; `hears` names the topics from which
    messages are taken into the store, where the receptors that are served get them. `group` names
    those who share what arrives, which is one service with all its processes; it is the route's
    name unless it is given. One of them listens at a time, and another one when that has ended; all
    receive what it stores. What came by a route does not go out by it again.

    `batch` is how many messages that arrive are stored together, and of how many keys messages are
    sent at once. `poll` is how soon at the latest it is looked whether something is to be sent,
    where nobody has rung: `Config.poll_max` of the engine, unless it is given.

    With `is_linked` each message names the one that was sent before it, of the same key to the same
    topic, so that whoever receives it can say whether that has come (`MessageOperator.missing`). It
    costs a question to the store for each key that is sent.

    What is sent is in the store until the broker has confirmed it, and what arrives is in the store
    before the broker is told so. While the broker is away all of it waits, and the log says so.
    """

    name: str
    transport: Transport
    topics: Mapping[str, str]
    """By the name of the messages' type."""
    hears: tuple[str, ...]
    group: str
    batch: int
    poll: timedelta | None
    is_linked: bool

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        sends: Mapping[type, str] | None = None,
        hears: Iterable[str] = (),
        group: str | None = None,
        batch: int = BATCH,
        poll: timedelta | None = None,
        is_linked: bool = False,
    ) -> None:
        parse_message_key(name)
        _require_sound(name, batch, poll)
        topics: dict[str, str] = {}
        for kind, topic in (sends or {}).items():
            why = misfit_schema(kind)
            if why is not None:
                message = f"the route {name!r} cannot send it: {why}"
                raise DefinitionError(message)
            topics[Schema(kind).name] = topic
        heard = tuple(hears)
        if not topics and not heard:
            message = f"the route {name!r} neither sends nor hears; give it sends= or hears="
            raise DefinitionError(message)
        if not all([*topics.values(), *heard]):
            message = f"the route {name!r} has a topic without a name; name it"
            raise DefinitionError(message)
        for attribute, value in (
            ("name", name),
            ("transport", transport),
            ("topics", topics),
            ("hears", heard),
            ("group", name if group is None else parse_message_key(group)),
            ("batch", batch),
            ("poll", poll),
            ("is_linked", is_linked),
        ):
            object.__setattr__(self, attribute, value)

    def __repr__(self) -> str:
        return (
            f"<Route {self.name}: sends {len(self.topics)} types, hears {len(self.hears)} topics>"
        )

    @property
    def recipient(self) -> str:
        """To whom its deliveries belong."""
        return f"transport:{self.name}"


def _require_sound(name: str, batch: object, poll: timedelta | None) -> None:
    """Raise `DefinitionError` for settings that cannot work."""
    if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= BATCH_MAX:
        message = f"the route {name!r} has batch={batch!r}; give a number from 1 to {BATCH_MAX:,}"
        raise DefinitionError(message)
    if poll is not None and poll <= timedelta(0):
        message = f"the route {name!r} has poll={poll}; it must be longer than nothing"
        raise DefinitionError(message)
