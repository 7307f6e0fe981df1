"""Where a moment stands along an axis on which the waits are cut.

A run works for some milliseconds and waits for some days. To scale there would be nothing to see,
so a gap in which nothing is at work, and that is long beside all the work, takes a fixed room
instead, in which its length is written. Everything else keeps one scale, by which it can be
compared.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Axis", "Stretch", "axis_of"]

CUT_SHARE = 0.25
"""A gap is cut that is longer than this share of all the time in which something was at work."""

BREAK_WIDTH = 56.0
"""How much room a cut gap has, where there is room."""
SHORTEST = 1e-6
"""The least time that is drawn, in seconds: an instant is a whole number of microseconds."""

BREAKS_SHARE_MAX = 0.5
"""How much of the axis all cut gaps may have together."""
STRETCH_PAD = 7.0
"""How much room there is on either side of a piece of work."""


class Stretch(msgspec.Struct, frozen=True):
    """A piece of the axis: to scale, or a gap that is cut."""

    began: float
    """In seconds from the beginning of the run."""
    ended: float
    left: float
    width: float
    is_cut: bool
    pad: float = 0.0
    """How much of the width is empty on either side, so that the shortest work can be seen."""

    @property
    def lasts(self) -> float:
        """How long it lasts, in seconds."""
        return self.ended - self.began


class Axis(msgspec.Struct, frozen=True):
    """The whole time of a run, stretch by stretch."""

    stretches: tuple[Stretch, ...]
    scale: float
    """How wide a second is, where nothing is cut; 0 where nothing took any time."""

    def place(self, moment: float) -> float:
        """Return how far from the left a moment stands."""
        whole = self.stretches
        inside = (each for each in whole if not each.is_cut and moment <= each.ended)
        stretch = next(inside, whole[-1])
        if moment < stretch.began:
            # It lies in a gap that is cut, of which only the ends have a place.
            return stretch.left
        within = min(moment, stretch.ended) - stretch.began
        return stretch.left + stretch.pad + within * self.scale


def axis_of(work: Iterable[tuple[float, float]], *, left: float, width: float) -> Axis:
    """Return an axis for what was at work, each from a moment to another, in seconds.

    A moment in which something happened that took no time is one from itself to itself.
    """
    together = _joined(sorted(work))
    busy = sum(ended - began for began, ended in together)
    gaps = [after[0] - before[1] for before, after in pairwise(together)]
    pieces: list[tuple[float, float]] = [together[0]]
    for piece, gap in zip(together[1:], gaps, strict=True):
        if gap > busy * CUT_SHARE:
            pieces.append(piece)
        else:
            pieces[-1] = (pieces[-1][0], piece[1])
    return _placed(pieces, left, width)


def _joined(work: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return times at work without overlaps, in order."""
    joined: list[tuple[float, float]] = []
    for began, ended in work:
        if joined and began <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        else:
            joined.append((began, max(began, ended)))
    return joined


def _placed(pieces: Sequence[tuple[float, float]], left: float, width: float) -> Axis:
    """Give each piece its room: the same scale for all, and what is cut between two of them."""
    breaks = len(pieces) - 1
    cut = min(BREAK_WIDTH, width * BREAKS_SHARE_MAX / breaks) if breaks else 0.0
    pad = min(STRETCH_PAD, (width - cut * breaks) / len(pieces) / 4)
    lasts = sum(ended - began for began, ended in pieces)
    scale = (width - cut * breaks - 2 * pad * len(pieces)) / lasts if lasts >= SHORTEST else 0.0
    stretches: list[Stretch] = []
    at = left
    for position, (began, ended) in enumerate(pieces):
        if position:
            stretches.append(Stretch(pieces[position - 1][1], began, at, cut, is_cut=True))
            at += cut
        wide = 2 * pad + (ended - began) * scale
        stretches.append(Stretch(began, ended, at, wide, is_cut=False, pad=pad))
        at += wide
    return Axis(tuple(stretches), scale)
