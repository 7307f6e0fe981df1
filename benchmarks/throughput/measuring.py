"""The engine, and what is to stand beside it, measured in turn so that all meet one weather."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.measurement import Figures, Sample, figures_of, named, ratios
from benchmarks.memory import peak_rss_mb
from benchmarks.peer import PeerSample, measure_peer
from benchmarks.throughput.engine import measure_engine
from benchmarks.throughput.floor import measure_floor
from benchmarks.throughput.floor_postgres import postgres_floor
from benchmarks.throughput.floor_sqlite import sqlite_floor
from benchmarks.throughput.processes import measure_processes
from makegood.journal.address import open_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.store import Counted, Store
    from benchmarks.throughput.floor import Floor

__all__ = ["Beside", "Peer", "Workload", "floor_at", "measure_throughput"]

_APPENDS = {False: 6, True: 10}
"""The durable waits of a workflow that does not fail and of one that does: its start, each of five
steps, and each of four that are undone."""

_COMPARED = ("workflows_per_second", "p50_ms", "p99_ms", "rss_mb")
_WARMUP_SHARE = 10


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What is carried out in a repeat."""

    fails: bool
    runs: int
    clients: int

    @property
    def warmup(self) -> int:
        """How many workflows are carried out before those that count."""
        return max(self.runs // _WARMUP_SHARE, 1)

    @property
    def appends(self) -> int:
        """How many appends one workflow makes: one row of facts each."""
        return _APPENDS[self.fails]


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Another engine that stands beside ours."""

    name: str
    python: Path
    """The interpreter of its environment."""
    url: str | None
    """Its database, or None for a fresh one of our own kind in each repeat."""
    runs: int


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured in turn with the engine."""

    has_floor: bool = False
    processes: int = 1
    peer: Peer | None = None


def measure_throughput(
    store: Store,
    files: Store,
    workload: Workload,
    beside: Beside,
    *,
    repeat: int,
    uses_uvloop: bool,
) -> Figures:
    """Measure the engine on fresh journals of a store.

    What cannot be in memory, the floor and the peer, is then in `files`.
    """
    measured = _Measured(workload)
    for _ in range(repeat):
        with store.fresh() as url:
            measured.engine(url, store, uses_uvloop=uses_uvloop)
        if beside.processes > 1:
            with store.fresh() as url:
                measured.several(url, beside.processes)
        if beside.has_floor:
            with files.fresh() as url:
                measured.floor(url, uses_uvloop=uses_uvloop)
        if beside.peer is not None:
            with files.fresh() as url:
                measured.peer(beside.peer, url)
    return measured.figures(beside)


class _Measured:
    """What was measured so far, of each side one sample a repeat."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._ours: list[Sample] = []
        self._counted: list[Counted] = []
        self._several: list[Sample] = []
        self._floor: list[Sample] = []
        self._theirs: list[PeerSample] = []

    def engine(self, url: str, store: Store, *, uses_uvloop: bool) -> None:
        """Measure the engine. What its server counts is the workload's alone: no schema is made."""
        asyncio.run(_make(url))
        before = store.counted(url)
        load = self._workload
        measurement = measure_engine(
            url, fails=load.fails, runs=load.runs, clients=load.clients, warmup=load.warmup
        )
        self._ours.append(_run(measurement, uses_uvloop=uses_uvloop))
        after = store.counted(url)
        if before is not None and after is not None:
            self._counted.append(after - before)

    def several(self, url: str, processes: int) -> None:
        """Measure several processes that share the workload."""
        load = self._workload
        sample = measure_processes(
            url,
            processes=processes,
            fails=load.fails,
            runs=load.runs,
            clients=load.clients,
            warmup=load.warmup,
        )
        self._several.append(sample)

    def floor(self, url: str, *, uses_uvloop: bool) -> None:
        """Measure the bare loop."""
        load = self._workload
        measurement = measure_floor(
            floor_at(url),
            appends=load.appends,
            runs=load.runs,
            clients=load.clients,
            warmup=load.warmup,
        )
        self._floor.append(_run(measurement, uses_uvloop=uses_uvloop))

    def peer(self, peer: Peer, url: str) -> None:
        """Measure the peer, on a fresh database unless one was named."""
        load = msgspec.structs.replace(self._workload, runs=peer.runs)
        sample = measure_peer(
            peer.name,
            peer.python,
            url=peer.url or url,
            fails=load.fails,
            runs=load.runs,
            clients=load.clients,
            warmup=load.warmup,
        )
        self._theirs.append(sample)

    def figures(self, beside: Beside) -> Figures:
        """Return every figure: the engine's, and those of what stands beside it."""
        load = self._workload
        ours = self._with_rows(self._ours) | {"rss_mb": peak_rss_mb()}
        figures: Figures = {"concurrency": load.clients, "runs": load.runs, **ours}
        if self._counted:
            figures |= self._counted_for_each()
        if self._several:
            several = self._with_rows(self._several)
            figures |= {"processes": beside.processes} | named("processes", several)
            figures |= named("times_one_process", _rate_of(several, ours))
        if self._floor:
            floor = self._with_rows(self._floor)
            figures |= named("floor", floor) | named("times_floor", _rate_of(ours, floor))
        if beside.peer is not None:
            figures |= self._beside_the_peer(beside.peer, ours)
        return figures

    def _with_rows(self, samples: Sequence[Sample]) -> dict[str, float]:
        figures = figures_of(samples)
        return figures | {
            "rows_per_commit": round(self._workload.appends / figures["commits_per_workflow"], 1)
        }

    def _counted_for_each(self) -> Figures:
        """Return what the server counted for each workflow, those of the warm-up among them."""
        workflows = self._workload.runs + self._workload.warmup
        return {
            f"server_{name}_per_workflow": round(
                median(getattr(counted, name) / workflows for counted in self._counted), 3
            )
            for name in self._counted[0].__struct_fields__
        }

    def _beside_the_peer(self, peer: Peer, ours: Mapping[str, float]) -> Figures:
        theirs = figures_of([one.sample for one in self._theirs])
        theirs |= {"rss_mb": median(one.rss_mb for one in self._theirs)}
        figures: Figures = {
            "peer": f"{peer.name} {self._theirs[0].version}",
            "peer_settings": self._theirs[0].settings,
            "peer_runs": peer.runs,
        }
        compared = ratios({name: ours[name] for name in _COMPARED}, theirs)
        return figures | named("peer", theirs) | named("times_peer", compared)


def _rate_of(figures: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    """Return how many times the other's rate one rate is."""
    rate = "workflows_per_second"
    return ratios({rate: figures[rate]}, others)


def floor_at(url: str) -> AbstractAsyncContextManager[Floor]:
    """Return what appends to a fresh store, in a file or on a server."""
    path = url.removeprefix("sqlite:///")
    return postgres_floor(url) if path == url else sqlite_floor(path)


async def _make(url: str) -> None:
    """Have the schema made."""
    journal = open_journal(url)
    await journal.open(work=False)
    await journal.close()


def _run(measurement: Coroutine[object, None, Sample], *, uses_uvloop: bool) -> Sample:
    with asyncio.Runner(loop_factory=_uvloop() if uses_uvloop else None) as runner:
        return runner.run(measurement)


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    return uvloop.new_event_loop
