"""What do the runs say that a run has called? Their part of what a witness reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.facts import Cause, EndStatus
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.exploring.witnessing.witness import Witness

__all__ = ["Called", "read_of_children"]


class Called:
    """What a witness knows of the runs that a run has called."""

    __slots__ = ("are_undone", "at_work", "have_moved", "parked")

    def __init__(self) -> None:
        self.at_work: set[str] = set()
        """Nodes whose child has not ended."""
        self.parked: set[str] = set()
        """Those whose child is parked."""
        self.are_undone: dict[str, bool] = {}
        """Whether a child that has completed is undone, by its node."""
        self.have_moved = False
        """A child has said something since the run was parked."""

    def is_done(self, path: str) -> bool:
        """Say whether a node has a child that is done and not undone."""
        return self.are_undone.get(path) is False


def read_of_children(witness: Witness, fact: Fact) -> None:
    """Read what a run has called, and what it is told."""
    called = witness.called
    match fact:
        case facts.ChildStarted(node=node):
            assert node not in called.at_work, f"{node} called twice at once"
            if witness.atlas.node(node).kind is Kind.CHILD:
                witness.may_begin(node)
                assert witness.rolling_back is None, f"{node} was called on the way back"
            else:
                witness.running.remove(node)
            witness.unsettled.discard(node)
            witness.in_doubt.discard(node)
            called.at_work.add(node)
        case facts.ChildEnded(node=node) if node in called.at_work:
            called.at_work.remove(node)
            called.parked.discard(node)
            called.have_moved = True
            if fact.status is EndStatus.COMPLETED:
                called.are_undone[node] = False
                witness.completes(node)
        case facts.ChildEnded(node=node, cause=Cause.REVERSED) if node in called.are_undone:
            witness.undoing.discard(node)
            called.are_undone[node] = True
            if node in witness.left:
                called.have_moved = True
                witness.left.remove(node)
                done = {*witness.done, node}
                witness.done = [each for each in witness.completions if each in done]
        case facts.ChildMoved(node=node, reason=None):
            called.have_moved = called.have_moved or node in called.parked
            called.parked.discard(node)
        case facts.ChildMoved(node=node) if node in called.at_work:
            called.parked.add(node)
        case facts.ChildMoved(node=node) | facts.ChildRefused(node=node):
            witness.undoing.discard(node)
            called.at_work.discard(node)
        case facts.ChildCancelled(node=node):
            assert node in called.at_work, f"{node} has no child that could go back"
        case _:
            pass
