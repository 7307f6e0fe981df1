"""The campaign of real crashes: `python -m tests.chaos`, which is what `make chaos` runs.

It prints a line for each scenario and exits with 1 when anything was lost, done twice or stuck.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.chaos import scenarios, services
from tests.chaos.postgres import scenarios as postgres
from tests.chaos.scenarios import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCENARIOS = {**scenarios.SCENARIOS, **postgres.SCENARIOS, **services.SCENARIOS}

SEED = 1701


def main(arguments: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> int:
    asked = _asked(arguments)
    console = Console(highlight=False)
    results: dict[str, tuple[Result, float]] = {}
    for name in asked.only or SCENARIOS:
        scenario, rounds = SCENARIOS[name]
        wanted = asked.kills if name == "kills" else max(1, round(rounds * asked.kills / 500))
        began = clock()

        def may_go_on(began: float = began) -> bool:
            return asked.seconds is None or clock() - began < asked.seconds

        console.print(f"{name}: {wanted:,} rounds, seed {asked.seed} …")
        result: Result = asyncio.run(scenario(wanted, seed=asked.seed, may_go_on=may_go_on))
        results[name] = result, clock() - began
        for problem in result.problems:
            console.print(f"  {problem}", style="red", markup=False)
    console.print(_table(results))
    wrong = sum(len(result.problems) for result, _ in results.values())
    console.print(f"{wrong:,} problems" if wrong else "Nothing was lost, done twice or left stuck.")
    return 1 if wrong else 0


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=500, help="of one worker; the other scenarios keep step"
    )
    parser.add_argument(
        "--seconds", type=float, help="how long a scenario may begin new rounds; no bound"
    )
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, help="some scenarios only")
    parser.add_argument("--seed", type=int, default=SEED)
    return parser.parse_args(arguments)


def _table(results: dict[str, tuple[Result, float]]) -> Table:
    table = Table(pad_edge=False)
    for name in ("scenario", "what was done, and how orders ended", "seconds", "problems"):
        table.add_column(name, justify="left" if name[0] in "sw" else "right")
    for name, (result, seconds) in results.items():
        figures = [f"{what} {count:,}" for what, count in result.figures.items()]
        if result.milliseconds:
            figures.append(_quantiles(result.milliseconds))
        problems = f"{len(result.problems):,}"
        table.add_row(name, " · ".join(figures), f"{seconds:,.0f}", problems, end_section=True)
    return table


def _quantiles(milliseconds: Sequence[float]) -> str:
    ordered = sorted(milliseconds)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    return f"takeover p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, longest {ordered[-1]:,.0f} ms"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
