"""What a plan or a run looks like as an SVG picture that stands for itself.

It has its own background, so that it can be read in a light page and in a dark one. It has no
script, no style sheet, no font and no reference, also none to a part of itself, so that many can
stand in one page. What colour says is also said by a mark and a word.
"""

from __future__ import annotations

from functools import partial
from html import escape
from itertools import pairwise
from math import hypot
from typing import TYPE_CHECKING, assert_never

from makegood.picture import words
from makegood.picture.card import (
    BADGE,
    LINE,
    NAME_SIZE,
    PADDING,
    TEXT_SIZE,
    Card,
    card_of_plan,
    card_of_run,
)
from makegood.picture.graph import arrows, plan_of, signature
from makegood.picture.layout import Box, lay_out
from makegood.picture.paint import (
    ARROW,
    BACK,
    FAINT,
    INK,
    KINDS,
    MARKS,
    PAPER,
    STANDINGS,
    TROUBLE,
    Paint,
    paint_of_status,
)
from makegood.picture.story import Standing, Timeline
from makegood.picture.typeset import FONTS, cut, text_width, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.definition.plan import Plan
    from makegood.picture.graph import Arrow, Drawn
    from makegood.picture.layout import Layout, Point

__all__ = ["svg"]

_MARGIN = 28.0
_WIDTH_MIN = 660.0
_HEAD_SIZE = 18.0
_HEAD_LINES_MAX = 3
_CORNER = 8.0
_TIP = 8.0
"""How long an arrow's head is."""


def svg(drawn: Drawn) -> str:
    """Return a plan, or a run as it was carried out, as an SVG document.

    The same plan or run gives the same text. Raises `ModuleNotFoundError` where graphlay is not
    installed, which comes with `makegood[standard]`.
    """
    plan = plan_of(drawn)
    run = drawn if isinstance(drawn, Timeline) else None
    cards = [
        card_of_plan(plan, index) if run is None else card_of_run(run, index)
        for index in range(len(plan.nodes))
    ]
    lines = arrows(plan)
    undone = [] if run is None else [plan.positions[path] for path in run.undone]
    layout = lay_out(
        [(card.width, card.height) for card in cards],
        [(arrow.source, arrow.target) for arrow in lines],
        list(pairwise(undone)),
    )
    return _Sheet(layout).written(plan, run, cards, lines)


