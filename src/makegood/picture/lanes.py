"""A graph as lines of text: one row for each node, in order, and lanes for what is still to come.

Rows are written from the first node to the last. At each moment every lane belongs to one node
that somebody above waits to reach, so there are never two lanes to the same node. Below a node

- the first of its followers that has no lane yet takes over the node's own;
- each other one without a lane gets a new one: all in one row, `├─┬─╮`;
- to each one that has a lane already the node's is joined, in a row of its own, `├─╯`; where
  both lanes go on, a tip says which one is joined to which, `├◂┤`.

Where a line merely crosses a lane it is drawn `┼`; joins are never drawn so. A node that follows
no other never stands right below one that no other follows: it would look like its follower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.picture.graph import Arrow

__all__ = ["Row", "draw_lanes"]


class Row(msgspec.Struct, frozen=True):
    """One node's lines, left of its name."""

    before: str
    """Left of the node's own mark, in the line that names it."""
    after: str
    """Right of it."""
    beside: str
    """Left of what else is said about the node."""
    below: tuple[str, ...]
    """The lines that lead to its followers."""


def draw_lanes(
    count: int, arrows: Iterable[Arrow], *, width_max: int = 100
) -> tuple[Row, ...] | None:
    """Return the lines for so many nodes, each as wide as the widest.

    None: they would be wider than `width_max`, in characters, which nobody could follow.
    """
    followers: list[list[int]] = [[] for _ in range(count)]
    for arrow in arrows:
        followers[arrow.source].append(arrow.target)
    lanes = _Lanes()
    rows: list[Row] = []
    for node in range(count):
        rows.append(lanes.draw(node, followers[node]))
        if lanes.width > width_max:
            return None
    width = lanes.width
    return tuple(
        Row(
            before=row.before,
            after=row.after.ljust(width - len(row.before) - 1),
            beside=row.beside.ljust(width),
            below=tuple(line.ljust(width) for line in row.below),
        )
        for row in rows
    )


class _Lanes:
    """Which node each lane leads to; None where a lane is free."""

    def __init__(self) -> None:
        self._targets: list[int | None] = []
        self._ended: int | None = None
        """The lane of the node above, where nothing follows it."""

    @property
    def width(self) -> int:
        """How many characters all lanes take that there have been."""
        return max(2 * len(self._targets) - 1, 0)

    def draw(self, node: int, followers: list[int]) -> Row:
        own = self._targets.index(node) if node in self._targets else self._begin()
        self._targets[own] = node
        line = self._line()
        joined = [self._targets.index(each) for each in followers if each in self._targets]
        new = [each for each in followers if each not in self._targets]
        self._targets[own] = new[0] if new else node if joined else None
        beside = self._line()
        below: list[str] = []
        if len(new) > 1:
            below.append(self._fan_out(own, new[1:]))
        for position, lane in enumerate(joined):
            if position + 1 == len(joined) and not new:
                self._targets[own] = None
            below.append(self._join(own, lane))
        self._ended = None if followers else own
        return Row(
            before=line[: 2 * own],
            after=line[2 * own + 1 :].rstrip(),
            beside=beside.rstrip(),
            below=tuple(line.rstrip() for line in below),
        )

    def _begin(self) -> int:
        """Return a lane for a node that follows no other: right of one that has just ended.

        In the same lane it would look as if it followed the node above it.
        """
        lane = self._free(0)
        return self._free(lane + 1) if lane == self._ended else lane

    def _free(self, start: int) -> int:
        """Return a free lane, the first one from `start` on."""
        for lane in range(start, len(self._targets)):
            if self._targets[lane] is None:
                return lane
        self._targets.append(None)
        return len(self._targets) - 1

    def _line(self) -> str:
        return " ".join(" " if target is None else "│" for target in self._targets)

    def _fan_out(self, own: int, targets: list[int]) -> str:
        crossed = {lane for lane, target in enumerate(self._targets) if target is not None}
        begun: list[int] = []
        for target in targets:
            lane = self._free(own + 1)
            self._targets[lane] = target
            begun.append(lane)
        corners = dict.fromkeys(begun, "┬") | {max(begun): "╮", own: "├"}
        return self._across(own, max(begun), corners, crossed)

    def _join(self, own: int, lane: int) -> str:
        goes_on = self._targets[own] is not None
        first, last = sorted((own, lane))
        if own < lane:
            corners = {own: "├" if goes_on else "╰", lane: "┤"}
        else:
            corners = {own: "┤" if goes_on else "╯", lane: "├"}
        crossed = {each for each, target in enumerate(self._targets) if target is not None}
        line = self._across(first, last, corners, crossed)
        if not goes_on:
            return line
        tip, mark = (2 * lane - 1, "▸") if own < lane else (2 * lane + 1, "◂")
        return f"{line[:tip]}{mark}{line[tip + 1 :]}"

    def _across(self, first: int, last: int, corners: dict[int, str], crossed: set[int]) -> str:
        """Return the line that goes across from one lane to another."""
        parts: list[str] = []
        for lane in range(len(self._targets)):
            is_inside = first <= lane <= last
            if is_inside:
                parts.append(corners.get(lane, "┼" if lane in crossed else "─"))
            else:
                parts.append("│" if lane in crossed else " ")
            parts.append("─" if first <= lane < last else " ")
        return "".join(parts)
