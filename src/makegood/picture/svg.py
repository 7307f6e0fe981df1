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

import msgspec

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
from makegood.picture.graph import Arrow, arrows, plan_of, shown, signature, whole_of
from makegood.picture.layout import Box, Layout, lay_out
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
from makegood.picture.typeset import FONTS, cut, shortened, text_width, visible
from makegood.picture.typeset import number as _n
from makegood.picture.typeset import safe as _safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from makegood.definition.plan import Plan
    from makegood.picture.graph import Drawn, Held, Whole
    from makegood.picture.layout import Point

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
    whole = whole_of(drawn)
    composer = _Composer(drawn, whole)
    scene = composer.composed(whole.top)
    return _Sheet(scene).written(plan, run, _description(whole.plan, composer.cards))


class _Scene(msgspec.Struct, frozen=True):
    """Boxes that stand together, with their arrows, and what those hold that hold others."""

    cards: tuple[Card, ...]
    lines: tuple[Arrow, ...]
    layout: Layout
    held: tuple[tuple[_Inset, ...], ...]
    """What each box holds."""


class _Inset(msgspec.Struct, frozen=True):
    """What stands in a frame within a box."""

    left: float
    top: float
    width: float
    height: float
    said: str
    scene: _Scene | None
    """None: it is only words."""


class _Composer:
    """Finds a place for everything, from the innermost frames to the whole."""

    def __init__(self, drawn: Drawn, whole: Whole) -> None:
        self.cards: dict[int, Card] = {}
        """The box of each node that is drawn."""
        self._drawn = drawn
        self._whole = whole
        undone = drawn.undone if isinstance(drawn, Timeline) else ()
        self._undone = [whole.plan.positions[path] for path in undone]

    def composed(self, nodes: Sequence[int]) -> _Scene:
        """Return these nodes, with a place for each and for all that they hold."""
        places = {node: place for place, node in enumerate(nodes)}
        cards = [self._card(node) for node in nodes]
        held = [self._held(node) for node in nodes]
        lines = arrows(self._whole.plan, nodes)
        undone = [
            (places[one], places[next_one])
            for one, next_one in pairwise(self._undone)
            if one in places and next_one in places
        ]
        layout = lay_out(
            [_size(card, insets) for card, insets in zip(cards, held, strict=True)],
            [(line.source, line.target) for line in lines],
            undone,
        )
        return _Scene(tuple(cards), lines, layout, tuple(held))

    def _card(self, node: int) -> Card:
        card = (
            card_of_run(self._drawn, node)
            if isinstance(self._drawn, Timeline)
            else card_of_plan(self._whole.plan, node, self._whole.names[node])
        )
        self.cards[node] = card
        return card

    def _held(self, node: int) -> tuple[_Inset, ...]:
        """Return what an each or a repeat holds, in rows below what its box says."""
        insets: list[_Inset] = []
        begin = self.cards[node].height
        left, top, row = PADDING, begin, 0.0
        for each in shown(self._drawn, self._whole, node):
            scene = None if isinstance(each, str) else self.composed(each.inside)
            said = _named(each)
            width = text_width(said, 11) + 2 * PADDING
            height = _LABEL
            if scene is not None:
                width = max(width, scene.layout.width + 2 * PADDING)
                height += scene.layout.height + PADDING
            if left > PADDING and left + width > _ROW_MAX:
                left, top, row = PADDING, top + row + PADDING, 0.0
            insets.append(_Inset(left, top, width, height, said, scene))
            left, row = left + width + PADDING, max(row, height)
        return tuple(insets)


def _named(held: Held | str) -> str:
    if isinstance(held, str):
        return held
    return "each round" if held.number is None else f"round [{held.number}]"


def _size(card: Card, insets: Sequence[_Inset]) -> tuple[float, float]:
    right = max((each.left + each.width for each in insets), default=0.0)
    bottom = max((each.top + each.height for each in insets), default=0.0)
    return max(card.width, right + PADDING), max(card.height, bottom + PADDING if bottom else 0.0)


