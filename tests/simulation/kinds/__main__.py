"""Plays many worlds of a kind, or tells one: `python -m tests.simulation.kinds lifecycles`."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.campaign import seeds_of
from tests.simulation.emitting.campaign import EMITTING
from tests.simulation.flow.campaign import FLOW
from tests.simulation.kinds.playing import play_all, tell
from tests.simulation.lifecycles.campaign import LIFECYCLES
from tests.simulation.messages.campaign import MESSAGES
from tests.simulation.models.campaign import MODELS
from tests.simulation.moving.campaign import MOVING
from tests.simulation.postgres.beside.campaign import ON_SERVER
from tests.simulation.schedules.campaign import SCHEDULES

KINDS = {
    kind.name: kind
    for kind in (FLOW, LIFECYCLES, MESSAGES, SCHEDULES, MOVING, EMITTING, MODELS, ON_SERVER)
}


def main(arguments: list[str]) -> int:
    """Play the worlds asked for; return 0 when no rule was broken and everything was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.kinds", description=__doc__)
    parser.add_argument(
        "kinds",
        nargs="*",
        metavar="KIND",
        help=f"{', '.join(KINDS)}; every one where none is named",
    )
    parser.add_argument(
        "--seeds", type=seeds_of, default=range(2_000), metavar="A:B", help="from A up to B - 1"
    )
    parser.add_argument("--story", type=int, metavar="SEED", help="tell what happens in one world")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.kinds if name not in KINDS]:
        parser.error(f"there are no worlds of {', '.join(unknown)}")
    kinds = [KINDS[name] for name in asked.kinds or KINDS]
    if asked.story is not None:
        return int(sum(tell(kind, asked.story) for kind in kinds) > 0)
    return int(sum(play_all(kind, asked.seeds) for kind in kinds) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
