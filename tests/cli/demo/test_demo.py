"""The demonstration, run as a user runs it: by the command line, killed and started again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

pytestmark = pytest.mark.real

DEMO = [sys.executable, "-m", "makegood.cli", "demo"]
SECONDS_MAX = 50


def demo(*options: str) -> tuple[int, dict[str, Any], str]:
    """Run a demonstration; return its status, its JSON and what it told people."""
    ended = subprocess.run(
        [*DEMO, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1]), ended.stderr


def check(report: dict[str, Any]) -> None:
    """Check what must be true of every report whose books agree."""
    ends = [report[name] for name in ("completed", "undone", "refused", "parked")]
    assert sum(ends) == report["orders"]
    assert report["captured_minor"] - report["refunded_minor"] == report["shipped_minor"]
    assert report["gateway_net_minor"] == report["shipped_minor"]
    assert [report[name] for name in ("holds_left", "stock_balance", "in_doubt")] == [0, 0, 0]
    assert report["books_agree"] is True


def test_orders_are_placed_through_faults_and_the_books_agree() -> None:
    status, report, told = demo("--orders", "100", "--faults", "0.3")
    assert status == 0, told
    check(report)
    assert report["completed"] > report["undone"] > 0
    assert report["refunded_minor"] > 0
    assert {"ending": "refused", "reason": "WorthlessOrder", "orders": 1} in report["reasons"]
    assert report["parked"] == report["crashes"] == 0
    assert "The books agree." in told


def test_without_faults_only_the_shop_says_no() -> None:
    status, report, _ = demo("--orders", "100", "--faults", "0", "--concurrency", "1")
    assert status == 0
    check(report)
    assert report["undone"] == report["refunded_minor"] == 0


def test_the_same_store_answers_the_same_orders_again(tmp_path: Path) -> None:
    options = ("--orders", "50", "--store", str(tmp_path / "shop.journal"))
    first, second = demo(*options), demo(*options)
    differs = {"seconds", "runs_per_second"}
    assert first[0] == second[0] == 0
    assert {name: first[1][name] for name in first[1].keys() - differs} == {
        name: second[1][name] for name in second[1].keys() - differs
    }


def test_a_demonstration_that_is_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    options = ["--orders", "400", "--faults", "0.2", "--store", str(store)]
    for kills in (1, 2):
        with subprocess.Popen([*DEMO, *options], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(2 + kills):
                process.stdout.readline()
            process.kill()
    status, report, told = demo(*options)
    assert status == 0, told
    check(report)
    assert (report["orders"], report["crashes"]) == (400, 2)


def test_orders_of_another_sample_that_were_left_are_finished_too(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "shop.journal")]
    with subprocess.Popen(
        [*DEMO, "--orders", "300", *store], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.kill()
    status, report, told = demo("--orders", "7", "--seed", "3", *store)
    assert status == 0, told
    check(report)
    assert report["orders"] == 7


def test_two_demonstrations_never_share_a_store(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "shop.journal")]
    with subprocess.Popen(
        [*DEMO, "--orders", "5000", *store], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        second = subprocess.run(
            [*DEMO, *store], capture_output=True, text=True, check=False, timeout=SECONDS_MAX
        )
        process.kill()
    assert second.returncode == 1
    assert "another demonstration is at work" in second.stderr


def test_an_interrupt_says_how_to_go_on(tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    with subprocess.Popen(
        [*DEMO, "--orders", "5000", "--store", str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        process.send_signal(2)
        _, told = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130
    assert told == (
        "interrupted while orders were under way; "
        f"start it again with --store {store} to finish them\n"
    )


def test_books_that_were_tampered_with_do_not_agree(tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    assert demo("--orders", "20", "--faults", "0", "--store", str(store))[0] == 0
    gateway = apsw.Connection(f"{store}.sandbox")
    gateway.execute("UPDATE sandbox_payment SET refunded = 1 WHERE captured > 0")
    gateway.close()
    status, report, told = demo("--orders", "20", "--faults", "0", "--store", str(store))
    assert status == 3
    assert report["books_agree"] is False
    assert len(report["disagreements"]) == report["completed"] == 20
    assert "The books do not agree." in told


def test_a_file_of_ones_own_is_sold_and_its_bad_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "purchases.txt"
    path.write_text("header\n00001 19970101 3 10.00\nnonsense\n00002 19970102 0 0.00\n")
    status, report, told = demo("--orders", "2", "--faults", "0", "--purchases", str(path))
    assert status == 0
    check(report)
    assert (report["completed"], report["refused"], report["rows_skipped"]) == (1, 1, 1)
    assert report["shipped_minor"] == 1000
    assert "line 3 is skipped: 'nonsense'" in told
