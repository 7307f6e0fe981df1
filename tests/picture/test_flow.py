"""What branches, sleeps and goes round in every picture: where it stands, and what is said."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood.definition.plan import Branch, Case, Constant, FromNode, Kind, Node, Plan
from makegood.picture import Standing, Timeline, mermaid, svg, text
from makegood.picture.graph import Arrow, arrows, resolved, shown, whole_of
from tests.decision.driver import DECLINED, DONE, INSTEAD, PERMANENT, TRANSIENT, Run
from tests.decision.plans import each_, plan_of, step
from tests.picture.flowing import (
    failed,
    failed_in_a_round,
    many_rounds,
    pack_all,
    paid,
    paid_run,
    pay,
    poll,
    poll_twice,
    reported,
)
from tests.picture.test_svg import box_of, cards_of, read, said_in, texts_of
from tests.picture.told import lines, story_of, told

if TYPE_CHECKING:
    from makegood.picture.graph import Drawn

GRAPHS: dict[str, tuple[Drawn, str]] = {
    "the plan of a switch": (
        pay,
        """\
◆     switch               switch  one of card, invoice, default · → str
├─┬─╮
◷ │ │ switch/card/sleep    sleep   for 1 d
● │ │ switch/card/charge   step    → str · 3 × 30 s · undo: refund
│ ● │ switch/invoice/bill  step    → str · 3 × 30 s · irreversible: it is sent
├─╯ │
│   ◇ switch/default/fail  expect  fails with Declined
●     thank                step    → str · 3 × 30 s · irreversible: it was said
""",
    ),
    "the plan of an each": (
        pack_all,
        """\
∀ each          each  2 at once · → list[str]
│   ╭ ● pack          step  → str · 3 × 30 s · undo: unpack
│   ╰ ● label         step  → str · 3 × 30 s · irreversible: it sticks
● ship          step  → str · 3 × 30 s · irreversible: it has left
""",
    ),
    "the plan of a repeat": (
        poll,
        """\
↻ repeat        repeat  at most 4 times · → int
    ╶ ● ask           step  → int · 3 × 30 s · irreversible: a question
""",
    ),
    "a sleep that waits": (
        paid_run(until=10),
        """\
▸     switch               at work  took the case card
├─┬─╮
◷ │ │ switch/card/sleep    waiting  until 2023-11-15 22:13:20
· │ │ switch/card/charge   idle
│ – │ switch/invoice/bill  skipped  the case is card
├─╯ │
│   – switch/default/fail  skipped  the case is card
·     thank                idle
""",
    ),
    "a branch that is undone": (
        paid_run(until=100_000, undone=True),
        """\
✓     switch               done     took the case card
├─┬─╮
✓ │ │ switch/card/sleep    done     slept 1 d
↶ │ │ switch/card/charge   undone   2 s · undo: refund, 1 s
│ – │ switch/invoice/bill  skipped  the case is card
├─╯ │
│   – switch/default/fail  skipped  the case is card
✗     thank                failed   1 s · Broken: it is in pieces
""",
    ),
    "a round that failed": (
        failed_in_a_round(),
        """\
⊘ each          stopped  0 of 3 rounds done
│   ╭ ↶ each[0]/pack   undone  1 s · undo: unpack, 1 s
│   ╰ · each[0]/label  idle
│   ╭ ✗ each[1]/pack   failed  1 s · Broken: it is in pieces
│   ╰ · each[1]/label  idle
· ship          idle
""",
    ),
    "a repeat that is over": (
        poll_twice(),
        """\
✓ repeat        done  2 rounds
    ╶ ✓ repeat[0]/ask  done  1 s
    ╶ ✓ repeat[1]/ask  done  1 s
""",
    ),
    "many rounds that went alike but for one": (
        many_rounds(200, failed=150),
        """\
