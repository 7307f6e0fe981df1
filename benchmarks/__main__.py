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
from benchmarks.floor import APPENDS, APPENDS_FAIL, measure_floor
from benchmarks.measurement import Sample, disk_sync_ms, peak_rss_mb, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_RUNS_OF_CONCURRENCY = {1: 400, 32: 5_000, 256: 12_000}
_WARMUP_SHARE = 10

Figures = dict[str, str | int | float]


class Options(argparse.Namespace):
    """What was asked for on the command line."""

    workload: str
    journal: str
    concurrency: int
    runs: int | None
    repeat: int
    directory: Path
    floor: bool
    uvloop: bool
    json: bool


def main() -> None:
    """Measure what the command line asks for and print it."""
    options = _parser().parse_args(namespace=Options())
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=options.directory) as folder:
        if options.workload == "cold":
            figures = _cold(options, Path(folder))
        else:
            figures = _checkout(options, Path(folder))
    for name, value in figures.items():
        print(f"{name:32} {value:>14}")
    if options.json:
        print(msgspec.json.encode(figures).decode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workload", choices=("checkout5", "checkout5-fail", "cold"))
    parser.add_argument("--journal", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--concurrency", type=_positive, default=256, metavar="CLIENTS")
    parser.add_argument("--runs", type=_positive, help="workflows in a repeat")
    parser.add_argument("--repeat", type=_positive, default=3, help="fresh journals to measure on")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        help="where the journals are made for the time; the disk under it is what is measured",
    )
    parser.add_argument("--floor", action="store_true", help="measure a bare commit loop beside it")
    parser.add_argument("--uvloop", action="store_true", help="use uvloop's event loop")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        message = f"{number} is not 1 or more"
        raise argparse.ArgumentTypeError(message)
    return number


def _checkout(options: Options, folder: Path) -> Figures:
    """Measure the engine, and the floor in turn with it, so that both meet the same weather."""
    fails = options.workload == "checkout5-fail"
    clients = options.concurrency
    runs = options.runs or _runs_for(clients)
    warmup = max(runs // _WARMUP_SHARE, 1)
    samples: list[Sample] = []
    floors: list[Sample] = []
    for repeat in range(options.repeat):
        url = journal_url(options.journal, folder, f"engine-{repeat}")
        samples.append(
            _run(
                measure_engine(url, fails=fails, runs=runs, clients=clients, warmup=warmup),
                uses_uvloop=options.uvloop,
            )
        )
        if options.floor:
            floors.append(
                _run(
                    measure_floor(
                        folder / f"floor-{repeat}.db",
                        appends=APPENDS_FAIL if fails else APPENDS,
                        runs=runs,
                        clients=clients,
                        warmup=warmup,
                    ),
                    uses_uvloop=options.uvloop,
                )
            )
    figures = _circumstances(options, folder) | {"concurrency": clients, "runs": runs}
    figures |= msgspec.structs.asdict(summarize(samples)) | {"rss_mb": peak_rss_mb()}
    if floors:
        floor = summarize(floors)
        figures |= {f"floor_{name}": value for name, value in msgspec.structs.asdict(floor).items()}
    return figures


def _cold(options: Options, folder: Path) -> Figures:
    measured = [measure_cold(folder / f"cold-{repeat}.journal") for repeat in range(options.repeat)]
    seconds = [second for second, _ in measured]
    return _circumstances(options, folder) | {
        "cold_seconds": round(median(seconds), 4),
        "cold_seconds_min": round(min(seconds), 4),
        "cold_seconds_max": round(max(seconds), 4),
        "rss_mb": median(rss for _, rss in measured),
    }


def _circumstances(options: Options, folder: Path) -> Figures:
    return {
        "workload": options.workload,
        "journal": options.journal,
        "python": platform.python_version(),
        "event_loop": "uvloop" if options.uvloop else "asyncio",
        "disk_sync_ms": disk_sync_ms(folder),
        "repeat": options.repeat,
    }


def _runs_for(clients: int) -> int:
    """Return enough workflows for some seconds of work at about this concurrency."""
    return next((runs for bound, runs in _RUNS_OF_CONCURRENCY.items() if clients <= bound), 12_000)


def _run(measurement: Coroutine[object, None, Sample], *, uses_uvloop: bool) -> Sample:
    with asyncio.Runner(loop_factory=_uvloop() if uses_uvloop else None) as runner:
        return runner.run(measurement)


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415 - an optional extra

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
