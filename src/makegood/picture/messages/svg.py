"""What receptors look like as an SVG picture that stands for itself.

A group is a box with its receptors in it, and what one group says to another is a smaller box
between the two: so no text stands upon a line.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from makegood.picture.canvas import BOLD, MARGIN, WIDTH_MIN, Canvas, moved
from makegood.picture.layout import Box, lay_out, leading_back
from makegood.picture.paint import ARROW, FAINT, INK, Paint
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
    from collections.abc import Sequence

    from makegood.picture.layout import Layout
    from makegood.picture.messages.figure import Exchange, MessageFlow, Party, Said

__all__ = ["svg_of"]

_TITLE_SIZE = 18.0
_WIDTH_MAX = 300.0
_LINES_MAX = 2

_PARTY = Paint("#eef2ff", "#4f46e5", "#4338ca")
_SAID = Paint("#ffffff", "#a1a1aa", "#27272a")
_OUTSIDE = Paint("#f4f4f5", "#71717a", "#27272a")


class _Card(msgspec.Struct, frozen=True, kw_only=True):
    """A box and its lines: text, its size, its colour, and whether it is bold."""

    lines: tuple[tuple[str, float, str, bool], ...]
    paint: Paint
    stroke: float
    width: float
    height: float


def svg_of(flow: MessageFlow) -> str:
    """Return receptors as an SVG document; the same ones give the same text."""
    cards, arrows = _cards(flow)
    back = leading_back(arrows, len(cards), 0)
    layout = lay_out(
        [(card.width, card.height) for card in cards],
        [ends for ends, is_back in zip(arrows, back, strict=True) if not is_back],
        [ends for ends, is_back in zip(arrows, back, strict=True) if is_back],
    )
    return _drawn(flow, cards, layout)


def _cards(flow: MessageFlow) -> tuple[list[_Card], list[tuple[int, int]]]:
    """Return all boxes, and which leads to which, by their places."""
    cards: list[_Card] = []
    places: dict[str, int] = {}
    outside = [each for each in flow.exchanges if each.sender is None]
    cards += [_exchange(each, label="from outside", paint=_OUTSIDE) for each in outside]
    for party in flow.parties:
        places[party.name] = len(cards)
        cards.append(_party(party))
    arrows = [
        (number, places[each.receiver])
        for number, each in enumerate(outside)
        if each.receiver is not None
    ]
    for each in flow.exchanges:
        if each.sender is None:
            continue
        cards.append(
            _exchange(each)
            if each.receiver is not None
            else _exchange(each, label="to whoever wants it", paint=_OUTSIDE)
        )
        arrows.append((places[each.sender], len(cards) - 1))
        if each.receiver is not None:
            arrows.append((len(cards) - 1, places[each.receiver]))
    return cards, arrows


def _party(party: Party) -> _Card:
    lines = [(party.name, NAME_SIZE, INK, True)]
    lines += [(f"by {name}", TEXT_SIZE, FAINT, False) for name in party.receptors]
    if party.to_itself:
        lines.append(("to itself:", TEXT_SIZE, _PARTY.ink, True))
        lines += [(_line(each), TEXT_SIZE, _PARTY.ink, False) for each in party.to_itself]
    return _card(lines, paint=_PARTY, stroke=1.8)


def _exchange(exchange: Exchange, *, label: str = "", paint: Paint = _SAID) -> _Card:
    lines = [(_line(each), TEXT_SIZE, paint.ink, False) for each in exchange.messages]
    if label:
        lines = [(label, SMALL, FAINT, True), *lines]
    return _card(lines, paint=paint, stroke=1.0)


def _line(said: Said) -> str:
    return f"{said.mark} {said.name}"


def _card(lines: Sequence[tuple[str, float, str, bool]], *, paint: Paint, stroke: float) -> _Card:
    broken: list[tuple[str, float, str, bool]] = []
    for said, size, color, is_bold in lines:
        measure = partial(text_width, size=size, bold=is_bold)
        room = _WIDTH_MAX - 2 * PADDING
        parts = cut(visible(said), room, measure, lines_max=_LINES_MAX)
        broken += [(part, size, color, is_bold) for part in parts]
    widths = (text_width(said, size, bold=is_bold) for said, size, _, is_bold in broken)
    return _Card(
        lines=tuple(broken),
        paint=paint,
        stroke=stroke,
        width=max(widths) + 2 * PADDING,
        height=LINE * len(broken) + 2 * PADDING - 2,
    )


def _drawn(flow: MessageFlow, cards: Sequence[_Card], layout: Layout) -> str:
    canvas = Canvas()
    width = max(layout.width, WIDTH_MIN)
    canvas.text(MARGIN, MARGIN + 18, visible(flow.title), _TITLE_SIZE, INK, extra=BOLD)
    left, top = MARGIN + (width - layout.width) / 2, MARGIN + 44
    for points in (*layout.arrows, *layout.back):
        canvas.arrow(moved(points, left, top), ARROW, width=1.4)
    for card, box in zip(cards, layout.boxes, strict=True):
        _draw(canvas, card, Box(box.left + left, box.top + top, box.width, box.height))
    bottom = top + layout.height + 34
    said = "▸ a command, which one receives\N{EM SPACE}\N{EM SPACE}• an event, for whoever wants it"
    canvas.text(MARGIN, bottom, said, SMALL, FAINT)
    return canvas.document(
        title=flow.title,
        description=_described(flow),
        width=width + 2 * MARGIN,
        height=bottom + MARGIN,
    )


def _draw(canvas: Canvas, card: _Card, box: Box) -> None:
    canvas.begin(said="\n".join(said for said, _, _, _ in card.lines))
    canvas.rect(box, card.paint, stroke=card.stroke)
    top = box.top + PADDING + 11
    for said, size, color, is_bold in card.lines:
        canvas.text(box.left + PADDING, top, said, size, color, extra=BOLD if is_bold else "")
        top += LINE
    canvas.end()


def _described(flow: MessageFlow) -> str:
    """Say in words what the picture shows."""
    return "\n".join(
        f"{each.sender or 'Somebody'} to {each.receiver or 'whoever wants it'}: "
        f"{', '.join(said.name for said in each.messages)}"
        for each in flow.exchanges
    )
