"""Plays many worlds, or tells the story of one: `python -m tests.simulation --help`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation import ablations
from tests.simulation.campaign import KEEPS, Record, Refusal, proceed, seeds_of, survey, verdict
from tests.simulation.postgres import ablations as postgres_ablations
from tests.simulation.world import play

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.ablations import Caught


def main(arguments: list[str]) -> int:
    """Do what the command line says; return 0 when no rule was broken and everything was met."""
    asked = _parser().parse_args(arguments)
    if asked.ablations:
        return _take_away(asked)
    return _tell_story(asked) if asked.story is not None else _play_all(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--store", choices=sorted(KEEPS), default="memory", help="where the journals are"
    )
    parser.add_argument(
        "--seeds", type=seeds_of, default=range(3_000), metavar="A:B", help="from A up to B - 1"
    )
    parser.add_argument("--chunk", type=int, default=5_000, help="seeds between two records")
    parser.add_argument("--workers", type=int, default=2, help="processes that play")
    parser.add_argument("--result", type=Path, help="the record, which is resumed")
    parser.add_argument(
        "--ablations", action="store_true", help="take every safeguard away in turn"
    )
    parser.add_argument("--story", type=int, metavar="SEED", help="tell what happens in one world")
    return parser


def _play_all(asked: argparse.Namespace) -> int:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.workers, mp_context=context) as pool:
        try:
            record = proceed(
                asked.seeds,
                chunk=asked.chunk,
                file=asked.result,
                tell=_tell_progress,
                store=asked.store,
                surveyed=partial(pool.map, partial(survey, store=asked.store)),
            )
        except Refusal as refusal:
            _print(str(refusal))
            return 2
    found = verdict(record)
    for line in found:
        _print(line)
    met = len(record.reached) - len(record.missing)
    _print(f"{record.played:,} worlds, {record.failed:,} broke a rule; {met} kinds of event")
    return 1 if found else 0


def _take_away(asked: argparse.Namespace) -> int:
    """Say in which world the lack of each safeguard shows first."""
    is_missed = False
    for name, first_caught in _safeguards(asked):
        caught = first_caught()
        is_missed = is_missed or caught is None
        shown = "never" if caught is None else f"world {caught.seed}: {caught.violation}"
        _print(f"{name}: {shown}")
    return int(is_missed)


def _safeguards(asked: argparse.Namespace) -> list[tuple[str, Callable[[], Caught | None]]]:
    if asked.store == "postgres":
        return [
            (each.name, partial(postgres_ablations.first_caught, each))
            for each in postgres_ablations.ABLATIONS
        ]
    return [(each.name, partial(ablations.first_caught, each)) for each in ablations.ABLATIONS]


def _tell_progress(record: Record) -> None:
    _print(f"{record.played:,} of {record.count:,} worlds, {record.failed:,} broke a rule")


def _tell_story(asked: argparse.Namespace) -> int:
    played = play(asked.story, keep=KEEPS[asked.store], tells=True)
    for line in (*played.story, "", *played.ends, "", *played.violations):
        _print(line)
    _print(f"{len(played.violations)} rules were broken; the trace is {played.trace}")
    return 1 if played.violations else 0


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
