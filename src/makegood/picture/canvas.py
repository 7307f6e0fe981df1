"""What every SVG picture has: its paint, from the back to the front, and a head that names it.

A picture has its own background, so that it can be read in a light page and in a dark one. It has
no script, no style sheet, no font and no reference, also none to a part of itself, so that many
can stand in one page.
"""

from __future__ import annotations

from functools import partial
from html import escape
from math import hypot
from typing import TYPE_CHECKING

from makegood.picture import words
from makegood.picture.layout import Box
from makegood.picture.paint import FAINT, INK, MARKS, PAPER, paint_of_status
from makegood.picture.typeset import FONTS, LINE, TEXT_SIZE, cut, text_width, visible
from makegood.picture.typeset import number as _n
from makegood.picture.typeset import safe as _safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.definition.plan import Plan
    from makegood.picture.layout import Point
    from makegood.picture.paint import Paint
    from makegood.picture.story import Standing, Timeline

__all__ = ["BOLD", "MARGIN", "MIDDLE", "RIGHT", "WIDTH_MIN", "Canvas", "head", "moved", "title_of"]

MARGIN = 28.0
WIDTH_MIN = 660.0

BOLD = ' font-weight="700"'
MIDDLE = ' text-anchor="middle"'
RIGHT = ' text-anchor="end"'

_CORNER = 8.0
_TIP = 8.0
"""How long an arrow's head is."""
_HEAD_SIZE = 18.0
_HEAD_LINES_MAX = 3


class Canvas:
    """What has been painted so far."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def document(self, *, title: str, description: str, width: float, height: float) -> str:
        """Return all of it as a document that says in words what it shows."""
        size = f'width="{_n(width)}" height="{_n(height)}"'
        begin = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_n(width)} '
            f'{_n(height)}" role="img" font-family="{escape(FONTS)}">'
        )
        return "\n".join(
            [
                begin,
                f"<title>{_safe(title)}</title>",
                f"<desc>{_safe(description)}</desc>",
                f'<rect {size} fill="{PAPER}"/>',
                *self._parts,
                "</svg>\n",
            ]
        )

    def begin(self, *, left: float = 0.0, top: float = 0.0, said: str = "") -> None:
        """Let what follows, up to `end`, stand together, moved by so much."""
        place = f' transform="translate({_n(left)} {_n(top)})"' if left or top else ""
        title = f"<title>{_safe(said)}</title>" if said else ""
        self._parts.append(f"<g{place}>{title}")

    def end(self) -> None:
        """End what stands together."""
        self._parts.append("</g>")

    def text(
        self, left: float, top: float, said: str, size: float, color: str, *, extra: str = ""
    ) -> None:
        """Write one line, which ends in the right place as it is `visible` already."""
        self._parts.append(
            f'<text x="{_n(left)}" y="{_n(top)}" font-size="{_n(size)}" fill="{color}"{extra}>'
            f"{escape(said)}</text>"
        )

    def rect(self, box: Box, paint: Paint, *, stroke: float, dashes: bool = False) -> None:
        """Draw a box with round corners."""
        dash = ' stroke-dasharray="6 4"' if dashes else ""
        self._parts.append(
            f'<rect x="{_n(box.left)}" y="{_n(box.top)}" width="{_n(box.width)}" '
            f'height="{_n(box.height)}" rx="{_n(_CORNER)}" fill="{paint.fill}" '
            f'stroke="{paint.stroke}" stroke-width="{_n(stroke)}"{dash}/>'
        )

    def disc(self, left: float, top: float, radius: float, color: str) -> None:
        """Draw a disc around a point."""
        self._parts.append(
            f'<circle cx="{_n(left)}" cy="{_n(top)}" r="{_n(radius)}" fill="{color}"/>'
        )

    def mark(self, standing: Standing, left: float, top: float, paint: Paint) -> None:
        """Draw the mark of a standing on a disc."""
        self._parts.append(
            f'<g transform="translate({_n(left)} {_n(top)})">'
            f'<circle cx="9" cy="9" r="9" fill="{paint.stroke}"/>'
            f'<path d="{MARKS[standing]}" fill="none" stroke="{PAPER}" stroke-width="1.8" '
            'stroke-linecap="round" stroke-linejoin="round"/></g>'
        )

    def arrow(self, points: Sequence[Point], color: str, *, width: float, dashes: str = "") -> None:
        """Draw a line through points, with its corners rounded and a head at its end."""
        (before_x, before_y), (end_x, end_y) = points[-2:]
        length = hypot(end_x - before_x, end_y - before_y)
        along_x, along_y = (end_x - before_x) / length, (end_y - before_y) / length
        tip = min(_TIP, length)
        neck = (end_x - along_x * tip, end_y - along_y * tip)
        self.line([*points[:-1], neck], color, width=width, dashes=dashes)
        side_x, side_y = -along_y * _TIP / 2, along_x * _TIP / 2
        corners = (
            (end_x, end_y),
            (neck[0] + side_x, neck[1] + side_y),
            (neck[0] - side_x, neck[1] - side_y),
        )
        outline = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
        self._parts.append(f'<polygon points="{outline}" fill="{color}"/>')

    def line(self, points: Sequence[Point], color: str, *, width: float, dashes: str = "") -> None:
        """Draw a line through points, with its corners rounded."""
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<path d="{_path(points)}" fill="none" stroke="{color}" '
            f'stroke-width="{_n(width)}"{dash}/>'
        )


def head(canvas: Canvas, plan: Plan, run: Timeline | None, width: float) -> float:
    """Say above a picture of a plan or of a run what it shows, and return where that ends."""
    top = MARGIN
    bold = partial(text_width, size=_HEAD_SIZE, bold=True)
    plain = partial(text_width, size=TEXT_SIZE)
    title = plan.workflow if run is None else f"{run.workflow} {run.key or ''}".rstrip()
    for line in cut(visible(title), width, bold, lines_max=_HEAD_LINES_MAX):
        top += 24
        canvas.text(MARGIN, top - 6, line, _HEAD_SIZE, INK, extra=BOLD)
    if run is not None:
        top = _status(canvas, run, top + 6)
    for said in (plan.summary, words.signature(plan) if run is None else _dates(run)):
        for line in cut(visible(said), width, plain, lines_max=_HEAD_LINES_MAX):
            top += LINE
            canvas.text(MARGIN, top - 2, line, TEXT_SIZE, FAINT)
    return top


def _status(canvas: Canvas, run: Timeline, top: float) -> float:
    said = _state(run)
    paint = paint_of_status(run.status)
    width = text_width(said, TEXT_SIZE, bold=True) + 20
    canvas.rect(Box(MARGIN, top, width, 22), paint, stroke=1.4)
    canvas.text(MARGIN + 10, top + 15.5, said, TEXT_SIZE, paint.ink, extra=BOLD)
    return top + 28


def title_of(plan: Plan, run: Timeline | None) -> str:
    """Return in a few words what a picture shows."""
    if run is None:
        return f"The plan of {plan.workflow}"
    return f"{plan.workflow} {run.key or run.run}: {_state(run)}"


def _state(run: Timeline) -> str:
    why = run.reason or run.cause
    return f"{run.status}{f' ({why})' if why else ''}"


def _dates(run: Timeline) -> str:
    took = "" if run.took is None else f", took {words.lasted(run.took)}"
    return f"run {run.run}, began {run.began:%Y-%m-%d %H:%M:%S} UTC{took}"


def moved(points: Sequence[Point], left: float, top: float) -> list[Point]:
    """Return points that are moved by so much."""
    return [(x + left, y + top) for x, y in points]


def _path(points: Sequence[Point]) -> str:
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
