"""What does a world leave behind, and is a promise broken in it? Told from its facts.

What is left is what the run itself names: doubt, or an undo that gave up. What the outside shows
and the run does not name is a broken promise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.people.control import waited_for
from makegood.decision.state import Phase
from makegood.exploring.standing import VISITS_SHOWN, short
from makegood.exploring.witnessing.witness import Witness
from makegood.picture.words import kept_because

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.exploring.setting import Setting
    from makegood.exploring.witnessing.atlas import Atlas
    from makegood.exploring.world import Played

__all__ = ["Left", "broken_in", "held_in", "kept_in", "left_in"]

_NAMED = frozenset(
    {Phase.DONE, Phase.KEPT, Phase.LEFT, Phase.STUCK, Phase.UNRECORDED, Phase.REFUSED}
)
"""Where a node stands whose effect the run knows to stand, or says that nobody knows."""


class Left(msgspec.Struct, frozen=True):
    """Something that is left behind for a person, and how."""

    node: str
    """The node; empty when it is about the whole run."""
    what: str


def left_in(plan: Plan, state: RunState) -> tuple[Left, ...]:
    """Return what a run has left behind."""
    left = [
        Left(state.graph[index].path, _how(state, index))
        for index in sorted(waited_for(plan, state))
    ]
    left += [
        Left(state.graph[index].path, "may or may not have happened, and is optional: nobody asks")
        for index in state.skipped_in_doubt
    ]
    if state.parked is not None and not left:
        left.append(Left("", state.parked.value))
    return (*left, *_standing(state))


def _standing(state: RunState) -> Iterator[Left]:
    """Give where the record of a lifecycle stands for ever."""
    lifecycle = state.lifecycle
    if lifecycle is None or state.is_settled or lifecycle.visits > VISITS_SHOWN:
        return
    if state.is_paused:
        by = lifecycle.handler.name
        yield Left("", f"is paused in {lifecycle.status} by {by}: only a person lets it go on")
    else:
        heard = " or ".join(short(message) for message, _key in lifecycle.open) or "message"
        yield Left("", f"stands in {lifecycle.status} for ever, where no {heard} comes")


def kept_in(state: RunState, setting: Setting) -> tuple[Left, ...]:
    """Return what stays done although the run went back, as was declared, and why."""
    return tuple(
        Left(node.path, f"stays: {kept_because(node)}")
        for index, (node, current) in enumerate(zip(state.graph, state.nodes, strict=True))
        if current.phase is Phase.KEPT and setting.may_act(state, index)
    )


def held_in(state: RunState, setting: Setting) -> tuple[str, ...]:
    """Return what stands only because the run waits for a person, the last completed first."""
    if state.ended is not None:
        return ()
    return tuple(
        state.graph[index].path
        for index in reversed(state.done_order)
        if setting.may_act(state, index)
    )


def broken_in(plan: Plan, played: Played, atlas: Atlas) -> Iterator[str]:
    """Give a sentence for every promise of the engine's that was broken."""
    if not played.is_at_rest:
        yield f"the run does not come to rest: it is {played.state.status}"
        return
    witness = Witness(plan, atlas)
    for fact in played.facts:
        try:
            witness.read(fact)
        except AssertionError as error:
            node = getattr(fact, "node", "")
            yield f"{type(fact).__name__} {node}: {error}"
            return
    yield from _unseen(played)


def _unseen(played: Played) -> Iterator[str]:
    """Compare what stands outside with what the run knows of it."""
    state, stands = played.state, played.outside.stands
    for path, generations in stands.items():
        current = state.nodes[state.positions[path]]
        if len(generations) > 1:
            yield f"{path} happened {len(generations)} times, each under a key of its own"
        is_doubt = current.phase is Phase.SKIPPED and current.doubt
        if current.phase not in _NAMED and not is_doubt:
            yield f"{path} stands, and for the run it is {current.phase.name.lower()}"
    for node, current in zip(state.graph, state.nodes, strict=True):
        if current.phase is Phase.DONE and node.kind.value == "step" and node.path not in stands:
            yield f"{node.path} is done for the run, and nothing of it stands"


def _how(state: RunState, index: int) -> str:
    node, current = state.graph[index], state.nodes[index]
    match current.phase:
        case Phase.CHILD_PARKED:
            return "waits for a person: it is a run of its own"
        case Phase.LEFT:
            if node.undo is None:
                return "still stands: it is a run of its own, and could not be undone"
            if current.undo_doubt:
                return f"may or may not stand: {node.undo.function} gave no answer"
            return f"still stands: {node.undo.function} gave up"
        case Phase.UNRECORDED:
            return "happened, and its result is not on record"
        case Phase.REFUSED:
            return "is refused: what it gave, or was to be given, is not as declared"
        case Phase.STUCK:
            return "may or may not have happened: nobody can say"
        case _:
            return "failed for good, and the run is past its pivot"
