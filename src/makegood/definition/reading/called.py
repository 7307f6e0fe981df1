"""Which things a body may call, and what is said of those that it may not."""

from __future__ import annotations

import inspect
from typing import NewType

from makegood.definition.reading.meaning import Meaning, Shape, Thing, Written, Wrong

__all__ = ["as_pure", "is_class", "taken_together", "unknown_call"]


def taken_together(parts: list[Meaning]) -> Meaning:
    """Return what several values are, taken together."""
    if any(isinstance(part, Wrong) for part in parts):
        return Wrong()
    if all(isinstance(part, Written | Thing) for part in parts):
        return Written()
    return Shape()


def is_class(value: object) -> bool:
    """Say whether this makes values, parameters filled in or not, such as `Page[int]`."""
    return isinstance(value, type | NewType) or isinstance(getattr(value, "__origin__", None), type)


def as_pure(value: object, name: str) -> str:
    """Return how a call that computes is written instead."""
    plain = name.rpartition(".")[2]
    if isinstance(value, type) and value.__module__ != "builtins":
        return f'pure({name}, name="{plain.lower()}")(…)'
    return "a function of your own that does this, as pure(…)"


def unknown_call(value: object, name: str) -> str:
    """Say why something is not called in a body, and what to write instead."""
    # A workflow cannot be told by its class here, because its module stands on this one.
    if hasattr(value, "plan") and hasattr(value, "code"):
        return (
            f"`{name}(…)` is a call, which only an engine starts; write step({name})(…) for a run "
            "of its own that is a step of this one"
        )
    if inspect.iscoroutinefunction(value):
        return f"`{name}` is a plain function; write step({name})(…), or query({name})(…)"
    if isinstance(getattr(value, "__self__", None), type):
        return f"`{name}(…)` is called now, for all runs; name the constant outside of the body"
    if inspect.isbuiltin(value) or getattr(value, "__module__", "") == "builtins":
        return f"`{name}()` would be computed now, before the value exists; use pure(…)"
    if inspect.isroutine(value):
        return f"`{name}` is a plain function; write pure({name})(…)"
    return f"`{name}` is neither a step, a query nor a pure; a body calls nothing else"
