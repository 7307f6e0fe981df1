"""Every single point of a case, every pair of points, and every way in which a zombie can wake.

Most of what there is to play are second mishaps. Of these one in so many can be played: others
behind each first mishap, so that all of the first ones together leave out no place of a story.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from makegood.testing.simulation import Fate
from tests.simulation.ablation import NOTHING
from tests.simulation.crashing.points import Mishap, points
from tests.simulation.crashing.world import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.testing.simulation import Call
    from tests.simulation.ablation import Ablation
    from tests.simulation.crashing.cases import Case
    from tests.simulation.crashing.world import End, Played

__all__ = ["Kind", "Tally", "crash_everywhere", "kind_of", "stand_still_everywhere"]

PAUSE_MICROSECONDS = 30_000_000
"""A pause that outlasts the lease and whatever the standby does with the run."""

Kind = tuple[str, Fate]
"""Which operation was called, and what became of it."""


@dataclass(slots=True)
class Tally:
    """What was played of one case, and what was found."""

    case: str
    singles: Counter[Kind] = field(default_factory=Counter)
    """The stories with one mishap, by its kind."""
    pairs: int = 0
    """The stories with a second one: another death, or a zombie that wakes in the midst."""
    seconds: set[Kind] = field(default_factory=set)
    """The kinds of the second deaths."""
    violations: list[str] = field(default_factory=list)

    def add(self, mishaps: Sequence[Mishap], played: Played, end: End) -> None:
        """Take what was found in a story; every story must end as the one without mishap."""
        found = list(played.violations)
        if played.end != end:
            found.append(f"it ended as {played.end}, and without a mishap as {end}")
        told = ", ".join(map(str, mishaps))
        self.violations += [f"{self.case}: {told}: {violation}" for violation in found]


def kind_of(mishap: Mishap, calls: Sequence[Call]) -> Kind:
    """Return the kind of a mishap in a story with these calls."""
    return calls[mishap.number].operation, mishap.fate


def crash_everywhere(case: Case, *, one_in: int = 1) -> Tally:
    """Kill the process at every point; then, for each, at every point of the recovery too.

    Of these second deaths, `one_in` so many is played.
    """
    tally = Tally(str(case))
    smooth = play(case)
    tally.add((), smooth, smooth.end)
    for place, first in enumerate(points(smooth.calls)):
        once = play(case, (first,))
        tally.singles[kind_of(first, smooth.calls)] += 1
        tally.add((first,), once, smooth.end)
        for other, second in enumerate(points(once.calls)):
            if second.number <= first.number or (place + other) % one_in:
                continue
            twice = play(case, (first, second))
            tally.pairs += 1
            tally.seconds.add(kind_of(second, once.calls))
            tally.add((first, second), twice, smooth.end)
    return tally


def stand_still_everywhere(case: Case, *, one_in: int = 1, ablation: Ablation = NOTHING) -> Tally:
    """Let the process stand still behind every call, until another has taken its run over.

    Then play each story again with a shorter pause, so that it goes on in the midst of what the
    other does: once behind every call of the other, or behind `one_in` so many of them.
    """
    tally = Tally(str(case))
    smooth = play(case, standby=True, ablation=ablation)
    tally.add((), smooth, smooth.end)
    for number in range(len(smooth.calls)):
        pause = Mishap(number, Fate.PAUSE, PAUSE_MICROSECONDS)
        long = play(case, (pause,), standby=True, ablation=ablation)
        tally.singles[kind_of(pause, smooth.calls)] += 1
        tally.add((pause,), long, smooth.end)
        for other, micros in enumerate(long.wakes):
            if (number + other) % one_in:
                continue
            # Just behind the other's call, and before the other has its answer.
            short = Mishap(number, Fate.PAUSE, micros + 1)
            tally.pairs += 1
            tally.add((short,), play(case, (short,), standby=True, ablation=ablation), smooth.end)
    return tally
