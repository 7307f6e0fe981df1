"""The report: it agrees only when everything does, and reads well at any width."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from rich.console import Console

from makegood.cli.demo.report import Reconciliation, Report, as_json, as_tables
from makegood.cli.demo.tally import Ending

FOUND = Reconciliation(
    captured_minor=1000,
    refunded_minor=500,
    gateway_net_minor=500,
    shipped_minor=500,
    holds_left=0,
    stock_in=10,
    stock_on_hand=9,
    stock_shipped=1,
    stock_held=0,
    stock_balance=0,
    disagreements=(),
    books_agree=True,
)
REPORT = Report(
    orders=4,
    completed=1,
    undone=1,
    refused=1,
    parked=1,
    in_doubt=0,
    workers=1,
    crashes=5,
    crashes_before=2,
    kills=3,
    kills_at_work=1,
    endings_changed=0,
    rows_skipped=0,
    seconds=2.0,
    runs_per_second=2.0,
    reasons=((Ending.REFUSED, "OutOfStock", 1), (Ending.UNDONE, "PaymentDeclined", 1)),
    parked_orders=("order-7",),
    found=FOUND,
)


def shown(report: Report, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(as_tables(report))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_json_has_every_figure_on_one_line() -> None:
    text = as_json(REPORT)
    assert "\n" not in text
    assert json.loads(text) == {
        "orders": 4,
        "completed": 1,
        "undone": 1,
        "refused": 1,
        "parked": 1,
        "in_doubt": 0,
        "workers": 1,
        "crashes": 5,
        "crashes_before": 2,
        "kills": 3,
        "kills_at_work": 1,
        "endings_changed": 0,
        "rows_skipped": 0,
        "seconds": 2.0,
        "runs_per_second": 2.0,
        "reasons": [
            {"ending": "refused", "reason": "OutOfStock", "orders": 1},
            {"ending": "undone", "reason": "PaymentDeclined", "orders": 1},
        ],
        "parked_orders": ["order-7"],
        "captured_minor": 1000,
        "refunded_minor": 500,
        "gateway_net_minor": 500,
        "shipped_minor": 500,
        "holds_left": 0,
        "stock_in": 10,
        "stock_on_hand": 9,
        "stock_shipped": 1,
        "stock_held": 0,
        "stock_balance": 0,
        "disagreements": [],
        "books_agree": True,
    }


@pytest.mark.parametrize(
    "report",
    [
        msgspec.structs.replace(REPORT, found=msgspec.structs.replace(FOUND, books_agree=False)),
        msgspec.structs.replace(REPORT, in_doubt=1),
        msgspec.structs.replace(REPORT, completed=2),
        msgspec.structs.replace(REPORT, endings_changed=1),
    ],
)
def test_one_thing_that_does_not_hold_is_enough_to_disagree(report: Report) -> None:
    assert not report.agrees
    assert json.loads(as_json(report))["books_agree"] is False
    assert "The books do not agree." in shown(report, 80)


def test_people_are_told_the_endings_the_reasons_and_the_verdict() -> None:
    text = shown(REPORT, 120)
    assert "↩ undone      1   25.0 %" in text
    assert "✕ refused           1   out of stock" in text
    assert "The process was killed 3 times, with orders under way once" in text
    assert "endings that a crash changed" in text
    assert "Work on this store had been killed 2 times before" in text
    assert "Parked, and left out of both sides: order-7" in text
    assert "$5.00   $5.00   ✓" in text
    assert text.rstrip().endswith("The books agree.")


def test_nobody_is_told_of_kills_that_were_not_asked_for() -> None:
    text = shown(
        msgspec.structs.replace(REPORT, crashes=0, crashes_before=0, kills=0, kills_at_work=0), 120
    )
    assert "killed" not in text
    assert "crash" not in text


def test_kills_of_workers_are_told_as_theirs_and_their_runs_need_not_have_been_lost() -> None:
    text = shown(msgspec.structs.replace(REPORT, workers=4, crashes=1, crashes_before=0), 120)
    assert "One of 4 workers was killed 3 times, with orders under way once" in text
    assert "before" not in text.replace("before anything", "")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in shown(REPORT, width).splitlines()) <= width
