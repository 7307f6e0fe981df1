"""A witness of one run: it reads the durable facts alone and says which promise was broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.decide import CLAIMS_MAX
from makegood.decision.facts import (
    Cause,
    ControlAnswer,
    EndStatus,
    ParkReason,
    Rollback,
    SkipReason,
)
from makegood.definition.plan import Kind
from makegood.exploring.atlas import Atlas
from makegood.values.instants import micros
from makegood.values.verdict import (
    Abort,
    FailureKind,
    ItDidNotHappen,
    ItHappened,
    Kept,
    RetryFresh,
    Undecided,
    UndoneByHand,
)

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Node, Plan
    from makegood.values.instants import Instant

_AFTER_PARKING = (
    facts.ControlAnswered,
    facts.CancelRequested,
    facts.UndoRequested,
    facts.SettleRequested,
    facts.RetryRequested,
    facts.Unparked,
    facts.Claimed,
)


__all__ = ["Witness"]


class Witness:
    """What a reader of the facts knows, without the decision core's state."""

    def __init__(self, plan: Plan) -> None:
        self.atlas = Atlas(plan)
        self.read_so_far: list[Fact] = []
        self.chosen: dict[str, str] = {}
        self.asleep: dict[str, Instant] = {}
        self.running: set[str] = set()
        self.asking: set[str] = set()
        self.undoing: set[str] = set()
        self.interrupted: set[str] = set()
        self.completed: set[str] = set()
        self.unsettled: set[str] = set()
        """Steps with an intent whose outcome is not known."""
        self.in_doubt: set[str] = set()
        """Bodies, or undos by `path undo`, of which an attempt may have had its effect."""
        self.first_at: dict[str, Instant] = {}
        """When each body or undo was first begun."""
        self.attempts: Counter[str] = Counter()
        """The latest attempt of each body, or undo."""
        self.forgiven: Counter[str] = Counter()
        """The latest attempt before a person granted fresh ones."""
        self.completions: list[str] = []
        """Effects in the order of their completion, whatever became of them."""
        self.asked_for: dict[int, Fact] = {}
        """What people have asked for and not been answered, by the number of the post."""
        self.granted: Fact | None = None
        """What a person was just allowed."""
        self.verdicts: dict[str, object] = {}
        """What was answered about the last failure of each step."""
        self.generations: Counter[str] = Counter()
        self.stuck: set[str] = set()
        self.unrecorded: set[str] = set()
        self.gave_up: list[str] = []
        self.failed_to_return = False
        self.done: list[str] = []
        """Effects that are recorded and neither undone nor kept, in order of completion."""
        self.undone: list[str] = []
        self.kept: list[str] = []
        self.left: list[str] = []
        self.claims = 0
        self.pivot_done = False
        self.rolling_back: Cause | None = None
        self.parked: ParkReason | None = None
        self.ended: facts.RunEnded | None = None

    def read(self, fact: Fact) -> None:
        """Take one durable fact; fail if it breaks a promise."""
        assert self.parked is None or isinstance(fact, _AFTER_PARKING)
        self.read_so_far.append(fact)
        self._read_of_people(fact)
        self._read_of_run(fact)
        self._read_of_body(fact)
        self._read_of_flow(fact)
        self._read_of_doubt(fact)
        self._read_of_undo(fact)

    def _node(self, path: str) -> Node:
        return self.atlas.node(path)

    # The run ------------------------------------------------------------------------------------

    def _read_of_run(self, fact: Fact) -> None:
        match fact:
            case facts.Claimed(claims=claims):
                self.claims = claims
                steps = {node for node in self.running if self._node(node).kind is Kind.STEP}
                self.in_doubt |= steps | {f"{node} undo" for node in self.undoing}
                self.interrupted |= self.running
                for node in self.running:
                    self.verdicts.pop(node, None)
                self.running.clear()
                self.asking.clear()
                self.undoing.clear()
            case facts.RollbackBegan(cause=cause):
                assert not self.pivot_done, "past the pivot nothing is undone"
                assert self.rolling_back is None, "a run is rolled back once"
                assert self.ended is None or cause is Cause.REVERSED
                self.rolling_back = cause
                self.ended = None
            case facts.Returned(failure=failure):
                self.failed_to_return = failure is not None
            case facts.Parked(reason=reason):
                self._parks(reason)
            case facts.RunEnded():
                self._ends(fact)
            case _:
                pass

    def _parks(self, reason: ParkReason) -> None:
        self.parked = reason
        assert not self.running | self.asking | self.undoing, "parked while something is at work"
        match reason:
            case ParkReason.UNDO_GAVE_UP:
                assert self.left
                assert not self.done
            case ParkReason.IN_DOUBT:
                assert self.stuck
                assert not self.unrecorded
            case ParkReason.UNRECORDED:
                assert self.unrecorded
            case ParkReason.POISON:
                assert self.claims > CLAIMS_MAX
            case ParkReason.FORWARD_USED_UP:
                assert self.pivot_done
                assert self.gave_up or self.failed_to_return

    def _ends(self, fact: facts.RunEnded) -> None:
        assert self.ended is None, "a run ends once"
        self.ended = fact
        assert not self.running | self.asking | self.undoing | self.unsettled
        assert fact.cause == self.rolling_back
        if fact.status is EndStatus.COMPLETED:
            assert self.completed == self.atlas.expected(self.read_so_far)
            return
        assert not self.done, f"{self.done} are neither undone nor kept"
        assert not self.left
        assert (fact.rollback is Rollback.UNDONE) == bool(self.undone)
        is_cancelled = self.rolling_back in {Cause.CANCELLED, Cause.REVERSED}
        assert (fact.status is EndStatus.CANCELLED) == is_cancelled

    # What people do ---------------------------------------------------------------------------

    def _read_of_people(self, fact: Fact) -> None:
        match fact:
            case facts.SettleRequested(post=post) | facts.RetryRequested(post=post):
                self.asked_for[post] = fact
            case facts.ControlAnswered(post=post, answer=answer):
                asked = self.asked_for.pop(post, None)
                self.granted = asked if answer is ControlAnswer.ACCEPTED else None
            case facts.Unparked():
                assert self.granted is not None, "a person unparks a run, and nobody else"
                assert self.parked is not None
                self.parked = None
                self.claims = 0
            case facts.NodeSettled(node=node):
                asked = self.granted
                assert isinstance(asked, facts.SettleRequested)
                assert asked.misfit is None
                assert (asked.node, asked.settlement) == (node, fact.settlement)
                assert (asked.actor, asked.reason) == (fact.actor, fact.reason)
                self._is_settled(fact)
            case facts.AttemptsGranted(node=None):
                assert isinstance(self.granted, facts.RetryRequested)
                assert self.failed_to_return
                self.failed_to_return = False
            case facts.AttemptsGranted(node=str() as node):
                assert isinstance(self.granted, facts.RetryRequested)
                assert self.granted.node in {node, None}
                self._may_try_again(node)
            case _:
                pass

    def _is_settled(self, fact: facts.NodeSettled) -> None:
        node = fact.node
        doubtful = node in self.stuck | self.unrecorded
        match fact.settlement:
            case ItHappened():
                assert doubtful or (node in self.gave_up and self.pivot_done)
                self.gave_up = [each for each in self.gave_up if each != node]
                self._forget_doubt(node)
                self._completes(node)
            case ItDidNotHappen():
                assert doubtful
                self._forget_doubt(node)
                self.verdicts[node] = Abort()
            case UndoneByHand():
                self.left.remove(node)
                self.undone.append(node)
            case Kept():
                self.left.remove(node)
                self.kept.append(node)
            case _:
                assert_never(fact.settlement)

    def _forget_doubt(self, node: str) -> None:
        self.stuck.discard(node)
        self.unrecorded.discard(node)
        self.in_doubt.discard(node)

    def _may_try_again(self, node: str) -> None:
        assert node not in self.unrecorded, f"{node} did happen"
        if node in self.left:
            assert not self.undoing, "what is left waits until all others are undone"
            self.left.remove(node)
            self.done = [each for each in self.completions if each in {*self.done, node}]
            self.forgiven[f"{node} undo"] = self.attempts[f"{node} undo"]
            return
        if node in self.stuck:
            self.stuck.remove(node)
            self.verdicts.pop(node, None)
        else:
            assert self.pivot_done, "before the pivot the run goes back for it"
            self.gave_up.remove(node)
        self.interrupted.discard(node)
        self.forgiven[node] = self.attempts[node]

    # A body -------------------------------------------------------------------------------------

    def _read_of_body(self, fact: Fact) -> None:
        match fact:
            case facts.NodeStarted():
                self._starts(fact)
            case facts.NodeDone(node=node):
                self._completes(node)
            case facts.NodeFailed(node=node, failure=failure):
                self.running.discard(node)
                self.verdicts.pop(node, None)
                if failure.kind is FailureKind.DECLINED:
                    self.unsettled.discard(node)
                    self.in_doubt.discard(node)
                elif failure.kind is FailureKind.IN_DOUBT and self._node(node).kind is Kind.STEP:
                    self.in_doubt.add(node)
            case facts.EffectUnrecorded(node=node):
                self.running.remove(node)
                self.unrecorded.add(node)
            case facts.NodeSkipped(node=node, reason=reason):
                assert reason is not SkipReason.OPTIONAL or node not in self.in_doubt
                self.unsettled.discard(node)
                self.completed.add(node)
            case facts.NodeStopped(node=node):
                is_query = self._node(node).kind is Kind.QUERY
                assert is_query or node not in self.running, f"{node} has an effect"
                assert node not in self.in_doubt, f"{node} is in doubt and was dropped"
                self.running.discard(node)
                self.unsettled.discard(node)
            case _:
                pass

    def _starts(self, fact: facts.NodeStarted) -> None:
        path, node = fact.node, self._node(fact.node)
        assert self.ended is None
        assert path not in self.running | self.asking, f"{path} runs twice at once"
        assert path not in self.completed, f"{path} is done and runs again"
        self._may_begin(path)
        if self.rolling_back is not None or (self.gave_up and not self.pivot_done):
            assert path in self.in_doubt or (
                node.kind is Kind.QUERY and path in self.interrupted
            ), f"{path} began although the run had failed"
        # What a death interrupts runs again as the same attempt, unless it was asked about.
        is_again = path in self.interrupted and path not in self.verdicts
        assert fact.attempt == self.attempts[path] + (not is_again)
        assert fact.attempt - self.forgiven[path] <= node.retry.attempts
        self.attempts[path] = fact.attempt
        self.interrupted.discard(path)
        if node.kind is Kind.STEP:
            if node.compensate is None:
                self._sends(path, path, fact.at)
            elif path in self.in_doubt:
                assert path in self.verdicts, f"{path} is in doubt and nobody was asked"
            self.unsettled.add(path)
        self.running.add(path)

    def _sends(self, path: str, name: str, at: Instant) -> None:
        """Check that what is in doubt is sent again only while the other side knows its key."""
        first_at = self.first_at.setdefault(name, at)
        if name in self.in_doubt:
            valid_for = self._node(path).key_valid_for
            assert valid_for is not None, f"the key of {name} is known to nobody"
            assert at - first_at < micros(valid_for), f"the key of {name} is dead"

    def _completes(self, path: str) -> None:
        node = self._node(path)
        assert path not in self.completed, f"{path} is done twice"
        self.running.discard(path)
        self.unsettled.discard(path)
        self.in_doubt.discard(path)
        self.completed.add(path)
        if node.kind in {Kind.STEP, Kind.LOCAL}:
            self.done.append(path)
            self.completions.append(path)
        if node.pivot:
            assert self.rolling_back is None, "the pivot was done while the run was going back"
            self.pivot_done = True

    # Branches, rounds and sleeps ----------------------------------------------------------------

    def _read_of_flow(self, fact: Fact) -> None:
        match fact:
            case facts.Chosen(node=node, case=case):
                self._may_begin(node)
                assert node not in self.chosen, f"{node} chose twice"
                self.chosen[node] = case
            case facts.SleepBegan(node=node, due=due):
                self._may_begin(node)
                assert node not in self.asleep, f"{node} fell asleep twice"
                self.asleep[node] = due
            case facts.ItemsListed(node=node) | facts.RoundBegan(node=node):
                self._may_begin(node)
            case facts.NodeDone(node=node, at=at) if self._node(node).kind is Kind.SLEEP:
                assert at >= self.asleep[node], f"{node} woke too early"
            case _:
                pass

    def _may_begin(self, path: str) -> None:
        for needed in self.atlas.needs(path):
            assert needed in self.completed, f"{path} ran before {needed} had ended"
        choice = self.atlas.choice(path)
        if choice is not None:
            switch, case = choice
            assert self.chosen.get(switch) == case, f"{path} is of a branch that was not chosen"

    # Doubt --------------------------------------------------------------------------------------

    def _read_of_doubt(self, fact: Fact) -> None:
        match fact:
            case facts.CompensateStarted(node=node):
                assert node not in self.asking | self.running
                assert self.attempts[node], f"{node} never began, and was asked about"
                self.asking.add(node)
            case facts.VerdictGiven(node=node, verdict=facts.Proceeded()):
                self.asking.remove(node)
                self._completes(node)
            case facts.VerdictGiven(node=node, verdict=verdict):
                self.asking.remove(node)
                self.verdicts[node] = verdict
                if isinstance(verdict, Abort | RetryFresh):
                    self.in_doubt.discard(node)
                elif isinstance(verdict, Undecided):
                    self.in_doubt.add(node)
            case facts.CompensateFailed(node=node):
                self.asking.remove(node)
            case facts.RetryScheduled(node=node):
                self.generations[node] += isinstance(self.verdicts.get(node), RetryFresh)
            case facts.NodeGaveUp(node=node):
                assert not self._node(node).optional, f"{node} is optional"
                assert node not in self.in_doubt, f"{node} is in doubt and was given up"
                self.unsettled.discard(node)
                self.gave_up.append(node)
            case facts.NodeStuck(node=node):
                assert not self._node(node).optional, f"{node} is optional"
                assert node in self.in_doubt, f"{node} is not in doubt"
                self.stuck.add(node)
            case _:
                pass

    # Undo ---------------------------------------------------------------------------------------

    def _read_of_undo(self, fact: Fact) -> None:
        match fact:
            case facts.UndoStarted(node=node, at=at, attempt=attempt):
                self._may_go_back(node)
                assert not self.undoing, "two are undone at once"
                self.undoing.add(node)
                remedy = self._node(node).undo
                assert remedy is not None
                name = f"{node} undo"
                assert attempt - self.forgiven[name] <= remedy.retry.attempts
                self.attempts[name] = attempt
                if not remedy.local:
                    self._sends(node, f"{node} undo", at)
            case facts.UndoDone(node=node):
                self._may_go_back(node)
                self.undoing.remove(node)
                self.undone.append(self.done.pop())
            case facts.UndoFailed(node=node, failure=failure):
                self.undoing.remove(node)
                if failure.kind is FailureKind.IN_DOUBT:
                    self.in_doubt.add(f"{node} undo")
            case facts.UndoLeft(node=node):
                self._may_go_back(node)
                assert node not in self.undoing
                self.left.append(self.done.pop())
            case facts.NodeKept(node=node):
                self._may_go_back(node)
                assert self._node(node).undo is None
                self.kept.append(self.done.pop())
            case _:
                pass

    def _may_go_back(self, path: str) -> None:
        assert self.rolling_back is not None
        assert not self.running, "an effect was undone while another was in flight"
        assert not self.asking
        assert not self.unsettled, "an effect was undone while another was in doubt"
        assert not self.unrecorded
        assert not self.stuck
        assert self.done[-1:] == [path], f"{path} is not the last that was done"
