"""Where the boxes of a graph stand, and how its arrows run: what graphlay answers, in our words."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Box", "Layout", "Point", "lay_out", "leading_back"]

Point = tuple[float, float]
"""From the left, and from the top."""


class Box(msgspec.Struct, frozen=True):
    """A rectangle."""

    left: float
    top: float
    width: float
    height: float


class Layout(msgspec.Struct, frozen=True):
    """Boxes in the order given, and the corners of each arrow from its source to its target."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[Point, ...], ...]
    back: tuple[tuple[Point, ...], ...]
    """The arrows that lead back."""
    width: float
    height: float


def lay_out(
    sizes: Sequence[tuple[float, float]],
    arrows: Sequence[tuple[int, int]],
    back: Sequence[tuple[int, int]] = (),
) -> Layout:
    """Return a layout from top to bottom; boxes never overlap. The same input gives the same.

    `sizes` are widths and heights, arrows name boxes by index. The arrows that lead back have no
    say in where the boxes stand. Raises `ModuleNotFoundError` where graphlay is not installed.
    """
    try:
        import graphlay  # noqa: PLC0415 - it is an extra
    except ModuleNotFoundError:
        message = 'an SVG is laid out by graphlay; run: pip install "makegood[standard]"'
        raise ModuleNotFoundError(message, name="graphlay") from None
    graph = graphlay.Graph()
    for width, height in sizes:
        graph.node(width=width, height=height + 2 * _CLEAR)
    for source, target in arrows:
        graph.edge(source, target)
    found = graphlay.layout(graph, options=_OPTIONS)
    if back:
        for node, placed in zip(graph.nodes, found.nodes, strict=True):
            node["position"] = placed["center"]
        for source, target in back:
            graph.edge(source, target)
        found = graphlay.reroute(graph, options=_OPTIONS)
    low, high = found.bounds["min"], found.bounds["max"]
    boxes = tuple(_box(node, low) for node in found.nodes)
    lines = tuple(
        _reaching(_line(edge, low), boxes[source], boxes[target])
        for edge, (source, target) in zip(found.edges, [*arrows, *back], strict=True)
    )
    return Layout(
        boxes=boxes,
        arrows=lines[: len(arrows)],
        back=lines[len(arrows) :],
        width=high["x"] - low["x"],
        height=high["y"] - low["y"],
    )


def leading_back(arrows: Sequence[tuple[int, int]], count: int, start: int) -> list[bool]:
    """Say of each arrow whether it leads back to where one has come from, walking from the start.

    Without these the boxes have an order from top to bottom.
    """
    followers: list[list[int]] = [[] for _ in range(count)]
    for number, (source, _) in enumerate(arrows):
        followers[source].append(number)
    is_back = [False] * len(arrows)
    above, done = set[int](), set[int]()
    for root in chain([start], range(count)):
        # The boxes on the way down, each with the arrows from it that are still to be looked at.
        way = [] if root in done else [(root, iter(followers[root]))]
        above.update(box for box, _ in way)
        while way:
            box, rest = way[-1]
            arrow = next(rest, None)
            if arrow is None:
                way.pop()
                above.discard(box)
                done.add(box)
                continue
            target = arrows[arrow][1]
            is_back[arrow] = target in above
            if target not in above | done:
                above.add(target)
                way.append((target, iter(followers[target])))
    return is_back


_OPTIONS = {
    "direction": "topbottom",
    "spacing": {"layer_gap": 28.0, "node_gap": 36.0, "isolated_max_columns": 4},
}

_CLEAR = 8.0
"""How far above and below a box no line turns, so that the head of an arrow has its room."""


# Any: what graphlay returns is JSON.
def _box(node: dict[str, Any], low: dict[str, float]) -> Box:
    center, size = node["center"], node["size"]
    return Box(
        left=center["x"] - size["width"] / 2 - low["x"],
        top=center["y"] - size["height"] / 2 - low["y"] + _CLEAR,
        width=size["width"],
        height=size["height"] - 2 * _CLEAR,
    )


def _line(edge: dict[str, Any], low: dict[str, float]) -> tuple[Point, ...]:
    line: list[Point] = []
    for point in edge["points"]:
        x, y = point["x"] - low["x"], point["y"] - low["y"]
        if line and abs(x - line[-1][0]) < _SLANT_MAX:
            x = line[-1][0]
        elif line and abs(y - line[-1][1]) < _SLANT_MAX:
            y = line[-1][1]
        line.append((x, y))
    return tuple(line)


_SLANT_MAX = 1.0
"""By how much a line that is meant to be straight may be off, where lanes share a narrow gap."""


def _reaching(line: tuple[Point, ...], source: Box, target: Box) -> tuple[Point, ...]:
    """Return a line that goes on to the edges of its boxes, through the room that they keep."""
    return _at_edge(tuple(reversed(_at_edge(tuple(reversed(line)), source))), target)


def _at_edge(line: tuple[Point, ...], box: Box) -> tuple[Point, ...]:
    """Return a line that ends at the edge of a box: above, below, or at its side."""
    *others, (before_x, before_y), (x, y) = line
    middle = box.top + box.height / 2
    if before_y != y:
        edge = box.top if y < middle else box.top + box.height
        return (*others, (before_x, before_y), (x, edge))
    if not others:
        return line
    # Lines to one side stand apart as before, but at the box and not at its room.
    y = middle + (y - middle) * box.height / (box.height + 2 * _CLEAR)
    return (*others, (before_x, y), (x, y))
