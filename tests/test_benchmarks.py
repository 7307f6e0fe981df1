"""The benchmarks run, and what they print can be read by a program."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from benchmarks.claim.claims import Claimed
from benchmarks.claim.work import Worked
from benchmarks.fill.filled import APART, filled
from benchmarks.fill.filling import fill, rows_by_engine, shelf_at, undrawn
from benchmarks.growth.portrait import Portrait
from benchmarks.measurement import Sample, Summary, percentile, ratios, summarize
from benchmarks.peer import PeerUnavailable, install_peers
from makegood.journal.application.connection import connect
from makegood.testing.servers import PostgresServer
from makegood.values.instants import as_instant
from tests.source import ROOT

SECONDS_MAX = 110
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = itertools.count(1)


class Line(msgspec.Struct, frozen=True):
    """What the last line of a measurement must have, whatever else it says."""

    workload: str
    workflows_per_second: float
    p50_ms: float
    p99_ms: float
    commits_per_workflow: float
    rows_per_commit: float
    times_floor_workflows_per_second: float
    rss_mb: float


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def run_benchmark(folder: Path, *arguments: str) -> str:
    """Return the last line that a small measurement printed."""
    finished = asked_for(*arguments, "--directory", str(folder), "--json")
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()[-1]


def asked_for(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def place(journal: str, server: PostgresServer) -> tuple[str, ...]:
    """Return the options that name a store, on a server that is there already."""
    named = ("--store", server.url()) if journal == "postgres" else ()
    return ("--journal", journal, *named)


@pytest.mark.real
@pytest.mark.parametrize("workload", ["checkout5", "checkout5-fail"])
@pytest.mark.parametrize("journal", ["sqlite", "postgres", "memory"])
def test_a_measurement_ends_with_its_figures_as_json(
    workload: str, journal: str, tmp_path: Path, server: PostgresServer
) -> None:
    small = ("--concurrency", "4", "--runs", "8", "--repeat", "1", "--floor")

    figures = run_benchmark(tmp_path, workload, *place(journal, server), *small)

    line = msgspec.json.decode(figures, type=Line)
    assert line.workload == workload
    assert min(line.workflows_per_second, line.p50_ms, line.commits_per_workflow) > 0
    assert line.p50_ms <= line.p99_ms
    assert line.times_floor_workflows_per_second > 0


@pytest.mark.real
def test_several_processes_share_a_store_and_what_its_server_counts_is_told(
    tmp_path: Path, server: PostgresServer
) -> None:
    small = ("--concurrency", "5", "--runs", "9", "--repeat", "1", "--processes", "2")

    line = run_benchmark(tmp_path, "checkout5", *place("postgres", server), *small)

    figures = msgspec.json.decode(line)
    assert figures["processes"] == 2
    assert figures["processes_workflows_per_second"] > 0
    assert figures["server_settings"].startswith("fsync=on synchronous_commit=on ")
    # Six rows of facts, and the row of the run, which is made once and changed five times.
    assert figures["server_rows_per_workflow"] == pytest.approx(12, abs=0.5)


@pytest.mark.real
def test_a_server_that_was_started_for_a_measurement_is_the_default(tmp_path: Path) -> None:
    line = run_benchmark(tmp_path, "cold", "--journal", "postgres", "--repeat", "1")

    figures = msgspec.json.decode(line)
    assert figures["server"].startswith("PostgreSQL 18.")
    assert 0 < figures["cold_seconds"] < SECONDS_MAX


@pytest.mark.real
def test_a_cold_start_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    figures = msgspec.json.decode(run_benchmark(tmp_path, "cold", "--repeat", "1"))

    assert 0 < figures["cold_seconds"] < SECONDS_MAX
    assert figures["rss_mb"] > 0


@pytest.mark.real
@pytest.mark.parametrize(
    "arguments",
    [
        ("checkout5", "--processes", "2"),
        ("growth", "--store", "postgresql://somebody@somewhere/orders"),
    ],
)
def test_what_is_for_a_server_is_refused_for_a_file(arguments: tuple[str, ...]) -> None:
    finished = asked_for(*arguments)

    assert finished.returncode == 2
    assert "--journal postgres" in finished.stderr


@pytest.mark.real
@pytest.mark.parametrize("journal", ["sqlite", "postgres"])
def test_a_full_journal_is_measured_beside_an_empty_one(
    journal: str, tmp_path: Path, server: PostgresServer
) -> None:
    small = ("--runs", "50", "--checkouts", "20", "--concurrency", "4", "--repeat", "1")

    line = run_benchmark(tmp_path, "growth", *place(journal, server), *small)

    figures = msgspec.json.decode(line)
    assert figures["finished_runs"] == 50
    measured = [*Portrait.__struct_fields__, "cold_seconds"]
    measured += ["cold_after_crash_seconds"] * (journal == "sqlite")
    for name in measured:
        empty, full = figures[f"empty_{name}"], figures[f"full_{name}"]
        assert min(empty, full) > 0, name
        assert figures[f"ratio_{name}"] == round(full / empty, 3)


@pytest.mark.real
def test_a_backlog_is_claimed_from_and_worked_on(tmp_path: Path, server: PostgresServer) -> None:
    small = ("--due", "450", "--claims", "2", "--seconds", "1")

    line = run_benchmark(tmp_path, "claim", *place("postgres", server), *small)

    figures = msgspec.json.decode(line)
    assert figures["due_runs"] == 450
    for state, workers in itertools.product(("unanalyzed", "vacuumed"), (1, 4)):
        for name in Claimed.__struct_fields__:
            assert figures[f"{state}_claim_by_{workers}_{name}"] > 0
    for name in Worked.__struct_fields__:
        assert figures[f"work_{name}"] > 0


@pytest.mark.real
def test_a_round_is_measured_beside_a_plain_step(tmp_path: Path) -> None:
    figures = msgspec.json.decode(run_benchmark(tmp_path, "each", "--items", "9", "--repeat", "1"))

    assert (figures["items"], figures["at_once"]) == (9, 64)
    for kind in ("memory", "sqlite"):
        item, step = figures[f"{kind}_item_us"], figures[f"{kind}_plain_step_us"]
        assert min(item, step) > 0
        assert figures[f"{kind}_times_plain_step"] == pytest.approx(item / step, abs=0.01)


@pytest.mark.real
def test_messages_are_measured_alone_and_beside_a_key_that_fails(tmp_path: Path) -> None:
    small = ("--messages", "40", "--concurrency", "8", "--repeat", "1", "--floor")

    figures = msgspec.json.decode(run_benchmark(tmp_path, "messages", *small))

    assert (figures["messages"], figures["concurrency"]) == (40, 8)
    alone, beside = figures["messages_per_second"], figures["beside_poison_per_second"]
    cpu, beside_cpu = figures["cpu_us_per_message"], figures["beside_poison_cpu_us"]
    assert min(alone, beside, cpu, beside_cpu) > 0
    assert figures["beside_poison_ratio"] == pytest.approx(beside / alone, abs=0.01)
    assert figures["times_floor"] == pytest.approx(alone / figures["floor_per_second"], abs=0.01)


@pytest.mark.real
def test_messages_are_measured_that_come_and_go_by_a_broker(tmp_path: Path) -> None:
    small = ("--nats", "--messages", "40", "--repeat", "1")

    figures = msgspec.json.decode(run_benchmark(tmp_path, "messages", *small))

    assert figures["messages"] == 40
    assert min(figures["messages_per_second"], figures["cpu_us_per_message"]) > 0


@pytest.mark.real
def test_a_transition_is_measured_beside_a_step(tmp_path: Path) -> None:
    small = ("--clients", "1", "4", "--runs", "8", "--repeat", "1", "--journal", "memory")

    figures = msgspec.json.decode(run_benchmark(tmp_path, "lifecycle", *small))

    for clients in (1, 4):
        for name in ("wall_us", "cpu_us", "p50_ms"):
            step = figures[f"at_{clients}_step_{name}"]
            transition = figures[f"at_{clients}_transition_{name}"]
            assert min(step, transition) > 0
            times = figures[f"at_{clients}_times_{name}"]
            assert times == pytest.approx(transition / step, abs=0.05)


@pytest.mark.real
def test_exploring_is_measured_by_the_worlds_that_it_plays(tmp_path: Path) -> None:
    figures = msgspec.json.decode(run_benchmark(tmp_path, "explore", "--repeat", "1"))

    assert figures["explored"] == "place_order"
    assert 100 < figures["singles_worlds"] < figures["pairs_worlds"] / 10
    assert min(figures["singles_worlds_per_second"], figures["pairs_worlds_per_second"]) > 0


@pytest.mark.real
def test_a_turn_is_measured_for_plans_of_several_sizes(tmp_path: Path) -> None:
    small = ("--sizes", "2", "8", "--steps", "16", "--repeat", "1")

    figures = msgspec.json.decode(run_benchmark(tmp_path, "plans", *small))

    for size in (2, 8):
        assert min(figures[f"declare_ms_{size}"], figures[f"turn_us_{size}"]) > 0
    assert figures["turn_ratio_2"] == 1
    assert figures["turn_ratio_8"] == pytest.approx(
        figures["turn_us_8"] / figures["turn_us_2"], abs=0.01
    )


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, server: PostgresServer) -> str:
    """The address of a place for journals that nobody has used."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/filled.journal"
    return f"{server.url()}?schema=filled_{next(NUMBERS)}"


@pytest.mark.real
@pytest.mark.parametrize(
    ("ends", "rows_of_each"),
    [(True, [1 + 6, 1 + 10, 1 + 6]), (False, [1 + 1, 1 + 1, 1 + 1])],
)
async def test_a_filled_run_is_byte_for_byte_what_the_engine_writes(
    url: str, *, ends: bool, rows_of_each: list[int]
) -> None:
    runs = [filled(number, first_at=as_instant(NOW)) for number in (2, 10, 11)]

    await fill(url, runs=12, now=NOW + 13 * APART, ends=ends)

    async with shelf_at(url) as shelf:
        rows = [await shelf.rows_of(one.run) for one in runs]
    assert [sum(map(len, of_run.values())) for of_run in rows] == rows_of_each
    by_engine = await rows_by_engine(f"{url}_by_engine", runs, ends=ends)
    assert [undrawn(of_run) for of_run in rows] == [undrawn(of_run) for of_run in by_engine]


def test_a_filled_file_is_whole_and_ended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "filled.journal"

    asyncio.run(fill(f"sqlite:///{path}", runs=25, now=NOW))

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
