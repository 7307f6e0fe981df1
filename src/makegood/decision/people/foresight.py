"""What a request would come to now: its answer, and what would begin at once because of it.

Nothing is restated here. The run's facts are folded into a state of its own, the request is added,
and `decide` and `evolve` go on as they would in an engine, up to the first body: what that would
come to nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.decide import decide
from makegood.decision.evolve import evolve, fold
from makegood.decision.facts import Cause, ControlAnswer, Request
from makegood.decision.people.steering import needed_by
from makegood.decision.retry import Chance
from makegood.decision.state import IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan

__all__ = ["ControlPreview", "preview_request"]


class ControlPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a request would come to, if it were made now."""

    answer: ControlAnswer | None
    """`accepted`, or what prevents it; None: it would wait for what is at work."""
    at_work: tuple[str, ...] = ()
    """What is at work, and would end and be recorded whatever is asked."""
    needed_by: tuple[str, ...] = ()
    """Who needs what the node gives, where that prevents a skip."""
    undoes: tuple[str, ...] = ()
    """What would be undone to be done again, in this order."""
    again: tuple[str, ...] = ()
    """What would be done again, in the order of the plan."""
    begins: tuple[str, ...] = ()
    """Which nodes would be begun, asked about, undone or computed at once."""
    goes_back: Cause | None = None
    """Why the run would go back, where it would."""
    status: str
    """The run's status then."""

    @property
    def is_possible(self) -> bool:
        """Whether the request would be accepted at once."""
        return self.answer is ControlAnswer.ACCEPTED


def preview_request(plan: Plan, history: Iterable[Fact], request: Request) -> ControlPreview:
    """Say what a request to the run with these facts would come to, at its own moment."""
    state = fold(plan, history)
    at_work = tuple(
        node.path
        for node, current in zip(state.graph, state.nodes, strict=True)
        if current.phase in IN_FLIGHT
    )
    evolve(state, request)
    done = [state.graph[index].path for index in reversed(state.done_order)]
    begun, decided = _decided(plan, state, request)
    (again,) = [each.nodes for each in decided if isinstance(each, facts.RetraceBegan)] or [()]
    answer = state.answers.get(request.post)
    needs: tuple[str, ...] = ()
    if answer is ControlAnswer.NEEDED and isinstance(request, facts.SkipRequested):
        needs = needed_by(plan, state, request.node)
    is_accepted = answer is ControlAnswer.ACCEPTED
    return ControlPreview(
        answer=answer,
        at_work=at_work,
        needed_by=needs,
        undoes=tuple(path for path in done if path in again),
        again=again,
        begins=tuple(_name(state, command) for command in begun) if is_accepted else (),
        goes_back=state.rolling_back if is_accepted else None,
        status=state.status,
    )


def _decided(plan: Plan, state: RunState, request: Request) -> tuple[list[Command], list[Fact]]:
    """Fold what is decided before a body has ended; return what would be done, and the facts."""
    commands: list[Command] = []
    decided: list[Fact] = []
    while True:
        # Each round ends at least one node's phase, and a node has a bounded number of them.
        assert len(decided) < 100 + 20 * len(state.graph), "a run comes to rest"
        decision = decide(plan, state, request.at, Chance(0))
        for fact in decision.facts:
            evolve(state, fact)
        commands += decision.commands
        decided += decision.facts
        if not decision.facts or decision.is_last:
            return commands, decided


def _name(state: RunState, command: Command) -> str:
    return "return" if command.node < 0 else state.graph[command.node].path