class _Sheet:
    """The parts of one picture, from the back to the front."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._width = max(layout.width, _WIDTH_MIN)
        self._parts: list[str] = []

    def written(
        self, plan: Plan, run: Timeline | None, cards: Sequence[Card], lines: Sequence[Arrow]
    ) -> str:
        top = self._head(plan, run) + 16
        left = (self._width - self._layout.width) / 2
        self._parts.append(f'<g transform="translate({_n(left + _MARGIN)} {_n(top)})">')
        for arrow, points in zip(lines, self._layout.arrows, strict=True):
            self._arrow(points, ARROW, _DASHES[arrow.carries], 1.6)
        for points in self._layout.back:
            self._arrow(points, BACK, "7 4", 2)
        for card, box in zip(cards, self._layout.boxes, strict=True):
            self._card(card, box)
        self._parts.append("</g>")
        bottom = self._legend(top + self._layout.height + 30, lines)
        width, height = self._width + 2 * _MARGIN, bottom + _MARGIN
        size = f'width="{_n(width)}" height="{_n(height)}"'
        begin = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_n(width)} '
            f'{_n(height)}" role="img" font-family="{escape(FONTS)}">'
        )
        return "\n".join(
            [
                begin,
                f"<title>{_safe(_title(plan, run))}</title>",
                f"<desc>{_safe(_description(plan, cards))}</desc>",
                f'<rect {size} fill="{PAPER}"/>',
                *self._parts,
                "</svg>\n",
            ]
        )

    # The head and the foot --------------------------------------------------------------------

    def _head(self, plan: Plan, run: Timeline | None) -> float:
        """Draw what stands above the graph, and return where it ends."""
        top = _MARGIN
        bold = partial(text_width, size=_HEAD_SIZE, bold=True)
        plain = partial(text_width, size=TEXT_SIZE)
        title = plan.workflow if run is None else f"{run.workflow} {run.key or ''}".rstrip()
        for line in cut(visible(title), self._width, bold, lines_max=_HEAD_LINES_MAX):
            top += 24
            self._text(_MARGIN, top - 6, line, _HEAD_SIZE, INK, extra=_BOLD)
        if run is not None:
            top = self._status(run, top + 6)
        for said in (plan.summary, signature(plan) if run is None else _dates(run)):
            for line in cut(visible(said), self._width, plain, lines_max=_HEAD_LINES_MAX):
                top += LINE
                self._text(_MARGIN, top - 2, line, TEXT_SIZE, FAINT)
        return top

    def _status(self, run: Timeline, top: float) -> float:
        said = _state(run)
        paint = paint_of_status(run.status)
        width = text_width(said, TEXT_SIZE, bold=True) + 20
        self._rect(Box(_MARGIN, top, width, 22), paint, stroke=1.4, dashes=False)
        self._text(_MARGIN + 10, top + 15.5, said, TEXT_SIZE, paint.ink, extra=_BOLD)
        return top + 28

    def _legend(self, top: float, lines: Sequence[Arrow]) -> float:
        """Draw what the arrows mean that there are, and return where it ends."""
        found = {arrow.carries for arrow in lines}
        items = [
            (said, ARROW, _DASHES[carries])
            for carries, said in (
                ("data", "gives its result"),
                ("order", "only comes before"),
                ("guard", "decides whether it runs"),
            )
            if carries in found
        ]
        if self._layout.back:
            items.append(("undone next", BACK, "7 4"))
        left = _MARGIN
        for said, color, dashes in items:
            self._arrow(((left, top - 4), (left + 34, top - 4)), color, dashes, 1.6)
            self._text(left + 42, top, said, 11, FAINT)
            left += 42 + text_width(said, 11) + 24
        return top if items else top - 30

    # The graph --------------------------------------------------------------------------------

    def _arrow(self, points: Sequence[Point], color: str, dashes: str, width: float) -> None:
        (before_x, before_y), (end_x, end_y) = points[-2:]
        length = hypot(end_x - before_x, end_y - before_y)
        along_x, along_y = (end_x - before_x) / length, (end_y - before_y) / length
        tip = min(_TIP, length)
        neck = (end_x - along_x * tip, end_y - along_y * tip)
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<path d="{_path([*points[:-1], neck])}" fill="none" stroke="{color}" '
            f'stroke-width="{_n(width)}"{dash}/>'
        )
        side_x, side_y = -along_y * _TIP / 2, along_x * _TIP / 2
        corners = (
            (end_x, end_y),
            (neck[0] + side_x, neck[1] + side_y),
            (neck[0] - side_x, neck[1] - side_y),
        )
        outline = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
        self._parts.append(f'<polygon points="{outline}" fill="{color}"/>')

    def _card(self, card: Card, box: Box) -> None:
        kind = KINDS[card.kind]
        paint = kind if card.standing is None else STANDINGS[card.standing]
        self._parts.append(f"<g><title>{_safe(card.said)}</title>")
        self._rect(box, paint, stroke=3 if card.pivot else 1.4, dashes=card.optional)
        left, right = box.left + PADDING, box.left + box.width - PADDING
        top = box.top + PADDING + 11
        self._text(right, top, card.label, 11, kind.ink, extra=' text-anchor="end"')
        if card.standing is not None:
            self._mark(card.standing, left, top - 14, paint)
        for line in card.lines:
            match line.tone:
                case "name":
                    beside = BADGE if card.standing is not None else 0
                    self._text(left + beside, top, line.text, NAME_SIZE, INK, extra=_BOLD)
                case "standing":
                    self._text(left, top, line.text, TEXT_SIZE, paint.ink, extra=_BOLD)
                case "plain":
                    self._text(left, top, line.text, TEXT_SIZE, FAINT)
                case "trouble":
                    self._text(left, top, line.text, TEXT_SIZE, TROUBLE)
                case "back":
                    self._text(left, top, line.text, TEXT_SIZE, BACK)
                case _:
                    assert_never(line.tone)
            top += LINE
        self._parts.append("</g>")

    def _mark(self, standing: Standing, left: float, top: float, paint: Paint) -> None:
        self._parts.append(
            f'<g transform="translate({_n(left)} {_n(top)})">'
            f'<circle cx="9" cy="9" r="9" fill="{paint.stroke}"/>'
            f'<path d="{MARKS[standing]}" fill="none" stroke="{PAPER}" stroke-width="1.8" '
            'stroke-linecap="round" stroke-linejoin="round"/></g>'
        )

    def _rect(self, box: Box, paint: Paint, *, stroke: float, dashes: bool) -> None:
        dash = ' stroke-dasharray="6 4"' if dashes else ""
        self._parts.append(
            f'<rect x="{_n(box.left)}" y="{_n(box.top)}" width="{_n(box.width)}" '
            f'height="{_n(box.height)}" rx="{_n(_CORNER)}" fill="{paint.fill}" '
            f'stroke="{paint.stroke}" stroke-width="{_n(stroke)}"{dash}/>'
        )

    def _text(
        self, left: float, top: float, said: str, size: float, color: str, *, extra: str = ""
    ) -> None:
        self._parts.append(
            f'<text x="{_n(left)}" y="{_n(top)}" font-size="{_n(size)}" fill="{color}"{extra}>'
            f"{escape(said)}</text>"
        )


_BOLD = ' font-weight="700"'
_DASHES = {"data": "", "order": "5 4", "guard": "1.5 4"}


def _path(points: Sequence[Point]) -> str:
    """Return a line through points, with its corners rounded."""
    (x, y), *others = points
    parts = [f"M{_n(x)} {_n(y)}"]
    for before, corner, behind in zip(points, points[1:], points[2:], strict=False):
        inward = _towards(corner, before)
        outward = _towards(corner, behind)
        parts.append(f"L{_n(inward[0])} {_n(inward[1])}")
        parts.append(f"Q{_n(corner[0])} {_n(corner[1])} {_n(outward[0])} {_n(outward[1])}")
    x, y = others[-1]
    return "".join([*parts, f"L{_n(x)} {_n(y)}"])


def _towards(corner: Point, other: Point) -> Point:
    """Return the point where the rounding of a corner ends, at most half-way to the next one."""
    length = hypot(other[0] - corner[0], other[1] - corner[1])
    part = min(_CORNER / length, 0.5) if length else 0.0
    return (
        corner[0] + (other[0] - corner[0]) * part,
        corner[1] + (other[1] - corner[1]) * part,
    )


def _n(value: float) -> str:
    """Return a number as short as a picture needs it."""
    return f"{round(value, 1):g}"


def _safe(text: str) -> str:
    """Return text of several lines in which nothing means anything to XML."""
    return "\n".join(escape(visible(line)) for line in text.split("\n"))


def _title(plan: Plan, run: Timeline | None) -> str:
    if run is None:
        return f"The plan of {plan.workflow}"
    return f"{plan.workflow} {run.key or run.run}: {_state(run)}"


def _state(run: Timeline) -> str:
    why = run.reason or run.cause
    return f"{run.status}{f' ({why})' if why else ''}"


def _dates(run: Timeline) -> str:
    took = "" if run.took is None else f", took {words.lasted(run.took)}"
    return f"run {run.run}, began {run.began:%Y-%m-%d %H:%M:%S} UTC{took}"


def _description(plan: Plan, cards: Sequence[Card]) -> str:
    """Say everything that the picture shows, for those who do not see it."""
    needed = {
        index: [plan.nodes[need].path for need in node.needs]
        for index, node in enumerate(plan.nodes)
    }
    return "\n".join(
        "; ".join([*card.said.split("\n"), *([f"after {', '.join(after)}"] if after else [])])
        for card, after in zip(cards, needed.values(), strict=True)
    )
