"""What a chart of a run shows: every attempt, every wait with its length, and who goes back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from makegood.picture import Attempted, Ending, chart
from makegood.picture.chart.bars import ROWS_MAX, STANDING_OF, Mark, Rest, rows_of
from tests.decision.driver import DECLINED, DONE, IN_DOUBT, PROCEED, Run
from tests.decision.plans import each_, plan_of, query, sleep_, step
from tests.decision.test_properties import WatchedRun, deadlines, moves, people, plans, scripts
from tests.picture.test_timeline import BUSY
from tests.picture.told import take, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from makegood.definition.plan import Plan
    from tests.decision.driver import Outcome

    Moves = list[tuple[str, list[int], int]]

SVG = "{http://www.w3.org/2000/svg}"


def read(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - we wrote it


def texts_of(picture: ET.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def titles_of(picture: ET.Element) -> list[str]:
    return [group.findtext(f"{SVG}title", "") for group in picture.iter(f"{SVG}g")]


def failed() -> Run:
    """Return a run that was tried again, waited, was in doubt, and went back."""
    plan = plan_of(
        step("reserve", undo=True),
        step("pay", "reserve", undo=True, compensate=True),
        sleep_("rest", "pay"),
        step("ship", "rest"),
    )
    run = Run(plan, {"pay ask": [PROCEED], "pay undo": [DONE]})
    take(run, 0.25, "reserve", outcome=BUSY)
    run.pass_time()
    take(run, 0.5, "reserve")
    take(run, 2, "pay", outcome=IN_DOUBT)
    take(run, 0.5, "pay ask")
    run.pass_time()
    take(run, 1, "ship", outcome=DECLINED)
    take(run, 0.25, "pay undo")
    run.play()
    return run


def test_every_attempt_has_a_bar_from_its_beginning_to_its_end() -> None:
    rows = rows_of(told(failed()))
    reserve, pay, rest, ship = rows.rows
    assert [(bar.began, bar.ended, bar.entry.ending) for bar in reserve.bars] == [
        (0.0, 0.25, Ending.FAILED),
        (1.25, 1.75, Ending.DONE),
        (rows.ended, rows.ended, Ending.DONE),
    ]
    assert reserve.rests == (Rest(0.25, 1.25),)
    assert [(bar.entry.direction, bar.entry.ending) for bar in pay.bars] == [
        ("do", Ending.IN_DOUBT),
        ("compensate", Ending.ANSWERED),
        ("undo", Ending.DONE),
    ]
    (slept,) = rest.rests
    assert (rest.bars, slept.began) == ((), 4.25)
    assert ship.bars[0].began == slept.ended
    assert [mark.is_back for mark in rows.marks] == [True, False]


def test_a_long_wait_is_cut_and_its_length_is_written_into_the_break() -> None:
    run = told(failed())
    picture = read(chart(run))
    (slept,) = rows_of(run).rows[2].rests
    assert slept.ended - slept.began == 180
    assert "3 min" in texts_of(picture)
    described = picture.findtext(f"{SVG}desc", "")
    assert "nothing at work for 3 min" in described
    assert "+0 reserve: attempt 1 failed after 250 ms, Busy: try later" in described
    assert "goes back: a step definitely failed" in described


def test_what_colour_says_is_said_by_a_mark_and_a_word() -> None:
    said = texts_of(read(chart(told(failed()))))
    assert "↶ undone, 2 attempts" in said
    assert "✗ failed" in said
    assert {"✗", "↶", "✓", "?", "→"} <= set(said)


def test_an_attempt_whose_end_is_not_known_goes_on_to_the_last_moment() -> None:
    run = Run(plan_of(step("a"), query("b")))
    take(run, 3, "b")
    first, _second = rows_of(told(run)).rows
    (bar,) = first.bars
    assert (bar.began, bar.ended, bar.is_open) == (0.0, 3.0, True)
    assert "stroke-dasharray" in chart(told(run))


def test_a_run_that_has_not_begun_is_drawn_without_a_row() -> None:
    run = Run(plan_of(step("a")), starts=False)
    assert rows_of(told(run)).rows == ()
    assert read(chart(told(run))).tag == f"{SVG}svg"


def test_more_rows_than_can_be_read_are_counted() -> None:
    run = Run(plan_of(each_("lines", block=(step("pack"),), at_once=200)), {"lines items": ["130"]})
    run.play()
    story = told(run)
    many = sum("/" in node.path for node in story.nodes)
    rows = rows_of(story)
    assert len(rows.rows) == min(ROWS_MAX, many)
    assert rows.more == many - len(rows.rows)


def test_every_ending_has_its_colours() -> None:
    assert set(STANDING_OF) == set(Ending)


def test_a_claim_by_another_worker_is_marked() -> None:
    run = Run(plan_of(step("a", compensate=True)))
    run.crash()
    marks = rows_of(told(run)).marks
    assert [mark.said for mark in marks] != []
    assert all(isinstance(mark, Mark) for mark in marks)


@given(plans(), scripts(), moves, people, deadlines)
def test_every_run_can_be_drawn_and_every_attempt_has_its_bar(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: Moves,
    what_people_do: Moves,
    deadline: timedelta | None,
) -> None:
    run = WatchedRun(plan, script, deadline=deadline)
    for move, order, number in [*what_happens, *what_people_do]:
        run.do(move, order, number)
    story = told(run)
    attempts = [entry for entry in story.story if isinstance(entry, Attempted)]
    bars = [bar.entry for row in rows_of(story).rows for bar in row.bars]
    assert sorted(map(repr, bars)) == sorted(map(repr, attempts))
    read(chart(story))


@pytest.mark.parametrize("hostile", ['a"b', "<script>", "a\u202eb", "a\x1b[0m"])
def test_names_from_outside_are_only_text(hostile: str) -> None:
    picture = chart(told(failed(), key=hostile))
    read(picture)
    assert "<script" not in picture
    assert "\u202e" not in picture
