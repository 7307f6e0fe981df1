"""What a plan or a run looks like as an SVG picture that stands for itself.

It has its own background, so that it can be read in a light page and in a dark one. It has no
script, no style sheet, no font and no reference, also none to a part of itself, so that many can
stand in one page. What colour says is also said by a mark and a word.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, assert_never

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
from makegood.picture.card import (
    BADGE,
    Card,
    card_of_plan,
    card_of_run,
)
from makegood.picture.graph import Arrow, arrows, plan_of, shown, whole_of
from makegood.picture.layout import Box, Layout, lay_out
from makegood.picture.machine.figure import figure_of, is_lifecycle
from makegood.picture.machine.svg import svg_of
from makegood.picture.messages.figure import MessageFlow
from makegood.picture.messages.svg import svg_of as svg_of_flow
from makegood.picture.paint import (
    ARROW,
    BACK,
    FAINT,
    FRAME,
    INK,
    KINDS,
    STANDINGS,
    TROUBLE,
)
from makegood.picture.story import Timeline
from makegood.picture.typeset import (
    LINE,
    NAME_SIZE,
    PADDING,
    TEXT_SIZE,
    shortened,
    text_width,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from makegood.definition.plan import Plan
    from makegood.picture.graph import Drawn, Held, Whole
    from makegood.picture.layout import Point
    from makegood.runtime.asking.census import Census

__all__ = ["svg"]


def svg(drawn: Drawn | MessageFlow, *, census: Census | None = None) -> str:
    """Return a plan, or a run as it was carried out, as an SVG document.

    Of a lifecycle it shows the statuses, and with a census of it, as `Operator.census` takes it,
    how many runs stand at each, how long, and how they move; of a run of one the way that it took.
    Of receptors, as `message_flow` returns them, it shows who says what to whom.

    The same plan or run gives the same text. Raises `ModuleNotFoundError` where graphlay is not
    installed, which comes with `makegood[standard]`.
    """
    if isinstance(drawn, MessageFlow):
        return svg_of_flow(drawn)
    if is_lifecycle(drawn, census):
        return svg_of(figure_of(drawn, census))
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
        self._width = max(scene.layout.width, WIDTH_MIN)
        self._canvas = Canvas()

    def written(self, plan: Plan, run: Timeline | None, description: str) -> str:
        top = head(self._canvas, plan, run, self._width) + 16
        left = (self._width - self._layout.width) / 2
        self._canvas.begin(left=left + MARGIN, top=top)
        self._draw(self._scene, 0.0, 0.0)
        self._canvas.end()
        bottom = self._legend(top + self._layout.height + 30)
        return self._canvas.document(
            title=title_of(plan, run),
            description=description,
            width=self._width + 2 * MARGIN,
            height=bottom + MARGIN,
        )

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
        left = MARGIN
        for said, color, dashes in items:
            self._canvas.arrow(
                ((left, top - 4), (left + 34, top - 4)), color, width=1.6, dashes=dashes
            )
            self._canvas.text(left + 42, top, said, 11, FAINT)
            left += 42 + text_width(said, 11) + 24
        return top if items else top - 30

    # The graph --------------------------------------------------------------------------------

    def _draw(self, scene: _Scene, left: float, top: float) -> None:
        """Draw boxes that stand together, moved to a place of the whole."""
        for line, points in zip(scene.lines, scene.layout.arrows, strict=True):
            self._canvas.arrow(
                moved(points, left, top), ARROW, width=1.6, dashes=_DASHES[line.carries]
            )
        for points in scene.layout.back:
            self._canvas.arrow(moved(points, left, top), BACK, width=2, dashes="7 4")
        for line, points in zip(scene.lines, scene.layout.arrows, strict=True):
            if line.case:
                self._case(line.case, moved(points, left, top))
        for card, box, insets in zip(scene.cards, scene.layout.boxes, scene.held, strict=True):
            placed = Box(box.left + left, box.top + top, box.width, box.height)
            self._card(card, placed)
            for inset in insets:
                self._inset(inset, placed)

    def _inset(self, inset: _Inset, box: Box) -> None:
        left, top = box.left + inset.left, box.top + inset.top
        self._canvas.rect(Box(left, top, inset.width, inset.height), FRAME, stroke=1)
        self._canvas.text(left + PADDING, top + 15, inset.said, 11, FAINT)
        if inset.scene is not None:
            self._draw(inset.scene, left + PADDING, top + _LABEL)

    def _case(self, said: str, points: Sequence[Point]) -> None:
        """Write a case beside the end of its arrow, on paper that parts it from the line."""
        (end_x, end_y) = points[-1]
        shown_case = shortened(visible(said), _CASE_MAX, partial(text_width, size=11))
        width = text_width(shown_case, 11) + 8
        label = Box(end_x - width / 2, end_y - 27, width, 16)
        self._canvas.rect(label, FRAME, stroke=0.8)
        self._canvas.text(end_x, end_y - 15.5, shown_case, 11, FAINT, extra=MIDDLE)

    def _card(self, card: Card, box: Box) -> None:
        kind = KINDS[card.kind]
        paint = kind if card.standing is None else STANDINGS[card.standing]
        self._canvas.begin(said=card.said)
        self._canvas.rect(box, paint, stroke=3 if card.pivot else 1.4, dashes=card.optional)
        left, right = box.left + PADDING, box.left + box.width - PADDING
        top = box.top + PADDING + 11
        self._canvas.text(right, top, card.label, 11, kind.ink, extra=RIGHT)
        if card.standing is not None:
            self._canvas.mark(card.standing, left, top - 14, paint)
        for line in card.lines:
            match line.tone:
                case "name":
                    beside = BADGE if card.standing is not None else 0
                    self._canvas.text(left + beside, top, line.text, NAME_SIZE, INK, extra=BOLD)
                case "standing":
                    self._canvas.text(left, top, line.text, TEXT_SIZE, paint.ink, extra=BOLD)
                case "plain":
                    self._canvas.text(left, top, line.text, TEXT_SIZE, FAINT)
                case "trouble":
                    self._canvas.text(left, top, line.text, TEXT_SIZE, TROUBLE)
                case "back":
                    self._canvas.text(left, top, line.text, TEXT_SIZE, BACK)
                case _:
                    assert_never(line.tone)
            top += LINE
        self._canvas.end()


_DASHES = {"data": "", "order": "5 4", "guard": "1.5 4", "case": "9 3"}
_LABEL = 24.0
"""How much room the name of a frame takes, above what it holds."""
_ROW_MAX = 1_000.0
"""How wide the frames in one box may be together before another row begins."""
_CASE_MAX = 120.0


def _scenes_of(scene: _Scene) -> Iterator[_Scene]:
    """Return a scene and all that is within its boxes."""
    yield scene
    for insets in scene.held:
        for inset in insets:
            if inset.scene is not None:
                yield from _scenes_of(inset.scene)


def _description(plan: Plan, cards: Mapping[int, Card]) -> str:
    """Say everything that the picture shows, for those who do not see it."""
    said: list[str] = []
    for index, card in sorted(cards.items()):
        after = ", ".join(plan.nodes[need].path for need in plan.nodes[index].needs)
        said.append("; ".join([*card.said.split("\n"), *([f"after {after}"] if after else [])]))
    return "\n".join(said)
