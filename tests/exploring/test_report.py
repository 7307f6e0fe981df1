"""What an exploration looks like: a table, and the stories, in no more columns than there are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from makegood.commerce.place_order import place_order
from makegood.exploring.exploration import Discovery, Exploration, explore
from makegood.exploring.report import as_text
from makegood.picture.typeset import cells
from tests.exploring import shop

KEPT = """\
kept: 16 worlds, in each of which one thing goes wrong
How they end: 1 cancelled, 9 completed, 2 failed, 4 parked.

Every promise is kept: nothing is undone in doubt, all in exact reverse order, nothing is done
twice, and whatever stands is named.

Left behind, for a person to settle                    worlds
 1  tell may or may not have happened: nobody can say       4

Kept as declared, though the run goes back  worlds
 1  tell stays: it has been said                 1

1  tell may or may not have happened: nobody can say
    If tell is in doubt every time, though nothing happens:
    tell is in doubt: no reply came, 3 times.
    tell: nobody can say whether it happened, and nothing more can be asked or tried.
    The run is parked, in doubt: nobody can say whether something happened.
"""

CLEAN = """\
harmless: 10 worlds, in each of which one thing goes wrong
How they end: 1 cancelled, 6 completed, 3 failed.

Every promise is kept: nothing is undone in doubt, all in exact reverse order, nothing is done
twice, and whatever stands is named.

Nothing is left behind.
"""


def test_a_report_has_a_table_and_a_story_for_each_of_its_lines() -> None:
    assert as_text(explore(shop.kept)) == KEPT


def test_a_report_of_what_leaves_nothing_says_so() -> None:
    assert as_text(explore(shop.harmless)) == CLEAN


def test_a_broken_promise_is_told_first_with_its_story() -> None:
    broken = Discovery(
        node="", what="paid, and nothing is held", worlds=1_200, cause=(), story=("pay is done.",)
    )
    found = replace(explore(shop.harmless), broken=(broken,), pairs=True)
    assert as_text(found).splitlines()[:6] == [
        "harmless: 10 worlds, in each of which one or two things go wrong",
        "How they end: 1 cancelled, 6 completed, 3 failed.",
        "",
        "BROKEN  paid, and nothing is held (1,200 worlds)",
        "    Without any fault:",
        "    pay is done.",
    ]


@pytest.fixture(scope="module")
def found() -> Exploration:
    return explore(place_order)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("color", [False, True])
def test_no_line_is_wider_than_the_terminal(found: Exploration, width: int, *, color: bool) -> None:
    written = as_text(found, color=color, width=width)
    assert ("\x1b[" in written) == color
    plain = written if not color else as_text(found, width=width)
    assert max(map(cells, plain.splitlines())) <= width


def test_a_name_that_a_terminal_would_obey_is_shown() -> None:
    finding = Discovery(node="pa\x1b[2Jy", what="is left", worlds=1, cause=(), story=())
    written = as_text(replace(explore(shop.harmless), left=(finding,)))
    assert "\x1b" not in written
    assert "pa\\x1b[2Jy is left" in written
