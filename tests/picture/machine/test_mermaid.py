"""A lifecycle as a Mermaid state diagram: the same text for the same one, and nothing breaks it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.definition.lifecycle.machine import Trigger
from makegood.errors import InvalidInput
from makegood.picture import mermaid
from tests.decision.plans import plan_of, step
from tests.picture.machine.drawn import CENSUS, INVOICE, PAID, REMINDED_TWICE, handler, lifecycle

DRAWN = """\
---
title: invoice
---
stateDiagram-v2
    direction TB
    state "NEW" as s_NEW
    s_NEW: ▸ on entry#58; send · 3 × 30 s
    state "SENT" as s_SENT
    s_SENT: ✉ hears Paid#58; paid · 3 × 30 s
    s_SENT: ◷ after 14 d#58; remind · 3 × 30 s
    state "REMINDED" as s_REMINDED
    s_REMINDED: ✉ hears Paid#58; paid · 3 × 30 s
    s_REMINDED: ◷ when the record says#58; give_up · 3 × 30 s
    state "BOOKING" as s_BOOKING
    s_BOOKING: from here on no way back
    s_BOOKING: ▣ its run has ended#58; booked · 3 × 30 s
    state "PAID" as s_PAID
    state "LOST" as s_LOST
    [*] --> s_NEW
    s_NEW --> s_SENT: ▸ send
    s_SENT --> s_BOOKING: ✉ paid
    s_SENT --> s_REMINDED: ◷ remind
    s_REMINDED --> s_BOOKING: ✉ paid
    s_REMINDED --> s_REMINDED: ◷ give_up
    s_REMINDED --> s_LOST: ◷ give_up
    s_BOOKING --> s_PAID: ▣ booked
    s_PAID --> [*]
    s_LOST --> [*]
    classDef plain fill:#ffffff,stroke:#71717a,color:#27272a
    classDef terminal fill:#f4f4f5,stroke:#27272a,color:#27272a
    classDef here fill:#eff6ff,stroke:#2563eb,color:#1d4ed8
    classDef seen fill:#f0fdf4,stroke:#16a34a,color:#166534
    classDef unseen fill:#fafafa,stroke:#a1a1aa,color:#52525b
    classDef trouble fill:#fff1f2,stroke:#be123c,color:#be123c
    class s_NEW plain
    class s_SENT plain
    class s_REMINDED plain
    class s_BOOKING plain
    class s_PAID terminal
    class s_LOST terminal
"""

LINE = re.compile(
    r"""
      stateDiagram-v2 | direction\ TB
    | state\ "[^"]*"\ as\ s_\w+
    | s_\w+:\ [^:;\n]*(\#\d+;[^:;\n]*)*
    | (\[\*\]|s_\w+)\ -->\ (\[\*\]|s_\w+)(:\ [^:;\n]*(\#\d+;[^:;\n]*)*)?
    | classDef\ \w+\ [\w:#,]+
    | class\ s_\w+\ \w+
    """,
    re.VERBOSE,
)
"""What a line of a diagram may be. Mermaid itself would need a browser; it was asked by hand."""


def of(diagram: str, name: str) -> list[str]:
    return [line.strip() for line in diagram.splitlines() if f"s_{name}" in line]


def test_a_lifecycle_is_a_state_diagram_of_its_statuses_and_handlers() -> None:
    assert mermaid(INVOICE) == DRAWN


def test_a_census_says_at_each_status_who_stands_there_and_at_arrows_how_many_moved() -> None:
    drawn = mermaid(INVOICE, census=CENSUS)

    assert of(drawn, "SENT")[:4] == [
        'state "SENT" as s_SENT',
        "s_SENT: 1,200 runs",
        "s_SENT: longest 3 min 0 s",
        "s_SENT: 7 came, 5 left in 1 h",
    ]
    assert "s_SENT --> s_BOOKING: ✉ paid (5)" in of(drawn, "SENT")
    assert "class s_SENT here" in of(drawn, "SENT")
    assert of(drawn, "REMINDED")[1:3] == [
        "s_REMINDED: 2 runs, 1 parked",
        "s_REMINDED: longest 1 h 30 min",
    ]
    assert "class s_REMINDED trouble" in of(drawn, "REMINDED")
    assert of(drawn, "BOOKING")[1:3] == ["s_BOOKING: no run", "s_BOOKING: 5 came, 0 left in 1 h"]
    assert of(drawn, "LOST")[1] == "s_LOST: 1 came in 1 h"


def test_a_run_says_where_it_was_and_which_arrows_it_took() -> None:
    drawn = mermaid(REMINDED_TWICE)

    assert drawn.startswith("---\ntitle: invoice, waiting\n---\nstateDiagram-v2\n")
    assert of(drawn, "REMINDED")[1] == "s_REMINDED: entered 2 times, 1 min 0 s"
    assert "s_SENT --> s_REMINDED: ◷ remind (move 2)" in of(drawn, "SENT")
    assert "s_REMINDED --> s_REMINDED: ◷ give_up (move 3)" in of(drawn, "REMINDED")
    assert [of(drawn, name)[-1] for name in ("NEW", "REMINDED", "PAID")] == [
        "class s_NEW seen",
        "class s_REMINDED here",
        "class s_PAID unseen",
    ]


def test_where_a_run_has_ended_nobody_is_any_more() -> None:
    drawn = mermaid(PAID)

    assert of(drawn, "PAID")[1] == "s_PAID: entered once, 1 min 0 s"
    assert of(drawn, "PAID")[-1] == "class s_PAID seen"


def test_moves_by_several_handlers_are_told_together() -> None:
    plan = lifecycle(
        "invoice",
        "NEW SENT",
        [
            handler("send", Trigger.ENTRY, "NEW", "SENT"),
            handler("mail", Trigger.MESSAGE, "NEW", "SENT", message="shop.Mail"),
        ],
        terminal="SENT",
    )

    drawn = mermaid(plan, census=CENSUS)

    assert "s_NEW --> s_SENT: ▸ send (7 together)" in of(drawn, "NEW")
    assert "s_NEW --> s_SENT: ✉ mail (7 together)" in of(drawn, "NEW")


@given(name=st.text(min_size=1, max_size=12).filter(lambda name: not name.isspace()))
def test_no_name_breaks_a_diagram(name: str) -> None:
    status = "".join(name.split()) or "x"
    plan = lifecycle(
        "invoice", f"NEW {status}", [handler(status, Trigger.ENTRY, "NEW", status)], terminal=status
    )

    lines = mermaid(plan).split("\n")[3:-1]

    assert [line for line in lines if not LINE.fullmatch(line.strip())] == []


@pytest.mark.parametrize("drawn", [PAID, plan_of(step("pay"))])
def test_a_census_stands_beside_nothing_but_its_lifecycle(drawn: object) -> None:
    with pytest.raises(InvalidInput, match="leave it out"):
        mermaid(drawn, census=CENSUS)  # type: ignore[arg-type]


def test_a_census_of_another_lifecycle_is_refused() -> None:
    other = lifecycle(
        "order", "NEW PAID", [handler("pay", Trigger.ENTRY, "NEW", "PAID")], terminal="PAID"
    )

    with pytest.raises(InvalidInput, match="counts runs of invoice, and order is drawn"):
        mermaid(other, census=CENSUS)
