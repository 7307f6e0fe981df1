"""The benchmarks run, and what they print can be read by a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.measurement import Sample, Summary, percentile, summarize
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
