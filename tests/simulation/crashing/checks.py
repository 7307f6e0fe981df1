"""What must be true after every story, read from the stored facts alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.facts import EndStatus, read_facts
from makegood.definition.plan import FromNode, Kind
from makegood.exploring.witnessing.atlas import Atlas
from makegood.exploring.witnessing.witness import Witness
from makegood.values.ids import Direction, child_key, effect_key
from tests.simulation.crashing.repairs import bring_home
from tests.simulation.crashing.sagas import ride_bike

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood import Workflow
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Node, Plan
    from makegood.journal.memory import MemoryStore

__all__ = ["CALLED", "RUN_KEY", "Intents", "broken", "history", "value_of"]

RUN_KEY = "the-order"
"""The key under which the run of a story is started; those that it calls have other ones."""

CALLED = {"send_gift": (ride_bike,), "repair": (bring_home,)}
"""What steps and handlers call that no plan names, by workflow."""

ANNOUNCING = frozenset({"repair"})
"""The lifecycles that announce what happens to their records."""

_TOLD = (
    facts.RunStarted,
    facts.Moved,
    facts.Paused,
    facts.Resumed,
    facts.Parked,
    facts.Unparked,
    facts.RunEnded,
)
"""What is announced, each time that it happens."""

_GENERATIONS_MAX = 4
_ROUNDS_MAX = 3
_CALLS_MAX = 16
"""How often handlers are called in a story, all of them together."""


class Intents:
    """Says whether the journal knew of an effect before it happened."""

    def __init__(self, store: MemoryStore, workflow: Workflow[..., Any]) -> None:
        self._store = store
        self._workflow = workflow

    def wrong(self, key: str) -> str | None:
        """Say what is wrong about an effect that happens now under this key, if anything is."""
        meant = _meaning_of_keys(self._workflow, RUN_KEY, self._own()).get(key)
        if meant is None:
            return f"no step of the run has the key {key}"
        run_key, path, direction = meant
        begins = facts.NodeStarted if direction == "do" else facts.UndoStarted
        for fact in history(self._store, run_key):
            if isinstance(fact, begins) and fact.node == path:
                return None
        return f"{path} ({direction}) happened before the journal knew of it"

    def _own(self) -> str:
        """Return what the effects of the run go by: a lifecycle's key is not its own for ever."""
        if self._workflow.plan.machine is None:
            return RUN_KEY
        records = self._store.records.values()
        return next((record.run for record in records if record.new.key == RUN_KEY), RUN_KEY)


# Any: what the workflows return.
@cache
def _meaning_of_keys(
    workflow: Workflow[..., Any], run: str, own: str
) -> dict[str, tuple[str, str, str]]:
    """Return the run, the node and the direction that each key stands for, of children too.

    `run` is the run's key, and `own` what its effects go by.
    """
    directions: tuple[Direction, ...] = ("do", "undo")
    plan = workflow.plan
    paths = [*Atlas(plan).paths(_ROUNDS_MAX if plan.machine is None else _CALLS_MAX)]
    meaning = {
        effect_key(workflow.name, own, path, direction, generation=generation): (
            run,
            path,
            direction,
        )
        for path in paths
        for direction in directions
        for generation in range(_GENERATIONS_MAX)
    }
    called = {child.name: child for child in (*workflow.children(), *CALLED.get(workflow.name, ()))}
    for path in paths:
        for child in called.values():
            key = child_key(workflow.name, own, path, generation=0, number=1)
            meaning |= _meaning_of_keys(child, key, key)
    return meaning


def history(store: MemoryStore, key: str = RUN_KEY) -> Iterator[Fact]:
    """Yield every stored fact of the run with a key, in order."""
    for record in store.records.values():
        if record.new.key == key:
            for append in record.appends:
                yield from read_facts(append)


def broken(store: MemoryStore, workflow: Workflow[..., Any]) -> Iterator[str]:
    """Yield what is wrong with the runs that a story must have left."""
    plans = {each.name: each.plan for each in _all_called(workflow)}
    keys = [record.new.key for record in store.records.values()]
    if keys.count(RUN_KEY) != 1 or len(set(keys)) != len(keys):
        yield f"there are runs with the keys {keys}"
        return
    yield from _left_in_the_post(store)
    for record in store.records.values():
        if record.seq != len(record.appends):
            yield f"the run's row counts {record.seq} appends, and {len(record.appends)} are there"
        assert record.new.key is not None
        stored, plan = [*history(store, record.new.key)], plans[record.new.workflow]
        yield from _against_the_witness(stored, plan)
        yield from _out_of_order(stored, plan)
        yield from _announced(store, record.run, stored, is_told=plan.workflow in ANNOUNCING)
        if record.owner is not None or record.wake_at is not None or record.inbox:
            left = record.owner or record.wake_at or record.inbox
            yield f"a run of {plan.workflow} has ended, and {left} is left"


def _announced(store: MemoryStore, run: str, stored: list[Fact], *, is_told: bool) -> Iterator[str]:
    """Yield what was not announced though it has happened, and what was though it has not."""
    happened = [
        f"{run}/{place}/0"
        for place, fact in enumerate(stored, 1)
        if is_told and isinstance(fact, _TOLD)
    ]
    kept = store.office.messages.values()
    told = [each.message.id for each in kept if each.message.id.startswith(f"{run}/")]
    if told != happened:
        yield f"{happened} is to be told, and {told} was"


def _all_called(workflow: Workflow[..., Any]) -> Iterator[Workflow[..., Any]]:
    yield workflow
    for child in (*workflow.children(), *CALLED.get(workflow.name, ())):
        yield from _all_called(child)


def _left_in_the_post(store: MemoryStore) -> Iterator[str]:
    """Yield what nobody was given, and who waits or holds a key though all runs have ended."""
    for waiting in store.outgoing.values():
        yield f"{waiting.entry} was not delivered"
    for waiter in store.waiters.values():
        yield f"{waiter.node} still waits for {waiter.message}"
    for claim in store.claims.values():
        yield f"{claim.run} still has a claim on {claim.key}"
    for letter in store.letters.values():
        if letter.taken_by is None:
            yield f"nobody was given {letter.id}"


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
            case facts.ChildEnded(node=node, status=EndStatus.COMPLETED):
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
    effects = [node for node in done if _is_undone(atlas.node(node))]
    if undone and undone != effects[::-1]:
        yield f"done were {effects}, in this order, and undone {undone}"


def _is_undone(node: Node) -> bool:
    """Say whether a node that is done is undone when the run goes back."""
    return node.kind is Kind.CHILD or node.undo is not None


def value_of(store: MemoryStore, plan: Plan) -> bytes | None:
    """Return what the run's workflow returned, as it is on record."""
    assert isinstance(plan.returns, FromNode), "each of the sagas returns a node's result"
    path, value = plan.nodes[plan.returns.node].path, None
    for fact in history(store):
        match fact:
            case facts.NodeDone(node=node, result=result) if node == path:
                value = bytes(result)
            case facts.ChildEnded(node=node, result=result, status=EndStatus.COMPLETED):
                value = bytes(result) if node == path else value
            case facts.VerdictGiven(node=node, verdict=facts.Proceeded(result=result)):
                value = bytes(result) if node == path else value
            case _:
                pass
    return value
