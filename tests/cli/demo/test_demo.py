"""The demonstration, run as a user runs it: by the command line, killed and started again."""

from __future__ import annotations

import fcntl
import signal
import subprocess
from pathlib import Path

import apsw
import pytest

from tests.cli.demo.performed import DEMO, SECONDS_MAX, begun, check, demo

pytestmark = pytest.mark.real


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


@pytest.mark.parametrize(("orders", "crashes"), [(300, 4), (5, 6)])
def test_a_demonstration_kills_its_own_process_and_the_books_agree(
    orders: int, crashes: int
) -> None:
    options = ("--orders", f"{orders}", "--crashes", f"{crashes}", "--faults", "0.2")
    status, report, told = demo(*options)
    assert status == 0, told
    check(report)
    assert (report["crashes"], report["kills"], report["endings_changed"]) == (crashes, crashes, 0)
    assert report["kills_at_work"] > 0
    assert f"The process was killed {crashes} times" in told


def test_crashes_are_added_to_those_that_a_store_has_seen(tmp_path: Path) -> None:
    options = ("--orders", "60", "--crashes", "1", "--store", str(tmp_path / "shop.journal"))
    first, second = demo(*options), demo(*options)
    assert (first[0], first[1]["crashes"], first[1]["kills"]) == (0, 1, 1)
    assert (second[0], second[1]["crashes"], second[1]["kills"]) == (0, 2, 1)
    assert "Work on this store had been killed once before" in " ".join(second[2].split())


def test_an_interrupt_reaches_the_process_that_is_to_be_killed(tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    process = begun("--orders", "5000", "--crashes", "9", "--store", str(store))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130
    assert told.startswith("interrupted while orders were under way; start it again")
    with store.with_name("shop.journal.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_nobody_is_left_when_the_demonstration_itself_is_killed(tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    process = begun("--orders", "5000", "--crashes", "9", "--store", str(store))
    process.kill()
    process.communicate(timeout=SECONDS_MAX)
    # The lock is free once the process that held it has gone, at the latest.
    with store.with_name("shop.journal.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    status, report, told = demo("--orders", "10", "--store", str(store))
    assert status == 0, told
    check(report)


def test_a_process_that_cannot_work_is_not_started_again(tmp_path: Path) -> None:
    store = tmp_path / "shop.journal"
    store.write_text("a letter to a friend\n")
    ended = subprocess.run(
        [*DEMO, "--orders", "5", "--crashes", "3", "--store", str(store)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert str(store) in ended.stderr


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
