"""What keeps moved and retried runs right, taken away in turn: wrappers around ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.decision.decide import decide
from tests.simulation.ablation import Ablation, Around
from tests.simulation.crashing.test_red import ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.commands import Decision
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import History
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["MISSED"]


class LooksAway(Around):
    """Whether a run fits another definition is judged by all that is recorded but the last."""

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        """Return what is remembered of runs; of those that nobody holds, not all of it."""
        histories = await self.journal.read_all(runs)
        return tuple(self._shortened(history) for history in histories)

    def _shortened(self, history: History) -> History:
        is_held = self.store.records[history.row.run].owner is not None
        if is_held or len(history.appends) == 1:
            return history
        return replace(history, appends=history.appends[:1])


def same_keys(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Do again what was taken back under the key that it had before."""
    for node in state.nodes:
        node.generation = 0
    return decide(plan, state, now, chance)


def onwards(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Take back, when a run is retried from a step, only that step."""
    if state.retracing:
        first = next(iter(state.retracing))
        state.retracing = {first: state.retracing[first]}
    return decide(plan, state, now, chance)


MISSED = {
    "fits": (
        Ablation(
            name="fits",
            removes="A run is handed over if all that is recorded of it fits.",
            store=LooksAway,
        ),
        "",
    ),
    "new keys": (
        Ablation(
            name="new keys",
            removes="What is done again after it was taken back has a new key.",
            decide=same_keys,
        ),
        "and should be",
    ),
    "all that follows": (
        Ablation(
            name="all that follows",
            removes="With a step everything that has used it is taken back first.",
            decide=onwards,
        ),
        "were there",
    ),
    "undo order": (ORDER, "were there"),
}
"""What is taken away, and what shows its lack; any rule will do where nothing is named."""
