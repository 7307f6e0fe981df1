"""Plans and runs in a terminal: what stands there, and that nothing breaks out of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.definition.plan import Argument, FromInput, FromNode, Input, Kind, Node, Plan
from makegood.definition.step import step as declared
from makegood.definition.workflow import workflow
from makegood.picture import text
from makegood.picture.typeset import cells, text_width, visible, wrapped
from makegood.picture.words import lasted
from makegood.values.verdict import Failure, FailureKind, ItDidNotHappen
from tests.decision.driver import DECLINED, IN_DOUBT, PROCEED, Run
from tests.decision.people import parked
from tests.decision.plans import plan_of, query, step
from tests.decision.test_properties import WatchedRun, deadlines, moves, plans, scripts
from tests.picture.told import RUN, take, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.decision.driver import Outcome

SGR = re.compile(r"\x1b\[\d+m")
SHOP = msgspec.structs.replace(
    plan_of(
        query("order"),
        step("reserve", "order", undo=True),
        step("price", "order", guard=True, timeout=timedelta(minutes=2), attempts=1),
        step("pay", "reserve", "price", undo=True, compensate=True, pivot=True),
        step("mail", "pay", optional=True),
        step("ship", "pay"),
    ),
    summary="Sell one order.",
    inputs=(Input(name="order_id", type="str"), Input(name="flag", type="bool")),
)


def test_a_plan_is_a_graph_that_reads_from_the_top() -> None:
    assert (
        text(SHOP)
        == """\
shop(order_id: str, flag: bool) → None
Sell one order.

○   order         query  3 × 30 s
├─╮
● │ reserve       step   3 × 30 s · undo: undo_reserve
│ ● price         step   when flag · once, 2 min
├─╯
●   pay           step   pivot: no way back · 3 × 30 s · undo: undo_pay · compensate: find_pay
├─╮
● │ mail          step   optional · 3 × 30 s
  ● ship          step   3 × 30 s
"""
    )


def test_a_run_is_the_graph_its_story_and_what_to_know_at_the_end() -> None:
    plan = plan_of(
        query("order"),
        step("reserve", "order", undo=True),
        step("pay", "reserve", undo=True, compensate=True),
        step("mail", "pay", optional=True),
        step("ship", "pay"),
    )
    run = Run(plan, {"pay ask": [PROCEED]})
    take(run, 0.25, "order")
    take(run, 0.5, "reserve")
    take(run, 30, "pay", outcome=IN_DOUBT)
    take(run, 2, "pay ask")
    take(run, 0.1, "mail")
    take(run, 3, "ship", outcome=DECLINED)
    take(run, 0.2, "pay undo")
    take(run, 0.3, "reserve undo")

    assert (
        text(told(run))
        == f"""\
shop order-17: failed (error)
run {RUN}, began 2023-11-14 22:13:20 UTC, took 36.4 s

✓   order         done    250 ms
↶   reserve       undone  500 ms · undo: undo_reserve, 300 ms
↶   pay           undone  32 s · undo: undo_pay, 200 ms
├─╮
■ │ mail          kept    100 ms · it declares no undo
  ✗ ship          failed  3.1 s · Declined

What happened on 2023-11-14 (UTC)
22:13:20.000                  started
22:13:20.000  ✓ order         attempt 1 done in 250 ms
22:13:20.250  ✓ reserve       attempt 1 done in 500 ms
                              key 7591633d-8507-5613-80bb-9907d4b57a84
22:13:20.750  ? pay           attempt 1 in doubt after 30 s, OutcomeUnknown
                              key 4d7e13c1-ec0d-5c51-97fc-defd7d7915bd
22:13:50.750  ? pay           in doubt: it may or may not have happened
22:13:50.750  → pay           asked find_pay, time 1: it did happen
22:13:52.750    pay           no longer in doubt: it did happen
22:13:52.750  ✓ mail          attempt 1 done in 100 ms
                              key 2f5ba4c8-8169-566a-8217-a6fca76ba770
22:13:52.750  ✗ ship          attempt 1 failed after 3.1 s, Declined
                              key cde7f01e-daaa-5250-ba31-21a2363ac54a
22:13:55.850  ✗ ship          definitely failed: nothing of it is left
22:13:55.850  ↶               goes back: a step definitely failed
22:13:55.850  ■ mail          stays done: it declares no undo
22:13:55.850  ↶ pay           undo by undo_pay, attempt 1 done in 200 ms
                              key 1fe663d4-5fa5-524b-8706-ee078090d903
22:13:56.050  ↶ reserve       undo by undo_reserve, attempt 1 done in 300 ms
                              key c6db68a0-48e9-582c-bc4b-6217c3a05dc3
22:13:56.350                  failed, a step definitely failed: what was done is undone

