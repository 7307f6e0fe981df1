"""Which lane does a message stand in? One name for every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.lanes.stored import LaneId

if TYPE_CHECKING:
    from makegood.journal.messages import Malformed
    from makegood.values.envelope import Envelope

__all__ = ["LISTENING", "lane_named", "lane_of", "lane_of_key", "listening_as"]

_TENANT = "\x1f"
_ALONE = "\x1e"
"""Neither can be printed, so that no key and no tenant has them."""

LISTENING = "\x1d"
"""What the recipients of lanes begin with in which nothing stands: who holds one listens."""


def lane_of(message: Envelope | Malformed) -> str:
    """Return the name of a message's lane: that of its key, or one that is its own."""
    key = getattr(message, "key", None)
    return lane_named(message.tenant, key, message.source, message.id)


def lane_named(tenant: str, key: str | None, source: str, id: str) -> str:
    """Return the name of the lane of a message of which this is known."""
    if key is not None:
        return lane_of_key(tenant, key)
    return f"{_ALONE}{tenant}{_TENANT}{source}{_TENANT}{id}"


def listening_as(name: str) -> LaneId:
    """Return the lane that whoever listens under a name holds."""
    return LaneId(f"{LISTENING}{name}", "")


def lane_of_key(tenant: str, key: str) -> str:
    """Return the name of a key's lane: the key itself where there are no tenants."""
    return f"{tenant}{_TENANT}{key}" if tenant else key