▸ each          at work  150 of 200 rounds done
│   ╭ ✓ each[0]/pack     done    0 ms
│   ╰ ✓ each[0]/label    done    0 ms
│   ╶ … 149 rounds done
│   ╭ ✗ each[150]/pack   failed  0 ms · Broken: it is in pieces
│   ╰ · each[150]/label  idle
│   ╭ · each[151]/pack   idle
│   ╰ · each[151]/label  idle
· ship          idle
""",
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_what_an_each_holds_stands_within_it_and_a_branch_below_its_switch(name: str) -> None:
    drawn, expected = GRAPHS[name]

    assert text(drawn).split("\n\n")[1].strip("\n") + "\n" == expected


def test_a_story_says_which_case_was_taken_how_long_was_slept_and_how_many_rounds_there_were() -> (
    None
):
    paid = lines(paid_run(until=90_000))
    assert "+0 switch: takes the case card" in paid
    assert "+0 switch/card/sleep: sleeps until 2023-11-15 22:13:20" in paid
    assert "+86400 switch/card/sleep: slept 1 d" in paid
    assert "+86402 switch: the branch of card is done" in paid
    assert [line for line in lines(poll_twice()) if " repeat:" in line] == [
        "+0 repeat: begins round [0]",
        "+1 repeat: begins round [1]",
        "+2 repeat: 2 rounds done",
    ]


def test_a_loop_is_at_work_until_its_run_goes_back_and_then_it_is_stopped() -> None:
    assert story_of(many_rounds(3, failed=1), "each").standing is Standing.AT_WORK
    assert story_of(paid_run(until=10), "switch").standing is Standing.AT_WORK

    stopped = story_of(failed_in_a_round(), "each")

    assert (stopped.standing, stopped.state) == (Standing.STOPPED, "stopped")
    assert stopped.note == "0 of 3 rounds done"


def test_what_follows_a_switch_follows_the_last_nodes_of_its_branches() -> None:
    plan = pay.plan
    found = {
        (plan.nodes[each.source].path, plan.nodes[each.target].path, each.carries, each.case)
        for each in arrows(plan)
    }

    assert found == {
        ("switch", "switch/card/sleep", "case", "card"),
        ("switch/card/sleep", "switch/card/charge", "order", ""),
        ("switch", "switch/invoice/bill", "case", "invoice"),
        ("switch", "switch/default/fail", "case", "default"),
        ("switch/card/charge", "thank", "data", ""),
        ("switch/invoice/bill", "thank", "data", ""),
    }


def test_a_branch_without_nodes_leads_from_the_switch_past_the_others() -> None:
    assert arrows(PASSED) == (
        Arrow(0, 1, "case", "yes"),
        Arrow(1, 2, "data"),
        Arrow(0, 2, "case", "no"),
    )
    assert 'n_big -->|"no"| n_end' in mermaid(PASSED)
    assert {"yes", "no"} <= set(texts_of(read(svg(PASSED))))


PASSED = Plan(
    workflow="w",
    fingerprint="f",
    nodes=(
        Node(
            path="big",
            kind=Kind.SWITCH,
            function="switch",
            feeds=(1, 2),
            cases=(
                Case(label="yes", returns=FromNode(1)),
                Case(label="no", returns=Constant("1")),
            ),
        ),
        Node(path="big/yes/f", kind=Kind.PURE, function="f", needs=(0,), branch=Branch(0, "yes")),
        Node(
            path="end",
            kind=Kind.PURE,
            function="end",
            needs=(0,),
            arguments=(
                msgspec.structs.replace(pay.plan.nodes[1].arguments[0], source=FromNode(0)),
            ),
        ),
    ),
)


def test_a_source_of_a_round_is_resolved_to_the_node_of_that_round() -> None:
    block = pack_all.plan.nodes[0].block
    assert block is not None
    label = block.nodes[1]

    (given,) = resolved(label, {block.number: 7}).arguments

    assert given.source == FromNode(7)


@pytest.mark.parametrize(
    ("run", "rounds", "left_out"),
    [
        (many_rounds(20), 20, []),
        (many_rounds(21), 1, ["… 20 rounds done"]),
        (many_rounds(200, failed=199), 2, ["… 198 rounds done"]),
    ],
)
def test_rounds_that_went_alike_are_left_out_where_there_are_many(
    run: Timeline, rounds: int, left_out: list[str]
) -> None:
    found = shown(run, whole_of(run), 0)

    assert [each for each in found if isinstance(each, str)] == left_out
    assert len(found) - len(left_out) == rounds
    for drawn in (text(run), mermaid(run), svg(run)):
        assert all(said in drawn for said in left_out)


def test_rounds_that_all_went_otherwise_are_left_out_behind_the_twentieth() -> None:
    run = many_rounds(50)
    failing = [
        msgspec.structs.replace(each, standing=Standing.FAILED) if index % 4 == 3 else each
        for index, each in enumerate(run.nodes)
    ]

    found = shown(msgspec.structs.replace(run, nodes=tuple(failing)), whole_of(run), 0)

    assert found[20:] == ["… 30 rounds: 15 failed, 15 done"]


FLOWCHARTS: dict[str, tuple[Drawn, str]] = {
    "a switch": (
        pay,
        """\
