"""Play every story of every case and print how many there were, or tell one story.

python -m tests.simulation.crashing
python -m tests.simulation.crashing --story "place_order undone" "7 killed after" "12 paused"
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from makegood.testing.simulation import Fate
from tests.simulation.crashing.campaign import crash_everywhere, stand_still_everywhere
from tests.simulation.crashing.cases import CASES
from tests.simulation.crashing.points import Mishap
from tests.simulation.crashing.world import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.crashing.campaign import Tally
    from tests.simulation.crashing.cases import Case

SHOWN_MAX = 10
"""How many violations of a case are printed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.crashing")
    parser.add_argument("--story", nargs="+", metavar=("CASE", "MISHAP"), help="tell one story")
    parser.add_argument("--workers", type=int, default=2, help="processes that play")
    asked = parser.parse_args(arguments)
    return play_all(asked.workers) if asked.story is None else tell(asked.story[0], asked.story[1:])


def play_all(workers: int) -> int:
    """Play everything and write a line for each case."""
    write = sys.stdout.write
    write(f"{'':<26}{'points':>8}{'pairs':>8}{'zombies':>9}{'wakes':>8}{'violations':>12}\n")
    total = found = 0
    names = [str(case) for case in CASES]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for name, (crashed, stood) in zip(names, pool.map(_played, names), strict=True):
            singles, zombies = crashed.singles.total(), stood.singles.total()
            violations = crashed.violations + stood.violations
            counts = f"{singles:>8}{crashed.pairs:>8}{zombies:>9}{stood.pairs:>8}"
            write(f"{name:<26}{counts}{len(violations):>12}\n")
            sys.stdout.writelines(f"{violation}\n" for violation in violations[:SHOWN_MAX])
            sys.stdout.flush()
            total += singles + crashed.pairs + zombies + stood.pairs
            found += len(violations)
    write(f"{total} stories, {found} violations\n")
    return 1 if found else 0


def _played(name: str) -> tuple[Tally, Tally]:
    """Play everything of one case, in a process of its own."""
    case = _case(name)
    return crash_everywhere(case), stand_still_everywhere(case)


def _case(name: str) -> Case:
    [case] = [case for case in CASES if str(case) == name]
    return case


def tell(name: str, mishaps: Sequence[str]) -> int:
    """Tell the story of a case with these mishaps."""
    case = _case(name)
    script = [Mishap.read(text) for text in mishaps]
    is_paused = any(mishap.fate is Fate.PAUSE for mishap in script)
    played = play(case, script, standby=is_paused, tells=True)
    sys.stdout.writelines(played.story)
    sys.stdout.write(f"{played.end}\n")
    sys.stdout.writelines(f"{violation}\n" for violation in played.violations)
    return 1 if played.violations else 0


if __name__ == "__main__":
    sys.exit(main())
