"""A lifecycle as SVG: well-formed, nothing active, every status, handler and number in it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from makegood.definition.lifecycle.machine import Trigger
from makegood.picture import svg
from makegood.picture.layout import leading_back
from tests.picture.machine.drawn import (
    CENSUS,
    INVOICE,
    PAID,
    REMINDED_TWICE,
    handler,
    lifecycle,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SVG = "{http://www.w3.org/2000/svg}"
PASSIVE = {"svg", "title", "desc", "g", "rect", "circle", "path", "polygon", "text"}
TAKEN = "#1d4ed8"


def parsed(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314 - we wrote it


def texts(drawn: str) -> list[str]:
    return [each.text or "" for each in parsed(drawn).iter(f"{SVG}text")]


def boxes(drawn: str) -> Iterator[ET.Element]:
    """Give the boxes of statuses and handlers, as the first rectangle of each group."""
    for group in parsed(drawn).iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        if rect is not None:
            yield rect


def lines(drawn: str, color: str) -> int:
    return drawn.count(f'fill="none" stroke="{color}" stroke-width="2.4"')


def test_every_status_and_every_handler_has_a_box() -> None:
    said = texts(svg(INVOICE))

    assert said[:3] == ["invoice", "A claim for money.", "invoice(record: Invoice) → Invoice"]
    for status in ("NEW", "SENT", "REMINDED", "BOOKING", "PAID", "LOST"):
        assert said.count(status) == 1
    assert said.count("✉ paid") == 2
    assert said.count("hears Paid") == 2
    for once in (
        "▸ on entry: send",
        "◷ remind",
        "after 14 d",
        "◷ give_up",
        "when the record says",
        "▣ its run has ended: booked",
        "from here on no way back",
    ):
        assert said.count(once) == 1
    assert said.count("the end") == 2


def test_a_census_stands_in_the_boxes_and_at_the_arrows() -> None:
    said = texts(svg(INVOICE, census=CENSUS))

    assert {"1,200 runs", "longest 3 min 0 s", "7 came, 5 left in 1 h"} <= {*said}
    assert {"2 runs, 1 parked", "longest 1 h 30 min"} <= {*said}
    assert [each for each in said if each in {"7", "5", "1"}] == ["7", "5", "1"]
    assert "numbers at arrows: moves of late" in said


def test_a_run_shows_the_way_that_it_took_by_numbers_and_by_colour() -> None:
    drawn = svg(REMINDED_TWICE)
    said = texts(drawn)

    assert said[:2] == ["invoice invoice-17", "waiting"]
    assert {"entered once, 1 min 0 s", "entered 2 times, 1 min 0 s"} <= {*said}
    assert [each for each in said if each.isdigit()] == ["1", "2", "3"]
    # Three moves, and to two of their handlers a way from the status.
    assert lines(drawn, TAKEN) == 5 + 1
    assert lines(svg(INVOICE), TAKEN) == 0


@pytest.mark.parametrize(
    "drawn", [svg(INVOICE), svg(INVOICE, census=CENSUS), svg(REMINDED_TWICE), svg(PAID)]
)
def test_a_picture_holds_nothing_active_and_no_box_lies_on_another(drawn: str) -> None:
    root = parsed(drawn)

    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= PASSIVE
    assert root.find(f"{SVG}desc") is not None
    placed = [
        tuple(float(box.get(side, "")) for side in ("x", "y", "width", "height"))
        for box in boxes(drawn)
    ]
    for (x, y, width, height), (x_2, y_2, width_2, height_2) in combinations(placed, 2):
        is_beside = x + width <= x_2 or x_2 + width_2 <= x
        assert is_beside or y + height <= y_2 or y_2 + height_2 <= y


def test_the_same_lifecycle_gives_the_same_picture() -> None:
    assert svg(INVOICE, census=CENSUS) == svg(INVOICE, census=CENSUS)


def test_names_from_outside_mean_nothing_to_xml() -> None:
    plan = lifecycle(
        "a<b", "N<&> P'\"", [handler("f<g>", Trigger.ENTRY, "N<&>", "P'\"")], terminal="P'\""
    )

    assert {"a<b", "N<&>", "P'\"", "▸ on entry: f<g>"} <= {*texts(svg(plan))}


def test_an_entry_that_leads_to_its_own_status_says_so_in_the_box() -> None:
    plan = lifecycle(
        "poll", "ASKING DONE", [handler("ask", Trigger.ENTRY, "ASKING", "ASKING DONE")],
        terminal="DONE",
    )  # fmt: skip

    assert "may lead here again" in texts(svg(plan))


@pytest.mark.parametrize(
    ("arrows", "back"),
    [
        ([(0, 1), (1, 2)], []),
        ([(0, 1), (1, 0)], [1]),
        ([(1, 0), (0, 1)], [0]),
        ([(0, 1), (1, 2), (2, 1), (0, 2)], [2]),
        ([(0, 1), (2, 3), (3, 2)], [2]),
        ([(0, 0)], [0]),
    ],
)
def test_an_arrow_leads_back_where_one_has_come_from(
    arrows: list[tuple[int, int]], back: list[int]
) -> None:
    found = leading_back(arrows, 4, 0)

    assert [number for number, is_back in enumerate(found) if is_back] == back