i_order[/"order: str"/]:::input
i_method[/"method: Method"/]:::input
n_switch{{"<b>switch</b><br/>one of card, invoice, default<br/>→ str"}}:::switch
n_switch_2f_card_2f_sleep>"<b>switch/card/sleep</b><br/>for 1 d"]:::sleep
n_switch_2f_card_2f_charge["<b>switch/card/charge</b><br/>→ str<br/>3 × 30 s<br/>\
undo: refund"]:::step
n_switch_2f_invoice_2f_bill["<b>switch/invoice/bill</b><br/>→ str<br/>3 × 30 s<br/>\
irreversible: it is sent"]:::step
n_switch_2f_default_2f_fail{"<b>switch/default/fail</b><br/>fails with Declined"}:::expect
n_thank["<b>thank</b><br/>→ str<br/>3 × 30 s<br/>irreversible: it was said"]:::step
result(["returns str"]):::result
i_method --> n_switch
n_switch -->|"card"| n_switch_2f_card_2f_sleep
i_order --> n_switch_2f_card_2f_charge
n_switch_2f_card_2f_sleep -.-> n_switch_2f_card_2f_charge
i_order --> n_switch_2f_invoice_2f_bill
n_switch -->|"invoice"| n_switch_2f_invoice_2f_bill
n_switch -->|"default"| n_switch_2f_default_2f_fail
n_switch_2f_card_2f_charge --> n_thank
n_switch_2f_invoice_2f_bill --> n_thank
n_thank ==> result
""",
    ),
    "rounds": (
        failed_in_a_round(),
        """\
i_lines[/"lines: list[str]"/]:::input
subgraph f_n_each["each"]
    n_each[/"<b>each</b><br/>⊘ stopped<br/>0 of 3 rounds done"\\]:::stopped
    n_each_5b_0_5d__2f_pack["<b>each[0]/pack</b><br/>↶ undone<br/>1 s · undo: unpack, 1 s"]:::undone
    n_each_5b_0_5d__2f_label["<b>each[0]/label</b><br/>· idle"]:::idle
    n_each_5b_1_5d__2f_pack["<b>each[1]/pack</b><br/>✗ failed<br/>1 s<br/>\
Broken: it is in pieces"]:::failed
    n_each_5b_1_5d__2f_label["<b>each[1]/label</b><br/>· idle"]:::idle
