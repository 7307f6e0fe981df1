"""How much work something is: counted, where a time would depend on the machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["instructions_of"]


def instructions_of(work: Callable[[], object]) -> int:
    """Return how many instructions of the interpreter some work takes."""
    count = 0

    # Any: what a trace function is given depends on the event.
    def watch(frame: FrameType, event: str, _given: Any) -> Any:
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
