"""Where a process can die, and a story that says exactly where it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from makegood.testing.simulation import Call, Fate, Fortune

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FATES_OF", "Mishap", "Script", "points"]

FATES_OF: dict[str, tuple[Fate, ...]] = {
    "append": (Fate.KILL_BEFORE, Fate.KILL_AFTER),
    "request": (Fate.KILL_BEFORE, Fate.KILL_AFTER),
    "lease": (Fate.KILL_BEFORE, Fate.KILL_AFTER),
    "keep_plan": (Fate.KILL_BEFORE, Fate.KILL_AFTER),
    "deliver": (Fate.KILL_BEFORE, Fate.KILL_AFTER),
    "send": (Fate.KILL_BEFORE, Fate.KILL_AFTER),
    # A read leaves nothing behind: dying before it and after it is the same.
    "read": (Fate.KILL_AFTER,),
    "list": (Fate.KILL_AFTER,),
}
"""In which ways the process can die at each kind of call."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What befalls the call with this number, counted from 0 over the whole story."""

    number: int
    fate: Fate
    micros: int = 0
    """How long a pause lasts, in microseconds."""

    def __str__(self) -> str:
        return f"{self.number} {self.fate.value}{f' {self.micros}' if self.micros else ''}"

    @classmethod
    def read(cls, text: str) -> Mishap:
        """Return the mishap that is spelled like this."""
        number, _, rest = text.strip().partition(" ")
        fate, _, micros = rest.rpartition(" ")
        if not micros.isdigit():
            fate, micros = rest, "0"
        return cls(int(number), Fate(fate), int(micros))


class Script:
    """Fates that are written down: each mishap at its call, and every other call is smooth.

    Only one host's calls are numbered, and only until the story is over: what is done after that
    must not change anything any more.
    """

    def __init__(self, host: str, mishaps: Sequence[Mishap]) -> None:
        self.calls: list[Call] = []
        """The calls that were numbered, in order."""
        self.is_over = False
        self._host = host
        self._fates = {mishap.number: mishap.fate for mishap in mishaps}

    def decide(self, call: Call) -> Fortune:
        """Return what becomes of a call."""
        # Ways of different lengths, so that parallel branches do not move in step.
        there, back = 300 + 70 * len(call.subject), 400
        if self.is_over or call.host != self._host:
            return Fortune(there=there, back=back)
        fate = self._fates.get(len(self.calls), Fate.SMOOTH)
        self.calls.append(call)
        return Fortune(fate, there, back)


def points(calls: Sequence[Call], *, after: int = -1) -> Iterator[Mishap]:
    """Yield every way of dying at each call behind the one with the number `after`."""
    for number in range(after + 1, len(calls)):
        for fate in FATES_OF[calls[number].operation]:
            yield Mishap(number, fate)
