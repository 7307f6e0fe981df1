"""Where the record of a lifecycle goes, who is called for it, and what is listened for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw

from makegood.decision import facts
from makegood.decision.folds.growing import begin_handling, block_of_handler
from makegood.decision.folds.moving import leave
from makegood.decision.lifecycle.state import Called
from makegood.decision.state import Phase
from makegood.definition.lifecycle.machine import MESSAGE, RECORD, SCHEMA
from makegood.values.outcomes import StoredAgain

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState

__all__ = ["FOLDS", "hear", "turn_back", "wait_refused"]

_NONE = Raw(b"null")

_STANDING = Phase.STANDING


def _moved(state: RunState, fact: facts.Moved) -> None:
    lifecycle = _stand(state)
    if lifecycle.holds_anything:
        _part(state, lifecycle, fact.version)
    lifecycle.left_since = lifecycle.since
    lifecycle.status, lifecycle.since = fact.status, fact.at
    lifecycle.visits += 1
    machine = lifecycle.machine
    lifecycle.is_entry_due = fact.status in machine.entries
    if fact.status in machine.pivots:
        lifecycle.is_past_pivot = True
        # From here the run only goes forward, however long it takes.
        state.deadline = None


def _handling_began(state: RunState, fact: facts.HandlingBegan) -> None:
    lifecycle = _stand(state)
    lifecycle.is_entry_due = False
    message = None
    if fact.cause != "entry":
        message = _taken(lifecycle, fact)
        state.has_waited = True
    lifecycle.called = Called(fact.handler, fact.cause, message)
    lifecycle.outcome, lifecycle.has_given_up = None, False
    given = state.inputs.copy()
    given[RECORD] = lifecycle.record
    given[MESSAGE] = _NONE if message is None else message.value
    if lifecycle.schema != lifecycle.machine.schema or SCHEMA in given:
        given[SCHEMA] = _number(lifecycle.schema)
    block = block_of_handler(state, lifecycle, fact.handler)
    lifecycle.busy = lifecycle.last = begin_handling(state, lifecycle, block, given)
    if fact.handler not in lifecycle.machine.places:
        lifecycle.gone.add(lifecycle.busy)


def _taken(lifecycle: LifecycleState, fact: facts.HandlingBegan) -> facts.MessageCame | None:
    """Take what the handler is called for off what is awaited; return the message, if it is one."""
    if fact.cause == "message":
        message = next(came for came in lifecycle.queue if came.id == fact.message)
        lifecycle.queue.remove(message)
        return message
    if fact.cause == "timer":
        del lifecycle.timers[fact.handler]
        return None
    if fact.handler in lifecycle.repeats:
        _due, again = lifecycle.repeats.pop(fact.handler)
        return again
    assert lifecycle.called is not None, "what is called again was called"
    return lifecycle.called.message


def _stayed(state: RunState, fact: facts.Stayed) -> None:
    lifecycle = _stand(state)
    if fact.rearms:
        lifecycle.armed_at = None
        lifecycle.timers, lifecycle.timed = {}, set()
    if fact.again is not None:
        assert lifecycle.called is not None, "what is called again was called"
        lifecycle.repeats[fact.handler] = (fact.again, lifecycle.called.message)
        if isinstance(lifecycle.outcome, StoredAgain):
            many = lifecycle.repeated.get(fact.handler, 0)
            lifecycle.repeated[fact.handler] = many + 1


def _listened(state: RunState, fact: facts.Listened) -> None:
    lifecycle = _stand(state)
    # Whatever is called on entry has been, or was not declared when the status was entered.
    lifecycle.is_entry_due = False
    if lifecycle.armed_at is None:
        lifecycle.armed_at = fact.at
    lifecycle.added = frozenset()
    lifecycle.timers |= fact.timers
    lifecycle.timed |= fact.timers.keys()
    for message in fact.messages:
        lifecycle.open[message, fact.key] = None
        state.mailbox.waits[message, fact.key] = [lifecycle.index]


def hear(state: RunState, fact: facts.MessageCame) -> None:
    """Take a message that has come; what is not listened for is given back."""
    lifecycle = state.lifecycle
    assert lifecycle is not None, "a lifecycle listens"
    address = (fact.message, fact.key)
    if address not in lifecycle.open:
        state.mailbox.unwanted.add(fact.id)
        return
    state.mailbox.unwanted.discard(fact.id)
    _close(state, lifecycle, address)
    if fact.misfit is None:
        lifecycle.queue.append(fact)
    # One that cannot be read is on record, and the next one is listened for.


def wait_refused(state: RunState, message: str) -> None:
    """Note that another run waits for a message; what nobody listens for any more is no matter."""
    lifecycle = state.lifecycle
    assert lifecycle is not None, "a lifecycle listens"
    refused = next((each for each in lifecycle.open if each[0] == message), None)
    if refused is not None:
        _close(state, lifecycle, refused)
        lifecycle.conflict = refused


def turn_back(state: RunState, lifecycle: LifecycleState) -> None:
    """Let go of all that the status listens for: the run goes back."""
    node = state.nodes[lifecycle.index]
    if node.phase in _UNDER_WAY:
        leave(state, lifecycle.index, node)
        node.phase = Phase.STANDING
    _part(state, lifecycle, -1)


_UNDER_WAY = frozenset({Phase.READY, Phase.HANDLED, Phase.RETRYING})


def _stand(state: RunState) -> LifecycleState:
    """Let the record stand, whatever was to be decided about it."""
    lifecycle = state.lifecycle
    assert lifecycle is not None, "only the record of a lifecycle moves"
    node = state.nodes[lifecycle.index]
    if node.phase is not _STANDING:
        leave(state, lifecycle.index, node)
        node.phase = _STANDING
    return lifecycle


def _part(state: RunState, lifecycle: LifecycleState, version: int) -> None:
    parting = lifecycle.part()
    for address in parting.closed:
        del state.mailbox.waits[address]
    if parting.closed or parting.returned:
        lifecycle.partings[version] = parting


def _close(state: RunState, lifecycle: LifecycleState, address: tuple[str, str]) -> None:
    del lifecycle.open[address]
    del state.mailbox.waits[address]


def _number(number: int) -> Raw:
    return Raw(str(number).encode())


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.Moved: _moved,
    facts.HandlingBegan: _handling_began,
    facts.Stayed: _stayed,
    facts.Listened: _listened,
}
