"""What next for the record of a lifecycle: what its handlers' outcomes lead to, and who is called.

| the record | what came | then |
|---|---|---|
| is new | | it enters the start |
| has entered a status | with a handler for its entry | that is called; nothing is listened for |
| has entered a status | without one | the status listens: messages, timers |
| has entered a terminal status | | done, with the record |
| its handler returned | `Goto` | it moves; all that was open is closed |
| | `Stay` | it stays; the status listens, a timer that has fired is over |
| | `Rearm` | the same, and every timer begins anew |
| | `Again` | the same, and the handler is called again when its time has come |
| | `PauseRun` | the run is paused, until a while or a person ends that; then it is called again |
| | `CancelRun` | the run goes back, as cancelled; past the pivot it fails, as below |
| | `FailRun` | the run fails: it goes back, and past the pivot a person is needed |
| its handler gave up | where that pauses the run | as `PauseRun`; too often: a person is needed |
| | elsewhere | the run goes back, as for every step |
| stands idle | a message | its handler is called, the oldest message first |
| | a time | the handler of that is called, the earliest first |
| stands idle | nothing, and nothing may come | a person is needed |

One handler is at work at a time. What an outcome leads to is decided before anybody is answered, so
that a move beats a control that comes in the same turn; who is called next is decided after that.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.commands import NOTHING, Decision, Evaluate
from makegood.decision.facts import Cause, ParkReason
from makegood.decision.forward import CALLED, start_anew
from makegood.decision.lifecycle.state import Called
from makegood.decision.state import Phase
from makegood.values.instants import after
from makegood.values.limits import REASON_CHARACTERS_MAX
from makegood.values.outcomes import (
    StoredAgain,
    StoredCancel,
    StoredFail,
    StoredGoto,
    StoredPause,
    StoredRearm,
    StoredStay,
)
from makegood.values.verdict import Failure, FailureKind

if TYPE_CHECKING:
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState
    from makegood.values.instants import Instant

__all__ = ["advance", "judge"]


_DOUBLINGS_MAX = 20
"""How often a pause grows, so that a long row of them cannot overflow the duration."""

_PAUSE_MAX = timedelta(days=1)
"""The longest pause that ends by itself, unless the first one is longer."""


def judge(state: RunState, now: Instant) -> Decision:
    """Say what the outcome of the last handler leads to."""
    lifecycle = state.lifecycle
    assert lifecycle is not None, "only the record of a lifecycle is handled"
    if lifecycle.has_given_up:
        return _after_giving_up(state, lifecycle, now)
    path = state.graph[lifecycle.index].path
    match lifecycle.outcome:
        case StoredGoto(status=status):
            return _move(state, lifecycle, status, now)
        case StoredStay() | None:
            return Decision((_stayed(lifecycle, path, now),))
        case StoredRearm():
            return Decision((_stayed(lifecycle, path, now, rearms=True),))
        case StoredAgain(after=wait):
            if lifecycle.repeated.get(lifecycle.handler.name, 0) >= lifecycle.machine.repeats_max:
                return Decision((facts.Parked(ParkReason.MOVED_TOO_OFTEN, now),))
            return Decision((_stayed(lifecycle, path, now, again=after(now, wait)),))
        case StoredPause(reason=reason, by_hand=by_hand):
            return _pause(state, lifecycle, reason, now, by_hand=by_hand)
        case StoredCancel(reason=reason):
            if lifecycle.is_past_pivot:
                text = f"it is past the pivot, and cannot be cancelled: {reason}"
                return _fail(path, "makegood.errors.PastPivot", text, now)
            return Decision((facts.RollbackBegan(Cause.CANCELLED, now),))
        case StoredFail(type=kind, message=message):
            return _fail(path, kind, message, now)
        case _:
            assert_never(lifecycle.outcome)


def advance(state: RunState, now: Instant) -> Decision:
    """Say who is called next, or what is to be listened for; nothing while a handler is at work."""
    lifecycle = state.lifecycle
    assert lifecycle is not None, "only the record of a lifecycle stands somewhere"
    node, path = state.nodes[lifecycle.index], state.graph[lifecycle.index].path
    if lifecycle.busy is not None or node.phase not in _GOING_ON:
        return NOTHING
    machine = lifecycle.machine
    if lifecycle.status is None:
        start = facts.Moved(path, None, machine.start, "start", lifecycle.version, now)
        return _enter(state, lifecycle, start)
    if lifecycle.status in machine.terminal:
        return _done(lifecycle, path, now)
    called = _called(state, lifecycle, now)
    if called is not None:
        message = "" if called.message is None else called.message.id
        began = facts.HandlingBegan(
            path, called.handler, lifecycle.rounds, called.cause, now, message
        )
        return Decision((began,))
    if lifecycle.conflict is not None:
        return _conflicting(path, *lifecycle.conflict, now)
    if lifecycle.is_to_listen or node.phase is Phase.RETRYING:
        return Decision(commands=(Evaluate(lifecycle.index, "listen"),))
    if lifecycle.open or lifecycle.dues:
        return NOTHING
    text = f"`{path}` stands in {lifecycle.status}, and nothing may come that would move it on"
    return _refused(path, "DefinitionError", text, now)


_GOING_ON = frozenset({Phase.READY, Phase.STANDING, Phase.RETRYING})


def _called(state: RunState, lifecycle: LifecycleState, now: Instant) -> Called | None:
    """Return who is to be called now, and for what."""
    assert lifecycle.status is not None, "it stands somewhere"
    if lifecycle.is_entry_due:
        return Called(lifecycle.machine.entries[lifecycle.status].name, "entry")
    has_failed = isinstance(lifecycle.outcome, StoredFail | StoredCancel)
    if has_failed and state.nodes[lifecycle.index].phase is Phase.RETRYING:
        # It failed past the pivot, and a person lets it go on.
        assert lifecycle.called is not None, "a handler has said so"
        return replace(lifecycle.called, cause="again")
    if lifecycle.queue:
        came = lifecycle.queue[0]
        handler = lifecycle.machine.hears[lifecycle.status][came.message]
        return Called(handler.name, "message", came)
    return lifecycle.due(now)


def _move(state: RunState, lifecycle: LifecycleState, status: str, now: Instant) -> Decision:
    machine, called = lifecycle.machine, lifecycle.called
    path = state.graph[lifecycle.index].path
    assert called is not None, "a handler has said so"
    is_over = status in machine.terminal
    if not is_over and lifecycle.visits - lifecycle.visits_granted >= machine.visits_max:
        return Decision((facts.Parked(ParkReason.MOVED_TOO_OFTEN, now),))
    moved = facts.Moved(
        path, lifecycle.status, status, called.cause, lifecycle.version, now, called.handler
    )
    if not is_over:
        return _enter(state, lifecycle, moved)
    done = _done(lifecycle, path, now)
    return Decision((moved, *done.facts), done.commands)


def _enter(state: RunState, lifecycle: LifecycleState, moved: facts.Moved) -> Decision:
    """Enter a status, and call at once what is called on its entry, if nothing else is to be done.

    That is what comes of deciding step by step too, at three times the price. Whatever else there
    is has its say in between.
    """
    machine, now = lifecycle.machine, moved.at
    handler = machine.entries.get(moved.status)
    if handler is None or _is_more_to_do(state, now):
        return Decision((moved,))
    block = state.graph[lifecycle.index].blocks[machine.places[handler.name]]
    planned = block.nodes[0]
    if planned.kind not in CALLED:
        return Decision((moved,))
    path = f"{moved.node}[{lifecycle.rounds}]/{planned.path}"
    began = facts.HandlingBegan(moved.node, handler.name, lifecycle.rounds, "entry", now)
    started, start = start_anew(planned, path, len(state.nodes), now)
    return Decision((moved, began, started), (start,), is_last=True)


def _is_more_to_do(state: RunState, now: Instant) -> bool:
    """Say whether something besides a move has to be decided first, or decided with care."""
    return bool(
        state.requests
        or state.halted
        or state.claims
        or state.timers
        or state.stuck
        or state.unwilling
        or state.retracing
        or state.deadline_passed
        or (state.deadline is not None and now >= state.deadline)
        or len(state.ready) + len(state.todo) > 1
    )


def _done(lifecycle: LifecycleState, path: str, now: Instant) -> Decision:
    """Let the record be what the run gives: in the newest form, which alone its readers know."""
    if lifecycle.schema != lifecycle.machine.schema:
        return Decision(commands=(Evaluate(lifecycle.index, "final"),))
    return Decision((facts.NodeDone(path, lifecycle.record, now),))


def _stayed(
    lifecycle: LifecycleState,
    path: str,
    now: Instant,
    *,
    rearms: bool = False,
    again: Instant | None = None,
) -> facts.Stayed:
    return facts.Stayed(path, lifecycle.handler.name, lifecycle.version, now, rearms, again)


def _pause(
    state: RunState,
    lifecycle: LifecycleState,
    reason: str,
    now: Instant,
    *,
    by_hand: bool = False,
) -> Decision:
    """Pause the run for its handler, which is called again after that."""
    path = state.graph[lifecycle.index].path
    until = None
    if lifecycle.machine.resume_after is not None and not by_hand:
        if lifecycle.resumes >= lifecycle.machine.resumes_max:
            parked = facts.Parked(ParkReason.PAUSED_TOO_OFTEN, now)
            return Decision((_stayed(lifecycle, path, now, again=now), parked))
        longest = max(_PAUSE_MAX, lifecycle.machine.resume_after)
        factor = 2 ** min(lifecycle.resumes, _DOUBLINGS_MAX)
        until = after(now, min(longest, lifecycle.machine.resume_after * factor))
    actor = f"{path}/{lifecycle.handler.name}"
    paused = facts.Paused(actor, reason[:REASON_CHARACTERS_MAX], now, until)
    return Decision((_stayed(lifecycle, path, now, again=now), paused))


def _after_giving_up(state: RunState, lifecycle: LifecycleState, now: Instant) -> Decision:
    assert lifecycle.last is not None, "a handler was called"
    failure = state.nodes[lifecycle.last].failure
    assert failure is not None, "what gave up has failed"
    return _pause(state, lifecycle, f"it failed: {failure}", now)


def _conflicting(path: str, message: str, key: str, now: Instant) -> Decision:
    text = (
        f"another wait is for {message} with the key {key!r}, and one alone may be; give each "
        "lifecycle that hears it keys of its own"
    )
    return _refused(path, "KeyConflict", text, now)


def _refused(path: str, kind: str, message: str, now: Instant) -> Decision:
    failure = Failure(kind=FailureKind.PERMANENT, type=f"makegood.errors.{kind}", message=message)
    return Decision((facts.NodeRefused(path, failure, now),))


def _fail(path: str, kind: str, message: str, now: Instant) -> Decision:
    failure = Failure(kind=FailureKind.PERMANENT, type=kind, message=message)
    return Decision((facts.NodeFailed(path, failure, now),))
