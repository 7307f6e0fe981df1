"""The benchmarks' command line: a table for people, and one JSON object as the last line."""

from __future__ import annotations

import argparse
import asyncio
import platform
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.cold import measure_cold
from benchmarks.engine import journal_url, measure_engine
from benchmarks.fill import RUNS_MIN
from benchmarks.floor import APPENDS, APPENDS_FAIL, measure_floor
from benchmarks.growth import measure_growth
from benchmarks.measurement import Sample, disk_sync_ms, figures_of, named, ratios
from benchmarks.memory import peak_rss_mb
from benchmarks.peer import PEERS, PeerSample, PeerUnavailable, install_peers, measure_peer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

_RUNS_OF_CONCURRENCY = {1: 400, 32: 5_000, 256: 12_000}
_PEER_RUNS_OF_CONCURRENCY = {1: 100, 32: 400, 256: 768}
_WARMUP_SHARE = 10
_COMPARED = ("workflows_per_second", "p50_ms", "p99_ms", "rss_mb")

Figures = dict[str, str | int | float]


class Options(argparse.Namespace):
    """What was asked for on the command line; each workload has those that it has a use for."""

    workload: str
    journal: str
    concurrency: int
    runs: int | None
    checkouts: int
    repeat: int
    directory: Path
    floor: bool
    peer: str | None
    peer_runs: int | None
    peer_url: str | None
    uvloop: bool
    json: bool


def main() -> None:
    """Measure what the command line asks for and print it."""
    options = _parser().parse_args(namespace=Options())
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=options.directory) as name:
        folder = Path(name)
        try:
            figures = {**_circumstances(options, folder), **_measure(options, folder)}
        except PeerUnavailable as reason:
            raise SystemExit(str(reason)) from None
    for figure, value in figures.items():
        print(f"{figure:32} {value:>14}")
    if options.json:
        print(msgspec.json.encode(figures).decode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    workloads = parser.add_subparsers(dest="workload", required=True)
    for name in ("checkout5", "checkout5-fail"):
        _add_checkout(workloads.add_parser(name, help="workflows in a closed loop of clients"))
    _add_common(workloads.add_parser("cold", help="a process, to its first workflow done"))
    _add_growth(workloads.add_parser("growth", help="a full journal, beside an empty one"))
    return parser


def _add_checkout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--journal", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--concurrency", type=_positive, default=256, metavar="CLIENTS")
    parser.add_argument("--runs", type=_positive, help="workflows in a repeat")
    parser.add_argument("--floor", action="store_true", help="measure a bare commit loop beside it")
    parser.add_argument("--peer", choices=tuple(PEERS), help="measure another engine beside it")
    parser.add_argument("--peer-runs", type=_positive, help="the peer's workflows in a repeat")
    parser.add_argument(
        "--peer-url", help="the peer's database, instead of a fresh SQLite file in each repeat"
    )
    parser.add_argument("--uvloop", action="store_true", help="use uvloop's event loop")
    _add_common(parser)


def _add_growth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=_positive, default=1_000_000, help="finished runs that are filled in"
    )
    parser.add_argument(
        "--checkouts", type=_positive, default=12_000, help="workflows in a throughput"
    )
    parser.add_argument("--concurrency", type=_positive, default=256, metavar="CLIENTS")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeat", type=_positive, default=3, help="how often all is measured")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        help="where the journals are made for the time; the disk under it is what is measured",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        message = f"{number} is not 1 or more"
        raise argparse.ArgumentTypeError(message)
    return number


def _circumstances(options: Options, folder: Path) -> Figures:
    return {
        "workload": options.workload,
        "python": platform.python_version(),
        "disk_sync_ms": disk_sync_ms(folder),
        "repeat": options.repeat,
    }


def _measure(options: Options, folder: Path) -> Mapping[str, str | int | float]:
    match options.workload:
        case "cold":
            return _cold(options, folder)
        case "growth":
            assert options.runs is not None, "it has a default"
            return measure_growth(
                folder,
                runs=max(options.runs, RUNS_MIN),
                checkouts=options.checkouts,
                clients=options.concurrency,
                repeat=options.repeat,
            )
        case _:
            return _checkout(options, folder)


