"""Which object each step is given: found once, when a workflow is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["find_services"]


def find_services(
    wanted: Iterable[object], services: Mapping[type, object], *, workflow: str
) -> dict[object, object]:
    """Return the service for each wanted type; raise `ServiceError` for all that have none.

    A service is found under its own type, or else under the one registered type that is a
    subclass of it.
    """
    found: dict[object, object] = {}
    problems: list[str] = []
    for kind in wanted:
        candidates = _candidates(kind, services)
        if len(candidates) == 1:
            found[kind] = services[candidates[0]]
        elif candidates:
            names = ", ".join(f"`{item.__qualname__}`" for item in candidates)
            problems.append(
                f"`{workflow}` needs a `{_name(kind)}` and {names} would all do; "
                f"register one of them as services={{{_name(kind)}: …}}"
            )
        else:
            problems.append(
                f"`{workflow}` needs a `{_name(kind)}` and the engine has none; "
                f"give Engine(services={{{_name(kind)}: …}})"
            )
    if problems:
        raise ServiceError("\n".join(problems))
    return found


def _candidates(kind: object, services: Mapping[type, object]) -> list[type]:
    if not isinstance(kind, type):
        return []
    if kind in services:
        return [kind]
    return [item for item in services if _is_subclass(item, kind)]


def _is_subclass(item: type, kind: type) -> bool:
    try:
        return issubclass(item, kind)
    except TypeError:
        # A Protocol that is not runtime-checkable has no subclasses to find.
        return kind in item.__mro__


def _name(kind: object) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind)
