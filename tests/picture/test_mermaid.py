"""A plan as a flowchart: the same text for the same plan, and nothing in it can break it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.definition.flow.failing import expect
from makegood.definition.plan import Argument, Backoff, Constant, FromInput, Input, Kind, Node, Plan
from makegood.definition.policy import Retry
from makegood.definition.step import pure, query, step
from makegood.definition.workflow import workflow
from makegood.errors import Declined
from makegood.picture import Standing, mermaid
from makegood.values.injectable import Transaction, injected
from makegood.values.verdict import Failure, FailureKind, Verdict
from tests.decision.driver import DONE, SKIP, TRANSIENT, Run
from tests.decision.plans import local, plan_of
from tests.decision.plans import step as made
from tests.decision.test_properties import WatchedRun, moves, plans, scripts
from tests.picture.told import take, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.decision.driver import Outcome


@dataclass
class Order:
    id: str
    is_paid: bool


async def find(order_id: str) -> Order: ...
async def hold(order: Order, *, transaction: Transaction = injected) -> int: ...
async def unhold(held: int, *, transaction: Transaction = injected) -> None: ...
async def charge(order: Order, note: str) -> str: ...
async def ask(failure: Failure, order: Order) -> Verdict[str]: ...
async def ship(payment: str, order_id: str) -> str: ...
async def thank(order: Order) -> None: ...
def is_large(order: Order) -> bool: ...


@workflow
def sell(order_id: str, comment: str = "") -> tuple[str, str]:
    """Sell one order."""
    order = query(find)(order_id)
    expect(order.is_paid, Declined("not paid"), name="is_paid")
    held = step(hold, undo=unhold)(order)
    paid = step(
        charge,
        name="take",
        compensate=ask,
        pivot=True,
        retry=Retry(attempts=5),
        timeout=timedelta(milliseconds=1_500),
    ).after(held)(order, 'say "hi"')
    sent = step(ship, irreversible="it's gone", timeout=timedelta(minutes=2))(paid, order.id)
    step(thank, irreversible="said", optional=True, retry=Retry(attempts=1)).when(
        pure(is_large)(order)
    )(order)
    return sent, order.id


DRAWN = """\
---
title: sell
---
flowchart TD
    i_order_id[/"order_id: str"/]:::input
    i_comment[/"comment: str (has a default)"/]:::input
    n_find(["<b>find</b><br/>→ Order<br/>3 × 30 s"]):::query
    n_is_paid{"<b>is_paid</b><br/>or Declined"}:::expect
    n_hold[("<b>hold</b><br/>→ int<br/>3 × 30 s<br/>undo: unhold")]:::local
    n_take["<b>take</b> = charge<br/>→ str<br/>\
note = &quot;say &bsol;&quot;hi&bsol;&quot;&quot;<br/>\
pivot: no way back · 5 × 1500 ms<br/>compensate: ask"]:::step
    class n_take pivot
    n_ship["<b>ship</b><br/>→ str<br/>3 × 2 min<br/>irreversible: it's gone"]:::step
    n_is_large[["<b>is_large</b><br/>→ bool"]]:::pure
    n_thank["<b>thank</b><br/>optional · once, 30 s<br/>irreversible: said"]:::step
    class n_thank optional
    result(["returns tuple[str, str]"]):::result
    i_order_id --> n_find
    n_find -->|".is_paid"| n_is_paid
    n_find --> n_hold
    n_find --> n_take
    n_hold -.-> n_take
    n_take --> n_ship
    n_find -->|".id"| n_ship
    n_find --> n_is_large
    n_find --> n_thank
    n_is_large -. "when" .-> n_thank
    n_ship ==> result
    n_find ==>|".id"| result
    classDef input fill:#f4f4f5,stroke:#a1a1aa,color:#27272a
    classDef step fill:#dbeafe,stroke:#2563eb,color:#172554
    classDef local fill:#e0e7ff,stroke:#4f46e5,color:#1e1b4b
    classDef query fill:#dcfce7,stroke:#16a34a,color:#052e16
    classDef pure fill:#fef9c3,stroke:#ca8a04,color:#422006
    classDef expect fill:#ffedd5,stroke:#ea580c,color:#431407
    classDef result fill:#f4f4f5,stroke:#27272a,color:#27272a
    classDef optional stroke-dasharray:5 4
    classDef pivot stroke-width:4px
