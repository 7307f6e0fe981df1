"""What to do about a node whose attempt did not end in a result, or whose doubt falls due.

| what ended | in doubt | then |
|---|---|---|
| an attempt | no | again while the policy grants it, else ask compensate, else give up |
| an attempt | yes | ask compensate; without one again while policy and key allow, else stuck |
| the worker, in a step | yes | the same, but it counts as a claim and not as an attempt |
| the worker, in a query | no | again |
| a sleep | no | done |
| the wait for an answer from outside | yes | as an attempt |
| the time of a wait | no | give up |
| compensate: `Proceed` | cleared | done, with that result |
| compensate: `RetryNow` | kept | again under the same key; used up: stuck in doubt, else give up |
| compensate: `RetryFresh` | cleared | again under a new key; used up: give up |
| compensate: `Abort` | cleared | give up |
| compensate: `Undecided` | set | ask again while compensate's policy grants it, else stuck |
| compensate raised | kept | the same, if it is worth it; else stuck in doubt, else give up |
| an undo | no | again while its policy grants it, else left |
| an undo, or its worker | yes | again while policy and key allow, else left |
| a child | no | what a failed attempt leads to that is not tried again |
| a child's undo | no | the step's own undo, where it has one, else undone |
| a child that cannot be undone | no | left |

Giving up an optional node skips it; a stuck optional node is skipped *in doubt*. Once the run
turns back nothing definite is retried, but doubt is still settled.

Time goes by between a decision and its due time, perhaps a day without any worker. So what is in
doubt is looked at once more when it falls due: a key that died meanwhile is not used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.commands import NOTHING, Compensate, Decision, Local, Undo
from makegood.decision.direction import is_turning_back
from makegood.decision.facts import SkipReason
from makegood.decision.forward import start
from makegood.decision.lifecycle.advancing import judge
from makegood.decision.retry import delayed, is_key_known, next_attempt
from makegood.decision.state import Phase
from makegood.definition.plan import Kind
from makegood.values.codec import NULL
from makegood.values.held import HELD
from makegood.values.instants import after, micros
from makegood.values.verdict import Abort, Failure, FailureKind, RetryFresh, RetryNow, Undecided

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["settle"]

_UNANSWERED = Failure(
    kind=FailureKind.IN_DOUBT,
    type="makegood.errors.OutcomeUnknown",
    message="nobody has said within the time given how it ended",
)
_HANDLED = Phase.HANDLED
_WAITING = frozenset({Phase.ASLEEP, Phase.LISTENING})
_WORTH_AGAIN = frozenset({FailureKind.TRANSIENT, FailureKind.IN_DOUBT})


def settle(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Decide about every node whose outcome or due time calls for it, in the order of the plan."""
    if state.todo and state.nodes[state.todo[0]].phase is _HANDLED:
        # One handler is at work at a time, so that nothing else is to be decided beside this.
        return judge(state, now)
    due = state.due_at(now) if state.timers else []
    if not state.todo and not due:
        return NOTHING
    is_turning = is_turning_back(plan, state)
    added: list[Fact] = []
    commands: list[Command] = []
    for index in sorted(state.todo + due):
        phase = state.nodes[index].phase
        if phase in _WAITING:
            added.append(_waited(state, index, now))
            continue
        if phase is Phase.AWAITING:
            added.append(facts.NodeFailed(state.graph[index].path, _UNANSWERED, now))
            continue
        case = _Case(state, index, now, chance)
        decision = case.decide(is_turning=is_turning or state.is_in_failing_round(index))
        added += decision.facts
        commands += decision.commands
    return Decision(tuple(added), tuple(commands))


def _waited(state: RunState, index: int, now: Instant) -> Fact:
    """Return what comes of a node that has done nothing but wait, and whose time is over."""
    path, awaited = state.graph[index].path, state.nodes[index].message
    if awaited is None:
        return facts.NodeDone(path, NULL, now)
    message, key = awaited
    kind, text = "WaitTimedOut", f"no {message} with the key {key!r} came in time"
    if message == HELD:
        kind, text = "HoldTimedOut", f"others held {key!r} until the time to wait for it was over"
    failure = Failure(kind=FailureKind.PERMANENT, type=f"makegood.errors.{kind}", message=text)
    return facts.NodeFailed(path, failure, now)


