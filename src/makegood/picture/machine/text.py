"""What a lifecycle looks like in a terminal: a paragraph for each status, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.picture.machine.figure import visited
from makegood.picture.marks import Style
from makegood.picture.typeset import cells, padded, visible, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.picture.machine.figure import Figure, Spot, Way
    from makegood.picture.marks import Ink

__all__ = ["lines_of"]

_INDENT = "    "
_SAID_MIN = 30
"""How much room what is said of a handler has at least, in columns, before it gets a line."""


def lines_of(figure: Figure, ink: Ink, width: int) -> Iterator[str]:
    """Give the statuses of a lifecycle, what is called in each, and where it leads."""
    ways = [way for spot in figure.spots for way in spot.ways]
    when = max((cells(visible(way.when)) for way in ways), default=0)
    name = max((cells(visible(way.handler)) for way in ways), default=0)
    page = _Page(figure, ink, width, (when, name))
    for number, spot in enumerate(figure.spots):
        if number:
            yield ""
        yield from page.spot(spot)


class _Page:
    def __init__(self, figure: Figure, ink: Ink, width: int, columns: tuple[int, int]) -> None:
        self._figure = figure
        self._ink = ink
        self._width = width
        self._columns = columns

    def spot(self, spot: Spot) -> Iterator[str]:
        """Give a status: its name, what it is, and what is called in it."""
        mark, style = self._mark(spot)
        beside = ", ".join((*_particular(spot), *spot.counted, *visited(spot)))
        name, *more = wrapped(visible(spot.name), self._width - 2)
        room = self._width - cells(name) - 4
        begin = f"{self._ink(mark, style)} {self._ink(name, Style.STRONG)}"
        if more or cells(beside) > room:
            yield begin
            yield from (f"  {self._ink(line, Style.STRONG)}" for line in more)
            yield from (f"  {line}" for line in wrapped(beside, self._width - 2))
        else:
            yield f"{begin}  {self._ink(beside, self._said(spot))}"
        for way in spot.ways:
            yield from self._way(spot, way)

    def _way(self, spot: Spot, way: Way) -> Iterator[str]:
        when, name = self._columns
        said = [*way.notes]
        if way.to:
            said.insert(0, f"→ {', '.join(self._led(spot, way))}")
        first = f"{_INDENT}{way.mark} {padded(visible(way.when), when)}  "
        first += f"{padded(visible(way.handler), name)}  "
        indent = " " * cells(first)
        if self._width - len(indent) < _SAID_MIN:
            head = f"{way.mark} {visible(way.when)}  {visible(way.handler)}"
            yield from (_INDENT + line for line in wrapped(head, self._width - len(_INDENT)))
            indent = _INDENT * 2
            yield from _flowing(said, self._width, indent)
            return
        begun, *others = [*_flowing(said, self._width, indent)] or [indent]
        yield first + begun[len(indent) :]
        yield from others

    def _led(self, spot: Spot, way: Way) -> Iterator[str]:
        """Say where a handler leads, and how often it did."""
        for destination in way.to:
            known = self._figure.beside(spot, way, destination)
            if not known:
                yield visible(destination)
            elif self._figure.run is not None:
                yield f"{visible(destination)} (move {known})"
            else:
                yield f"{visible(destination)} ({known})"

    def _mark(self, spot: Spot) -> tuple[str, Style]:
        if self._figure.run is not None:
            if not spot.stops:
                return "·", Style.FAINT
            is_here = spot.is_last and self._figure.run.ended is None
            return ("▸", Style.WORK) if is_here else ("✓", Style.GOOD)
        if spot.has_trouble:
            return "!", Style.BAD
        return ("■", Style.PLAIN) if spot.is_terminal else ("●", Style.WORK)

    def _said(self, spot: Spot) -> Style:
        return Style.PLAIN if spot.has_runs or spot.stops else Style.FAINT


def _particular(spot: Spot) -> Iterator[str]:
    if spot.is_start:
        yield "the start"
    if spot.is_pivot:
        yield "from here on no way back"
    if spot.is_terminal:
        yield "the end"


def _flowing(said: Sequence[str], width: int, indent: str) -> Iterator[str]:
    """Give what is said, beside each other while it fits, under an indent."""
    line = ""
    room = width - len(indent)
    for each in (visible(one) for one in said):
        together = f"{line} · {each}" if line else each
        if cells(together) <= room:
            line = together
            continue
        if line:
            yield indent + line
        *full, line = wrapped(each, room)
        yield from (indent + one for one in full)
    if line:
        yield indent + line
