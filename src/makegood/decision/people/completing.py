"""What is made of an answer from outside, by which a step is completed or fails.

| the step | the answer |
|---|---|
| waits for it | is taken: the result, or a failure that its retry policy may honour |
| is in doubt, or about to be tried again | is taken as well: nobody knows better |
| is at work, or asked about | waits for the end of that: an answer may overtake the body |
| was completed by the same token | the same is known already, another one is refused |
| has ended in another way, or not begun | is refused |

Each answer that is taken uses a token up. A step that is tried again after it was said to have
failed has another one, so that a late copy of the first answer does not fail the second attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.commands import Decision
from makegood.decision.facts import ControlAnswer
from makegood.decision.state import Phase

if TYPE_CHECKING:
    from makegood.decision.facts import CompletionGiven, Fact
    from makegood.decision.state import RunState
    from makegood.values.instants import Instant

__all__ = ["hear"]

_OPEN_TO_IT = frozenset({Phase.AWAITING, Phase.RETRYING, Phase.ASK_AGAIN, Phase.STUCK})
_AT_WORK = frozenset(
    {
        Phase.RUNNING,
        Phase.FAILED,
        Phase.INTERRUPTED,
        Phase.ASKING,
        Phase.ASK_FAILED,
        Phase.ASK_INTERRUPTED,
        Phase.ANSWERED,
    }
)


def hear(state: RunState, now: Instant) -> Decision:
    """Take, or refuse, the first answer from outside of which that can be said."""
    for given in state.given:
        said = _said_of(state, given)
        if said is None:
            continue
        following = _taken(state, given, now) if said is ControlAnswer.ACCEPTED else ()
        return Decision((facts.ControlAnswered(given.post, said), *following))
    return Decision()


def _said_of(state: RunState, given: CompletionGiven) -> ControlAnswer | None:
    """Return what is answered, or None while the body may yet say more."""
    index = state.positions.get(given.node)
    if index is None:
        return ControlAnswer.UNKNOWN_NODE
    node = state.nodes[index]
    if given.number < len(node.told):
        before = node.told[given.number]
        return ControlAnswer.SAID_BEFORE if _agree(before, given) else ControlAnswer.SAID_OTHERWISE
    if given.misfit is not None:
        return ControlAnswer.NOT_A_RESULT
    if node.phase in _AT_WORK:
        return None
    return ControlAnswer.ACCEPTED if node.phase in _OPEN_TO_IT else ControlAnswer.NOT_AWAITED


def _agree(one: CompletionGiven, other: CompletionGiven) -> bool:
    """Say whether two answers are the same, whoever gave them."""
    if one.failure is None or other.failure is None:
        return one.failure is other.failure and bytes(one.result) == bytes(other.result)
    return (one.failure.type, one.failure.message) == (other.failure.type, other.failure.message)


def _taken(state: RunState, given: CompletionGiven, now: Instant) -> tuple[Fact, ...]:
    unparked = () if state.parked is None else (facts.Unparked(now),)
    if given.failure is not None:
        return (*unparked, facts.NodeFailed(given.node, given.failure, now))
    return (*unparked, facts.NodeDone(given.node, given.result, now))