class _Case:
    """One node, and what may be done about it."""

    __slots__ = ("chance", "current", "index", "node", "now", "state")

    def __init__(self, state: RunState, index: int, now: Instant, chance: Chance) -> None:
        self.state = state
        self.node = state.graph[index]
        self.current = state.nodes[index]
        self.index = index
        self.now = now
        self.chance = chance

    def decide(self, *, is_turning: bool) -> Decision:
        match self.current.phase:
            case Phase.FAILED:
                return self._after_failure(is_turning=is_turning)
            case Phase.INTERRUPTED:
                return self._after_interruption(is_turning=is_turning)
            case Phase.RETRYING:
                return self._when_retry_is_due()
            case Phase.ASK_FAILED:
                return self._after_ask_failure()
            case Phase.ASK_INTERRUPTED:
                return self._ask(self.current.asked)
            case Phase.ASK_AGAIN:
                return self._ask(self.current.next_attempt or self.current.asked + 1)
            case Phase.ANSWERED:
                return self._after_verdict(is_turning=is_turning)
            case Phase.UNDO_FAILED:
                return self._after_undo_failure()
            case Phase.UNDO_INTERRUPTED:
                return self._undo_while_known(self.current.undo_attempt)
            case _:
                assert self.current.phase in {Phase.UNDO_AGAIN, Phase.CHILD_UNDONE}
                return self._undo_while_known(
                    self.current.next_attempt or self.current.undo_attempt + 1
                )

    # An attempt ended without a result.

    def _after_failure(self, *, is_turning: bool) -> Decision:
        if self.current.attempt == 0:
            # Its guard or its value could not be computed, and would not be the next time.
            return self._give_up()
        if self.current.doubt and self.node.compensate is not None:
            return self._ask(1)
        due = self._next_attempt(is_turning=is_turning)
        return self._exhausted() if due is None else self._retry_at(due)

    def _next_attempt(self, *, is_turning: bool) -> Instant | None:
        failure, in_doubt = self.current.failure, self.current.doubt
        assert failure is not None
        if not in_doubt and (is_turning or failure.kind not in _WORTH_AGAIN):
            return None
        due = next_attempt(
            self.node.retry,
            self.current.attempt - self.current.forgiven,
            self.now,
            chance=self.chance,
            name=self.node.path,
            retry_after=failure.retry_after,
        )
        if due is None or not self._has_time_at(due):
            return None
        return due if not in_doubt or self._is_key_known(self.current.first_at, due) else None

    def _exhausted(self) -> Decision:
        return self._no_answer() if self.node.compensate is None else self._ask(1)

    def _when_retry_is_due(self) -> Decision:
        if not self._has_time_at(self.now):
            return self._exhausted()
        if not self.current.doubt:
            # It is new work, which begins only if the run still goes forward: see `forward`.
            return NOTHING
        if not self._is_granted():
            return self._exhausted()
        return self._start(self.current.next_attempt or self.current.attempt + 1)

    def _is_granted(self) -> bool:
        """Say whether what was decided about a doubt still holds now that it is due."""
        first_at = self.current.first_at
        if self._is_key_known(first_at, self.now):
            return True
        # A compensate that was asked when the key was dead already has taken that into account.
        answered_at = self.current.answered_at
        return answered_at is not None and not self._is_key_known(first_at, answered_at)

    # Its worker died.

    def _after_interruption(self, *, is_turning: bool) -> Decision:
        has_time = self._has_time_at(self.now)
        if self.node.kind is Kind.QUERY:
            if is_turning:
                return _one(facts.NodeStopped(self.node.path, self.now))
            return self._start(self.current.attempt) if has_time else self._give_up()
        if self.node.compensate is not None:
            return self._ask(1)
        if has_time and self._is_key_known(self.current.first_at, self.now):
            return self._start(self.current.attempt)
        return self._stuck()

    # Its compensate answered, or did not.

    def _after_verdict(self, *, is_turning: bool) -> Decision:
        verdict, in_doubt = self.current.verdict, self.current.doubt
        assert verdict is not None
        assert not isinstance(verdict, Failure)
        match verdict:
            case Abort():
                return self._give_up()
            case Undecided(after=wait):
                return self._ask_later(wait) or self._stuck()
            case RetryFresh():
                is_allowed = not is_turning and self._has_attempts_until(self.now)
                return self._retry_at(self.now) if is_allowed else self._give_up()
            case RetryNow(after=wait):
                due = self.now if wait is None else max(self.now, after(self.now, wait))
                if (is_turning and not in_doubt) or not self._has_attempts_until(due):
                    return self._no_answer()
                return self._retry_at(due)
            case _:
                assert_never(verdict)

    def _after_ask_failure(self) -> Decision:
        raised = self.current.verdict
        assert isinstance(raised, Failure)
        if raised.kind not in _WORTH_AGAIN:
            return self._no_answer()
        return self._ask_later(None) or self._no_answer()

    def _ask(self, attempt: int) -> Decision:
        wait = delayed(self.state, self.index, "compensate", self.now, attempt=attempt)
        if wait is not None:
            return _one(wait)
        return Decision(
            (facts.CompensateStarted(self.node.path, attempt, self.now),),
            (Compensate(self.index, attempt, self.current.generation),),
        )

    def _ask_later(self, wait: timedelta | None) -> Decision | None:
        compensate = self.node.compensate
        assert compensate is not None
        due = next_attempt(
            compensate.retry,
            self.current.asked,
            self.now,
            chance=self.chance,
            name=f"{self.node.path} compensate",
        )
        if due is None:
            return None
        if wait is not None:
            # The compensate itself knows best when there will be something to see.
            due = max(self.now, after(self.now, wait))
        return _one(facts.CompensateRetryScheduled(self.node.path, due))

    # Its undo failed.

    def _after_undo_failure(self) -> Decision:
        undo, failure = self.node.undo, self.current.undo_failure
        assert failure is not None
        if self.current.child is not None and not self.current.child_is_undone:
            return self._leave()
        assert undo is not None
        due = None
        if failure.kind in _WORTH_AGAIN:
            due = next_attempt(
                undo.retry,
                self.current.undo_attempt - self.current.undo_forgiven,
                self.now,
                chance=self.chance,
                name=f"{self.node.path} undo",
                retry_after=failure.retry_after,
            )
        if due is None or not self._may_undo_at(due):
            return self._leave()
        return _one(facts.UndoRetryScheduled(self.node.path, due))

    def _undo_while_known(self, attempt: int) -> Decision:
        undo = self.node.undo
        if undo is None:
            # It was its child that was to be undone, and nothing else.
            return _one(facts.UndoDone(self.node.path, self.now))
        if not self._may_undo_at(self.now):
            return self._leave()
        if undo.local:
            return Decision(commands=(Local(self.index, attempt, "undo"),))
        wait = delayed(self.state, self.index, "undo", self.now, attempt=attempt)
        if wait is not None:
            return _one(wait)
        started = facts.UndoStarted(self.node.path, attempt, self.now)
        return Decision((started,), (Undo(self.index, attempt),))

    def _may_undo_at(self, when: Instant) -> bool:
        return not self.current.undo_doubt or self._is_key_known(self.current.undo_first_at, when)

    # What is granted.

    def _has_attempts_until(self, due: Instant) -> bool:
        attempts = self.current.attempt - self.current.forgiven
        return attempts < self.node.retry.attempts and self._has_time_at(due)

    def _has_time_at(self, when: Instant) -> bool:
        total, began_at = self.node.timeout_total, self.current.timed_from
        return total is None or began_at is None or when - began_at < micros(total)

    def _is_key_known(self, first_at: Instant | None, when: Instant) -> bool:
        return is_key_known(self.node, first_at, when)

    # What follows.

    def _start(self, attempt: int) -> Decision:
        return start(self.state, self.index, self.now, attempt)

    def _retry_at(self, due: Instant) -> Decision:
        return _one(facts.RetryScheduled(self.node.path, due))

    def _no_answer(self) -> Decision:
        """Without an answer doubt stays doubt, and a definite failure stays definite."""
        return self._stuck() if self.current.doubt else self._give_up()

    def _give_up(self) -> Decision:
        if self.node.optional or self.node.keeps_failure:
            return _one(facts.NodeSkipped(self.node.path, SkipReason.OPTIONAL, self.now))
        return _one(facts.NodeGaveUp(self.node.path, self.now))

    def _stuck(self) -> Decision:
        if self.node.optional:
            return _one(facts.NodeSkipped(self.node.path, SkipReason.IN_DOUBT, self.now))
        return _one(facts.NodeStuck(self.node.path, self.now))

    def _leave(self) -> Decision:
        return _one(facts.UndoLeft(self.node.path, self.now))


def _one(fact: Fact) -> Decision:
    return Decision((fact,))
