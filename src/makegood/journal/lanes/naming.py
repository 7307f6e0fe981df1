"""Which lane does a message stand in? One name for every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.journal.messages import Malformed
    from makegood.values.envelope import Envelope

__all__ = ["lane_named", "lane_of", "lane_of_key"]

_TENANT = "\x1f"
_ALONE = "\x1e"
"""Neither can be printed, so that no key and no tenant has them."""


def lane_of(message: Envelope | Malformed) -> str:
    """Return the name of a message's lane: that of its key, or one that is its own."""
    key = getattr(message, "key", None)
    return lane_named(message.tenant, key, message.source, message.id)


def lane_named(tenant: str, key: str | None, source: str, id: str) -> str:
    """Return the name of the lane of a message of which this is known."""
    if key is not None:
        return lane_of_key(tenant, key)
    return f"{_ALONE}{tenant}{_TENANT}{source}{_TENANT}{id}"


def lane_of_key(tenant: str, key: str) -> str:
    """Return the name of a key's lane: the key itself where there are no tenants."""
    return f"{tenant}{_TENANT}{key}" if tenant else key