undone  pay, reserve
kept    mail: it declares no undo
"""
    )


def test_a_parked_run_ends_with_what_is_left() -> None:
    assert text(told(parked.pay_left())).endswith(
        "\nundone  reserve\nleft    pay: its undo gave up, and it still stands\n"
    )
    assert text(told(parked.used_up())).endswith("\nleft    ship: its attempts are used up\n")


def test_a_run_of_which_nothing_is_recorded_says_so() -> None:
    assert text(told(Run(SHOP, starts=False))).endswith("\nNothing is recorded of it yet.\n")


def test_a_story_of_two_days_has_two_headings() -> None:
    run = parked.in_doubt()
    run.wait(timedelta(days=1))
    run.settle("pay", ItDidNotHappen())
    run.play()

    headings = [line for line in text(told(run)).splitlines() if line.startswith("What happened")]

    assert headings == ["What happened on 2023-11-14 (UTC)", "What happened on 2023-11-15 (UTC)"]


def test_a_workflow_is_drawn_as_its_plan_is() -> None:
    async def greet(name: str) -> str:
        return name

    @workflow
    def meet(name: str) -> str:
        """Say hello."""
        return declared(greet, irreversible="it was said")(name)

    assert text(meet) == text(meet.plan)
    assert (
        text(meet)
        == """\
meet(name: str) → str
Say hello.

● greet         step  → str · 3 × 30 s · irreversible: it was said
"""
    )


def test_what_is_too_wide_to_be_drawn_side_by_side_says_after_what_it_comes() -> None:
    many = [f"part_{number}" for number in range(14)]
    plan = plan_of(query("all"), *(query(each, "all") for each in many), query("end", *many))

    shown = text(plan, width=60).splitlines()

    assert "○ part_13       query  after all · 3 × 30 s" in shown
    assert not any("│" in line for line in shown)
    assert "○ end           query  after part_0, part_1, part_2, part_3," in shown


def test_a_name_is_never_cut() -> None:
    long = "a_name_of_some_length_" * 5
    shown = text(plan_of(step(long)), width=60)

    assert long in shown.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("make", [parked.pay_left, parked.in_doubt, parked.poisoned])
def test_colour_adds_nothing_but_sequences(make: Callable[[], Run]) -> None:
    run = told(make())

    assert SGR.sub("", text(run, color=True)) == text(run)
    assert SGR.search(text(run, color=True))
    assert SGR.sub("", text(run.plan, color=True)) == text(run.plan)


hostile = st.text(min_size=1, max_size=70)


@given(name=hostile, other=hostile, said=hostile, width=st.integers(20, 140))
def test_no_text_from_outside_breaks_out_of_its_place(
    name: str, other: str, said: str, width: int
) -> None:
    failure = Failure(kind=FailureKind.DECLINED, type=other, message=said)
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
    run = Run(plan, {name: [failure]}).play()
    run.cancel()

    for shown in (text(plan, width=width), text(told(run, key=said), width=width)):
        lines = shown.split("\n")
        assert all(line.isprintable() for line in lines)
        assert max(cells(line) for line in lines) <= max(width, 60)


@given(plans(), scripts(), moves, deadlines)
def test_every_node_stands_in_the_graph_once_and_no_line_is_too_wide(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, list[int], int]],
    deadline: timedelta | None,
) -> None:
    run = WatchedRun(plan, script, deadline=deadline)
    for move, order, number in what_happens:
        run.do(move, order, number)

    shown = text(told(run), width=80)

    graph = shown.split("\n\n")[1]
    named = re.findall(r"^[^\w\n]*\b([a-f])  ", graph, re.MULTILINE)
    assert named == [node.path for node in plan.nodes]
    assert max(cells(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize(
    ("given_text", "shown", "width"),
    [
        ("plain", "plain", 5),
        ("two\nlines\tand a tab", "two lines and a tab", 19),
        ("\x1b[31mred", "\\x1b[31mred", 11),
        ("\u202eevil", "\\u202eevil", 10),
        ("\ud800", "\\ud800", 6),
        ("日本", "日本", 4),
        ("e\u0301", "e\u0301", 1),
    ],
)
def test_text_is_made_visible_and_measured(given_text: str, shown: str, width: int) -> None:
    assert visible(given_text) == shown
    assert cells(shown) == width


def test_text_in_a_picture_has_the_room_of_its_widest_letters() -> None:
    assert text_width("ii", 10.0) < text_width("mm", 10.0) < text_width("日本", 10.0)
    assert text_width("e\u0301", 10.0) == text_width("e", 10.0)
    assert text_width("pay", 10.0) < text_width("pay", 10.0, bold=True)


@given(st.text(), st.integers(1, 30))
def test_wrapped_text_fits_and_loses_nothing_but_spaces(said: str, width: int) -> None:
    shown = visible(said)

    lines = wrapped(shown, width)

    assert all(cells(line) <= width or len(line) == 1 for line in lines)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(seconds=-5), "0 ms"),
        (timedelta(0), "0 ms"),
        (timedelta(microseconds=40), "0.04 ms"),
        (timedelta(microseconds=999), "1 ms"),
        (timedelta(milliseconds=12.4), "12 ms"),
        (timedelta(milliseconds=999), "999 ms"),
        (timedelta(seconds=1.234), "1.23 s"),
        (timedelta(seconds=59.94), "59.9 s"),
        (timedelta(seconds=60), "1 min 0 s"),
        (timedelta(minutes=59, seconds=59.9), "59 min 59 s"),
        (timedelta(hours=2, minutes=3), "2 h 3 min"),
        (timedelta(days=4, hours=23, minutes=59), "4 d 23 h"),
    ],
)
def test_a_duration_is_said_as_exactly_as_a_reader_cares_for(
    duration: timedelta, said: str
) -> None:
    assert lasted(duration) == said
