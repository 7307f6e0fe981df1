"""The benchmarks' command line: a table for people, and one JSON object as the last line."""

from __future__ import annotations

import platform
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.command import options_given
from benchmarks.fill.filled import RUNS_MIN
from benchmarks.measurement import Figures, disk_sync_ms
from benchmarks.peer import PeerUnavailable, install_peers
from benchmarks.store import store_of
from benchmarks.throughput.measuring import Beside, Peer, Workload, measure_throughput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.command import Options
    from benchmarks.store import Store

_RUNS_OF_CONCURRENCY = {1: 400, 32: 5_000, 256: 12_000}
_MOVING_RUNS_OF_CONCURRENCY = {1: 200, 32: 2_000, 256: 5_000}
_PEER_RUNS_OF_CONCURRENCY = {1: 100, 32: 400, 256: 768}


def main() -> None:
    """Measure what the command line asks for and print it."""
    options = options_given(__doc__)
    with ExitStack() as stack:
        # A server that is started here has its files beside this folder, not in the directory.
        directory = None if options.journal == "postgres" else options.directory
        name = tempfile.TemporaryDirectory(prefix=".benchmark-", dir=directory)
        folder = Path(stack.enter_context(name))
        try:
            store = stack.enter_context(store_of(options.journal, folder, server=options.store))
        except LookupError as reason:
            raise SystemExit(str(reason)) from None
        try:
            figures = _circumstances(options, folder, store) | _measure(options, folder, store)
        except PeerUnavailable as reason:
            raise SystemExit(str(reason)) from None
    for figure, value in figures.items():
        print(f"{figure:36} {value:>14}")
    if options.json:
        print(msgspec.json.encode(figures).decode())


def _circumstances(options: Options, folder: Path, store: Store) -> Figures:
    figures: Figures = {
        "workload": options.workload,
        "journal": options.journal,
        **store.told(),
        "python": platform.python_version(),
        "repeat": options.repeat,
    }
    if options.store is None:
        figures["disk_sync_ms"] = disk_sync_ms(folder)
    return figures


def _measure(options: Options, folder: Path, store: Store) -> Figures:
    """Measure it, in a process that has only this workload's modules in memory."""
    match options.workload:
        case "cold":
            return _cold(options, store)
        case "growth":
            from benchmarks.growth.measuring import measure_growth

            assert options.runs is not None, "it has a default"
            return measure_growth(
                store,
                runs=max(options.runs, RUNS_MIN),
                checkouts=options.checkouts,
                clients=options.concurrency,
                repeat=options.repeat,
            )
        case "claim":
            from benchmarks.claim.measuring import measure_claims

            return measure_claims(
                store,
                due=options.due,
                claims=options.claims,
                seconds=options.seconds,
                repeat=options.repeat,
            )
        case "each":
            from benchmarks.flow.rounds import measure_rounds

            with store_of("memory", folder) as memory:
                stores = {"memory": memory, options.journal: store}
                return measure_rounds(stores, items=options.items, repeat=options.repeat)
        case "messages" if options.nats:
            from benchmarks.messaging.brokered import measure_brokered

            return measure_brokered(store, messages=options.messages, repeat=options.repeat)
        case "messages":
            from benchmarks.messaging.receiving import measure_messages

            return measure_messages(
                store,
                messages=options.messages,
                clients=options.concurrency,
                repeat=options.repeat,
                has_floor=options.floor,
            )
        case "lifecycle":
            from benchmarks.lifecycle.measuring import measure_transitions

            return measure_transitions(
                store,
                concurrency=options.clients,
                runs_of=lambda clients: (
                    options.runs or _runs_for(clients, _MOVING_RUNS_OF_CONCURRENCY)
                ),
                repeat=options.repeat,
            )
        case "explore":
            from benchmarks.explored import measure_exploring

            return measure_exploring(repeat=options.repeat)
        case "plans":
            from benchmarks.flow.sizes import measure_sizes

            return measure_sizes(options.sizes, steps=options.steps, repeat=options.repeat)
        case _:
            return _checkout(options, folder, store)


def _checkout(options: Options, folder: Path, store: Store) -> Figures:
    clients = options.concurrency
    workload = Workload(
        fails=options.workload == "checkout5-fail",
        runs=options.runs or _runs_for(clients, _RUNS_OF_CONCURRENCY),
        clients=clients,
    )
    beside = Beside(
        has_floor=options.floor, processes=options.processes, peer=_peer_asked_for(options)
    )
    figures: Figures = {"event_loop": "uvloop" if options.uvloop else "asyncio"}
    with store_of("sqlite", folder) as files:
        return figures | measure_throughput(
            store,
            files if options.journal == "memory" else store,
            workload,
            beside,
            repeat=options.repeat,
            uses_uvloop=options.uvloop,
        )


def _peer_asked_for(options: Options) -> Peer | None:
    if options.peer is None:
        return None
    return Peer(
        name=options.peer,
        python=install_peers(),
        url=options.peer_url,
        runs=options.peer_runs or _runs_for(options.concurrency, _PEER_RUNS_OF_CONCURRENCY),
    )


def _cold(options: Options, store: Store) -> Figures:
    from benchmarks.cold import measure_cold

    measured: list[tuple[float, float]] = []
    for _ in range(options.repeat):
        with store.fresh() as url:
            measured.append(measure_cold(url))
    seconds = [second for second, _ in measured]
    return {
        "cold_seconds": round(median(seconds), 4),
        "cold_seconds_min": round(min(seconds), 4),
        "cold_seconds_max": round(max(seconds), 4),
        "rss_mb": median(rss for _, rss in measured),
    }


def _runs_for(clients: int, runs_of: Mapping[int, int]) -> int:
    """Return enough workflows for some seconds of work at about this concurrency."""
    return next(
        (runs for bound, runs in runs_of.items() if clients <= bound), max(runs_of.values())
    )


if __name__ == "__main__":
    main()
