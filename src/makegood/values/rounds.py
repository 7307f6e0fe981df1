"""What the rounds of an each came to, where those that fail are kept beside those that succeed."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from makegood.values.verdict import Failure

__all__ = ["Failed", "Succeeded", "Unneeded"]

T = TypeVar("T")


class Succeeded(msgspec.Struct, Generic[T], frozen=True, tag_field="outcome", tag="succeeded"):
    """A round that gave what it was to give."""

    value: T


class Failed(msgspec.Struct, frozen=True, tag_field="outcome", tag="failed"):
    """A round that failed; all that it had done is undone, or kept where that was declared."""

    node: str
    """The path of the node that failed it, such as `lines[2]/pack_line`."""
    failure: Failure
    """The class and the message of the error; there is no traceback."""


class Unneeded(msgspec.Struct, frozen=True, tag_field="outcome", tag="unneeded"):
    """A round that never began, because enough others had succeeded."""
