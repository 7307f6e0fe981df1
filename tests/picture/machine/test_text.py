"""A lifecycle in a terminal: a paragraph for each status, no line wider than it may be."""

from __future__ import annotations

import pytest

from makegood.picture import text
from makegood.picture.typeset import cells
from tests.picture.machine.drawn import CENSUS, INVOICE, REMINDED_TWICE

DRAWN = """\
invoice(record: Invoice) → Invoice
A claim for money.

● NEW  the start
    ▸ on entry              send     → SENT · 3 × 30 s

● SENT
    ✉ hears Paid            paid     → BOOKING · 3 × 30 s
    ◷ after 14 d            remind   → REMINDED · 3 × 30 s

● REMINDED
    ✉ hears Paid            paid     → BOOKING · 3 × 30 s
    ◷ when the record says  give_up  → REMINDED, LOST · 3 × 30 s

● BOOKING  from here on no way back
    ▣ its run has ended     booked   → PAID · 3 × 30 s

■ PAID  the end

■ LOST  the end
"""

COUNTED = """\
● NEW  the start, no run, 7 came, 7 left in 1 h
    ▸ on entry              send     → SENT (7) · 3 × 30 s

● SENT  1,200 runs, longest 3 min 0 s, 7 came, 5 left in 1 h
    ✉ hears Paid            paid     → BOOKING (5) · 3 × 30 s
    ◷ after 14 d            remind   → REMINDED · 3 × 30 s

! REMINDED  2 runs, 1 parked, longest 1 h 30 min, 0 came, 1 left in 1 h
"""

WENT = """\
✓ NEW  the start, entered once, 1 min 0 s
    ▸ on entry              send     → SENT (move 1) · 3 × 30 s

✓ SENT  entered once, 1 min 0 s
    ✉ hears Paid            paid     → BOOKING · 3 × 30 s
    ◷ after 14 d            remind   → REMINDED (move 2) · 3 × 30 s

▸ REMINDED  entered 2 times, 1 min 0 s
    ✉ hears Paid            paid     → BOOKING · 3 × 30 s
    ◷ when the record says  give_up  → REMINDED (move 3), LOST · 3 × 30 s

· BOOKING  from here on no way back
"""


def test_a_lifecycle_is_told_status_by_status() -> None:
    assert text(INVOICE) == DRAWN


def test_a_census_says_who_stands_where_and_how_long() -> None:
    assert COUNTED in text(INVOICE, census=CENSUS)


def test_a_run_of_it_says_where_it_was_and_where_it_is() -> None:
    assert WENT in text(REMINDED_TWICE)


@pytest.mark.parametrize("width", [60, 61, 70, 200])
def test_no_line_is_wider_than_it_may_be(width: int) -> None:
    for drawn in (text(INVOICE, width=width, census=CENSUS), text(REMINDED_TWICE, width=width)):
        assert max(cells(line) for line in drawn.splitlines()) <= width
        for said in ("paid", "when the record says", "give_up", "REMINDED", "3 × 30 s"):
            assert said in drawn


def test_what_colour_says_is_said_by_marks_too() -> None:
    drawn = text(INVOICE, census=CENSUS, color=True)

    assert "\x1b[31m!\x1b[0m \x1b[1mREMINDED\x1b[0m" in drawn
