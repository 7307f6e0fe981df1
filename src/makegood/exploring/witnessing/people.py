"""What do people do with a run? Their part of what a witness reads, and what must hold of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.facts import ControlAnswer
from makegood.values.verdict import Abort, ItDidNotHappen, ItHappened, Kept, UndoneByHand

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.exploring.witnessing.witness import Witness

__all__ = ["read_of_control", "read_of_people"]


def read_of_people(witness: Witness, fact: Fact) -> None:
    """Read what people ask of a run, and what they are answered."""
    match fact:
        case (
            facts.SettleRequested(post=post)
            | facts.RetryRequested(post=post)
            | facts.PauseRequested(post=post)
            | facts.ResumeRequested(post=post)
            | facts.SkipRequested(post=post)
            | facts.SetResultRequested(post=post)
        ):
            witness.asked_for[post] = fact
        case facts.ControlAnswered(post=post, answer=answer):
            asked = witness.asked_for.pop(post, None)
            witness.granted = asked if answer is ControlAnswer.ACCEPTED else None
        case facts.Unparked():
            is_moved = witness.granted is not None or witness.called.have_moved
            assert is_moved, "a person unparks a run, or a child of it, and nobody else"
            assert witness.parked is not None
            witness.parked = None
            witness.claims = 0
        case facts.NodeSettled(node=node):
            asked = witness.granted
            assert isinstance(asked, facts.SettleRequested)
            assert asked.misfit is None
            assert (asked.node, asked.settlement) == (node, fact.settlement)
            assert (asked.actor, asked.reason) == (fact.actor, fact.reason)
            _is_settled(witness, fact)
        case facts.AttemptsGranted(node=None):
            assert isinstance(witness.granted, facts.RetryRequested)
            assert witness.failed_to_return
            witness.failed_to_return = False
        case facts.AttemptsGranted(node=str() as node):
            assert isinstance(witness.granted, facts.RetryRequested)
            assert witness.granted.node in {node, None}
            _may_try_again(witness, node)
        case _:
            pass


def read_of_control(witness: Witness, fact: Fact) -> None:
    """Read that people hold a run up, and say what becomes of a node."""
    match fact:
        case facts.Paused(actor=actor):
            is_asked = isinstance(witness.granted, facts.PauseRequested)
            assert is_asked or witness.stands.pauses(actor), "nobody has paused it"
            assert not witness.is_paused, "it is paused twice"
            witness.is_paused = True
        case facts.Resumed():
            assert witness.is_paused, "it goes on, and was not paused"
            witness.is_paused = False
        case facts.SkipGranted():
            assert isinstance(witness.granted, facts.SkipRequested), "nobody has it skipped"
            _is_granted(witness, fact)
        case facts.ResultGranted(result=result):
            asked = witness.granted
            assert isinstance(asked, facts.SetResultRequested), "nobody has given a result"
            assert (asked.result, asked.misfit) == (result, None), "another result was given"
            _is_granted(witness, fact)
        case _:
            read_of_people(witness, fact)


def _is_granted(witness: Witness, fact: facts.SkipGranted | facts.ResultGranted) -> None:
    path = fact.node
    assert path not in witness.in_doubt, f"{path} is in doubt and was not settled"
    is_open = witness.running | witness.asking | witness.completed | witness.unrecorded
    assert path not in is_open, f"{path} is at work or has ended"
    witness.gave_up = [each for each in witness.gave_up if each != path]
    witness.granted_to[path] = fact


def _is_settled(witness: Witness, fact: facts.NodeSettled) -> None:
    node = fact.node
    doubtful = node in witness.stuck | witness.unrecorded | witness.refused
    match fact.settlement:
        case ItHappened():
            assert doubtful or (node in witness.gave_up and witness.pivot_done)
            witness.gave_up = [each for each in witness.gave_up if each != node]
            _forget_doubt(witness, node)
            witness.completes(node)
        case ItDidNotHappen():
            assert doubtful
            _forget_doubt(witness, node)
            witness.verdicts[node] = Abort()
        case UndoneByHand():
            witness.left.remove(node)
            witness.undone.append(node)
        case Kept():
            witness.left.remove(node)
            witness.kept.append(node)
        case _:
            assert_never(fact.settlement)


def _forget_doubt(witness: Witness, node: str) -> None:
    witness.stuck.discard(node)
    witness.unrecorded.discard(node)
    witness.refused.discard(node)
    witness.in_doubt.discard(node)


def _may_try_again(witness: Witness, node: str) -> None:
    assert node not in witness.unrecorded, f"{node} did happen"
    if node in witness.left:
        assert not witness.undoing, "what is left waits until all others are undone"
        witness.left.remove(node)
        witness.done = [each for each in witness.completions if each in {*witness.done, node}]
        witness.forgiven[f"{node} undo"] = witness.attempts[f"{node} undo"]
        witness.backwards.pop(node, None)
        return
    if node in witness.stuck | witness.refused:
        witness.stuck.discard(node)
        witness.refused.discard(node)
        witness.verdicts.pop(node, None)
    else:
        assert witness.pivot_done, "before the pivot the run goes back for it"
        witness.gave_up.remove(node)
    witness.interrupted.discard(node)
    witness.forgiven[node] = witness.attempts[node]
