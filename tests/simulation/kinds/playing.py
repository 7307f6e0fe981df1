"""Many worlds of one kind: what was seen in each, and what must have been met in all of them."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Kind", "Played", "Survey", "first_red", "play_all", "survey", "tell"]


class Played(msgspec.Struct, frozen=True):
    """What was seen in one world."""

    wrong: tuple[str, ...]
    """The rules that were broken."""
    reached: Counter[str]
    """How often each situation came about."""
    trace: str
    """A digest of everything that happened: equal traces, equal worlds."""
    story: tuple[str, ...] = ()
    """What happened, line by line; empty unless it was asked for."""


class Kind(NamedTuple):
    """A kind of world."""

    name: str
    play: Callable[..., Played]
    """Plays the world of a seed, without the safeguard that an ablation takes away."""
    required: Sequence[str]
    """What must have been met in a campaign, however short."""
    seldom: Sequence[str] = ()
    """What must have been met in a long one, too."""


class Survey(NamedTuple):
    """What was seen in many worlds."""

    wrong: list[tuple[int, str]]
    missing: list[str]
    reached: Counter[str]


def survey(kind: Kind, seeds: Iterable[int]) -> Survey:
    """Play these worlds, one after the other."""
    reached: Counter[str] = Counter()
    wrong: list[tuple[int, str]] = []
    for seed in seeds:
        played = kind.play(seed)
        reached += played.reached
        wrong += [(seed, each) for each in played.wrong]
    missing = [situation for situation in kind.required if not reached[situation]]
    return Survey(wrong, missing, reached)


def first_red(
    kind: Kind, take_away: Callable[[], object], what: str, *, seeds_max: int
) -> int | None:
    """Return the first world in which the lack of a safeguard shows by these words, or None."""
    for seed in range(seeds_max):
        if any(what in wrong for wrong in kind.play(seed, take_away()).wrong):
            return seed
    return None


def play_all(kind: Kind, seeds: range) -> int:
    """Play these worlds and say what was wrong; return how many broke a rule or met nothing."""
    seen = survey(kind, seeds)
    missing = [*seen.missing, *(each for each in kind.seldom if not seen.reached[each])]
    for seed, wrong in seen.wrong:
        _print(f"{kind.name} {seed}: {wrong}")
    for situation in missing:
        _print(f"{kind.name}: never met: {situation}")
    failed = len({seed for seed, _ in seen.wrong})
    _print(
        f"{len(seeds):,} worlds of {kind.name}, {failed:,} broke a rule; "
        f"{len(seen.reached)} kinds of event"
    )
    return failed + len(missing)


def tell(kind: Kind, seed: int) -> int:
    """Tell what happens in one world; return how many rules were broken."""
    played = kind.play(seed, tells=True)
    for line in (*played.story, "", *played.wrong):
        _print(line)
    _print(f"{len(played.wrong)} rules were broken; the trace is {played.trace}")
    return len(played.wrong)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
