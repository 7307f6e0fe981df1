"""What goes along with a run, from the context in which it was started into its bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.errors import InvalidInput
from makegood.values.limits import CARRIED_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextvars import ContextVar

    from makegood.runtime.ports import Carrier

__all__ = ["Carriers", "carried"]


def carried(variable: ContextVar[str] | ContextVar[str | None]) -> Carrier:
    """Return a carrier of a context variable that holds text, for `Engine(carriers=…)`.

    The value that the variable has where a run is started, it has in every step, query, undo and
    compensate of that run. Where it has none, or None, nothing is carried. What a body sets in a
    context variable no other body sees.
    """
    return _Variable(variable)


class Carriers:
    """The carriers of one engine."""

    __slots__ = ("_carriers",)

    def __init__(self, carriers: Sequence[Carrier]) -> None:
        self._carriers = {carrier.name: carrier for carrier in carriers}
        if len(self._carriers) < len(carriers):
            names = [carrier.name for carrier in carriers]
            twice = next(name for name in names if names.count(name) > 1)
            message = f"two carriers are named {twice!r}; give one of them another name"
            raise InvalidInput(message)

    def __bool__(self) -> bool:
        return bool(self._carriers)

    def capture(self) -> dict[str, str]:
        """Return what the caller's context gives a run that is started in it."""
        context: dict[str, str] = {}
        if not self._carriers:
            return context
        for name, carrier in self._carriers.items():
            value = carrier.capture()
            if value is not None:
                context[name] = _checked(name, value)
        length = sum(len(name) + len(value) for name, value in context.items())
        if length > CARRIED_CHARACTERS_MAX:
            longest = max(context, key=lambda name: len(context[name]))
            message = (
                f"{length:,} characters are to be carried with a run, most of them by "
                f"{longest!r}, and {CARRIED_CHARACTERS_MAX:,} may be; carry an id instead"
            )
            raise InvalidInput(message)
        return context

    def restore(self, context: Mapping[str, str]) -> None:
        """Put what was captured into the present context; what nobody here knows is left out."""
        for name, carrier in self._carriers.items():
            value = context.get(name)
            if value is not None:
                carrier.restore(value)


class _Variable:
    """Carries one context variable."""

    __slots__ = ("_variable",)

    def __init__(self, variable: ContextVar[str] | ContextVar[str | None]) -> None:
        self._variable = variable

    def __repr__(self) -> str:
        return f"carried({self.name})"

    @property
    def name(self) -> str:
        return self._variable.name

    def capture(self) -> str | None:
        return self._variable.get(None)

    def restore(self, carried: str, /) -> None:
        self._variable.set(carried)


def _checked(name: str, value: object) -> str:
    """Return what a carrier has captured, if it can be stored."""
    if not isinstance(value, str):
        message = (
            f"the carrier {name!r} has captured a `{type(value).__qualname__}`; only text can be "
            "carried"
        )
        raise InvalidInput(message)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        message = f"the carrier {name!r} has captured text that cannot be stored: {error}"
        raise InvalidInput(message) from error
    return value
