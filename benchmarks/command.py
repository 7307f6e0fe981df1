"""What may be asked for on the command line? The arguments of each workload, and their bounds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peer import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Options", "options_given"]

_ITEMS_MAX = 8_000
"""What more rounds give, at 100 bytes each, is longer than a result may be."""
_NODES_MAX = 2_000
"""The most nodes that a plan may have."""


class Options(argparse.Namespace):
    """What was asked for on the command line; each workload has those that it has a use for."""

    workload: str
    journal: str
    store: str | None
    concurrency: int
    clients: list[int]
    runs: int | None
    checkouts: int
    due: int
    claims: int
    seconds: int
    items: int
    messages: int
    nats: bool
    sizes: list[int]
    steps: int
    repeat: int
    directory: Path
    floor: bool
    processes: int
    peer: str | None
    peer_runs: int | None
    peer_url: str | None
    uvloop: bool
    json: bool


def options_given(description: str | None) -> Options:
    """Return what the command line asks for; what cannot be measured ends the program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=description)
    workloads = parser.add_subparsers(dest="workload", required=True)
    for name in ("checkout5", "checkout5-fail"):
        _add_checkout(workloads.add_parser(name, help="workflows in a closed loop of clients"))
    _add_cold(workloads.add_parser("cold", help="a process, to its first workflow done"))
    _add_growth(workloads.add_parser("growth", help="a full journal, beside an empty one"))
    _add_claim(workloads.add_parser("claim", help="a backlog of due runs, and those who claim"))
    _add_each(workloads.add_parser("each", help="a round of an each, beside a plain step"))
    _add_lifecycle(workloads.add_parser("lifecycle", help="a transition, beside a step"))
    _add_plans(workloads.add_parser("plans", help="a plan, by its size"))
    _add_messages(workloads.add_parser("messages", help="messages, received and answered"))
    _add_explore(workloads.add_parser("explore", help="every failure of an order, imagined"))
    options = parser.parse_args(namespace=Options())
    if options.store is not None and options.journal != "postgres":
        parser.error("--store names a PostgreSQL server: it goes with --journal postgres")
    if getattr(options, "processes", 1) > 1 and options.journal != "postgres":
        parser.error("one process works on a file: --processes goes with --journal postgres")
    if options.workload == "messages" and options.floor and options.journal == "memory":
        parser.error("--floor measures a disk: it goes with a file or a server")
    return options


def _add_checkout(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "sqlite", "postgres", "memory")
    parser.add_argument("--concurrency", type=_positive, default=256, metavar="CLIENTS")
    parser.add_argument("--runs", type=_positive, help="workflows in a repeat")
    parser.add_argument("--floor", action="store_true", help="measure a bare commit loop beside it")
    parser.add_argument(
        "--processes",
        type=_positive,
        default=1,
        help="measure so many processes beside it that share the workload and the store",
    )
    parser.add_argument("--peer", choices=tuple(PEERS), help="measure another engine beside it")
    parser.add_argument("--peer-runs", type=_positive, help="the peer's workflows in a repeat")
    parser.add_argument(
        "--peer-url", help="the peer's database, instead of a fresh one in each repeat"
    )
    parser.add_argument("--uvloop", action="store_true", help="use uvloop's event loop")
    _add_common(parser)


def _add_cold(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "sqlite", "postgres")
    _add_common(parser)


def _add_growth(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "sqlite", "postgres")
    parser.add_argument(
        "--runs", type=_positive, default=1_000_000, help="finished runs that are filled in"
    )
    parser.add_argument(
        "--checkouts", type=_positive, default=12_000, help="workflows in a throughput"
    )
    parser.add_argument("--concurrency", type=_positive, default=256, metavar="CLIENTS")
    _add_common(parser)


def _add_claim(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "postgres")
    parser.add_argument(
        "--due", type=_positive, default=1_000_000, help="due runs that are filled in"
    )
    parser.add_argument(
        "--claims", type=_positive, default=500, help="how often each worker claims 50 runs"
    )
    parser.add_argument(
        "--seconds", type=_positive, default=20, help="how long an engine works on the backlog"
    )
    _add_common(parser, repeat=1)


def _add_messages(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "sqlite", "postgres", "memory")
    parser.add_argument("--messages", type=_positive, default=6_000, help="messages in a repeat")
    parser.add_argument("--concurrency", type=_positive, default=256, metavar="CLIENTS")
    parser.add_argument("--floor", action="store_true", help="measure a bare commit loop beside it")
    parser.add_argument(
        "--nats",
        action="store_true",
        help="have them come and go by a NATS server, which is started for the time",
    )
    _add_common(parser)


def _add_each(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "sqlite", "postgres")
    parser.add_argument(
        "--items", type=_up_to(_ITEMS_MAX), default=1_000, help="rounds of the each"
    )
    _add_common(parser, repeat=5)


def _add_lifecycle(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "sqlite", "postgres", "memory")
    parser.add_argument(
        "--clients",
        type=_positive,
        nargs="+",
        default=[1, 32, 256],
        metavar="CLIENTS",
        help="how many there are at once, one after the other",
    )
    parser.add_argument("--runs", type=_positive, help="runs of each side in a repeat")
    _add_common(parser, repeat=5)


def _add_plans(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "memory")
    parser.add_argument(
        "--sizes",
        type=_up_to(_NODES_MAX),
        nargs="+",
        default=[10, 100, 500, _NODES_MAX],
        metavar="NODES",
        help="of the plans",
    )
    parser.add_argument(
        "--steps", type=_positive, default=4_000, help="steps that each size carries out"
    )
    _add_common(parser, repeat=5)


def _add_explore(parser: argparse.ArgumentParser) -> None:
    _add_store(parser, "memory")
    _add_common(parser, repeat=5)


def _add_store(parser: argparse.ArgumentParser, *kinds: str) -> None:
    parser.add_argument("--journal", choices=kinds, default=kinds[0])
    parser.add_argument(
        "--store",
        metavar="URL",
        help="a database of a PostgreSQL server on which fresh ones may be made and dropped, "
        "instead of a server that is started for the time",
    )


def _add_common(parser: argparse.ArgumentParser, *, repeat: int = 3) -> None:
    parser.add_argument(
        "--repeat", type=_positive, default=repeat, help="how often all is measured"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        help="where journals in files are made for the time; the disk under it is what is "
        "measured. A server that is started here lies in the system's temporary folder (TMPDIR)",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")


def _up_to(most: int) -> Callable[[str], int]:
    """Return what reads a number from 1 to this one."""

    def number_of(text: str) -> int:
        number = _positive(text)
        if number > most:
            message = f"{number} is more than {most}"
            raise argparse.ArgumentTypeError(message)
        return number

    return number_of


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        message = f"{number} is not 1 or more"
        raise argparse.ArgumentTypeError(message)
    return number
