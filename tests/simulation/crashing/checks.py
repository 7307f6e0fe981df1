"""What must be true after every story, read from the stored facts alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.facts import read_facts
from makegood.definition.plan import FromNode, Kind
from makegood.exploring.witnessing.atlas import Atlas
from makegood.exploring.witnessing.witness import Witness
from makegood.values.ids import Direction, effect_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan
    from makegood.journal.memory import MemoryStore

__all__ = ["RUN_KEY", "Intents", "broken", "history", "value_of"]

RUN_KEY = "the-order"
"""The key under which the one run of a story is started."""

_GENERATIONS_MAX = 4
_ROUNDS_MAX = 3


class Intents:
    """Says whether the journal knew of an effect before it happened."""

    def __init__(self, store: MemoryStore, plan: Plan) -> None:
        self._store = store
        self._meaning = _meaning_of_keys(plan.workflow, *Atlas(plan).paths(_ROUNDS_MAX))

    def wrong(self, key: str) -> str | None:
        """Say what is wrong about an effect that happens now under this key, if anything is."""
        meant = self._meaning.get(key)
        if meant is None:
            return f"no step of the run has the key {key}"
        path, direction = meant
        begins = facts.NodeStarted if direction == "do" else facts.UndoStarted
        for fact in history(self._store):
            if isinstance(fact, begins) and fact.node == path:
                return None
        return f"{path} ({direction}) happened before the journal knew of it"


@cache
def _meaning_of_keys(workflow: str, *paths: str) -> dict[str, tuple[str, str]]:
    """Return the node and the direction that each key of the run stands for."""
    directions: tuple[Direction, ...] = ("do", "undo")
    return {
        effect_key(workflow, RUN_KEY, path, direction, generation=generation): (path, direction)
        for path in paths
        for direction in directions
        for generation in range(_GENERATIONS_MAX)
    }


def history(store: MemoryStore) -> Iterator[Fact]:
    """Yield every stored fact of the one run, in order."""
    for record in store.records.values():
        for append in record.appends:
            yield from read_facts(append)


def broken(store: MemoryStore, plan: Plan) -> Iterator[str]:
    """Yield what is wrong with the one run that a story must have left."""
    if len(store.records) != 1:
        yield f"there are {len(store.records)} runs"
        return
    [record] = store.records.values()
    if record.seq != len(record.appends):
        yield f"the run's row counts {record.seq} appends, and {len(record.appends)} are there"
    stored = list(history(store))
    yield from _against_the_witness(stored, plan)
    yield from _out_of_order(stored, plan)
    if record.owner is not None or record.wake_at is not None or record.inbox:
        yield f"the run has ended, and {record.owner or record.wake_at or record.inbox} is left"


def _against_the_witness(stored: list[Fact], plan: Plan) -> Iterator[str]:
    witness = Witness(plan)
    for fact in stored:
        try:
            witness.read(fact)
        except AssertionError as error:
            yield f"{type(fact).__name__} {getattr(fact, 'node', '')}: {error}"
            return
    if witness.ended is None:
        yield "no fact ends the run"


def _out_of_order(stored: list[Fact], plan: Plan) -> Iterator[str]:
    """Compare the undos with the completions, without knowing anything of runs."""
    done: list[str] = []
    undone: list[str] = []
    undoing: list[str] = []
    for fact in stored:
        match fact:
            case facts.NodeDone(node=node):
                done.append(node)
            case facts.VerdictGiven(node=node, verdict=facts.Proceeded()):
                done.append(node)
            case facts.UndoStarted(node=node):
                undoing.append(node)
            case facts.UndoDone(node=node):
                if undoing[-1] != node:
                    yield f"the undo of {undoing[-1]} began before that of {node} was recorded"
                undone.append(node)
            case _:
                pass
    atlas = Atlas(plan)
    effects = [node for node in done if atlas.node(node).kind in {Kind.STEP, Kind.LOCAL}]
    if undone and undone != effects[::-1]:
        yield f"done were {effects}, in this order, and undone {undone}"


def value_of(store: MemoryStore, plan: Plan) -> bytes | None:
    """Return what the run's workflow returned, as it is on record."""
    assert isinstance(plan.returns, FromNode), "each of the sagas returns a node's result"
    path, value = plan.nodes[plan.returns.node].path, None
    for fact in history(store):
        match fact:
            case facts.NodeDone(node=node, result=result) if node == path:
                value = bytes(result)
            case facts.VerdictGiven(node=node, verdict=facts.Proceeded(result=result)):
                value = bytes(result) if node == path else value
            case _:
                pass
    return value