end
n_ship["<b>ship</b><br/>· idle"]:::idle
result(["returns str"]):::result
i_lines --> n_each
n_each_5b_0_5d__2f_pack --> n_each_5b_0_5d__2f_label
n_each_5b_1_5d__2f_pack --> n_each_5b_1_5d__2f_label
n_each --> n_ship
n_each -.-> n_each_5b_0_5d__2f_pack
n_each -.-> n_each_5b_1_5d__2f_pack
n_ship ==> result
""",
    ),
}


@pytest.mark.parametrize("name", FLOWCHARTS)
def test_a_flowchart_says_the_cases_and_frames_the_rounds(name: str) -> None:
    drawn, expected = FLOWCHARTS[name]

    body = [line[4:] for line in mermaid(drawn).splitlines()[4:] if "classDef" not in line]

    assert "\n".join(body) + "\n" == expected


@pytest.mark.parametrize(
    "drawn",
    [pay, pack_all, poll, paid_run(until=10), failed_in_a_round(), many_rounds(200, failed=150)],
)
def test_boxes_in_a_picture_stand_within_each_other_or_apart(drawn: Drawn) -> None:
    picture = read(svg(drawn))

    boxes = [box_of(card) for card in cards_of(picture)]
    assert boxes
    for one, other in combinations(boxes, 2):
        is_beside = one.left + one.width < other.left or other.left + other.width < one.left
        is_above = one.top + one.height < other.top or other.top + other.height < one.top
        is_within = (
            one.left < other.left
            and other.left + other.width < one.left + one.width
            and one.top < other.top
            and other.top + other.height < one.top + one.height
        )
        assert is_beside or is_above or is_within
    assert all(box.left >= 0 for box in boxes)
    assert all(box.left + box.width <= float(picture.get("width", "")) for box in boxes)


def test_a_picture_names_the_rounds_and_the_cases() -> None:
    rounds = read(svg(failed_in_a_round()))
    cases = read(svg(pay))

    assert said_in(rounds)["each"] == ["each", "each", "stopped", "0 of 3 rounds done"]
    assert {"round [0]", "round [1]"} <= set(texts_of(rounds))
    assert "each round" in texts_of(read(svg(pack_all)))
    assert {"card", "invoice", "default", "leads on in that case"} <= set(texts_of(cases))


def test_a_round_that_turns_back_is_told_and_counted() -> None:
    block = (step("pack", undo=True), step("again"), step("send", "pack"))
    run = Run(
        plan_of(each_("lines", block=block, keeps=True)),
        {"lines[0]/again": [TRANSIENT], "lines[0]/send": [DECLINED]},
    )
    run.end("lines[0]/again", "lines[0]/pack")
    run.end("lines[0]/send")
    run.play()

    assert [line for line in lines(told(run)) if "lines: " in line or "lines[0]" in line] == [
        "+0 lines: begins 2 rounds",
        "+0 lines[0]/pack: attempt 1 done in 0 ms",
        "+0 lines[0]/again: attempt 1 failed after 0 ms, Unavailable; again at 22:13:21",
        "+0 lines[0]/send: attempt 1 failed after 0 ms, Declined",
        "+0 lines[0]/send: definitely failed: nothing of it is left",
        "+0 lines[0]/again: not tried again: its round goes back",
        "+0 lines[0]/pack: undo by undo_pack, attempt 1 done in 0 ms",
        "+0 lines: gives up round [0]: what it had done is made good",
        "+0 lines: 1 round done, 1 failed",
    ]
    assert story_of(told(run), "lines").note == "1 of 2 rounds done"
    assert text(told(run)).count("1 of 2 rounds done") == 1


def test_a_value_that_a_round_cannot_give_is_told() -> None:
    lines_each = each_("lines", block=(step("a"), step("b")), keeps=True)
    run = Run(plan_of(lines_each), {"lines round": [PERMANENT, DONE]}).play()

    assert [line for line in lines(told(run)) if "[0]" in line and "lines: " in line] == [
        "+0 lines: what round [0] gives cannot be computed: ValueError",
        "+0 lines: gives up round [0]: what it had done is made good",
    ]


def test_something_in_the_place_of_a_result_is_told() -> None:
    run = Run(plan_of(step("pay", guard=True)), {"pay guard": [INSTEAD]}).play()

    assert lines(told(run))[1] == (
        "+0 pay: skipped: its guard does not hold, and something else is its result"
    )


def test_an_undo_is_followed_by_the_next_one_only() -> None:
    def undone_next(run: Timeline) -> bool:
        return "undone next" in texts_of(read(svg(run)))

    run = many_rounds(2)
    both = ("each[1]/label", "each[1]/pack")

    assert undone_next(msgspec.structs.replace(run, undone=both))
    assert not undone_next(msgspec.structs.replace(run, undone=("each[1]/pack", "each[0]/pack")))


def test_a_report_says_the_case_the_end_of_a_sleep_and_the_rounds() -> None:
    asleep = str(reported(pay.plan, paid(until=10)))
    stopped = str(reported(pack_all.plan, failed()))

    assert [" ".join(line.split()) for line in asleep.splitlines()[1:3]] == [
        "switch switch chosen, case card",
        "switch/card/sleep sleep asleep, until 2023-11-15 22:13:20",
    ]
    assert " ".join(stopped.splitlines()[1].split()) == "each each stopped, 0 of 3 rounds done"
