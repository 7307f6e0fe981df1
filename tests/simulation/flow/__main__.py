"""Plays many worlds of the flow: `python -m tests.simulation.flow --seeds 0:2000`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.simulation.campaign import seeds_of
from tests.simulation.flow.campaign import REQUIRED
from tests.simulation.flow.world import play


def main(arguments: list[str]) -> int:
    """Play the worlds asked for; return 0 when no rule was broken and everything was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.flow", description=__doc__)
    parser.add_argument(
        "--seeds", type=seeds_of, default=range(2_000), metavar="A:B", help="from A up to B - 1"
    )
    seeds = parser.parse_args(arguments).seeds
    reached: Counter[str] = Counter()
    failed = 0
    for seed in seeds:
        played = play(seed)
        reached += played.reached
        failed += bool(played.wrong)
        for wrong in played.wrong:
            _print(f"world {seed}: {wrong}")
    missing = [situation for situation in REQUIRED if not reached[situation]]
    for situation in missing:
        _print(f"never met: {situation}")
    _print(f"{len(seeds):,} worlds, {failed:,} broke a rule; {len(reached)} kinds of event")
    return int(bool(failed or missing))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
