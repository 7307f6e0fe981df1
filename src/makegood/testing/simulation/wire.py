"""The way between a process and everything outside it, on which all faults happen.

A call is carried there, done outside, and its answer carried back into the caller's lane. What
is on its way survives the death of whoever sent it, as a packet does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from makegood.testing.simulation.fates import Fate

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from makegood.testing.simulation.fates import Call, Fates
    from makegood.testing.simulation.host import Host
    from makegood.testing.simulation.simulation import Simulation

__all__ = ["Troubles", "Wire", "giving"]

T = TypeVar("T")

LATE_MICROSECONDS = 120_000_000
"""How much later than late an answer is: longer than any timeout of a step."""
AGAIN_MICROSECONDS = 50_000
"""When a client that got no answer sends the same once more."""


class Troubles:
    """Which errors the caller of a wire gets to see, and what else happens then."""

    __slots__ = ("broken", "full", "refused", "unknown")

    def __init__(
        self,
        *,
        refused: Callable[[], Exception],
        full: Callable[[], Exception],
        unknown: Callable[[], Exception],
        broken: Callable[[], None] = lambda: None,
    ) -> None:
        self.refused = refused
        self.full = full
        self.unknown = unknown
        self.broken = broken
        """Called before `unknown` is given."""


def giving(answer: asyncio.Future[T]) -> Callable[[T | BaseException], None]:
    """Return what gives an outcome to a future, unless nobody waits for it any more."""

    def give(outcome: T | BaseException) -> None:
        if answer.done():
            return
        if isinstance(outcome, BaseException):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    return give


class Wire(Generic[T]):
    """Carries one call, as its fate will have it."""

    __slots__ = ("_call", "_fate", "_fates", "_give", "_host", "_simulation", "_troubles", "_work")

    def __init__(
        self, simulation: Simulation, host: Host, fates: Fates, troubles: Troubles
    ) -> None:
        self._simulation = simulation
        self._host = host
        self._fates = fates
        self._troubles = troubles
        self._fate = Fate.SMOOTH

    def carry(
        self, call: Call, work: Callable[[], T], give: Callable[[T | BaseException], None]
    ) -> None:
        """Have the work done outside, and the outcome given in the caller's lane."""
        self._call, self._work, self._give = call, work, give
        host = self._host
        if host.lane.is_dead:
            return
        fortune = self._fates.decide(call)
        self._fate = fate = fortune.fate
        self._simulation.note(call, fate)
        there, back = fortune.there, fortune.back
        match fate:
            case Fate.KILL_BEFORE | Fate.KILL_INSIDE_LOST:
                host.kill()
            case Fate.KILL_INSIDE_DONE:
                host.kill()
                self._outside(there, self._do)
            case Fate.SILENT:
                return
            case Fate.REFUSED:
                self._inside(there + back, give, self._troubles.refused())
            case Fate.FULL:
                self._inside(there + back, give, self._troubles.full())
            case Fate.UNKNOWN_LOST:
                self._inside(there + back, self._fail)
            case Fate.AGAIN_LOST:
                self._outside(there + AGAIN_MICROSECONDS, self._arrive, back)
            case Fate.AGAIN_DONE:
                self._outside(there, self._do)
                self._outside(there + AGAIN_MICROSECONDS, self._arrive, back)
            case Fate.LATE:
                self._outside(there, self._arrive, back + LATE_MICROSECONDS)
            case _:
                self._outside(there, self._arrive, back)

    def _arrive(self, back: int) -> None:
        outcome = self._do()
        match self._fate:
            case Fate.KILL_AFTER:
                self._host.kill()
                return
            case Fate.UNKNOWN_DONE:
                self._inside(back, self._fail)
                return
            case Fate.DOUBLED:
                self._outside(back, self._do)
            case Fate.PAUSE:
                self._host.pause()
            case _:
                pass
        self._inside(back, self._give, outcome)

    def _do(self) -> T | BaseException:
        try:
            outcome: T | BaseException = self._work()
        except Exception as error:  # noqa: BLE001 - it is carried back to whoever asked
            outcome = error
        self._simulation.done(self._call, self._fate, outcome)
        return outcome

    def _fail(self) -> None:
        self._troubles.broken()
        self._give(self._troubles.unknown())

    def _outside(self, micros: int, callback: Callable[..., object], *arguments: object) -> None:
        loop = self._simulation.loop
        loop.after(micros, callback, *arguments, lane=loop.outside)

    def _inside(self, micros: int, callback: Callable[..., object], *arguments: object) -> None:
        self._simulation.loop.after(micros, callback, *arguments, lane=self._host.lane)
