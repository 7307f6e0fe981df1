"""The outside world of the runtime's tests: it does what a test plans and remembers all of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood import IdempotencyKey

__all__ = ["Gate", "Late", "Lost", "Outside", "Plan"]


class Gate:
    """Holds a body up between its effect and its answer until a test opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.error: Exception | None = None
        """What whoever waits here is told when it opens."""
        self._open = asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self._open.wait()
        if self.error is not None:
            raise self.error

    def open(self) -> None:
        self._open.set()


class Lost:
    """The effect happens, and then the answer is lost."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Late:
    """Waits at a gate before the effect, so that what ends the wait prevents it."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate


Plan = Exception | Lost | Gate | Late | None
"""What one call does; None does as it is asked."""


class Outside:
    """A service that carries out what steps ask for, once for each idempotency key."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Every call, in the order of arrival."""
        self.keys: defaultdict[str, list[str]] = defaultdict(list)
        """The key of each call, by name."""
        self.effects: dict[str, str] = {}
        """What has happened: the name by its key, in order."""
        self.planned: defaultdict[str, list[Plan]] = defaultdict(list)
        self.watch: Callable[[str], object] = str
        """Called with the name of each call before anything else."""

    @property
    def happened(self) -> list[str]:
        """The names of what has happened, in order."""
        return list(self.effects.values())

    async def do(self, name: str, key: IdempotencyKey) -> str:
        self.watch(name)
        self.calls.append(name)
        self.keys[name].append(key)
        planned = self.planned[name].pop(0) if self.planned[name] else None
        match planned:
            case Exception():
                raise planned
            case Late():
                await planned.gate.pass_through()
            case _:
                pass
        self.effects.setdefault(key, name)
        match planned:
            case Lost():
                raise planned.error
            case Gate():
                await planned.pass_through()
            case _:
                pass
        return f"{name} done"
