"""What does a run send and wait for? Its part of what a witness reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.decision.facts import Fact
    from makegood.exploring.witnessing.witness import Witness

__all__ = ["read_of_mail"]


def read_of_mail(witness: Witness, fact: Fact) -> None:
    """Read what a run waits for, what it is given, and what it sends."""
    match fact:
        case facts.WaitBegan(node=node):
            witness.may_begin(node)
            assert witness.rolling_back is None, f"{node} began to wait on the way back"
        case facts.MessageCame() if witness.stands.machine is not None:
            witness.stands.listens.discard(fact.message)
        case facts.MessageCame(misfit=None):
            # One that nobody waits for any more is given back, and ends nothing.
            waiting = next(_waiting(witness, fact), None)
            if waiting is not None:
                witness.completes(waiting)
        case facts.MessageSent(node=node):
            witness.may_begin(node)
            assert witness.rolling_back is None, f"{node} was sent on the way back"
            witness.completes(node)
        case _:
            pass


def _waiting(witness: Witness, message: facts.MessageCame) -> Iterator[str]:
    """Give the nodes that wait for a message, the first that began first."""
    over = {
        fact.node
        for fact in witness.read_so_far
        if isinstance(fact, facts.NodeFailed | facts.NodeStopped | facts.WaitRefused)
    }
    for fact in witness.read_so_far:
        if not isinstance(fact, facts.WaitBegan) or fact.node in over | witness.completed:
            continue
        if (fact.message, fact.key) == (message.message, message.key):
            yield fact.node
