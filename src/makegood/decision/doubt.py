"""What to do about a node whose attempt did not end in a result.

| what ended | in doubt | with compensate | then |
|---|---|---|---|
| an attempt | no | – | retry while the policy grants it, else ask compensate, else give up |
| an attempt | yes | yes | ask compensate |
| an attempt | yes | no | again under the same key while key and policy allow, else stuck |
| the worker | a step is | yes / no | ask compensate / again under the same key, not an attempt |
| the worker | a query is not | – | again |
| compensate: `Proceed` | | | done, with that result |
| compensate: `RetryNow` | kept | | again under the same key; used up: stuck in doubt, else give up |
| compensate: `RetryFresh` | cleared | | again under a new key; used up: give up |
| compensate: `Abort` | cleared | | give up |
| compensate: `Undecided` | kept | | ask again under compensate's policy; used up: stuck |
| compensate raised | kept | | ask again likewise; used up: stuck in doubt, else give up |
| an undo | | | again while the policy (and in doubt the key) allows, else left |

Giving up an optional node skips it; a stuck optional node is skipped *in doubt*. Once the run
turns back nothing definite is retried, but doubt is still settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, cast

from makegood.decision import facts
from makegood.decision.commands import Compensate, Decision, Start, Undo
from makegood.decision.facts import SkipReason
from makegood.decision.forward import attempt_ends_at, is_past_pivot, key_is_valid
from makegood.decision.retry import next_attempt
from makegood.decision.state import Phase
from makegood.definition.plan import Kind
from makegood.values.instants import after, micros
from makegood.values.verdict import Abort, Failure, FailureKind, RetryFresh, RetryNow, Undecided

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.retry import Chance
    from makegood.decision.state import NodeState, RunState
    from makegood.definition.plan import Node, Plan
    from makegood.values.instants import Instant

__all__ = ["settle"]


def settle(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Decide about every node whose last outcome calls for it, in the order of the plan."""
    is_turning = state.rolling_back is not None or (
        bool(state.unwilling or state.deadline_passed) and not is_past_pivot(plan, state)
    )
    added: list[Fact] = []
    commands: list[Command] = []
    for index in sorted(state.todo):
        case = _Case(plan.nodes[index], state.nodes[index], index, now, chance)
        decision = case.decide(is_turning=is_turning)
        added += decision.facts
        commands += decision.commands
    return Decision(tuple(added), tuple(commands))


