"""What a transport promises: the one Protocol behind which every broker stands.

A transport carries bytes between processes that share no store. It knows neither what a message
means nor where it is kept. One contract suite, `tests/messaging/contract.py`, holds every
implementation to the numbered promises below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["Arrived", "Confirmed", "Outbound", "Refused", "Take", "Transport"]


class Outbound(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message on its way out."""

    topic: str
    """Where it goes, in the broker's own terms: a subject, an exchange, a topic."""
    id: str
    """Names this sending. The broker may drop a second one of the same name; a message that a
    person sends once more has another."""
    name: str
    """Names the message for good, whoever carries it: whoever receives it knows it by that."""
    key: str | None
    """Messages of one key arrive in the order in which they were sent."""
    body: bytes
    """A CloudEvent, in JSON."""


class Arrived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came in."""

    topic: str
    body: bytes
    """As it came; it need be nothing that we understand."""


class Confirmed(msgspec.Struct, frozen=True, gc=False):
    """The broker has it, and keeps it for those who listen."""


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The broker will not have it, however often it is sent."""

    reason: str


if TYPE_CHECKING:
    Take = Callable[[Sequence[Arrived]], Awaitable[None]]
else:
    Take = object


class Transport(Protocol):
    """Carries messages by a broker.

    1. `send` returns once the broker has said that it keeps the message, or that it never will.
       `TransportDown` is raised where that is not known: the message may be sent again under the
       same id, and whoever listens may then be given it twice.
    2. Messages that are sent one after the other's confirmation arrive in that order.
    3. `listen` hands over what arrives on these topics, in the order of arrival and `batch` of it
       at most at a time, until it is cancelled. A batch is acknowledged only after `take` has
       returned; where that raises, nothing of it is, and `listen` raises the same.
    4. Every `listen` begins with the oldest message that its `group` has not acknowledged, and from
       there on leaves none out, whatever anybody who listened before was handed and has not
       acknowledged: dead, standing still or too slow, nothing overtakes what they have. What they
       have stored in the meantime may so come twice.
    5. Whoever begins to listen under a group takes its messages over from whoever listens under it,
       who is handed no more and whose `listen` raises `TransportDown`. Every group is given all.
    6. What is sent while nobody of a group listens is kept for it, as long as the broker keeps
       anything, be it that the group has never listened before.
    7. `listen` raises `TransportDown` where the broker cannot be reached; it may be called again.
    8. `close` may be called at any time and more than once; nothing is sent or handed over after.
    """

    async def send(self, message: Outbound) -> Confirmed | Refused:
        """Give a message to the broker (1, 2)."""
        ...

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        """Hand over what arrives (3-7)."""
        ...

    async def close(self) -> None:
        """Let go of the broker (8)."""
        ...
