"""What a plan or a run looks like in a terminal, in plain text that needs no library.

A plan is a graph with one line for each node, in an order in which they can happen; what stands
side by side runs in parallel. A run is the same graph with what became of each node, followed by
its story and by what a person should know at the end.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from makegood.picture import words
from makegood.picture.graph import (
    arrows,
    called,
    guard,
    limits,
    plan_of,
    remedies,
    shown,
    whole_of,
)
from makegood.picture.lanes import Row, draw_lanes
from makegood.picture.machine.figure import figure_of, is_lifecycle
from makegood.picture.machine.text import lines_of
from makegood.picture.marks import (
    Ink,
    Style,
    mark_of_entry,
    mark_of_kind,
    mark_of_standing,
    style_of_status,
)
from makegood.picture.messages.figure import MessageFlow
from makegood.picture.messages.text import lines_of as lines_of_flow
from makegood.picture.story import Attempted, Timeline
from makegood.picture.typeset import cells, padded, shortened, visible, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from makegood.definition.plan import Plan
    from makegood.picture.graph import Drawn, Whole
    from makegood.picture.story import Entry
    from makegood.runtime.asking.census import Census

__all__ = ["text"]

WIDTH_MIN = 60
"""Narrower than this, in columns, nothing is drawn."""
_NAME_MIN = 12
_NOTES_MIN = 30
_STORY_MIN = 40
_TROUBLE_MAX = 120
"""How much of an error stands in the graph; the story has all of it."""


def text(
    drawn: Drawn | MessageFlow,
    *,
    color: bool = False,
    width: int = 100,
    census: Census | None = None,
) -> str:
    """Return a plan, or a run as it was carried out, as lines of plain text.

    Of a lifecycle these are its statuses, with a census of it, as `Operator.census` takes it, also
    how many runs stand at each. Of receptors, as `message_flow` returns them, it says who says what
    to whom.

    No line has more than `width` columns, of which there are at least 60. `color` adds ANSI
    sequences; what they say is also said by marks and words.
    """
    if isinstance(drawn, MessageFlow):
        flow = lines_of_flow(drawn, Ink(color=color), max(width, WIDTH_MIN))
        return "".join(f"{line.rstrip()}\n" for line in flow)
    page = _Page(max(width, WIDTH_MIN), Ink(color=color), census)
    lines = page.run(drawn) if isinstance(drawn, Timeline) else page.plan(plan_of(drawn))
    return "".join(f"{line.rstrip()}\n" for line in lines)


class _Item(msgspec.Struct, frozen=True):
    """What is said about one node."""

    mark: tuple[str, Style]
    name: str
    word: str
    notes: tuple[str, ...]


class _Page:
    """Lines of one width, written in one ink."""

    def __init__(self, width: int, ink: Ink, census: Census | None) -> None:
        self._width = width
        self._ink = ink
        self._census = census

    # A plan -----------------------------------------------------------------------------------

    def plan(self, plan: Plan) -> Iterator[str]:
        yield from self._paragraph(words.signature(plan), Style.STRONG)
        yield from self._paragraph(plan.summary, Style.PLAIN)
        yield ""
        if is_lifecycle(plan, self._census):
            yield from lines_of(figure_of(plan, self._census), self._ink, self._width)
            return
        whole = whole_of(plan)
        items = [_planned(whole, index) for index in range(len(whole.plan.nodes))]
        yield from _Graph(plan, whole, items, self._ink).drawn(self._width)

    # A run ------------------------------------------------------------------------------------

    def run(self, run: Timeline) -> Iterator[str]:
        yield from self._head(run)
        yield ""
        if is_lifecycle(run, self._census):
            yield from lines_of(figure_of(run, self._census), self._ink, self._width)
        else:
            items = [_carried_out(run, index) for index in range(len(run.nodes))]
            yield from _Graph(run, whole_of(run), items, self._ink).drawn(self._width)
        yield ""
        yield from self._story(run)
        yield from self._sum(run)

    def _head(self, run: Timeline) -> Iterator[str]:
        why = run.reason or run.cause
        status = f"{run.status}{f' ({why})' if why else ''}"
        name = visible(f"{run.workflow} {run.key or ''}".rstrip())
        style = style_of_status(run.status)
        if cells(f"{name}: {status}") <= self._width:
            yield f"{self._ink(name, Style.STRONG)}: {self._ink(status, style)}"
        else:
            yield from self._paragraph(f"{name}:", Style.STRONG)
            yield self._ink(status, style)
        took = "" if run.took is None else f", took {words.lasted(run.took)}"
        caller = "" if run.parent is None else f", called by run {run.parent}"
        yield from self._paragraph(
            f"run {run.run}, began {run.began:%Y-%m-%d %H:%M:%S} UTC{took}{caller}", Style.FAINT
        )

    def _story(self, run: Timeline) -> Iterator[str]:
        if not run.story:
            yield "Nothing is recorded of it yet."
        name = max((cells(visible(entry.node or "")) for entry in run.story), default=0)
        name = max(min(name, self._width - _STORY_MIN - 18), _NAME_MIN)
        keys: set[str] = set()
        for day, entries in groupby(run.story, key=lambda entry: _moment(entry).date()):
            yield self._ink(f"What happened on {day:%Y-%m-%d} (UTC)", Style.STRONG)
            for entry in entries:
                yield from self._entry(entry, name)
                key = entry.key if isinstance(entry, Attempted) else None
                if key is not None and key not in keys:
                    keys.add(key)
                    said = f"key {key}"
                    indent = min(name + 18, self._width - len(said))
                    yield " " * indent + self._ink(said, Style.FAINT)

    def _entry(self, entry: Entry, name: int) -> Iterator[str]:
        mark, style = mark_of_entry(entry)
        at = _moment(entry)
        begin = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}  {self._ink(mark, style)} "
        path = visible(entry.node or "")
        indent = " " * (name + 18)
        if cells(path) > name:
            first, *others = wrapped(path, self._width - 16)
            yield begin + first
            yield from (" " * 16 + line for line in others)
            begin = indent
        else:
            begin += f"{padded(path, name)}  "
        first, *others = wrapped(visible(entry.text), self._width - len(indent)) or [""]
        yield begin + first
        yield from (indent + line for line in others)

    def _sum(self, run: Timeline) -> Iterator[str]:
        """Say what is undone, what stays, and what only a person can move on."""
        notes = {node.path: node.note for node in run.nodes}
        kept = [f"{path}: {notes[path]}" for path in run.kept]
        left = [f"{path}: {notes[path] or 'its attempts are used up'}" for path in run.left]
        groups = (
            ("undone", [", ".join(run.undone)] if run.undone else [], Style.BACK),
            ("kept", kept, Style.DOUBT),
            ("left", left, Style.BAD),
        )
        if any(items for _, items, _ in groups):
            yield ""
        for word, items, style in groups:
            for item in items:
                first, *others = wrapped(visible(item), self._width - 8)
                yield f"{self._painted(word, 6, style)}  {first}"
                yield from (f"        {line}" for line in others)

    # What both share --------------------------------------------------------------------------

    def _paragraph(self, said: str, style: Style) -> Iterator[str]:
        yield from (self._ink(line, style) for line in wrapped(visible(said), self._width))

    def _painted(self, said: str, width: int, style: Style) -> str:
        return self._ink(said, style) + " " * (width - cells(said))


class _Graph:
    """The nodes of a plan or a run, each in its row, and below it what it holds."""

    def __init__(self, drawn: Drawn, whole: Whole, items: Sequence[_Item], ink: Ink) -> None:
        self._drawn = drawn
        self._whole = whole
        self._items = items
        self._ink = ink

    def drawn(self, width: int) -> Iterator[str]:
        """Return the lines of everything, none of them wider than that."""
        top = self._whole.top
        yield from self._rows(top, width, self._columns(top))

    def _columns(self, nodes: Sequence[int]) -> tuple[int, int]:
        """Return how wide the longest name is, and the longest word behind it."""
        items = [self._items[node] for node in nodes]
        return (
            max((cells(item.name) for item in items), default=0),
            max((cells(item.word) for item in items), default=0),
        )

    def _rows(self, nodes: Sequence[int], width: int, columns: tuple[int, int]) -> Iterator[str]:
        drawn = arrows(self._whole.plan, nodes)
        items = [self._items[node] for node in nodes]
        rows = draw_lanes(len(nodes), drawn, width_max=width // 4)
        if rows is None:
            # Too much runs in parallel to be drawn side by side.
            rows = (Row("", "", " ", ()),) * len(items)
            needed: dict[int, list[str]] = {}
            for arrow in drawn:
                needed.setdefault(arrow.target, []).append(items[arrow.source].name)
            items = [_after(item, needed.get(place)) for place, item in enumerate(items)]
        graph = max((len(row.beside) for row in rows), default=0)
        longest, word = columns
        room = width - graph - word - 5
        name = max(min(longest, room - _NOTES_MIN), _NAME_MIN)
        for node, item, row in zip(nodes, items, rows, strict=True):
            yield from self._item(item, row, (name, word), width)
            yield from self._held(node, f"{row.beside}   ", width)
            yield from row.below

    def _held(self, node: int, margin: str, width: int) -> Iterator[str]:
        """Return the lines of what an each or a repeat holds, right of its own.

        A bracket says which lines are one round: no arrow leads from one to the next.
        """
        held = shown(self._drawn, self._whole, node)
        # Beyond some depth there is no room to the right.
        margin = margin if width - len(margin) >= WIDTH_MIN // 2 + _NAME_MIN else ""
        columns = self._columns(
            [index for each in held if not isinstance(each, str) for index in each.inside]
        )
        for each in held:
            lines = (
                [self._ink(each, Style.FAINT)]
                if isinstance(each, str)
                else [*self._rows(each.inside, width - len(margin) - 2, columns)]
            )
            for bracket, line in zip(_bracket(len(lines)), lines, strict=True):
                yield f"{margin}{self._ink(bracket, Style.FAINT)} {line}"

    def _item(self, item: _Item, row: Row, columns: tuple[int, int], width: int) -> Iterator[str]:
        name, word = columns
        mark, style = item.mark
        begin = f"{row.before}{self._ink(mark, style)}{row.after} "
        beside = f"{row.beside} "
        if cells(item.name) > name:
            # A name is never cut: people give it to commands.
            first, *others = wrapped(item.name, width - len(beside))
            yield begin + self._ink(first, Style.STRONG)
            yield from (beside + self._ink(line, Style.STRONG) for line in others)
            begin = beside + " " * name
        else:
            begin += self._painted(item.name, name, Style.STRONG)
        begin += f"  {self._painted(item.word, word, style)}  "
        indent = f"{beside}{' ' * (name + word + 4)}"
        first, *others = _flowing(item.notes, width - cells(indent)) or [""]
        yield begin + first
        yield from (indent + line for line in others)

    def _painted(self, said: str, width: int, style: Style) -> str:
        return self._ink(said, style) + " " * (width - cells(said))


def _bracket(lines: int) -> str:
    """Return what stands left of so many lines that belong together, a character each."""
    return "╶" if lines == 1 else f"╭{'│' * (lines - 2)}╰"


def _planned(whole: Whole, index: int) -> _Item:
    plan, node = whole.plan, whole.plan.nodes[index]
    notes = [
        called(node),
        f"→ {node.returns}" if node.returns != "None" else "",
        guard(plan, node) or "",
        *limits(node),
        *remedies(node),
    ]
    name = visible(whole.names[index])
    return _Item(mark_of_kind(node.kind), name, node.kind.value, _visible(notes))


def _carried_out(run: Timeline, index: int) -> _Item:
    node, story = run.plan.nodes[index], run.nodes[index]
    notes = [*words.became(node, story, run.began), shortened(words.trouble(story), _TROUBLE_MAX)]
    mark = mark_of_standing(story.standing)
    return _Item(mark, visible(story.path), story.standing.value, _visible(notes))


def _visible(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(visible(note) for note in notes if note)


def _after(item: _Item, names: list[str] | None) -> _Item:
    if not names:
        return item
    notes = (f"after {', '.join(names)}", *item.notes)
    return msgspec.structs.replace(item, notes=notes)


def _flowing(notes: Iterable[str], width: int) -> list[str]:
    """Return notes beside each other while they fit, and a long one in lines of its own."""
    lines: list[str] = []
    for note in notes:
        together = f"{lines[-1]} · {note}" if lines else note
        if cells(together) <= width:
            lines[-1:] = [together]
        else:
            lines += wrapped(note, width)
    return lines


def _moment(entry: Entry) -> datetime:
    return entry.began if isinstance(entry, Attempted) else entry.at
