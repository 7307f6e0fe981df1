"""`makegood demo --services`, run as a user runs it: processes and the broker are really killed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.demo.performed import DEMO, demo

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


def check(report: dict[str, Any]) -> None:
    ends = [report[name] for name in ("closed", "refunded", "cancelled", "rejected")]
    assert sum(ends) == report["orders"] == report["orders_found"]
    assert report["captured_minor"] - report["given_back_minor"] == report["sold_minor"]
    assert report["stock_available"] + report["stock_shipped"] == report["stock_delivered"]
    assert report["parcels"] == report["closed"] + report["returned"]
    nothing = ("disputes", "unexplained", "waiting", "unfinished", "stock_held")
    assert [report[name] for name in nothing] == [0] * len(nothing)
    assert report["books_agree"] is True


def test_five_services_and_the_broker_are_killed_and_the_books_agree() -> None:
    status, report, told = demo("--services", "--orders", "30", "--crashes", "6")

    assert status == 0, told
    check(report)
    names = ("broker", "notifications", "orders", "payments", "shipping", "stock")
    assert report["kills"] == dict.fromkeys(names, 1)
    assert report["repeated"] > 0
    assert report["moved"] > 0
    assert (report["dead_letters"], report["garbage_missing"]) == (3, 0)
    assert "The books agree." in told


def test_all_services_are_one_process_that_is_killed_and_the_books_agree() -> None:
    status, report, told = demo("--services", "--together", "--orders", "30", "--crashes", "2")

    assert status == 0, told
    check(report)
    assert report["kills"] == {"all": 2}


def test_a_database_of_its_own_is_made_for_the_day() -> None:
    status, report, told = demo(
        *("--services", "--together", "--orders", "15", "--crashes", "1", "--store", "postgres")
    )

    assert status == 0, told
    check(report)


def test_a_folder_keeps_the_books_and_is_gone_on_with(tmp_path: Path) -> None:
    options = ("--services", "--together", "--orders", "10", "--crashes", "0")
    first = demo(*options, "--store", str(tmp_path / "day"))
    second = demo(*options, "--store", str(tmp_path / "day"))

    assert (first[0], second[0]) == (0, 0)
    assert first[1]["closed"] == second[1]["closed"]
    assert (tmp_path / "day" / "all.journal").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--together"], "ask for them with --services"),
        (["--services", "--workers", "2"], "--workers is for a shop in one store"),
        (["--services", "--purchases", "x"], "--purchases are for a shop in one store"),
        (["--services", "--store", "nowhere://x"], "is no folder for five services"),
        (["--services", "--orders", "0"], "place at least one"),
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str], told: str) -> None:
    ended = subprocess.run([*DEMO, *options], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert told in ended.stderr
