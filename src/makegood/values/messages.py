"""How is a message addressed? By the name of its type, and a key. Knows no run and no store."""

from __future__ import annotations

import typing
from datetime import timedelta

from makegood.errors import InvalidInput
from makegood.values.codec import uncarried
from makegood.values.held import HELD

__all__ = ["KEEP", "message_name", "misfit_message", "require_kept"]

KEEP = timedelta(days=7)
"""How long a message is kept for somebody who does not wait yet, unless its sender says."""


def message_name(kind: type) -> str:
    """Return the name by which messages of a class are known.

    It is what the class says as its `message_name`, and else its module and its own name. A class
    that may be moved or renamed while messages are kept says one.
    """
    said: object = getattr(kind, "message_name", None)
    return said if isinstance(said, str) and said else f"{kind.__module__}.{kind.__qualname__}"


def misfit_message(kind: object) -> str | None:
    """Say why values of a type are no messages, or None when they may be."""
    if not isinstance(kind, type) or kind.__module__ == "builtins" or typing.is_typeddict(kind):
        return (
            f"{_shown(kind)} is not a class of messages; declare one, such as a dataclass or a "
            "msgspec.Struct, so that a message is known by its class"
        )
    if message_name(kind) == HELD:
        return f"{_shown(kind)} is granted and never sent; write hold(key, within=…)"
    return uncarried(kind)


def require_kept(keep: timedelta, longest: timedelta) -> timedelta:
    """Return how long a message is kept; refuse nothing, less, and more than is allowed."""
    if not timedelta(0) < keep <= longest:
        message = f"keep={keep}: a message is kept for more than nothing and at most {longest}"
        raise InvalidInput(message)
    return keep


def _shown(kind: object) -> str:
    return f"`{kind.__qualname__}`" if isinstance(kind, type) else f"{kind!r:.80}"
