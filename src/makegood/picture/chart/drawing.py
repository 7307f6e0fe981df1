"""What a run looks like along its time, as an SVG picture that stands for itself.

Every node that took time has a row with its attempts, its undo and its waits. Time is to scale but
for waits that are long beside the work: these are cut, with their true length written into the
break. Like every picture here it has its own background and neither script nor style sheet, and
what colour says is also said by a mark and a word.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from html import escape
from itertools import count, takewhile
from typing import TYPE_CHECKING

from makegood.picture import words
from makegood.picture.canvas import BOLD, MARGIN
from makegood.picture.chart.axis import axis_of
from makegood.picture.chart.bars import STANDING_OF, rows_of
from makegood.picture.marks import mark_of_entry, mark_of_standing
from makegood.picture.paint import (
    ARROW,
    BACK,
    FAINT,
    FRAME,
    INK,
    PAPER,
    STANDINGS,
    paint_of_status,
)
from makegood.picture.story import Standing
from makegood.picture.typeset import FONTS, SMALL, TEXT_SIZE, shortened, text_width, visible
from makegood.picture.typeset import number as _n
from makegood.picture.typeset import safe as _safe

if TYPE_CHECKING:
    from makegood.picture.chart.axis import Axis, Stretch
    from makegood.picture.chart.bars import Bar, Mark, Rest, Row, Rows
    from makegood.picture.paint import Paint
    from makegood.picture.story import Timeline

__all__ = ["chart"]

_ROW = 28.0
_BAR = 14.0
_BAR_WIDTH_MIN = 3.0
_LABEL_MAX = 240.0
_AXIS_WIDTH = 620.0
_SAID_MAX = 220.0
_HEAD = 74.0
_TIMES = 44.0
_SCALE_MAX = 120.0
_CUT = "#f4f4f5"


def chart(run: Timeline) -> str:
    """Return a run along its time as an SVG document; the same run gives the same text.

    Its waits are cut where they are long beside the work, and say how long they are. Nodes that
    took no time have no row.
    """
    rows = rows_of(run)
    return _Sheet(run, rows).written()


class _Sheet:
    """The parts of a picture, in the order in which they are painted."""

    def __init__(self, run: Timeline, rows: Rows) -> None:
        self._run = run
        self._rows = rows
        self._parts: list[str] = []
        names = (text_width(visible(row.node.path), TEXT_SIZE, bold=True) for row in rows.rows)
        self._left = MARGIN + min(_LABEL_MAX, max([80.0, *names])) + 16
        self._top: float = MARGIN + _HEAD + _TIMES
        self._bottom = self._top + _ROW * max(1, len(rows.rows))
        self._axis: Axis = axis_of(rows.work(), left=self._left, width=_AXIS_WIDTH)

    def written(self) -> str:
        self._head()
        for stretch in self._axis.stretches:
            if stretch.is_cut:
                self._break(stretch)
        self._times()
        for position, row in enumerate(self._rows.rows):
            self._row(row, self._top + _ROW * position)
        for mark in self._rows.marks:
            self._mark(mark)
        foot = self._foot()
        width = self._left + _AXIS_WIDTH + 16 + _SAID_MAX + MARGIN
        size = f'width="{_n(width)}" height="{_n(foot + MARGIN)}"'
        begin = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_n(width)} '
            f'{_n(foot + MARGIN)}" role="img" font-family="{escape(FONTS)}">'
        )
        return "\n".join(
            [
                begin,
                f"<title>{_safe(self._title())}, along its time</title>",
                f"<desc>{_safe(self._description())}</desc>",
                f'<rect {size} fill="{PAPER}"/>',
                *self._parts,
                "</svg>\n",
            ]
        )

    # The head and the foot ----------------------------------------------------------------------

    def _title(self) -> str:
        return f"{self._run.workflow} {self._run.key or self._run.run}: {self._run.status}"

    def _head(self) -> None:
        run, paint = self._run, paint_of_status(self._run.status)
        name = visible(f"{run.workflow} {run.key or ''}".rstrip())
        bold = partial(text_width, size=18.0, bold=True)
        room = self._left + _AXIS_WIDTH - MARGIN
        self._text(MARGIN, MARGIN + 18, shortened(name, room, bold), 18, INK, extra=BOLD)
        why = run.reason or run.cause
        said = visible(f"{run.status}{f' ({why})' if why else ''}")
        width = text_width(said, TEXT_SIZE, bold=True) + 20
        self._rect(MARGIN, MARGIN + 28, width, 22, paint, corner=8)
        self._text(MARGIN + 10, MARGIN + 43.5, said, TEXT_SIZE, paint.ink, extra=BOLD)
        took = "" if run.took is None else f", took {words.lasted(run.took)}"
        began = f"began {run.began:%Y-%m-%d %H:%M:%S} UTC{took}"
        self._text(MARGIN + width + 12, MARGIN + 43.5, began, TEXT_SIZE, FAINT)

    def _foot(self) -> float:
        """Write what the marks mean, and what has no row; return where that ends."""
        top = self._bottom + 8
        self._scale(self._bottom + 20)
        said = [
            f"{_offset(each.at)}  {visible(each.said)}" for each in self._rows.marks if each.said
        ]
        if self._rows.more:
            said.append(f"{self._rows.more:,} more nodes took time and have no row here")
        measure = partial(text_width, size=SMALL)
        for line in said:
            top += 17
            shown = shortened(line, self._left + _AXIS_WIDTH - _SCALE_MAX - 120, measure)
            self._text(MARGIN, top, shown, SMALL, FAINT)
        return top

    def _scale(self, top: float) -> None:
        """Draw how wide a round time is, under the right end of the axis."""
        scale = self._axis.scale
        nice = (digit * 10.0**power for power in range(9, -7, -1) for digit in (5, 2, 1))
        seconds = next((each for each in nice if 0 < each * scale <= _SCALE_MAX), None)
        if seconds is None:
            return
        right = self._left + _AXIS_WIDTH
        left = right - seconds * scale
        self._line(left, top, right, top, FAINT, width=1.4)
        for at in (left, right):
            self._line(at, top - 3, at, top + 3, FAINT, width=1.4)
        said = words.lasted(timedelta(seconds=seconds))
        self._text(left - 6, top + 4, said, SMALL, FAINT, extra=' text-anchor="end"')

    # The axis -----------------------------------------------------------------------------------

    def _break(self, stretch: Stretch) -> None:
        """Draw a gap that is cut, with its length."""
        left, right = stretch.left, stretch.left + stretch.width
        top, bottom = self._top - 10, self._bottom
        self._parts.append(
            f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(stretch.width)}" '
            f'height="{_n(bottom - top)}" fill="{_CUT}"/>'
        )
        for at in (left, right):
            self._parts.append(
                f'<path d="{_torn(at, top, bottom)}" fill="none" stroke="{ARROW}" '
                'stroke-width="1.2"/>'
            )
        said = _length(stretch.lasts)
        middle = (left + right) / 2
        if text_width(said, SMALL) + 8 <= stretch.width:
            centred = ' text-anchor="middle"'
            self._text(middle, self._top - 16, said, SMALL, INK, extra=centred + BOLD)
            return
        turned = f' text-anchor="end" transform="rotate(-90 {_n(middle + 4)} {_n(top + 6)})"'
        self._text(middle + 4, top + 6, said, SMALL, INK, extra=turned + BOLD)

    def _times(self) -> None:
        """Write when each piece between two breaks begins, where there is room."""
        free_from = self._left
        whole = self._axis.stretches
        for stretch in whole:
            if stretch.is_cut:
                continue
            said = _offset(stretch.began)
            at = stretch.left + stretch.pad
            if at >= free_from:
                self._line(at, self._top - 30, at, self._bottom, FRAME.stroke)
                self._text(at + 3, self._top - 32, said, SMALL, FAINT)
                free_from = at + text_width(said, SMALL) + 12
        last = whole[-1]
        end, said = self._axis.place(last.ended), _offset(last.ended)
        if last.lasts and end - text_width(said, SMALL) - 3 >= free_from:
            self._line(end, self._top - 30, end, self._bottom, FRAME.stroke)
            right = ' text-anchor="end"'
            self._text(end - 3, self._top - 32, said, SMALL, FAINT, extra=right)

    # A row --------------------------------------------------------------------------------------

    def _row(self, row: Row, top: float) -> None:
        middle = top + _ROW / 2
        self._line(MARGIN, top + _ROW, self._left + _AXIS_WIDTH, top + _ROW, "#e4e4e7")
        name = partial(text_width, size=TEXT_SIZE, bold=True)
        shown = shortened(visible(row.node.path), _LABEL_MAX, name)
        self._text(MARGIN, middle + 4, shown, TEXT_SIZE, INK, extra=BOLD)
        for rest in row.rests:
            self._rest(rest, middle)
        for bar in row.bars:
            self._bar(bar, middle)
        mark, _style = mark_of_standing(row.node.standing)
        ink = STANDINGS[row.node.standing].ink
        became = f"{mark} {row.node.standing.value}"
        if row.node.attempts > 1:
            became += f", {row.node.attempts} attempts"
        plain = partial(text_width, size=TEXT_SIZE)
        said = shortened(visible(became), _SAID_MAX, plain)
        self._text(self._left + _AXIS_WIDTH + 16, middle + 4, said, TEXT_SIZE, ink)

    def _rest(self, rest: Rest, middle: float) -> None:
        left, right = self._axis.place(rest.began), self._axis.place(rest.ended)
        if right - left >= 1:
            dots = ' stroke-dasharray="1.5 4" stroke-linecap="round"'
            ink = STANDINGS[Standing.WAITING].stroke
            self._line(left, middle, right, middle, ink, width=2, extra=dots)

    def _bar(self, bar: Bar, middle: float) -> None:
        entry = bar.entry
        is_undo = entry.direction == "undo" and STANDING_OF[entry.ending] is Standing.DONE
        paint = STANDINGS[Standing.UNDONE if is_undo else STANDING_OF[entry.ending]]
        left = self._axis.place(bar.began)
        width = max(_BAR_WIDTH_MIN, self._axis.place(bar.ended) - left)
        said = f"{_offset(bar.began)} {entry.node}: {entry.text}"
        self._parts.append(f"<g><title>{_safe(said)}</title>")
        high = _BAR if entry.direction != "compensate" else _BAR / 2
        self._rect(left, middle - high / 2, width, high, paint, corner=2, open_ended=bar.is_open)
        mark, _style = mark_of_entry(entry)
        room = text_width(mark, SMALL) + 4
        at = left + width - room if width >= room + 4 else left + width + 2
        if at + room > self._left + _AXIS_WIDTH:
            at = left - room
        self._text(at, middle + 4, mark, SMALL, paint.ink, extra=BOLD)
        self._parts.append("</g>")

    def _mark(self, mark: Mark) -> None:
        """Draw a moment that is the whole run's, across all rows."""
        at, ink = self._axis.place(mark.at), BACK if mark.is_back else ARROW
        dash = ' stroke-dasharray="5 3"'
        self._parts.append(f"<g><title>{_safe(f'{_offset(mark.at)} {mark.said}')}</title>")
        self._line(at, self._top - 8, at, self._bottom, ink, width=1.4, extra=dash)
        self._parts.append("</g>")

    # What is painted ----------------------------------------------------------------------------

    def _description(self) -> str:
        """Say everything that the picture shows, for those who do not see it."""
        said = [
            f"{_offset(bar.began)} {row.node.path}: {bar.entry.text}"
            for row in self._rows.rows
            for bar in row.bars
        ]
        said += [f"{_offset(each.at)} {each.said}" for each in self._rows.marks]
        said += [
            f"{_offset(each.began)} nothing at work for {_length(each.lasts)}"
            for each in self._axis.stretches
            if each.is_cut
        ]
        return "\n".join(said)

    def _rect(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        paint: Paint,
        *,
        corner: float,
        open_ended: bool = False,
    ) -> None:
        dash = ' stroke-dasharray="4 3"' if open_ended else ""
        self._parts.append(
            f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(height)}" '
            f'rx="{_n(corner)}" fill="{paint.fill}" stroke="{paint.stroke}" '
            f'stroke-width="1.4"{dash}/>'
        )

    def _line(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        ink: str,
        *,
        width: float = 1,
        extra: str = "",
    ) -> None:
        self._parts.append(
            f'<line x1="{_n(left)}" y1="{_n(top)}" x2="{_n(right)}" y2="{_n(bottom)}" '
            f'stroke="{ink}" stroke-width="{_n(width)}"{extra}/>'
        )

    def _text(
        self, left: float, top: float, said: str, size: float, ink: str, *, extra: str = ""
    ) -> None:
        self._parts.append(
            f'<text x="{_n(left)}" y="{_n(top)}" font-size="{_n(size)}" fill="{ink}"{extra}>'
            f"{escape(said)}</text>"
        )


def _offset(seconds: float) -> str:
    """Return how long after the beginning of the run something was."""
    return f"+{words.lasted(timedelta(seconds=seconds))}" if seconds else "+0"


def _length(seconds: float) -> str:
    """Return how long a gap lasts, in words that fit into it."""
    return words.slept(timedelta(seconds=seconds))


def _torn(at: float, top: float, bottom: float) -> str:
    """Return a torn edge from the top to the bottom."""
    heights = takewhile(lambda height: height < bottom, (top + 6 * step for step in count(1)))
    corners = (
        f"L{_n(at + (2.5 if position % 2 else -2.5))} {_n(height)}"
        for position, height in enumerate(heights)
    )
    return f"M{_n(at)} {_n(top)}" + "".join(corners) + f"L{_n(at)} {_n(bottom)}"
