"""What tests of fitting share: runs that have come so far, and plans of which a node is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.moving.fitting import misfit_of
from makegood.definition.plan import Argument
from tests.decision.driver import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.definition.plan import Node, Plan, Source

__all__ = ["begun", "changed", "given_to", "why"]


def begun(plan: Plan, *ended: str) -> Run:
    """Return a run of which these bodies have ended, one after the other."""
    run = Run(plan)
    for path in ended:
        run.end(path)
    return run


def why(run: Run, new: Plan) -> str | None:
    """Say why a run does not fit another plan."""
    misfit = misfit_of(run.plan, new, run.recorded)
    return None if misfit is None else misfit.sentence


def changed(plan: Plan, path: str, change: Callable[[Node], Node]) -> Plan:
    """Return a plan of which one node is another."""
    nodes = [change(node) if node.path == path else node for node in plan.nodes]
    return msgspec.structs.replace(plan, nodes=tuple(nodes))


def given_to(plan: Plan, path: str, source: Source) -> Plan:
    """Return a plan of which one node takes something."""
    argument = Argument(name="it", source=source, type="int")
    return changed(plan, path, lambda node: msgspec.structs.replace(node, arguments=(argument,)))
