"""The benchmarks run, and what they print can be read by a program."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from benchmarks.fill import APART, fill, filled, rows_by_engine, rows_of
from benchmarks.measurement import Sample, Summary, percentile, ratios, summarize
from benchmarks.peer import PeerUnavailable, install_peers
from benchmarks.portrait import Portrait
from makegood.journal.application.connection import connect
from makegood.values.instants import as_instant
from tests.source import ROOT

SECONDS_MAX = 50


class Line(msgspec.Struct, frozen=True):
    """What the last line of a measurement must have, whatever else it says."""

    workload: str
    workflows_per_second: float
    p50_ms: float
    p99_ms: float
    commits_per_workflow: float
    rss_mb: float


def run_benchmark(folder: Path, *arguments: str) -> str:
    """Return the last line that a small measurement printed."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--directory", str(folder), "--json"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()[-1]


@pytest.mark.real
@pytest.mark.parametrize("workload", ["checkout5", "checkout5-fail"])
@pytest.mark.parametrize("journal", ["sqlite", "memory"])
def test_a_measurement_ends_with_its_figures_as_json(
    workload: str, journal: str, tmp_path: Path
) -> None:
    small = ("--journal", journal, "--concurrency", "4", "--runs", "8", "--repeat", "1", "--floor")

    line = msgspec.json.decode(run_benchmark(tmp_path, workload, *small), type=Line)

    assert line.workload == workload
    assert min(line.workflows_per_second, line.p50_ms, line.commits_per_workflow) > 0
    assert line.p50_ms <= line.p99_ms


@pytest.mark.real
def test_a_cold_start_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    figures = msgspec.json.decode(run_benchmark(tmp_path, "cold", "--repeat", "1"))

    assert 0 < figures["cold_seconds"] < SECONDS_MAX
    assert figures["rss_mb"] > 0


@pytest.mark.real
def test_a_full_journal_is_measured_beside_an_empty_one(tmp_path: Path) -> None:
    small = ("--runs", "50", "--checkouts", "20", "--concurrency", "4", "--repeat", "1")

    figures = msgspec.json.decode(run_benchmark(tmp_path, "growth", *small))

    assert figures["finished_runs"] == 50
    measured = [*Portrait.__struct_fields__, "cold_seconds", "cold_after_crash_seconds"]
    for name in measured:
        empty, full = figures[f"empty_{name}"], figures[f"full_{name}"]
        assert min(empty, full) > 0, name
        assert figures[f"ratio_{name}"] == round(full / empty, 3)


def test_a_filled_run_is_byte_for_byte_what_the_engine_writes(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    runs = [filled(number, first_at=as_instant(now)) for number in (2, 10, 11)]

    fill(tmp_path / "filled.journal", runs=12, now=now + 13 * APART)

    connection = connect(str(tmp_path / "filled.journal"))
    rows = [rows_of(connection, one.run) for one in runs]
    connection.close()
    assert [len(of_run) for of_run in rows] == [1 + 6, 1 + 10, 1 + 6]
    assert rows == rows_by_engine(tmp_path / "by-engine.journal", runs)


def test_a_filled_journal_is_whole_and_ended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "filled.journal"

    fill(path, runs=25, now=datetime(2026, 1, 1, tzinfo=UTC))

    connection = connect(str(path))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    assert connection.execute("SELECT value FROM makegood_meta WHERE name = 'clean'").get == 1
    counted = connection.execute(
        """SELECT status, count(*), count(DISTINCT key), count(DISTINCT input_hash)
             FROM makegood_run GROUP BY status"""
    ).fetchall()
    connection.close()
    assert counted == [("completed", 22, 22, 22), ("failed", 3, 3, 3)]


@pytest.mark.real
def test_peers_that_cannot_be_installed_are_named_with_the_reason(tmp_path: Path) -> None:
    requirements = tmp_path / "nowhere.txt"
    requirements.write_text(f"{tmp_path}/peer-1.0-py3-none-any.whl\n")

    with pytest.raises(PeerUnavailable, match=r"nowhere\.txt cannot be installed .*peer-1\.0"):
        install_peers(tmp_path / "environment", requirements)

    assert not (tmp_path / "environment" / "installed.txt").exists()


def test_ratios_leave_out_what_only_one_side_has() -> None:
    ours = {"rate": 30.0, "p50_ms": 2.0, "cold": 1.0}

    assert ratios(ours, {"rate": 10.0, "p50_ms": 8.0, "other": 1.0}) == {
        "rate": 3.0,
        "p50_ms": 0.25,
    }


def test_the_figure_of_several_repeats_is_their_median() -> None:
    slow = Sample(seconds=2.0, latencies_ms=(1.0, 3.0), commits=8)
    usual = Sample(seconds=1.0, latencies_ms=(1.0, 2.0), commits=6)
    fast = Sample(seconds=0.5, latencies_ms=(0.5, 1.0), commits=2)

    assert summarize([slow, fast, usual]) == Summary(
        workflows_per_second=2.0,
        workflows_per_second_min=1.0,
        workflows_per_second_max=4.0,
        p50_ms=1.0,
        p99_ms=2.0,
        commits_per_workflow=3.0,
    )


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 10.0), (50, 20.0), (51, 30.0), (99, 40.0), (100, 40.0)]
)
def test_a_percentile_is_one_of_the_values(percent: float, expected: float) -> None:
    assert percentile([40.0, 10.0, 30.0, 20.0], percent) == expected
