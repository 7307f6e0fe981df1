"""What stands in a node's box, and how large the box must be for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec

from makegood.definition.plan import Kind
from makegood.picture import words
from makegood.picture.graph import called, guard, limits, remedies
from makegood.picture.story import Standing
from makegood.picture.typeset import LINE, NAME_SIZE, PADDING, TEXT_SIZE, cut, text_width, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from makegood.definition.plan import Node, Plan
    from makegood.picture.story import Timeline

__all__ = [
    "BADGE",
    "Card",
    "Line",
    "card_of_plan",
    "card_of_run",
]

BADGE = 26.0
"""How much room the mark of a standing takes, left of the name."""

_WIDTH_MIN = 210.0
_WIDTH_MAX = 300.0
"""How wide a box may become for what it says."""
_WIDTH_MAX_NAMED = 400.0
"""How wide it may become for its name, which is broken as a last resort."""
_LINES_MAX = 3
"""How many lines one thing that is said may take; the whole of it is in the box's title."""

Tone = Literal["name", "plain", "standing", "trouble", "back"]


class Line(msgspec.Struct, frozen=True):
    """One line of text in a box."""

    text: str
    tone: Tone


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A node's box."""

    width: float
    height: float
    kind: Kind
    label: str
    """The kind in words, and what is particular about the node."""
    standing: Standing | None
    """None in the picture of a plan."""
    optional: bool
    pivot: bool
    lines: tuple[Line, ...]
    """From the top; the name first."""
    said: str
    """Everything that the box says, uncut."""


def card_of_plan(plan: Plan, index: int, name: str) -> Card:
    """Return the box of a node that is only planned."""
    node = plan.nodes[index]
    plain = (
        called(node),
        f"→ {node.returns}" if node.returns != "None" else "",
        guard(plan, node) or "",
        " · ".join(limits(node)),
    )
    said = [
        *(Line(text, "plain") for text in plain),
        *(Line(text, "back") for text in remedies(node)),
    ]
    return _card(node, name, None, said)


def card_of_run(run: Timeline, index: int) -> Card:
    """Return the box of a node with what became of it."""
    node, story = run.plan.nodes[index], run.nodes[index]
    order = ""
    if story.path in run.undone and len(run.undone) > 1:
        order = f", {run.undone.index(story.path) + 1} of {len(run.undone)}"
    return _card(
        node,
        node.path,
        story.standing,
        [
            Line(f"{story.standing.value}{order}", "standing"),
            *(Line(text, "plain") for text in _beside(words.became(node, story, run.began))),
            Line(words.trouble(story), "trouble"),
        ],
    )


def _card(node: Node, path: str, standing: Standing | None, said: Iterable[Line]) -> Card:
    shown = [Line(visible(line.text), line.tone) for line in said if line.text]
    inner = _WIDTH_MAX - 2 * PADDING
    beside = BADGE if standing is not None else 0.0
    name = visible(path)
    # A planned node's limits say it, and why it matters, in a line of their own.
    particular = () if standing is None else tuple(_particular(node))
    label = " · ".join((node.kind.value, *particular))
    kind = text_width(label, TEXT_SIZE)
    room = _WIDTH_MAX_NAMED - 2 * PADDING - beside - kind - PADDING
    lines = [Line(text, "name") for text in _cut(name, room, _NAME) or [""]]
    for line in shown:
        lines += [Line(part, line.tone) for part in _cut(line.text, inner, _BOLD)]
    widths = [
        beside + _NAME(line.text) + PADDING + kind if line.tone == "name" else _BOLD(line.text)
        for line in lines
    ]
    return Card(
        width=max(_WIDTH_MIN, max(widths) + 2 * PADDING),
        height=LINE * len(lines) + 2 * PADDING - 2,
        kind=node.kind,
        label=label,
        standing=standing,
        optional=node.optional,
        pivot=node.pivot,
        lines=tuple(lines),
        said="\n".join([f"{name} ({label})", *(line.text for line in shown)]),
    )


def _beside(said: Iterable[str]) -> list[str]:
    """Return what is said in one line where it fits, and else each in a line of its own."""
    each = list(said)
    line = " · ".join(each)
    return [line] if _BOLD(line) <= _WIDTH_MAX - 2 * PADDING else each


def _particular(node: Node) -> Iterator[str]:
    if node.pivot:
        yield "pivot"
    if node.optional:
        yield "optional"


_NAME = partial(text_width, size=NAME_SIZE, bold=True)
_BOLD = partial(text_width, size=TEXT_SIZE, bold=True)
_cut = partial(cut, lines_max=_LINES_MAX)