class _Sheet:
    """The parts of one picture, from the back to the front."""

    def __init__(self, scene: _Scene) -> None:
        self._scene = scene
        self._layout = scene.layout
        self._width = max(scene.layout.width, _WIDTH_MIN)
        self._parts: list[str] = []

    def written(self, plan: Plan, run: Timeline | None, description: str) -> str:
        top = self._head(plan, run) + 16
        left = (self._width - self._layout.width) / 2
        self._parts.append(f'<g transform="translate({_n(left + _MARGIN)} {_n(top)})">')
        self._draw(self._scene, 0.0, 0.0)
        self._parts.append("</g>")
        bottom = self._legend(top + self._layout.height + 30)
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
                f"<desc>{_safe(description)}</desc>",
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

    def _legend(self, top: float) -> float:
        """Draw what the arrows mean that there are, and return where it ends."""
        found = {line.carries for scene in _scenes_of(self._scene) for line in scene.lines}
        items = [
            (said, ARROW, _DASHES[carries])
            for carries, said in (
                ("data", "gives its result"),
                ("order", "only comes before"),
                ("guard", "decides whether it runs"),
                ("case", "leads on in that case"),
            )
            if carries in found
        ]
        if any(scene.layout.back for scene in _scenes_of(self._scene)):
            items.append(("undone next", BACK, "7 4"))
        left = _MARGIN
        for said, color, dashes in items:
            self._arrow(((left, top - 4), (left + 34, top - 4)), color, dashes, 1.6)
            self._text(left + 42, top, said, 11, FAINT)
            left += 42 + text_width(said, 11) + 24
        return top if items else top - 30

    # The graph --------------------------------------------------------------------------------

    def _draw(self, scene: _Scene, left: float, top: float) -> None:
        """Draw boxes that stand together, moved to a place of the whole."""
        for line, points in zip(scene.lines, scene.layout.arrows, strict=True):
            self._arrow(_moved(points, left, top), ARROW, _DASHES[line.carries], 1.6)
        for points in scene.layout.back:
            self._arrow(_moved(points, left, top), BACK, "7 4", 2)
        for line, points in zip(scene.lines, scene.layout.arrows, strict=True):
            if line.case:
                self._case(line.case, _moved(points, left, top))
        for card, box, insets in zip(scene.cards, scene.layout.boxes, scene.held, strict=True):
            placed = Box(box.left + left, box.top + top, box.width, box.height)
            self._card(card, placed)
            for inset in insets:
                self._inset(inset, placed)

    def _inset(self, inset: _Inset, box: Box) -> None:
        left, top = box.left + inset.left, box.top + inset.top
        self._rect(Box(left, top, inset.width, inset.height), _FRAME, stroke=1, dashes=False)
        self._text(left + PADDING, top + 15, inset.said, 11, FAINT)
        if inset.scene is not None:
            self._draw(inset.scene, left + PADDING, top + _LABEL)

    def _case(self, said: str, points: Sequence[Point]) -> None:
        """Write a case beside the end of its arrow, on paper that parts it from the line."""
        (end_x, end_y) = points[-1]
        shown_case = shortened(visible(said), _CASE_MAX, partial(text_width, size=11))
        width = text_width(shown_case, 11) + 8
        label = Box(end_x - width / 2, end_y - 27, width, 16)
        self._rect(label, _FRAME, stroke=0.8, dashes=False)
        self._text(end_x, end_y - 15.5, shown_case, 11, FAINT, extra=' text-anchor="middle"')

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
_DASHES = {"data": "", "order": "5 4", "guard": "1.5 4", "case": "9 3"}
_FRAME = Paint(PAPER, "#d4d4d8", FAINT)
_LABEL = 24.0
"""How much room the name of a frame takes, above what it holds."""
_ROW_MAX = 1_000.0
"""How wide the frames in one box may be together before another row begins."""
_CASE_MAX = 120.0


def _moved(points: Sequence[Point], left: float, top: float) -> list[Point]:
    return [(x + left, y + top) for x, y in points]


def _scenes_of(scene: _Scene) -> Iterator[_Scene]:
    """Return a scene and all that is within its boxes."""
    yield scene
    for insets in scene.held:
        for inset in insets:
            if inset.scene is not None:
                yield from _scenes_of(inset.scene)


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


def _description(plan: Plan, cards: Mapping[int, Card]) -> str:
    """Say everything that the picture shows, for those who do not see it."""
    said: list[str] = []
    for index, card in sorted(cards.items()):
        after = ", ".join(plan.nodes[need].path for need in plan.nodes[index].needs)
        said.append("; ".join([*card.said.split("\n"), *([f"after {after}"] if after else [])]))
    return "\n".join(said)