def _checkout(options: Options, folder: Path) -> Figures:
    """Measure the engine, and what is to stand beside it in turn, so that all meet one weather."""
    fails = options.workload == "checkout5-fail"
    clients = options.concurrency
    runs = options.runs or _runs_for(clients, _RUNS_OF_CONCURRENCY)
    warmup = _warmup(runs)
    peer = None if options.peer is None else _Peer(options, install_peers())
    samples: list[Sample] = []
    floors: list[Sample] = []
    for repeat in range(options.repeat):
        url = journal_url(options.journal, folder, f"engine-{repeat}")
        engine = measure_engine(url, fails=fails, runs=runs, clients=clients, warmup=warmup)
        samples.append(_run(engine, uses_uvloop=options.uvloop))
        if options.floor:
            floor = measure_floor(
                folder / f"floor-{repeat}.db",
                appends=APPENDS_FAIL if fails else APPENDS,
                runs=runs,
                clients=clients,
                warmup=warmup,
            )
            floors.append(_run(floor, uses_uvloop=options.uvloop))
        if peer is not None:
            peer.measure(folder / f"peer-{repeat}.db")
    figures: Figures = {
        "journal": options.journal,
        "event_loop": "uvloop" if options.uvloop else "asyncio",
        "concurrency": clients,
        "runs": runs,
    }
    ours = figures_of(samples) | {"rss_mb": peak_rss_mb()}
    figures |= ours
    if floors:
        figures |= named("floor", figures_of(floors))
    if peer is not None:
        figures |= peer.figures(ours)
    return figures


class _Peer:
    """The peer that stands beside the engine, and what was measured of it."""

    def __init__(self, options: Options, python: Path) -> None:
        assert options.peer is not None, "a peer was asked for"
        self._name = options.peer
        self._python = python
        self._url = options.peer_url
        self._fails = options.workload == "checkout5-fail"
        self._clients = options.concurrency
        self._runs = options.peer_runs or _runs_for(self._clients, _PEER_RUNS_OF_CONCURRENCY)
        self._samples: list[PeerSample] = []

    def measure(self, path: Path) -> None:
        """Measure one repeat, on a fresh file unless a database was named."""
        sample = measure_peer(
            self._name,
            self._python,
            url=self._url or f"sqlite:///{path.absolute()}",
            fails=self._fails,
            runs=self._runs,
            clients=self._clients,
            warmup=_warmup(self._runs),
        )
        self._samples.append(sample)

    def figures(self, ours: Mapping[str, float]) -> Figures:
        """Return the peer's figures, and ours in multiples of them."""
        theirs = figures_of([one.sample for one in self._samples])
        theirs |= {"rss_mb": median(one.rss_mb for one in self._samples)}
        figures: Figures = {
            "peer": f"{self._name} {self._samples[0].version}",
            "peer_settings": self._samples[0].settings,
            "peer_runs": self._runs,
        }
        compared = ratios({name: ours[name] for name in _COMPARED}, theirs)
        return figures | named("peer", theirs) | named("times_peer", compared)


def _cold(options: Options, folder: Path) -> Figures:
    measured = [measure_cold(folder / f"cold-{repeat}.journal") for repeat in range(options.repeat)]
    seconds = [second for second, _ in measured]
    return {
        "cold_seconds": round(median(seconds), 4),
        "cold_seconds_min": round(min(seconds), 4),
        "cold_seconds_max": round(max(seconds), 4),
        "rss_mb": median(rss for _, rss in measured),
    }


def _warmup(runs: int) -> int:
    return max(runs // _WARMUP_SHARE, 1)


def _runs_for(clients: int, runs_of: Mapping[int, int]) -> int:
    """Return enough workflows for some seconds of work at about this concurrency."""
    return next(
        (runs for bound, runs in runs_of.items() if clients <= bound), max(runs_of.values())
    )


def _run(measurement: Coroutine[object, None, Sample], *, uses_uvloop: bool) -> Sample:
    with asyncio.Runner(loop_factory=_uvloop() if uses_uvloop else None) as runner:
        return runner.run(measurement)


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415 - an optional extra

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
