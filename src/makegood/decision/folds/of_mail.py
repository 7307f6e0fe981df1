"""What the run waits for, what it was given, and what it holds back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.folds.moving import at, complete, leave
from makegood.decision.folds.of_lifecycle import hear, wait_refused
from makegood.decision.state import Phase, RunState
from makegood.values.codec import NULL
from makegood.values.held import HELD, claim_id
from makegood.values.verdict import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FOLDS"]


def _wait_began(state: RunState, fact: facts.WaitBegan) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.LISTENING
    node.message = (fact.message, fact.key)
    state.mailbox.waits.setdefault(node.message, []).append(index)
    if fact.message == HELD:
        state.mailbox.claims[index] = claim_id(fact.node, fact.at)
        state.mailbox.claimed[fact.key] = None
    if fact.due is not None:
        state.timers[index] = fact.due


def _wait_refused(state: RunState, fact: facts.WaitRefused) -> None:
    index, node = at(state, fact.node)
    state.claims = 0
    if state.lifecycle is not None:
        wait_refused(state, fact.message)
        return
    if node.phase is not Phase.LISTENING:
        return
    assert node.message is not None, "it waits for something"
    message, key = node.message
    text = (
        f"another wait is for {message} with the key {key!r}, and one alone may be; give each run "
        "a key of its own"
    )
    _fail(state, index, "makegood.errors.KeyConflict", text)


def _message_came(state: RunState, fact: facts.MessageCame) -> None:
    state.claims = 0
    if state.lifecycle is not None:
        hear(state, fact)
        return
    index = _waiting_for(state, fact)
    if index is None:
        state.mailbox.unwanted.add(fact.id)
        return
    state.mailbox.unwanted.discard(fact.id)
    if fact.misfit is not None:
        _fail(state, index, "makegood.errors.InvalidInput", fact.misfit)
        return
    leave(state, index, state.nodes[index])
    complete(state, index, fact.value)


def _waiting_for(state: RunState, fact: facts.MessageCame) -> int | None:
    """Return the node that is given the message, the one that waits the longest."""
    waiting = state.mailbox.waits.get((fact.message, fact.key), [])
    if fact.message == HELD:
        # What an earlier claim was granted was let go when that was given up.
        waiting = [index for index in waiting if state.mailbox.claims[index] == fact.id]
    return waiting[0] if waiting else None


def _message_sent(state: RunState, fact: facts.MessageSent) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    if fact.on == "success":
        state.mailbox.held_back.append(fact)
    complete(state, index, NULL)


def _fail(state: RunState, index: int, kind: str, message: str) -> None:
    node = state.nodes[index]
    leave(state, index, node)
    node.phase = Phase.FAILED
    node.failure = Failure(kind=FailureKind.PERMANENT, type=kind, message=message)
    node.asked = 0
    state.todo.append(index)


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.WaitBegan: _wait_began,
    facts.WaitRefused: _wait_refused,
    facts.MessageCame: _message_came,
    facts.MessageSent: _message_sent,
}
