"""Plans and runs as SVG: well-formed, without anything active, with room for all that it says."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations, pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makegood.definition.plan import Argument, FromInput, FromNode, Input, Kind, Node, Plan
from makegood.picture import Standing, svg
from makegood.picture.graph import arrows
from makegood.picture.layout import Box, lay_out
from makegood.picture.paint import (
    BACK,
    FAINT,
    INK,
    KINDS,
    MARKS,
    PAPER,
    STANDINGS,
    TROUBLE,
    paint_of_status,
)
from makegood.picture.typeset import text_width, visible
from makegood.values.verdict import Failure, FailureKind
from tests.decision.driver import Run
from tests.decision.people import parked
from tests.decision.plans import expect, local, plan_of, pure, query, step
from tests.decision.test_properties import WatchedRun, deadlines, moves, plans, scripts
from tests.picture.told import RUN, told
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from tests.decision.driver import Outcome

SVG = "{http://www.w3.org/2000/svg}"
SHOP = plan_of(
    query("order"),
    expect("is_open", "order"),
    pure("total", "order"),
    local("reserve", "is_open", undo_local=True),
    step("pay", "reserve", "total", undo=True, compensate=True, pivot=True),
    step("mail", "pay", optional=True, guard=True),
    step("ship", "pay"),
)
PASSIVE = {"svg", "title", "desc", "g", "rect", "circle", "path", "polygon", "text"}


def test_a_plan_says_of_each_node_what_it_is_and_how_it_is_made_good() -> None:
    picture = read(svg(SHOP))

    assert said_in(picture)["pay"] == [
        "step",
        "pay",
        "pivot: no way back · 3 × 30 s",
        "undo: undo_pay",
        "compensate: find_pay",
    ]
    assert [*said_in(picture)] == [node.path for node in SHOP.nodes]
    assert texts_of(picture)[-1] == "only comes before"


def test_a_run_says_of_each_node_what_became_of_it() -> None:
    plan = plan_of(
        step("reserve", undo=True), step("pay", "reserve", undo=True), step("ship", "pay")
    )
    run = Run(plan, {"ship": [Failure(kind=FailureKind.DECLINED, type="x.No", message="a < b")]})

    picture = read(svg(told(run.play())))

    assert said_in(picture) == {
        "reserve": ["step", "reserve", "undone, 2 of 2", "0 ms · undo: undo_reserve, 0 ms"],
        "pay": ["step", "pay", "undone, 1 of 2", "0 ms · undo: undo_pay, 0 ms"],
        "ship": ["step", "ship", "failed", "0 ms", "No: a < b"],
    }
    assert texts_of(picture)[:3] == [
        "shop order-17",
        "failed (error)",
        f"run {RUN}, began 2023-11-14 22:13:20 UTC, took 0 ms",
    ]
    assert "undone next" in texts_of(picture)


def test_who_does_not_see_the_picture_is_told_all_of_it() -> None:
    picture = read(svg(told(parked.pay_left())))

    assert picture.findtext(f"{SVG}title") == "shop order-17: parked (undo gave up)"
    assert picture.findtext(f"{SVG}desc") == (
        "reserve (step); undone; 0 ms · undo: undo_reserve, 0 ms\n"
        "pay (step); left; 0 ms; undo: undo_pay, 0 ms; its undo gave up, and it still stands; "
        "ValueError; after reserve\n"
        "ship (step); failed; 0 ms; Declined; after pay"
    )


def test_what_is_cut_is_whole_in_the_title_of_its_box() -> None:
    message = "no " * 1_000 + "end"
    failure = Failure(kind=FailureKind.DECLINED, type="x.No", message=message)
    picture = read(svg(told(Run(plan_of(step("pay")), {"pay": [failure]}).play())))

    (box,) = cards_of(picture)
    assert len(box.findall(f"{SVG}text")) == 7
    assert (box.findtext(f"{SVG}title") or "").endswith(message)


@pytest.mark.parametrize(
    "plan",
    [
        plan_of(),
        plan_of(step("alone")),
        plan_of(*(step(f"s{number}") for number in range(9))),
        SHOP,
        plan_of(
            query("all"),
            *(query(f"part{number}", "all") for number in range(12)),
            query("end", *(f"part{number}" for number in range(12))),
        ),
    ],
)
def test_every_shape_of_plan_is_drawn_with_nothing_on_top_of_anything(plan: Plan) -> None:
    picture = read(svg(plan))

    assert [*said_in(picture)] == [node.path for node in plan.nodes]
    assert_tidy(picture)


hostile = st.text(min_size=1, max_size=60)


@settings(max_examples=settings().max_examples // 2)
@given(name=hostile, other=hostile, said=hostile)
def test_no_text_from_outside_means_anything(name: str, other: str, said: str) -> None:
    plan = Plan(
        workflow=other,
        fingerprint="f",
        summary=said,
        inputs=(Input(name=name, type=said),),
        nodes=(
            Node(path=name, kind=Kind.STEP, function=other, irreversible=said, feeds=(1,)),
            Node(
                path=f"{name}2",
                kind=Kind.QUERY,
                function=said,
                needs=(0,),
                when=FromInput(name),
                arguments=(Argument(name=said, source=FromNode(0), type=other),),
            ),
        ),
    )
    failure = Failure(kind=FailureKind.DECLINED, type=other, message=said)
    run = told(Run(plan, {name: [failure]}).play(), key=said)

    for picture in (read(svg(plan)), read(svg(run))):
        assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= PASSIVE
        assert not any("href" in key or key.startswith("on") for key in keys_of(picture))
        assert all(part.isprintable() for text in picture.itertext() for part in text.split("\n"))
        assert_tidy(picture)
    titles = [box.findtext(f"{SVG}title") or "" for box in cards_of(read(svg(plan)))]
    assert titles[0].startswith(f"{visible(name)} (step)\n")


@settings(max_examples=settings().max_examples // 2)
@given(plans(), scripts(), moves, deadlines)
def test_every_run_is_drawn_with_each_node_once_and_nothing_on_top_of_anything(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, list[int], int]],
    deadline: timedelta | None,
) -> None:
    run = WatchedRun(plan, script, deadline=deadline)
    for move, order, number in what_happens:
        run.do(move, order, number)

    picture = read(svg(told(run)))

    assert [*said_in(picture)] == [node.path for node in plan.nodes]
    assert_tidy(picture)


@pytest.mark.parametrize(
    "make",
    [parked.in_doubt, parked.unrecorded, parked.pay_left, parked.used_up, parked.poisoned],
)
def test_every_reason_to_park_is_in_the_picture(make: Callable[[], Run]) -> None:
    run = make()

    assert f"parked ({run.state.parked})" in texts_of(read(svg(told(run))))


def test_arrows_begin_and_end_at_their_boxes_and_have_no_slant() -> None:
    sizes = [(210.0, 40.0 + 17 * (number % 4)) for number in range(len(SHOP.nodes))]
    pairs = [(arrow.source, arrow.target) for arrow in arrows(SHOP)]
    back = [(6, 4), (4, 3)]

    layout = lay_out(sizes, pairs, back)

    assert len(layout.arrows) == len(pairs)
    assert len(layout.back) == len(back)
    for (source, target), line in zip([*pairs, *back], [*layout.arrows, *layout.back], strict=True):
        assert touches(layout.boxes[source], line[0])
        assert touches(layout.boxes[target], line[-1])
        assert all(here[0] == there[0] or here[1] == there[1] for here, there in pairwise(line))


def test_an_arrow_that_leads_back_moves_no_box() -> None:
    sizes = [(200.0, 60.0)] * 4
    pairs = [(0, 1), (0, 2), (1, 3), (2, 3)]

    assert lay_out(sizes, pairs).boxes == lay_out(sizes, pairs, [(3, 2), (2, 1)]).boxes


def test_the_same_input_gives_the_same_bytes_in_every_process() -> None:
    plan = msgspec.json.encode(SHOP).decode()
    script = (
        "import sys, msgspec; from makegood.definition.plan import Plan; "
        "from makegood.picture import mermaid, svg, text; "
        "plan = msgspec.json.decode(sys.argv[1], type=Plan); "
        "sys.stdout.buffer.write((svg(plan) + text(plan) + mermaid(plan)).encode())"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", script, plan],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(drawn) == 1
    assert drawn.pop().startswith(svg(SHOP).encode())


def test_without_graphlay_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['graphlay'] = None; "
        "from makegood.picture.layout import lay_out\n"
        "try: lay_out([], [])\n"
        "except ModuleNotFoundError as error: print(error.name, error, sep=': ')"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=True,
        text=True,
    )
    assert found.stdout == (
        'graphlay: an SVG is laid out by graphlay; run: pip install "makegood[standard]"\n'
    )


def test_every_kind_and_every_standing_has_its_colours_and_its_own_mark() -> None:
    assert set(KINDS) == set(Kind)
    assert set(STANDINGS) == set(MARKS) == set(Standing)
    assert len(set(MARKS.values())) == len(Standing)


def test_every_text_can_be_read_on_what_it_stands_on() -> None:
    paints = [*KINDS.values(), *STANDINGS.values(), paint_of_status("parked")]
    for paint in paints:
        for ink in (INK, FAINT, TROUBLE, BACK, paint.ink, *(kind.ink for kind in KINDS.values())):
            assert contrast(ink, paint.fill) >= 4.5, (ink, paint.fill)
    assert contrast(FAINT, PAPER) >= 4.5


# What a picture holds -----------------------------------------------------------------------


def read(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - we wrote it


def cards_of(picture: ET.Element) -> Iterator[ET.Element]:
    """Return the group of each box, in the order of the plan."""
    return (group for group in picture.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None)


def said_in(picture: ET.Element) -> dict[str, list[str]]:
    """Return the lines of each box, by the name of its node: the kind comes first."""
    found: dict[str, list[str]] = {}
    for card in cards_of(picture):
        name = (card.findtext(f"{SVG}title") or "").split(" (")[0]
        assert name not in found
        found[name] = [text.text or "" for text in card.findall(f"{SVG}text")]
    return found


def texts_of(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def keys_of(picture: ET.Element) -> Iterator[str]:
    return (key for element in picture.iter() for key in element.keys())  # noqa: SIM118


def box_of(card: ET.Element) -> Box:
    rect = card.find(f"{SVG}rect")
    assert rect is not None
    left, top, width, height = (float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
    return Box(left, top, width, height)


def assert_tidy(picture: ET.Element) -> None:
    """No box touches another or leaves the picture, and every text stays within its box."""
    cards = [*cards_of(picture)]
    boxes = [box_of(card) for card in cards]
    for one, other in combinations(boxes, 2):
        beside = one.left + one.width < other.left or other.left + other.width < one.left
        above = one.top + one.height < other.top or other.top + other.height < one.top
        assert beside or above
    for card, box in zip(cards, boxes, strict=True):
        baselines = [float(text.get("y", "")) for text in card.findall(f"{SVG}text")]
        assert box.top < min(baselines) - 10
        assert max(baselines) < box.top + box.height
        for text in card.findall(f"{SVG}text"):
            assert_within(text, box.left, box.left + box.width)
    width = float(picture.get("width", ""))
    for text in picture.findall(f"{SVG}text"):
        assert_within(text, 0, width)
    assert all(box.left >= 0 and box.left + box.width <= width for box in boxes)


def assert_within(text: ET.Element, low: float, high: float) -> None:
    size, is_bold = float(text.get("font-size", "")), text.get("font-weight") == "700"
    width = text_width(text.text or "", size, bold=is_bold)
    anchor = float(text.get("x", ""))
    left = anchor - width if text.get("text-anchor") == "end" else anchor
    assert low <= left
    assert left + width <= high


def touches(box: Box, point: tuple[float, float]) -> bool:
    x, y = point
    is_across = box.left - 1 <= x <= box.left + box.width + 1
    is_beside = box.top - 1 <= y <= box.top + box.height + 1
    edges_x = (box.left, box.left + box.width)
    edges_y = (box.top, box.top + box.height)
    is_at_edge = any(abs(x - edge) < 1 for edge in edges_x) or any(
        abs(y - edge) < 1 for edge in edges_y
    )
    return is_across and is_beside and is_at_edge


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    channels = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
