"""Asking the decision core until it has nothing to add; knows no journal and performs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision.commands import Evaluate
from makegood.decision.evolve import evolve, evolve_all
from makegood.decision.retry import Chance
from makegood.runtime.calling.children import call_child
from makegood.runtime.calling.evaluate import evaluate
from makegood.runtime.turning.standing import OF_STANDING, evaluate_standing
from makegood.values.limits import NODES_PER_RUN_MAX

if TYPE_CHECKING:
    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.runtime.calling.jobs import Direction
    from makegood.runtime.calling.served import Served
    from makegood.runtime.ports import Decide
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["Deciding", "Errors"]

_ROUNDS_MAX = 100 + 10 * NODES_PER_RUN_MAX

Errors = dict[tuple[str, "Direction"], BaseException]
"""The last exception object of each node and direction that was raised in this process."""


class Deciding:
    """Asks the core what next for one run."""

    __slots__ = ("_chance", "_decide", "_served", "errors", "run")

    def __init__(self, decide: Decide, served: Served, run: RunId) -> None:
        self.run = run
        self.errors: Errors = {}
        """What was raised in this process on the run's way."""
        self._decide = decide
        self._served = served
        self._chance = Chance(run)

    def decide_all(self, state: RunState, recorded: list[Fact], now: Instant) -> list[Command]:
        """Fold everything that follows into the state and add it to `recorded`; return what to do.

        What is to be computed is computed on the way, and an exception from that goes to `errors`.
        """
        plan, decide, chance = self._served.plan, self._decide, self._chance
        commands: list[Command] = []
        # Each round ends at least one node's phase, and a node has a bounded number of them.
        for _ in range(_ROUNDS_MAX):
            decision = decide(plan, state, now, chance)
            evolve_all(state, decision.facts)
            recorded += decision.facts
            has_evaluated = False
            for command in decision.commands:
                if isinstance(command, Evaluate):
                    has_evaluated = True
                    self._evaluate(state, command, recorded, now)
                else:
                    commands.append(command)
            if decision.is_last or not (decision.facts or has_evaluated):
                return commands
        message = f"a run of `{self._served.name}` does not come to rest: {state.status}"
        raise AssertionError(message)

    def _evaluate(
        self, state: RunState, command: Evaluate, recorded: list[Fact], now: Instant
    ) -> None:
        served = self._served
        if command.what == "call":
            fact, error = call_child(served, state, command.node, run=self.run, now=now)
        elif command.what in OF_STANDING:
            fact, error = evaluate_standing(served.code, state, command, now)
        else:
            fact, error = evaluate(served.code, state, command, now)
        evolve(state, fact)
        recorded.append(fact)
        if error is not None:
            path = "" if command.node < 0 else state.graph[command.node].path
            self.errors[path, "do"] = error
