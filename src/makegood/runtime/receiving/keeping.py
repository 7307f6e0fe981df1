"""What is kept of messages beside receiving them: which key belongs to which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.errors import StoreBusy, StoreFull, Unavailable
from makegood.journal.messages import Stored
from makegood.values.envelope import Envelope
from makegood.values.ids import parse_message_key

if TYPE_CHECKING:
    from makegood.journal.messages import KeepsMessages
    from makegood.values.instants import Instant

__all__ = ["ONCE", "once"]

ONCE = "makegood.Once"
"""The type, and the source, of what a key is kept by that is taken once."""


async def once(
    messages: KeepsMessages, key: str, *, of: Envelope, owner: str, now: Instant
) -> bool:
    """Say whether a key belongs to an effect, which has it where nobody had it before.

    It is the id of a message that is stored once, that nobody subscribes to, and whose body names
    the effect. So it is durable before the answer, the same for every attempt, seen beside what it
    came from, and forgotten with it. Raises `Unavailable` while the store does not answer.
    """
    body = msgspec.json.encode(owner)
    claim = Envelope(
        id=parse_message_key(key),
        source=ONCE,
        type=ONCE,
        body=body,
        at=now,
        correlation=of.correlation,
        causation=of.id,
        tenant=of.tenant,
        subject=of.subject,
    )
    try:
        (receipt,) = await messages.publish([claim], now=now)
        if isinstance(receipt, Stored):
            return True
        kept = await messages.message(receipt.seq)
    except (StoreBusy, StoreFull) as error:
        message = f"whether {key!r} is done already cannot be known now: {error}"
        raise Unavailable(message) from error
    return kept is not None and kept.message.body == body