class _Case:
    """One node, and what may be done about it."""

    __slots__ = ("chance", "current", "index", "node", "now")

    def __init__(  # noqa: PLR0913, PLR0917 - private, and each is needed by every rule
        self, node: Node, current: NodeState, index: int, now: Instant, chance: Chance
    ) -> None:
        self.node = node
        self.current = current
        self.index = index
        self.now = now
        self.chance = chance

    def decide(self, *, is_turning: bool) -> Decision:
        match self.current.phase:
            case Phase.FAILED:
                return self._after_failure(is_turning=is_turning)
            case Phase.INTERRUPTED:
                return self._after_interruption(is_turning=is_turning)
            case Phase.ASK_FAILED:
                return self._ask_later(None) or self._no_answer()
            case Phase.ASK_INTERRUPTED:
                return self._ask(self.current.asked)
            case Phase.ANSWERED:
                return self._after_verdict(is_turning=is_turning)
            case Phase.UNDO_FAILED:
                return self._after_undo_failure()
            case _:
                assert self.current.phase is Phase.UNDO_INTERRUPTED
                return self._after_undo_interruption()

    # An attempt ended without a result.

    def _after_failure(self, *, is_turning: bool) -> Decision:
        failure = self.current.failure
        assert failure is not None
        if self.current.doubt:
            if self.node.compensate is not None:
                return self._ask(1)
            return self._again_in_doubt(failure) or self._stuck()
        if failure.kind is FailureKind.TRANSIENT and not is_turning:
            due = self._retry_due(failure.retry_after)
            if due is not None:
                return _one(facts.RetryScheduled(self.node.path, due))
        if self.node.compensate is not None:
            return self._ask(1)
        return self._give_up()

    def _again_in_doubt(self, failure: Failure) -> Decision | None:
        due = self._retry_due(failure.retry_after)
        if due is None or not key_is_valid(self.node, self.current.first_at, due):
            return None
        return _one(facts.RetryScheduled(self.node.path, due))

    def _retry_due(self, retry_after: timedelta | None) -> Instant | None:
        due = next_attempt(
            self.node.retry,
            self.current.attempt,
            self.now,
            chance=self.chance,
            name=self.node.path,
            retry_after=retry_after,
        )
        total, first_at = self.node.timeout_total, self.current.first_at
        if due is None or total is None or first_at is None:
            return due
        return due if due - first_at < micros(total) else None

    # The worker died.

    def _after_interruption(self, *, is_turning: bool) -> Decision:
        if self.node.kind is Kind.QUERY:
            if is_turning:
                return _one(facts.NodeStopped(self.node.path, self.now))
            return self._run_again()
        if self.node.compensate is not None:
            return self._ask(1)
        if key_is_valid(self.node, self.current.first_at, self.now):
            return self._run_again()
        return self._stuck()

    def _run_again(self) -> Decision:
        """Run the interrupted attempt again: what a death interrupts is not an attempt."""
        attempt = self.current.attempt
        until = attempt_ends_at(self.node, self.current, self.now)
        return Decision(
            (facts.NodeStarted(self.node.path, attempt, self.now),),
            (Start(self.index, attempt, self.current.generation, until),),
        )

    # Its compensate answered, or did not.

    def _after_verdict(self, *, is_turning: bool) -> Decision:
        verdict = cast("RetryNow | Abort | Undecided | RetryFresh", self.current.verdict)
        match verdict:
            case Abort():
                return self._give_up()
            case Undecided():
                return self._ask_later(verdict.after) or self._stuck()
            case RetryFresh():
                due = None if is_turning else self._retry_due(None)
                return self._give_up() if due is None else self._retry_at(self.now)
            case RetryNow():
                if is_turning and not self.current.doubt:
                    return self._give_up()
                if self._retry_due(None) is None:
                    return self._no_answer()
                wait = verdict.after
                return self._retry_at(self.now if wait is None else after(self.now, wait))
            case _:
                assert_never(verdict)

    def _retry_at(self, due: Instant) -> Decision:
        return _one(facts.RetryScheduled(self.node.path, due))

    def _ask(self, attempt: int) -> Decision:
        return Decision(
            (facts.CompensateStarted(self.node.path, attempt, self.now),),
            (Compensate(self.index, attempt, self.current.generation),),
        )

    def _ask_later(self, wait: timedelta | None) -> Decision | None:
        compensate = self.node.compensate
        assert compensate is not None
        raised = self.current.verdict
        if isinstance(raised, Failure) and raised.kind not in _WORTH_AGAIN:
            return None
        due = next_attempt(
            compensate.retry,
            self.current.asked,
            self.now,
            chance=self.chance,
            name=f"{self.node.path} compensate",
            retry_after=wait,
        )
        if due is None:
            return None
        return _one(facts.CompensateRetryScheduled(self.node.path, due))

    def _no_answer(self) -> Decision:
        """Without an answer doubt stays doubt, and a definite failure stays definite."""
        return self._stuck() if self.current.doubt else self._give_up()

    # Its undo failed.

    def _after_undo_failure(self) -> Decision:
        undo, failure = self.node.undo, self.current.undo_failure
        assert undo is not None
        assert failure is not None
        due = None
        if failure.kind in _WORTH_AGAIN:
            due = next_attempt(
                undo.retry,
                self.current.undo_attempt,
                self.now,
                chance=self.chance,
                name=f"{self.node.path} undo",
                retry_after=failure.retry_after,
            )
        if due is not None and failure.kind is FailureKind.IN_DOUBT:
            is_known = key_is_valid(self.node, self.current.undo_first_at, due)
            due = due if is_known else None
        if due is None:
            return _one(facts.UndoLeft(self.node.path, self.now))
        return _one(facts.UndoRetryScheduled(self.node.path, due))

    def _after_undo_interruption(self) -> Decision:
        if not key_is_valid(self.node, self.current.undo_first_at, self.now):
            return _one(facts.UndoLeft(self.node.path, self.now))
        attempt = self.current.undo_attempt
        return Decision(
            (facts.UndoStarted(self.node.path, attempt, self.now),), (Undo(self.index, attempt),)
        )

    # Nothing more can be done.

    def _give_up(self) -> Decision:
        if self.node.optional:
            return _one(facts.NodeSkipped(self.node.path, SkipReason.OPTIONAL, self.now))
        return _one(facts.NodeGaveUp(self.node.path, self.now))

    def _stuck(self) -> Decision:
        if self.node.optional:
            return _one(facts.NodeSkipped(self.node.path, SkipReason.IN_DOUBT, self.now))
        return _one(facts.NodeStuck(self.node.path, self.now))


_WORTH_AGAIN = frozenset({FailureKind.TRANSIENT, FailureKind.IN_DOUBT})


def _one(fact: Fact) -> Decision:
    return Decision((fact,))
