"""Tells worlds of every kind by their digests: `python -m tests.simulation.traces --seeds 0:40`.

Each line must be the same in every process, whatever its `PYTHONHASHSEED`, whatever was played
before, and whenever garbage is collected.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tests.simulation.campaign import KEEPS, seeds_of
from tests.simulation.emitting import world as emitting
from tests.simulation.flow import world as flow
from tests.simulation.letters import world as letters
from tests.simulation.lifecycles import world as lifecycles
from tests.simulation.messages import world as messages
from tests.simulation.models import world as models
from tests.simulation.moving import world as moving
from tests.simulation.postgres.beside.campaign import ON_SERVER
from tests.simulation.schedules import world as schedules
from tests.simulation.world import play

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KINDS", "main"]

KINDS: dict[str, Callable[[int], str]] = {
    "memory": lambda seed: play(seed, keep=KEEPS["memory"]).trace,
    "postgres": lambda seed: play(seed, keep=KEEPS["postgres"]).trace,
    "letters": lambda seed: letters.play(seed).trace,
    "flow": lambda seed: flow.play(seed).trace,
    "lifecycles": lambda seed: lifecycles.play(seed).trace,
    "messages": lambda seed: messages.play(seed).trace,
    "schedules": lambda seed: schedules.play(seed).trace,
    "emitting": lambda seed: emitting.play(seed).trace,
    "models": lambda seed: models.play(seed).trace,
    "beside": lambda seed: ON_SERVER.play(seed).trace,
    "moving": lambda seed: moving.play(seed).trace,
}
"""The kinds of world, each with what gives the digest of one."""


def main(arguments: list[str]) -> int:
    """Tell the worlds asked for, of each kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.traces", description=__doc__)
    parser.add_argument(
        "--seeds", type=seeds_of, default=range(40), metavar="A:B", help="from A up to B - 1"
    )
    for seed in parser.parse_args(arguments).seeds:
        for kind, traced in KINDS.items():
            sys.stdout.write(f"{kind} {seed} {traced(seed)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
