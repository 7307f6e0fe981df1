"""Where a declaration stands: the file and line that a problem is reported at.

It knows nothing of what is declared there.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Place", "caller", "caller_names", "place_of"]

_OURS = ("makegood.definition", "makegood.runtime")
"""The rooms whose functions are called to declare something; no user's code lives there."""


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        """Return the place as editors understand it."""
        return f"{self.file}:{self.line}"


def caller() -> Place:
    """Return the line of the user's code that is being declared."""
    frame = _caller_frame()
    return Place(frame.f_code.co_filename, frame.f_lineno)


def caller_names() -> dict[str, object]:
    """Return the local names where something is being declared.

    Types that are declared inside a function, as in a test, are found by these. A step that is
    declared in the body of a workflow is called by the body, which is called from here, which
    was called where the workflow is declared: the names of both places count.
    """
    names: dict[str, object] = {}
    frame: FrameType | None = _caller_frame()
    while frame is not None:
        names = {**frame.f_locals, **names}
        if not _is_ours(frame.f_back):
            break
        frame = _outside(frame.f_back)
    return names


# Callable[..., object]: a place is asked of any function or class, whatever it takes.
def place_of(function: Callable[..., object]) -> Place:
    """Return the line where a function or a class begins."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is not None:
        return Place(code.co_filename, code.co_firstlineno)
    try:
        lines, line = inspect.getsourcelines(function)
    except (OSError, TypeError):
        return caller()
    return Place(inspect.getsourcefile(function) or "?", line) if lines else caller()


def _caller_frame() -> FrameType:
    frame = _outside(inspect.currentframe())
    assert frame is not None, "a declaration is always called from somewhere"
    return frame


def _outside(frame: FrameType | None) -> FrameType | None:
    """Return the nearest frame that does not belong to those rooms."""
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def _is_ours(frame: FrameType | None) -> bool:
    return frame is not None and _module(frame).startswith(_OURS)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
