"""Every row of the comparison says what makegood does and names a test that is there."""

from __future__ import annotations

import re

from tests.source import ROOT

PAGE = ROOT / "docs" / "reference" / "compared.md"
ROW = re.compile(r"^\| (?P<row>[A-Z]?\d+) \|(?P<cells>.*)\|$", re.MULTILINE)
NAMED = re.compile(r"`(?P<file>[\w/]+\.py)::(?P<test>test_\w+)`")
ROWS_MIN = 225
NOT_YET: frozenset[str] = frozenset()
"""The rows of what is not there; what is there is to have its test."""


def rows() -> dict[str, list[str]]:
    """Return the cells of every row, by its number."""
    found = ROW.finditer(PAGE.read_text())
    return {match["row"]: [cell.strip() for cell in match["cells"].split(" | ")] for match in found}


def test_every_row_says_what_is_done_here_and_names_its_test() -> None:
    table = rows()
    assert len(table) >= ROWS_MIN
    lacking = {
        row for row, cells in table.items() if len(cells[-2]) < 2 or not NAMED.search(cells[-1])
    }
    assert lacking == NOT_YET


def test_a_row_of_what_is_not_there_says_so() -> None:
    table = rows()
    assert [row for row in NOT_YET if "*Not yet*" not in table[row][-2]] == []


def test_no_row_is_there_twice() -> None:
    numbers = [match["row"] for match in ROW.finditer(PAGE.read_text())]
    assert sorted(numbers) == sorted(rows())


def test_every_test_that_is_named_is_there() -> None:
    missing = [
        f"{named['file']}::{named['test']}"
        for named in NAMED.finditer(PAGE.read_text())
        if f"def {named['test']}(" not in (ROOT / "tests" / named["file"]).read_text()
    ]
    assert missing == []
