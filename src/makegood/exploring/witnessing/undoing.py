"""How does a run go back, or one of its rounds? Their part of what a witness reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.decision.facts import Fact
    from makegood.exploring.witnessing.witness import Witness

__all__ = ["read_of_undo", "require_rest", "within"]


def read_of_undo(witness: Witness, fact: Fact) -> None:
    """Read what is about a node on its way back."""
    match fact:
        case facts.UndoStarted(node=node, at=at, attempt=attempt):
            _may_go_back(witness, node)
            beside = within(witness.backwards[node], witness.undoing)
            assert not beside, "two are undone at once"
            witness.undoing.add(node)
            if witness.called.is_done(node):
                # The child is told to go back, which is no attempt of the step's own undo.
                witness.attempts[f"{node} undo"] = witness.forgiven[f"{node} undo"] = attempt
                return
            remedy = witness.atlas.node(node).undo
            assert remedy is not None, f"{node} declares no undo"
            name = f"{node} undo"
            assert attempt - witness.forgiven[name] <= remedy.retry.attempts, (
                "it was undone too often"
            )
            witness.attempts[name] = attempt
            if not remedy.local:
                witness.sends(node, f"{node} undo", at)
        case facts.UndoDone(node=node):
            _may_go_back(witness, node)
            assert not witness.called.is_done(node), f"the child of {node} is not undone"
            is_child = witness.atlas.node(node).undo is None and node in witness.called.are_undone
            assert is_child or node in witness.undoing, f"the undo of {node} never began"
            witness.undoing.discard(node)
            witness.done.remove(node)
            witness.undone.append(node)
        case facts.UndoFailed(node=node, failure=failure):
            witness.undoing.remove(node)
            if failure.kind is FailureKind.IN_DOUBT:
                witness.in_doubt.add(f"{node} undo")
        case facts.UndoLeft(node=node):
            _may_go_back(witness, node)
            assert node not in witness.undoing, f"{node} is being undone"
            witness.done.remove(node)
            witness.left.append(node)
        case facts.NodeKept(node=node):
            _may_go_back(witness, node)
            assert witness.atlas.node(node).undo is None, f"{node} declares an undo"
            assert node not in witness.called.are_undone, f"the child of {node} is to be undone"
            witness.done.remove(node)
            witness.kept.append(node)
        case _:
            pass


def _may_go_back(witness: Witness, path: str) -> None:
    """Check that a node is the next to go back, in the run or in the round that goes back."""
    prefix = witness.backwards.get(path)
    if prefix is None:
        prefix = "" if witness.rolling_back is not None else witness.failing_round(path)
        assert prefix is not None, f"{path} is undone, and nothing goes back"
        witness.backwards[path] = prefix
    require_rest(witness, prefix)
    assert within(prefix, witness.done)[-1:] == [path], f"{path} is not the last that was done"


def require_rest(witness: Witness, prefix: str) -> None:
    """Check that nothing is at work or in doubt in the run, or in one of its rounds."""
    assert not within(prefix, witness.running | witness.asking | witness.called.at_work), (
        "an effect was undone while another was in flight"
    )
    assert not within(prefix, witness.unsettled | witness.unrecorded | witness.stuck), (
        "an effect was undone while another was in doubt"
    )


def within(prefix: str, paths: Iterable[str]) -> list[str]:
    """Return those of the nodes that are in a round; in the run itself all of them are."""
    return [path for path in paths if path.startswith(prefix)]
