"""Computing from recorded values, inside the turn: guards, flags, pure functions, the result.

What is computed is recorded in the same append and never computed again, so an error here is an
outcome like any other and not a crash of the turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.facts import SkipReason
from makegood.runtime.calling.failing import as_failure
from makegood.values.codec import NULL
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    from makegood.decision.commands import Evaluate
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.runtime.calling.served import Served
    from makegood.values.instants import Instant

__all__ = ["evaluate"]


def evaluate(
    served: Served, state: RunState, command: Evaluate, now: Instant
) -> tuple[Fact, BaseException | None]:
    """Return the fact that a computation gives, and the exception behind it if it failed."""
    if command.what == "result":
        return _result(served, state)
    path = served.plan.nodes[command.node].path
    try:
        fact = _of_node(served, state, command, now)
    except Exception as error:  # noqa: BLE001 - a user's function ends here
        return facts.NodeFailed(path, as_failure(error, FailureKind.PERMANENT), now), error
    if fact is None:
        unmet = served.code.nodes[command.node].error
        assert unmet is not None
        return facts.NodeFailed(path, as_failure(unmet, FailureKind.PERMANENT), now), unmet
    return fact, None


def _of_node(served: Served, state: RunState, command: Evaluate, now: Instant) -> Fact | None:
    """Return the fact, or None for an expectation that is not met."""
    code = served.code.nodes[command.node]
    path = served.plan.nodes[command.node].path
    inputs, results = state.inputs, state.results
    if command.what == "guard":
        if code.holds(inputs, results):
            return facts.Guarded(path)
        return facts.NodeSkipped(path, SkipReason.GUARD, now)
    if command.what == "expect":
        return facts.NodeDone(path, NULL, now) if code.holds(inputs, results) else None
    value = code.function(**code.arguments(inputs, results))
    return facts.NodeDone(path, code.result.write(value), now)


def _result(served: Served, state: RunState) -> tuple[Fact, BaseException | None]:
    try:
        value = served.code.result(state.inputs, state.results)
        return facts.Returned(value=served.code.result_codec.write(value)), None
    except Exception as error:  # noqa: BLE001 - a user's value may do anything when it is asked
        return facts.Returned(failure=as_failure(error, FailureKind.PERMANENT)), error
