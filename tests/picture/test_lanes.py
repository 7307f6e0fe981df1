"""A graph as lines of text: whoever follows the lines finds the arrows, and no others."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from makegood.picture.graph import Arrow
from makegood.picture.lanes import draw_lanes

SIZE_MAX = 9

DOWN, LEFT, RIGHT = (1, 0), (0, -1), (0, 1)
TURNS = {
    # Where a line goes on that comes into a character from above, from the right, from the left.
    "│": {DOWN: [DOWN]},
    "─": {LEFT: [LEFT], RIGHT: [RIGHT]},
    "┼": {DOWN: [DOWN], LEFT: [LEFT], RIGHT: [RIGHT]},
    "├": {DOWN: [DOWN, RIGHT], LEFT: [DOWN]},
    "┤": {DOWN: [DOWN, LEFT], RIGHT: [DOWN]},
    "┬": {RIGHT: [DOWN, RIGHT]},
    "╮": {RIGHT: [DOWN]},
    "╯": {DOWN: [LEFT]},
    "╰": {DOWN: [RIGHT]},
    "◂": {LEFT: [LEFT]},
    "▸": {RIGHT: [RIGHT]},
}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[Arrow]]:
    """Return a graph whose order is a valid one, with no arrow that follows from others."""
    count = draw(st.integers(0, SIZE_MAX))
    before: list[int] = []
    arrows: list[Arrow] = []
    for target in range(count):
        wanted = draw(st.sets(st.integers(0, target - 1), max_size=4)) if target else set()
        implied = 0
        for source in wanted:
            implied |= before[source]
        kept = [source for source in sorted(wanted) if not implied >> source & 1]
        before.append(implied | sum(1 << source for source in kept))
        arrows += [Arrow(source, target, "order") for source in kept]
    return count, arrows


@given(graphs())
def test_whoever_follows_the_lines_finds_every_arrow_and_no_other(
    graph: tuple[int, list[Arrow]],
) -> None:
    count, arrows = graph

    pairs = sorted((arrow.source, arrow.target) for arrow in arrows)
    assert sorted(found_in(drawn(count, arrows))) == pairs
    assert sorted(found_in(drawn(count, arrows, notes=1))) == pairs


@given(graphs())
def test_every_line_is_as_wide_as_the_widest(graph: tuple[int, list[Arrow]]) -> None:
    rows = draw_lanes(*graph)
    assert rows is not None

    widths = {len(f"{row.before} {row.after}") for row in rows}
    widths |= {len(line) for row in rows for line in (row.beside, *row.below)}
    assert len(widths) <= 1


def test_branches_that_part_and_meet_again_read_at_a_glance() -> None:
    pairs = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]

    assert drawn(5, [Arrow(*pair, "data") for pair in pairs]) == [
        "0",
        "├─┬─╮",
        "1 │ │",
        "│ 2 │",
        "├─╯ │",
        "│   3",
        "├───╯",
        "4",
    ]


def test_a_tip_says_which_of_two_lanes_is_joined_to_the_other() -> None:
    pairs = [(0, 2), (1, 2), (1, 3)]

    assert drawn(4, [Arrow(*pair, "data") for pair in pairs]) == [
        "0",
        "│ 1",
        "├◂┤",
        "2 │",
        "  3",
    ]


def test_what_does_not_follow_does_not_stand_below() -> None:
    assert drawn(3, []) == ["0", "  1", "2"]


def test_more_lanes_than_anybody_could_follow_are_not_drawn() -> None:
    fan = [Arrow(0, target, "data") for target in range(1, 6)]

    assert draw_lanes(6, fan, width_max=8) is None
    assert draw_lanes(6, fan, width_max=9) is not None


def drawn(count: int, arrows: list[Arrow], *, notes: int = 0) -> list[str]:
    """Return the lines of a graph, each node drawn as its number and followed by some notes."""
    lines: list[str] = []
    rows = draw_lanes(count, arrows)
    assert rows is not None
    for number, row in enumerate(rows):
        lines += [f"{row.before}{number}{row.after}", *[row.beside] * notes, *row.below]
    return [line.rstrip() for line in lines]


def found_in(page: list[str]) -> Iterator[tuple[int, int]]:
    """Follow the lines down from each node, and return each pair that is connected."""
    for row, line in enumerate(page):
        for column, character in enumerate(line):
            if character.isdigit():
                for target in reached(page, row + 1, column):
                    yield int(character), target


def reached(page: list[str], row: int, column: int) -> set[int]:
    """Return the nodes to which a line leads that enters a place from above."""
    found: set[int] = set()
    ways = [(row, column, DOWN)]
    while ways:
        row, column, way = ways.pop()
        character = page[row][column : column + 1] if row < len(page) else ""
        if character.isdigit():
            found.add(int(character))
            continue
        turns = TURNS.get(character, {}).get(way, [])
        ways += [(row + down, column + across, (down, across)) for down, across in turns]
    return found
