"""`makegood worker`: a process that carries out runs, and several that are kept alive."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from makegood import Engine
from makegood.cli.app import main
from makegood.cli.status import DONE, MISTAKE
from tests.cli.worker.shop import send, stumble, think
from tests.journal.postgres.served import served_here
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from tests.journal.postgres.served import Served

SECONDS_MAX = 30.0
SHOP = "tests.cli.worker.shop"


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with served_here() as served:
        yield served


@pytest.fixture
async def store(served: Served) -> str:
    world = await served.world(lease_seconds=1.0)
    # The address without the settings that only a `Place` can have.
    place = world.place
    mark = "&" if "?" in place.dsn else "?"
    return f"{place.dsn}{mark}schema={place.schema}&lease_seconds=1"


@contextmanager
def working(store: str, marks: Path, *words: str) -> Generator[subprocess.Popen[bytes]]:
    """Start the command, and leave no process behind."""
    with (marks / "said").open("ab") as said:
        worker = subprocess.Popen(
            [sys.executable, "-m", "makegood.cli", "worker", *words],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
                "SHOP_STORE": store,
                "SHOP_MARKS": str(marks),
            },
            stderr=said,
        )
    try:
        yield worker
    finally:
        worker.terminate()
        try:
            worker.wait(timeout=SECONDS_MAX)
        finally:
            worker.kill()
            worker.wait()


async def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + SECONDS_MAX
    while not is_so():
        assert time.monotonic() < deadline, f"in {SECONDS_MAX} s it did not come about: {what}"
        await asyncio.sleep(0.01)


def ended(worker: subprocess.Popen[bytes]) -> Callable[[], bool]:
    return lambda: worker.poll() is not None


def ponderers(marks: Path) -> list[int]:
    """Return the processes that have begun to think."""
    return [int(mark.name.rpartition("-")[2]) for mark in marks.glob("pondering-*")]


@pytest.mark.real
@pytest.mark.parametrize("made", ["engine", "engine_in_time", "shop", "ready"])
async def test_a_worker_carries_out_what_a_client_starts(
    made: str, store: str, tmp_path: Path
) -> None:
    with working(store, tmp_path, f"{SHOP}:{made}") as worker:
        async with Engine(store, work=False) as client:
            run = await client.start(send("order-1"), key="order-1")

            assert await run.result() == "order-1"

        worker.send_signal(signal.SIGTERM)
        await until(ended(worker), "the worker stops")
    assert worker.returncode == DONE
    assert (tmp_path / "packed").read_text() == f"{worker.pid} order-1\n"
    said = (tmp_path / "said").read_text()
    assert f"works as process {worker.pid}" in said
    assert "hands its runs to others" in said


@pytest.mark.real
async def test_a_worker_that_is_told_to_stop_hands_its_run_to_another_one(
    store: str, tmp_path: Path
) -> None:
    async with Engine(store, work=False) as client:
        with working(store, tmp_path, f"{SHOP}:engine") as first:
            run = await client.start(think("order-1"))
            await until(lambda: ponderers(tmp_path) == [first.pid], "the first one thinks")
            with working(store, tmp_path, f"{SHOP}:engine"):
                first.send_signal(signal.SIGINT)

                assert await run.result() == "order-1"
            await until(ended(first), "the first one stops")

        assert first.returncode == DONE
        assert len(ponderers(tmp_path)) == 2
        assert await client.crashes() == 0


@pytest.mark.real
async def test_of_several_workers_one_that_dies_is_started_again(
    store: str, tmp_path: Path
) -> None:
    async with Engine(store, work=False) as client:
        with working(store, tmp_path, f"{SHOP}:engine", "--processes=2") as keeper:
            runs = [await client.start(stumble("order-0"))]
            runs += [await client.start(send(f"order-{number}")) for number in range(1, 20)]

            results = [await run.result() for run in runs]

            def is_started_again() -> bool:
                said = (tmp_path / "said").read_text()
                return "a worker ended with -9; it is started again" in said and (
                    said.count("works as process") == 3
                )

            await until(is_started_again, "there are two workers again")
            keeper.send_signal(signal.SIGTERM)
            await until(ended(keeper), "all of them stop")

    assert results == [f"order-{number}" for number in range(20)]
    assert keeper.returncode == DONE
    assert (tmp_path / "said").read_text().count("hands its runs to others") == 2


@pytest.mark.real
async def test_no_worker_is_left_behind_when_their_keeper_is_killed(
    store: str, tmp_path: Path
) -> None:
    with working(store, tmp_path, f"{SHOP}:engine", "--processes=2") as keeper:
        await until(
            lambda: (tmp_path / "said").read_text().count("works as process") == 2, "both work"
        )
        keeper.kill()

        await until(
            lambda: (tmp_path / "said").read_text().count("hands its runs") == 2, "both stop"
        )


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (f"{SHOP}:nobody", f"worker {SHOP}:nobody: `{SHOP}` has no `nobody`; name an engine in it"),
        ("tests.cli.nowhere:engine", "worker: the module `tests.cli.nowhere` cannot be imported"),
        (f"{SHOP}:number", f"{SHOP}:number is 17 and no engine; name an Engine"),
        (f"{SHOP}:till", f"{SHOP}:till opens 'a till' and no engine; have it give an Engine"),
        (f"{SHOP}:client", "has work=False; a worker needs one that works"),
        (f"{SHOP}:idle", "serves nothing; call engine.serve(…) with workflows"),
        (SHOP, "is <module"),
        (f"{SHOP}:broken", "broken failed: ValueError: no money"),
    ],
)
def test_a_place_without_an_engine_is_refused_in_one_sentence(
    place: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", place]) == MISTAKE

    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.real
def test_workers_that_can_never_work_are_not_started_again(tmp_path: Path) -> None:
    with working("memory://", tmp_path, f"{SHOP}:idle", "--processes=2") as keeper:
        assert keeper.wait(timeout=SECONDS_MAX) == MISTAKE

    assert "started again" not in (tmp_path / "said").read_text()


@pytest.mark.parametrize("processes", ["0", "-1", "129", "two"])
def test_a_number_of_processes_that_cannot_be_is_refused(
    processes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", f"{SHOP}:engine", "--processes", processes]) == MISTAKE

    assert capsys.readouterr().err.count("\n") == 1
