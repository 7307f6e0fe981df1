"""Are several processes on one store faster than one? The same workload, divided among them.

Each process has an engine, starts its own runs and carries them out. All begin at one moment,
when the slowest of them is ready; the rate is that of all workflows, from the first beginning to
the last end, so that time in which some have ended already counts against it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import IO, Self

import msgspec

from benchmarks.closed_loop import closed_loop
from benchmarks.measurement import Sample
from benchmarks.throughput.engine import commits_of, run_once_on
from makegood import Engine
from makegood.journal.address import open_journal

__all__ = ["measure_processes"]

_READY = "ready\n"
_SECONDS_TO_END_MAX = 60


class _Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one process is to do."""

    url: str
    fails: bool
    runs: int
    clients: int
    warmup: int


class _Done(msgspec.Struct, frozen=True, kw_only=True):
    """What one process did, and when by the clock that all processes of a machine share."""

    began: float
    ended: float
    latencies_ms: tuple[float, ...]
    commits: int


def measure_processes(
    url: str, *, processes: int, fails: bool, runs: int, clients: int, warmup: int
) -> Sample:
    """Measure one repeat of the workload, divided among so many processes."""
    shares = [
        _Share(
            url=url,
            fails=fails,
            runs=_part(runs, number, processes),
            clients=_part(clients, number, processes),
            warmup=_part(warmup, number, processes),
        )
        for number in range(processes)
    ]
    with ExitStack() as stack:
        workers = [stack.enter_context(_Worker(share)) for share in shares]
        for worker in workers:
            worker.await_readiness()
        for worker in workers:
            worker.begin()
        done = [worker.done() for worker in workers]
    return Sample(
        seconds=max(one.ended for one in done) - min(one.began for one in done),
        latencies_ms=tuple(latency for one in done for latency in one.latencies_ms),
        commits=sum(one.commits for one in done),
    )


def _part(total: int, number: int, parts: int) -> int:
    """Return one of some parts of a number, none of which is nothing."""
    return max(total * (number + 1) // parts - total * number // parts, 1)


class _Worker:
    """A process that waits until it may begin; it is killed where the others fail."""

    def __init__(self, share: _Share) -> None:
        command = [sys.executable, "-m", __name__, msgspec.json.encode(share).decode()]
        # The command is this module and numbers that were made here.
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            if self._process.poll() is None:
                self._process.kill()

    def await_readiness(self) -> None:
        line = _pipe(self._process.stdout).readline()
        if line != _READY:
            message = f"a process of several ended with status {self._process.wait()}"
            raise RuntimeError(message)

    def begin(self) -> None:
        pipe = _pipe(self._process.stdin)
        pipe.write("begin\n")
        pipe.flush()

    def done(self) -> _Done:
        line = _pipe(self._process.stdout).readline()
        status = self._process.wait(_SECONDS_TO_END_MAX)
        if status != 0:
            message = f"a process of several ended with status {status}"
            raise RuntimeError(message)
        return msgspec.json.decode(line, type=_Done)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "a pipe was asked for"
    return pipe


async def _work(share: _Share) -> _Done:
    journal = open_journal(share.url)
    async with Engine(journal=journal) as engine:
        run_once = run_once_on(engine, fails=share.fails)
        await closed_loop(run_once, runs=share.warmup, clients=share.clients)
        print(_READY, end="", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        commits_before = commits_of(journal)
        began = time.monotonic()
        _, latencies = await closed_loop(run_once, runs=share.runs, clients=share.clients)
        ended = time.monotonic()
        commits = commits_of(journal) - commits_before
    return _Done(began=began, ended=ended, latencies_ms=latencies, commits=commits)


if __name__ == "__main__":
    done = asyncio.run(_work(msgspec.json.decode(sys.argv[1], type=_Share)))
    print(msgspec.json.encode(done).decode())