"""


def test_a_workflow_is_drawn_with_all_that_matters() -> None:
    assert mermaid(sell) == DRAWN


def test_a_stored_plan_is_drawn_without_its_code() -> None:
    stored = msgspec.json.decode(msgspec.json.encode(sell.plan), type=Plan)

    assert mermaid(stored) == mermaid(sell)


texts = st.text(min_size=1, max_size=60)


@given(name=texts, kind=texts, constant=texts, reason=texts, error=texts)
def test_no_text_can_break_out_of_its_label(
    name: str, kind: str, constant: str, reason: str, error: str
) -> None:
    node = Node(
        path=name,
        kind=Kind.STEP,
        function=reason,
        returns=kind,
        arguments=(Argument(name="x", source=Constant(constant), type=kind),),
        irreversible=reason,
    )
    plan = Plan(
        workflow="w", fingerprint="f", nodes=(node,), inputs=(Input(name=name, type=error),)
    )

    line = mermaid(plan).splitlines()[5]

    assert re.fullmatch(r'    n_\w+\["(?:<b>|</b>|<br/>|[^"#%<>|`\\\n])*"\]:::step', line)


def test_ids_of_different_paths_are_different() -> None:
    nodes = tuple(
        Node(path=path, kind=Kind.PURE, function="f", retry=Backoff(), timeout=None)
        for path in ("a-b", "a_b", "a.b", "ä", "end")
    )

    lines = mermaid(Plan(workflow="w", fingerprint="f", nodes=nodes)).splitlines()

    assert [line.split("[[")[0].strip() for line in lines if "[[" in line] == [
        "n_a_2d_b",
        "n_a_b",
        "n_a_2e_b",
        "n__e4_",
        "n_end",
    ]


@pytest.mark.parametrize("length", [40, 41, 5_000])
def test_a_long_constant_is_cut(length: int) -> None:
    node = Node(
        path="n",
        kind=Kind.PURE,
        function="n",
        arguments=(Argument(name="x", source=Constant("7" * length), type="int"),),
        timeout=None,
    )

    text = mermaid(Plan(workflow="w", fingerprint="f", nodes=(node,)))

    assert ("7" * 40 + "…" in text) == (length > 40)
    assert "7" * 41 not in text


def test_a_guard_that_is_part_of_an_input_is_drawn_from_it() -> None:
    node = Node(
        path="n", kind=Kind.PURE, function="n", when=FromInput("a", (".b", 0, "c")), timeout=None
    )

    text = mermaid(Plan(workflow="w", fingerprint="f", nodes=(node,)))

    assert 'i_a -. "when .b[0][c]" .-> n_n' in text


def test_a_run_is_drawn_with_marks_classes_attempts_and_times() -> None:
    plan = plan_of(
        local("hold", undo_local=True),
        made("pay", "hold", undo=True),
        made("mail", "pay", optional=True, guard=True),
        made("ship", "pay"),
    )
    failure = Failure(kind=FailureKind.DECLINED, type="shop.Refused", message='say "no" & <b>')
    run = Run(plan, {"pay": [TRANSIENT, DONE], "mail guard": [SKIP], "ship": [failure]})
    take(run, 1.5, "pay")
    run.pass_time()
    take(run, 2, "pay")
    take(run, 1, "ship")
    take(run, 0.25, "pay undo")

    lines = mermaid(told(run)).splitlines()

    assert lines[:9] == [
        "---",
        "title: shop, failed",
        "---",
        "flowchart TD",
        '    n_hold[("<b>hold</b><br/>↶ undone<br/>0 ms · undo: undo_hold, 0 ms")]:::undone',
        '    n_pay["<b>pay</b><br/>↶ undone<br/>2 attempts · 4.5 s · undo: undo_pay, 250 ms"]'
        ":::undone",
        '    n_mail["<b>mail</b><br/>– skipped<br/>its guard does not hold"]:::skipped',
        "    class n_mail optional",
        '    n_ship["<b>ship</b><br/>✗ failed<br/>1 s<br/>'
        'Refused: say &quot;no&quot; &amp; &lt;b&gt;"]:::failed',
    ]
    assert "    classDef undone fill:#f5f3ff,stroke:#7c3aed,color:#6d28d9" in lines
    classes = {line.split()[1] for line in lines if line.startswith("    classDef")}
    assert classes >= {standing.name.lower() for standing in Standing}


def test_a_run_has_the_arrows_of_its_plan() -> None:
    run = told(Run(sell.plan, starts=False))

    arrows = [line for line in mermaid(run).splitlines() if re.search(r"--|==|-\.", line)]

    assert arrows[2:] == [line for line in DRAWN.splitlines() if re.search(r"--|==|-\.", line)][2:]


@given(plans(), scripts(), moves)
def test_every_node_of_a_run_is_drawn_once(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, list[int], int]],
) -> None:
    run = WatchedRun(plan, script)
    for move, order, number in what_happens:
        run.do(move, order, number)

    boxes = re.findall(r"^    n_(\w+)[\[({]+\"<b>(\w+)</b>", mermaid(told(run)), re.MULTILINE)

    assert boxes == [(node.path, node.path) for node in plan.nodes]
