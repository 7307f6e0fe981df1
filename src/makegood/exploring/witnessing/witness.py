"""A witness of one run: it reads the durable facts alone and says which promise was broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.decide import CLAIMS_MAX
from makegood.decision.facts import (
    Cause,
    EndStatus,
    ParkReason,
    Rollback,
    SkipReason,
)
from makegood.decision.happening import (
    of_attempts,
    of_children,
    of_completion,
    of_control,
    of_doubt,
    of_flow,
    of_lifecycle,
    of_mail,
    of_people,
    of_run,
    of_undo,
)
from makegood.definition.plan import Kind
from makegood.exploring.witnessing.atlas import Atlas
from makegood.exploring.witnessing.children import Called, read_of_children
from makegood.exploring.witnessing.lifecycle import Stands, read_of_lifecycle
from makegood.exploring.witnessing.mail import read_of_mail
from makegood.exploring.witnessing.people import read_of_control, read_of_people
from makegood.exploring.witnessing.undoing import read_of_undo, require_rest, within
from makegood.values.instants import micros
from makegood.values.verdict import (
    Abort,
    FailureKind,
    RetryFresh,
    Undecided,
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
    facts.PauseRequested,
    facts.ResumeRequested,
    facts.SkipRequested,
    facts.SetResultRequested,
    facts.SkipGranted,
    facts.ResultGranted,
    facts.Claimed,
    facts.ChildEnded,
    facts.ChildMoved,
    facts.ChildRefused,
    facts.MessageCame,
    facts.WaitRefused,
)
_BEGINS = (
    facts.NodeStarted,
    facts.CompensateStarted,
    facts.UndoStarted,
    facts.SleepBegan,
    facts.WaitBegan,
    facts.MessageSent,
    facts.Chosen,
    facts.ItemsListed,
    facts.RoundBegan,
    facts.RollbackBegan,
    facts.DeadlinePassed,
    facts.Parked,
    facts.RunEnded,
)
"""What does not come about while a run is paused."""


__all__ = ["Witness"]


class Witness:
    """What a reader of the facts knows, without the decision core's state."""

    def __init__(self, plan: Plan, atlas: Atlas | None = None) -> None:
        self.atlas = atlas or Atlas(plan)
        self.read_so_far: list[Fact] = []
        self.chosen: dict[str, str] = {}
        self.asleep: dict[str, Instant] = {}
        self.running: set[str] = set()
        self.asking: set[str] = set()
        self.undoing: set[str] = set()
        self.called = Called()
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
        self.refused: set[str] = set()
        """What gave, or was to be given, what is not declared."""
        self.stands = Stands(plan.machine)
        self.gave_up: list[str] = []
        self.failed_to_return = False
        self.done: list[str] = []
        """Effects that are recorded and neither undone nor kept, in order of completion."""
        self.failing: set[str] = set()
        """Rounds that go back by themselves, as their nodes' paths begin."""
        self.backwards: dict[str, str] = {}
        """What goes back, the run or one of its rounds, of each node whose undo has begun."""
        self.undone: list[str] = []
        self.kept: list[str] = []
        self.left: list[str] = []
        self.claims = 0
        self.pivot_done = False
        self.rolling_back: Cause | None = None
        self.parked: ParkReason | None = None
        self.is_paused = False
        self.granted_to: dict[str, facts.SkipGranted | facts.ResultGranted] = {}
        """What people have said becomes of nodes."""
        self.ended: facts.RunEnded | None = None

    def read(self, fact: Fact) -> None:
        """Take one durable fact; fail if it breaks a promise."""
        assert self.parked is None or isinstance(fact, _AFTER_PARKING)
        assert not (self.is_paused and isinstance(fact, _BEGINS)), "something began in a pause"
        self.read_so_far.append(fact)
        _READERS[type(fact)](self, fact)

    def _node(self, path: str) -> Node:
        return self.atlas.node(path)

    # The run ------------------------------------------------------------------------------------

    def read_of_run(self, fact: Fact) -> None:
        """Read what is about the run as a whole."""
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
                assert self.ended is None or cause is Cause.REVERSED, (
                    "a run that has ended goes back, and nobody has asked for it"
                )
                self.rolling_back = cause
                self.failing.clear()
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
        self.called.have_moved = False
        assert not self.running | self.asking | self.undoing, "parked while something is at work"
        match reason:
            case ParkReason.UNDO_GAVE_UP:
                assert self.left, "it is parked for an undo that gave up, and none did"
                assert self.rolling_back is None or not self.done, (
                    "it is parked, and something is still to be undone"
                )
            case ParkReason.IN_DOUBT:
                assert self.stuck, "it is parked in doubt, and nothing is"
                assert not self.unrecorded, "it is parked in doubt, and something is unrecorded"
            case ParkReason.UNRECORDED:
                assert self.unrecorded, "it is parked for what is unrecorded, and nothing is"
            case ParkReason.CHILD_PARKED:
                assert self.called.parked, "it is parked for a child, and none is parked"
            case ParkReason.POISON:
                assert self.claims > CLAIMS_MAX, "it is parked as poison after too few claims"
            case ParkReason.FORWARD_USED_UP:
                assert self.pivot_done, "it is parked past a pivot that is not done"
                assert self.gave_up or self.failed_to_return, (
                    "it is parked for what gave up, and nothing did"
                )
            case ParkReason.DEFINITION:
                assert self.refused, "it is parked for what was refused, and nothing was"
            case ParkReason.PAUSED_TOO_OFTEN | ParkReason.MOVED_TOO_OFTEN:
                assert self.stands.machine is not None, "only a lifecycle goes on and on"

    def _ends(self, fact: facts.RunEnded) -> None:
        assert self.ended is None, "a run ends once"
        self.ended = fact
        assert not self.running | self.asking | self.undoing | self.unsettled, (
            "it ended while something was at work"
        )
        assert not self.called.at_work, "it ended while a child was at work"
        assert fact.cause == self.rolling_back, "it ended for another cause than it went back for"
        if fact.status is EndStatus.COMPLETED:
            expected, done = self.atlas.expected(self.read_so_far), self.completed
            assert self.atlas.in_rounds_that_count(done, self.read_so_far) == expected
            return
        assert not self.done, f"{self.done} are neither undone nor kept"
        assert not self.left, "it ended, and something is left"
        assert (fact.rollback is Rollback.UNDONE) == bool(self.undone), (
            "it ended and tells wrongly whether something was undone"
        )
        is_cancelled = self.rolling_back in {Cause.CANCELLED, Cause.REVERSED}
        assert (fact.status is EndStatus.CANCELLED) == is_cancelled, "it ended in the wrong status"

    # A body -------------------------------------------------------------------------------------

    def read_of_attempts(self, fact: Fact) -> None:
        """Read what is about a node on its way forward."""
        match fact:
            case facts.NodeStarted():
                self._starts(fact)
            case facts.NodeDone(node=node, at=at):
                if node in self.asleep:
                    assert at >= self.asleep[node], f"{node} woke too early"
                self.completes(node)
            case facts.NodeFailed(node=node, failure=failure):
                self.running.discard(node)
                self.verdicts.pop(node, None)
                if failure.kind is FailureKind.DECLINED:
                    self.unsettled.discard(node)
                    self.in_doubt.discard(node)
                elif failure.kind is FailureKind.IN_DOUBT and self._node(node).kind is Kind.STEP:
                    self.in_doubt.add(node)
            case facts.EffectUnrecorded() | facts.NodeRefused():
                self._ends_otherwise(fact)
            case facts.NodeSkipped(node=node, reason=reason):
                assert reason is not SkipReason.OPTIONAL or node not in self.in_doubt, (
                    "what is in doubt was skipped as failed"
                )
                is_granted = isinstance(self.granted_to.get(node), facts.SkipGranted)
                assert is_granted == (reason is SkipReason.PERSON), "it was skipped by nobody"
                self.unsettled.discard(node)
                self.completed.add(node)
            case facts.RetryScheduled(node=node):
                self.generations[node] += isinstance(self.verdicts.get(node), RetryFresh)
            case facts.NodeGaveUp(node=node):
                assert not self._node(node).optional, f"{node} is optional"
                assert node not in self.in_doubt, f"{node} is in doubt and was given up"
                self.unsettled.discard(node)
                self._fails(node)
            case facts.NodeStuck(node=node):
                assert not self._node(node).optional, f"{node} is optional"
                assert node in self.in_doubt, f"{node} is not in doubt"
                self.stuck.add(node)
            case facts.NodeStopped(node=node):
                is_query = self._node(node).kind is Kind.QUERY
                assert is_query or node not in self.running, f"{node} has an effect"
                assert node not in self.in_doubt, f"{node} is in doubt and was dropped"
                self.running.discard(node)
                self.unsettled.discard(node)
            case _:
                pass

    def _ends_otherwise(self, fact: facts.EffectUnrecorded | facts.NodeRefused) -> None:
        """Take it that what a body gave is on no record."""
        node = fact.node
        if isinstance(fact, facts.EffectUnrecorded):
            self.running.remove(node)
            self.unrecorded.add(node)
            return
        if node in self.running and self._node(node).kind is Kind.STEP:
            self.in_doubt.add(node)
        # What is to be listened for may be refused too, of which no body is at work.
        self.running.discard(node)
        self.refused.add(node)

    def read_of_completion(self, fact: Fact) -> None:
        """Read what is about a step whose result comes from outside."""
        if isinstance(fact, facts.CompletionAwaited):
            # Its effect is as little settled as before, but no death interrupts it any more.
            assert fact.node in self.running, f"{fact.node} is not at work"
            self.running.remove(fact.node)

    def _starts(self, fact: facts.NodeStarted) -> None:
        path, node = fact.node, self._node(fact.node)
        assert self.ended is None, "it began after the run had ended"
        assert path not in self.running | self.asking, f"{path} runs twice at once"
        assert path not in self.completed, f"{path} is done and runs again"
        assert path not in self.granted_to, f"{path} runs although a person has said otherwise"
        self.may_begin(path)
        goes_back = self.rolling_back is not None or self.failing_round(path) is not None
        if goes_back or (self.gave_up and not self.pivot_done):
            assert path in self.in_doubt or (
                node.kind is Kind.QUERY and path in self.interrupted
            ), f"{path} began although the run had failed"
        # What a death interrupts runs again as the same attempt, unless it was asked about.
        is_again = path in self.interrupted and path not in self.verdicts
        assert fact.attempt == self.attempts[path] + (not is_again), "its attempts are miscounted"
        assert fact.attempt - self.forgiven[path] <= node.retry.attempts, "it was tried too often"
        self.attempts[path] = fact.attempt
        self.interrupted.discard(path)
        if node.kind is Kind.STEP:
            if node.compensate is None:
                self.sends(path, path, fact.at)
            elif path in self.in_doubt:
                assert path in self.verdicts, f"{path} is in doubt and nobody was asked"
            self.unsettled.add(path)
        self.running.add(path)

    def sends(self, path: str, name: str, at: Instant) -> None:
        """Check that what is in doubt is sent again only while the other side knows its key."""
        first_at = self.first_at.setdefault(name, at)
        if name in self.in_doubt:
            valid_for = self._node(path).key_valid_for
            assert valid_for is not None, f"the key of {name} is known to nobody"
            assert at - first_at < micros(valid_for), f"the key of {name} is dead"

    def completes(self, path: str) -> None:
        """Take it that a node has its result."""
        node = self._node(path)
        assert path not in self.completed, f"{path} is done twice"
        self.running.discard(path)
        self.unsettled.discard(path)
        self.in_doubt.discard(path)
        self.completed.add(path)
        if node.kind in {Kind.STEP, Kind.LOCAL, Kind.CHILD}:
            self.done.append(path)
            self.completions.append(path)
        if node.pivot:
            assert self.rolling_back is None, "the pivot was done while the run was going back"
            self.pivot_done = True

    # Branches, rounds and sleeps ----------------------------------------------------------------

    def read_of_flow(self, fact: Fact) -> None:
        """Read what is about branches, rounds and sleeps."""
        match fact:
            case facts.Chosen(node=node, case=case):
                self.may_begin(node)
                assert node not in self.chosen, f"{node} chose twice"
                self.chosen[node] = case
            case facts.SleepBegan(node=node, due=due):
                self.may_begin(node)
                assert node not in self.asleep, f"{node} fell asleep twice"
                self.asleep[node] = due
            case facts.ItemsListed(node=node) | facts.RoundBegan(node=node):
                self.may_begin(node)
            case facts.RoundFailed(node=node, round=number):
                self._turns_back(f"{node}[{number}]/")
            case facts.RoundGaveUp(node=node, round=number):
                self._is_back(f"{node}[{number}]/")
            case _:
                pass

    def _fails(self, path: str) -> None:
        """Let the run fail, or the innermost round that keeps the failure of this node."""
        if self.stands.catches(path):
            return
        keeping = self.atlas.keeping_failures(path)
        if keeping is None or self.rolling_back is not None:
            self.gave_up.append(path)
        elif self.failing_round(path) is None:
            self._turns_back(keeping)

    def _turns_back(self, prefix: str) -> None:
        assert self.rolling_back is None, "a run that goes back takes all its rounds along"
        self.failing = {each for each in self.failing if not each.startswith(prefix)} | {prefix}

    def _is_back(self, prefix: str) -> None:
        assert prefix in self.failing, f"{prefix} has not failed"
        self.failing.remove(prefix)
        require_rest(self, prefix)
        assert not within(prefix, self.done), f"{prefix} is not undone"
        assert not within(prefix, self.left), f"{prefix} has left something"

    def failing_round(self, path: str) -> str | None:
        """Return the round that goes back and that a node is within, or None."""
        return next((each for each in self.failing if path.startswith(each)), None)

    def may_begin(self, path: str) -> None:
        """Check that what a node needs has ended."""
        for needed in self.atlas.needs(path):
            assert needed in self.completed, f"{path} ran before {needed} had ended"
        choice = self.atlas.choice(path)
        if choice is not None:
            switch, case = choice
            assert self.chosen.get(switch) == case, f"{path} is of a branch that was not chosen"

    # Doubt --------------------------------------------------------------------------------------

    def read_of_doubt(self, fact: Fact) -> None:
        """Read what a compensate is asked and answers."""
        match fact:
            case facts.CompensateStarted(node=node):
                assert node not in self.asking | self.running, (
                    "it was asked about while it was at work"
                )
                assert self.attempts[node], f"{node} never began, and was asked about"
                self.asking.add(node)
            case facts.VerdictGiven(node=node, verdict=facts.Proceeded()):
                self.asking.remove(node)
                self.completes(node)
            case facts.VerdictGiven(node=node, verdict=verdict):
                self.asking.remove(node)
                self.verdicts[node] = verdict
                if isinstance(verdict, Abort | RetryFresh):
                    self.in_doubt.discard(node)
                elif isinstance(verdict, Undecided):
                    self.in_doubt.add(node)
            case facts.CompensateFailed(node=node):
                self.asking.remove(node)
            case _:
                pass


_READERS = {
    getattr(room, name): read
    for room, read in (
        (of_run, Witness.read_of_run),
        (of_people, read_of_people),
        (of_control, read_of_control),
        (of_attempts, Witness.read_of_attempts),
        (of_completion, Witness.read_of_completion),
        (of_flow, Witness.read_of_flow),
        (of_lifecycle, read_of_lifecycle),
        (of_mail, read_of_mail),
        (of_children, read_of_children),
        (of_doubt, Witness.read_of_doubt),
        (of_undo, read_of_undo),
    )
    for name in room.__all__
}
"""Which part of a witness reads each kind of fact."""
