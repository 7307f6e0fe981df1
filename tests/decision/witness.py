"""A witness of one run: it reads the durable facts alone and says which promise was broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback
from makegood.definition.plan import Kind
from makegood.values.instants import micros
from makegood.values.verdict import FailureKind, RetryFresh

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Node, Plan
    from makegood.values.instants import Instant


class Witness:
    """What a reader of the facts knows, without the decision core's state."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.running: set[str] = set()
        self.asking: set[str] = set()
        self.undoing: set[str] = set()
        self.unsettled: set[str] = set()
        """Steps with an intent whose outcome is not known."""
        self.in_doubt: set[str] = set()
        """Bodies, or undos by `path undo`, of which an attempt may have had its effect."""
        self.first_at: dict[str, Instant] = {}
        """When each body or undo was first begun."""
        self.done: list[str] = []
        """Effects that are recorded and neither undone nor kept, in order of completion."""
        self.undone: list[str] = []
        self.kept: list[str] = []
        self.left: list[str] = []
        self.fresh: Counter[str] = Counter()
        self.gave_up: list[str] = []
        self.unrecorded: set[str] = set()
        self.stuck: set[str] = set()
        self.completed: set[str] = set()
        self.pivot_done = False
        self.rolling_back: Cause | None = None
        self.parked: ParkReason | None = None
        self.ended: facts.RunEnded | None = None
        self.claims = 0
        self.failed_to_return = False

    def read(self, fact: Fact) -> None:  # noqa: C901, PLR0912 - one promise or two for each fact
        assert self.parked is None or isinstance(fact, facts.ControlAnswered | _REQUESTS | _CLAIM)
        match fact:
            case facts.Claimed(claims=claims):
                self.claims = claims
                self.in_doubt |= self.running | {f"{node} undo" for node in self.undoing}
                self.running.clear()
                self.asking.clear()
                self.undoing.clear()
            case facts.NodeStarted(node=node, at=at):
                self.starts(node)
                if self.node(node).compensate is None and self.node(node).kind is Kind.STEP:
                    self.sends(node, node, at)
            case facts.NodeDone(node=node):
                self.completes(node)
            case facts.VerdictGiven(node=node, verdict=facts.Proceeded()):
                assert node in self.asking
                self.asking.remove(node)
                self.completes(node)
            case facts.VerdictGiven(node=node, verdict=verdict):
                self.asking.remove(node)
                self.fresh[node] += isinstance(verdict, RetryFresh)
            case facts.CompensateFailed(node=node):
                self.asking.remove(node)
            case facts.NodeFailed(node=node, failure=failure):
                self.running.discard(node)
                if failure.kind is FailureKind.DECLINED:
                    self.unsettled.discard(node)
                    self.in_doubt.discard(node)
                elif failure.kind is FailureKind.IN_DOUBT:
                    self.in_doubt.add(node)
            case facts.EffectUnrecorded(node=node):
                self.running.remove(node)
                self.unrecorded.add(node)
            case facts.NodeGaveUp(node=node):
                assert not self.node(node).optional, f"{node} is optional"
                self.unsettled.discard(node)
                self.gave_up.append(node)
            case facts.NodeSkipped(node=node):
                self.unsettled.discard(node)
                self.completed.add(node)
            case facts.NodeStopped(node=node):
                is_query = self.node(node).kind is Kind.QUERY
                assert is_query or node not in self.running, f"{node} has an effect"
                self.running.discard(node)
                self.unsettled.discard(node)
            case facts.NodeStuck(node=node):
                assert not self.node(node).optional, f"{node} is optional"
                self.stuck.add(node)
            case facts.CompensateStarted(node=node):
                assert node not in self.asking | self.running
                self.asking.add(node)
            case facts.RollbackBegan(cause=cause):
                assert not self.pivot_done, "past the pivot nothing is undone"
                assert self.rolling_back is None, "a run is rolled back once"
                assert self.ended is None or cause is Cause.REVERSED
                self.rolling_back = cause
                self.ended = None
            case facts.UndoStarted() | facts.UndoDone() | facts.UndoLeft() | facts.NodeKept():
                self.goes_back(fact)
            case facts.UndoFailed(node=node, failure=failure):
                self.undoing.remove(node)
                if failure.kind is FailureKind.IN_DOUBT:
                    self.in_doubt.add(f"{node} undo")
            case facts.Parked(reason=reason):
                self.parks(reason)
            case facts.Returned(failure=failure):
                self.failed_to_return = failure is not None
            case facts.RunEnded():
                self.ends(fact)
            case _:
                pass

    def node(self, path: str) -> Node:
        return self.plan.nodes[self.plan.positions[path]]

    def starts(self, path: str) -> None:
        node = self.node(path)
        assert path not in self.running | self.asking, f"{path} runs twice at once"
        assert path not in self.completed, f"{path} is done and runs again"
        assert self.ended is None
        for index in node.needs:
            needed = self.plan.nodes[index].path
            assert needed in self.completed, f"{path} ran before {needed} had ended"
        if self.rolling_back is not None:
            assert path in self.unsettled, f"{path} began while the run was going back"
            assert node.kind is Kind.STEP
        self.running.add(path)
        if node.kind is Kind.STEP:
            self.unsettled.add(path)

    def sends(self, path: str, name: str, at: Instant) -> None:
        """Check that what is in doubt is sent again only while the other side knows its key."""
        first_at = self.first_at.setdefault(name, at)
        if name in self.in_doubt:
            valid_for = self.node(path).key_valid_for
            assert valid_for is not None, f"the key of {name} is known to nobody"
            assert at - first_at < micros(valid_for), f"the key of {name} is dead"

    def completes(self, path: str) -> None:
        node = self.node(path)
        assert path not in self.completed, f"{path} is done twice"
        self.running.discard(path)
        self.unsettled.discard(path)
        self.completed.add(path)
        if node.kind in {Kind.STEP, Kind.LOCAL}:
            self.done.append(path)
        if node.pivot:
            assert self.rolling_back is None, "the pivot was done while the run was going back"
            self.pivot_done = True

    def goes_back(
        self, fact: facts.UndoStarted | facts.UndoDone | facts.UndoLeft | facts.NodeKept
    ) -> None:
        assert self.rolling_back is not None
        assert not self.running, "an effect was undone while another was in flight"
        assert not self.asking
        assert not self.unsettled, "an effect was undone while another was in doubt"
        assert not self.unrecorded
        assert not self.stuck
        assert self.done, f"{fact.node} is not done"
        assert self.done[-1] == fact.node, f"{fact.node} is not the last that was done"
        match fact:
            case facts.UndoStarted(node=node, at=at):
                assert not self.undoing, "two are undone at once"
                self.undoing.add(node)
                remedy = self.node(node).undo
                assert remedy is not None
                if not remedy.local:
                    self.sends(node, f"{node} undo", at)
            case facts.UndoDone(node=node):
                self.undoing.remove(node)
                self.done.pop()
                self.undone.append(node)
            case facts.UndoLeft(node=node):
                assert node not in self.undoing
                self.done.pop()
                self.left.append(node)
            case facts.NodeKept(node=node):
                assert self.node(node).undo is None
                self.done.pop()
                self.kept.append(node)

    def parks(self, reason: ParkReason) -> None:
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
                assert self.claims > 5
            case ParkReason.FORWARD_USED_UP:
                assert self.pivot_done
                assert self.gave_up or self.failed_to_return

    def ends(self, fact: facts.RunEnded) -> None:
        assert self.ended is None, "a run ends once"
        self.ended = fact
        assert not self.running | self.asking | self.undoing | self.unsettled
        assert fact.cause == self.rolling_back
        if fact.status is EndStatus.COMPLETED:
            assert self.rolling_back is None
            assert self.completed == set(self.plan.positions)
            return
        assert not self.done, f"{self.done} are neither undone nor kept"
        assert not self.left
        assert (fact.rollback is Rollback.UNDONE) == bool(self.undone)
        is_cancelled = self.rolling_back in {Cause.CANCELLED, Cause.REVERSED}
        assert (fact.status is EndStatus.CANCELLED) == is_cancelled


_REQUESTS = facts.CancelRequested | facts.UndoRequested
_CLAIM = facts.Claimed
