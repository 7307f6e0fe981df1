"""What a lifecycle looks like as an SVG picture that stands for itself.

A status is a box that names who is called on entry; its arrows lead where that one may lead. Who
is called for a message or at a time stands in a smaller box below, with arrows of its own: so
every arrow has one meaning, and needs no text beside it but numbers.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import dist
from typing import TYPE_CHECKING, Literal

import msgspec

from makegood.picture.canvas import (
    BOLD,
    MARGIN,
    MIDDLE,
    RIGHT,
    WIDTH_MIN,
    Canvas,
    head,
    moved,
    title_of,
)
from makegood.picture.layout import Box, lay_out, leading_back
from makegood.picture.machine.figure import visited
from makegood.picture.paint import ARROW, FAINT, FRAME, INK, STANDINGS, TROUBLE, Paint
from makegood.picture.story import Standing
from makegood.picture.typeset import (
    LINE,
    NAME_SIZE,
    PADDING,
    SMALL,
    TEXT_SIZE,
    cut,
    text_width,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.picture.layout import Layout, Point
    from makegood.picture.machine.figure import Figure, Spot, Way

__all__ = ["svg_of"]

_WIDTH_MAX = 260.0
_LINES_MAX = 3
_TAKEN = "#1d4ed8"
"""The way that a run took."""

_PLAIN = Paint("#ffffff", "#71717a", "#27272a")
_END = Paint("#f4f4f5", "#27272a", "#27272a")
_WAY = Paint("#ecfeff", "#0891b2", "#155e75")

Tone = Literal["name", "plain", "strong", "trouble"]


class _Line(msgspec.Struct, frozen=True):
    text: str
    tone: Tone


class _Card(msgspec.Struct, frozen=True, kw_only=True):
    """A box: a status, or a handler that one has besides what is called on entry."""

    lines: tuple[_Line, ...]
    label: str
    paint: Paint
    stroke: float
    is_way: bool
    is_end: bool
    said: str
    width: float
    height: float


class _Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """From one box to another, by their places."""

    source: int
    target: int
    beside: str = ""
    """The numbers that stand at its end."""
    is_taken: bool = False
    is_led: bool = True
    """Whether a record goes along it; else it leads to who may be called."""


def svg_of(figure: Figure) -> str:
    """Return a lifecycle as an SVG document; the same one gives the same text."""
    return _Sheet(figure).written()


class _Sheet:
    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._canvas = Canvas()
        self._cards: list[_Card] = [_card_of(figure, spot) for spot in figure.spots]
        self._arrows = [*self._connected()]
        places = [(each.source, each.target) for each in self._arrows]
        start = next(place for place, spot in enumerate(figure.spots) if spot.is_start)
        self._back = leading_back(places, len(self._cards), start)
        self._layout: Layout = lay_out(
            [(card.width, card.height) for card in self._cards],
            [ends for ends, is_back in zip(places, self._back, strict=True) if not is_back],
            [ends for ends, is_back in zip(places, self._back, strict=True) if is_back],
        )

    def _connected(self) -> Iterator[_Arrow]:
        """Give all arrows, and put a box behind the others for each that hears or waits."""
        figure = self._figure
        places = {spot.name: place for place, spot in enumerate(figure.spots)}
        for spot in figure.spots:
            for way in spot.ways:
                source = places[spot.name]
                if way is not spot.entry:
                    self._cards.append(_card_of_way(figure, spot, way))
                    last = len(self._cards) - 1
                    taken = any(figure.beside(spot, way, each) for each in way.to)
                    is_taken = taken and figure.run is not None
                    yield _Arrow(source=source, target=last, is_taken=is_taken, is_led=False)
                    source = last
                for destination in way.to:
                    if source == places[destination]:
                        # Its own box says so: there is no room for an arrow between the two.
                        continue
                    beside = figure.beside(spot, way, destination)
                    yield _Arrow(
                        source=source,
                        target=places[destination],
                        beside=beside,
                        is_taken=bool(beside) and figure.run is not None,
                    )

    def written(self) -> str:
        figure, layout = self._figure, self._layout
        width = max(layout.width, WIDTH_MIN)
        top = head(self._canvas, figure.plan, figure.run, width) + 30
        left = (width - layout.width) / 2 + MARGIN
        self._draw(left, top)
        bottom = self._legend(top + layout.height + 30)
        return self._canvas.document(
            title=title_of(figure.plan, figure.run),
            description="\n".join(card.said.replace("\n", "; ") for card in self._cards),
            width=width + 2 * MARGIN,
            height=bottom + MARGIN,
        )

    def _draw(self, left: float, top: float) -> None:
        drawn = [(arrow, moved(points, left, top)) for arrow, points in self._routed()]
        # Those that were taken lie above the others.
        for arrow, points in sorted(drawn, key=lambda each: each[0].is_taken):
            color = _TAKEN if arrow.is_taken else ARROW
            width = 2.4 if arrow.is_taken else 1.4
            self._canvas.arrow(points, color, width=width, dashes="" if arrow.is_led else "2 4")
        boxes = [
            Box(box.left + left, box.top + top, box.width, box.height) for box in self._layout.boxes
        ]
        for card, box in zip(self._cards, boxes, strict=True):
            self._card(card, box)
        for arrow, points in drawn:
            if arrow.beside:
                self._beside(arrow, points, boxes)
        start = next(place for place, spot in enumerate(self._figure.spots) if spot.is_start)
        box = self._layout.boxes[start]
        begin = (left + box.left - 26, top + box.top + box.height / 2)
        self._canvas.disc(*begin, 6, INK)
        self._canvas.arrow((begin, (left + box.left, begin[1])), INK, width=1.4)

    def _routed(self) -> Iterator[tuple[_Arrow, Sequence[Point]]]:
        onward, back = iter(self._layout.arrows), iter(self._layout.back)
        for arrow, is_back in zip(self._arrows, self._back, strict=True):
            yield arrow, next(back if is_back else onward)

    def _card(self, card: _Card, box: Box) -> None:
        self._canvas.begin(said=card.said)
        self._canvas.rect(box, card.paint, stroke=card.stroke)
        if card.is_end:
            inner = Box(box.left + 3, box.top + 3, box.width - 6, box.height - 6)
            self._canvas.rect(inner, card.paint, stroke=1)
        left, right = box.left + PADDING, box.left + box.width - PADDING
        top = box.top + PADDING + 11
        if card.label:
            self._canvas.text(right, top, card.label, SMALL, card.paint.ink, extra=RIGHT)
        size = TEXT_SIZE if card.is_way else NAME_SIZE
        for line in card.lines:
            match line.tone:
                case "name":
                    self._canvas.text(left, top, line.text, size, INK, extra=BOLD)
                case "strong":
                    self._canvas.text(left, top, line.text, TEXT_SIZE, card.paint.ink, extra=BOLD)
                case "plain":
                    self._canvas.text(left, top, line.text, TEXT_SIZE, FAINT)
                case "trouble":
                    self._canvas.text(left, top, line.text, TEXT_SIZE, TROUBLE, extra=BOLD)
            top += LINE
        self._canvas.end()

    def _beside(self, arrow: _Arrow, points: Sequence[Point], taken: list[Box]) -> None:
        """Write numbers upon an arrow, on paper that parts them from the line."""
        width = text_width(arrow.beside, SMALL) + 8
        places = [Box(x - width / 2, y - 8, width, 16) for x, y in _along(points)]
        # Where there is no room at all they lie upon something: every number is written.
        free = next((box for box in places if not _overlaps(box, taken)), places[0])
        taken.append(free)
        color = _TAKEN if arrow.is_taken else FAINT
        self._canvas.rect(free, FRAME, stroke=0.8)
        self._canvas.text(
            free.left + width / 2, free.top + 11.5, arrow.beside, SMALL, color, extra=MIDDLE
        )

    def _legend(self, top: float) -> float:
        """Draw what the arrows mean, and return where that ends."""
        items = [("leads there", ARROW, "", 1.4)]
        if len(self._cards) > len(self._figure.spots):
            items.append(("may be called there", ARROW, "2 4", 1.4))
        if self._figure.run is not None:
            items.append(("taken by this run, as its move of that number", _TAKEN, "", 2.4))
        left = MARGIN
        for said, color, dashes, width in items:
            tail = ((left, top - 4), (left + 34, top - 4))
            self._canvas.arrow(tail, color, width=width, dashes=dashes)
            self._canvas.text(left + 42, top, said, SMALL, FAINT)
            left += 42 + text_width(said, SMALL) + 24
        if self._figure.period is not None:
            self._canvas.text(left, top, "numbers at arrows: moves of late", SMALL, FAINT)
        return top


# The boxes ----------------------------------------------------------------------------------------


def _card_of(figure: Figure, spot: Spot) -> _Card:
    lines = [_Line(spot.name, "name")]
    if figure.run is not None:
        lines += [_Line(said, "strong") for said in visited(spot)]
    for number, said in enumerate(spot.counted):
        tone: Tone = "trouble" if spot.has_trouble else "strong"
        lines.append(_Line(said, tone if number == 0 and spot.has_runs else "plain"))
    if spot.is_pivot:
        lines.append(_Line("from here on no way back", "plain"))
    entry = spot.entry
    if entry is not None:
        lines.append(_Line(f"{entry.mark} {entry.when}: {entry.handler}", "strong"))
        if spot.name in entry.to:
            lines.append(_Line("may lead here again", "plain"))
        lines += [_Line(note, "plain") for note in entry.notes]
    return _card(
        lines,
        label="the end" if spot.is_terminal else "",
        paint=_paint_of(figure, spot),
        stroke=3 if spot.is_pivot or spot.is_last else 1.4,
        is_end=spot.is_terminal,
    )


def _card_of_way(figure: Figure, spot: Spot, way: Way) -> _Card:
    is_taken = figure.run is not None and any(figure.beside(spot, way, each) for each in way.to)
    paint = _WAY if figure.run is None or is_taken else STANDINGS[Standing.IDLE]
    return _card(
        [
            _Line(f"{way.mark} {way.handler}", "name"),
            _Line(way.when, "strong"),
            *(_Line(note, "plain") for note in way.notes),
        ],
        paint=paint,
        is_way=True,
    )


def _paint_of(figure: Figure, spot: Spot) -> Paint:
    if figure.run is not None:
        if not spot.stops:
            return STANDINGS[Standing.IDLE]
        is_here = spot.is_last and figure.run.ended is None
        return STANDINGS[Standing.AT_WORK if is_here else Standing.DONE]
    if spot.has_trouble:
        return STANDINGS[Standing.LEFT]
    if spot.has_runs:
        return STANDINGS[Standing.AT_WORK]
    return _END if spot.is_terminal else _PLAIN


def _card(
    said: Sequence[_Line],
    *,
    paint: Paint,
    label: str = "",
    stroke: float = 1.4,
    is_way: bool = False,
    is_end: bool = False,
) -> _Card:
    shown = [_Line(visible(line.text), line.tone) for line in said]
    size = TEXT_SIZE if is_way else NAME_SIZE
    beside = text_width(label, SMALL) + PADDING if label else 0.0
    lines: list[_Line] = []
    for line in shown:
        is_name = line.tone == "name"
        measure = partial(text_width, size=size if is_name else TEXT_SIZE, bold=True)
        room = _WIDTH_MAX - 2 * PADDING - (beside if is_name else 0.0)
        parts = cut(line.text, room, measure, lines_max=_LINES_MAX)
        lines += [_Line(part, line.tone) for part in parts]
    widths = (
        text_width(line.text, size if line.tone == "name" else TEXT_SIZE, bold=True)
        + (beside if line.tone == "name" else 0.0)
        for line in lines
    )
    return _Card(
        lines=tuple(lines),
        label=label,
        paint=paint,
        stroke=stroke,
        is_way=is_way,
        is_end=is_end,
        said="\n".join(line.text for line in shown),
        width=max(widths) + 2 * PADDING,
        height=LINE * len(lines) + 2 * PADDING - 2,
    )


# Where numbers stand ------------------------------------------------------------------------------


def _along(points: Sequence[Point]) -> list[Point]:
    """Return places upon a line, the best ones first: in the middle of its longest parts."""
    parts = sorted(pairwise(points), key=lambda part: dist(*part), reverse=True)
    return [
        (x + (end_x - x) * share, y + (end_y - y) * share)
        for (x, y), (end_x, end_y) in parts
        for share in (0.5, 0.35, 0.65, 0.2, 0.8)
    ]


def _overlaps(box: Box, others: Sequence[Box]) -> bool:
    return any(
        box.left < other.left + other.width
        and other.left < box.left + box.width
        and box.top < other.top + other.height
        and other.top < box.top + box.height
        for other in others
    )
