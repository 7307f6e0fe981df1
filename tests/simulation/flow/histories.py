"""What the journal says of the runs: what was done in which order, and what is not known yet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.facts import read_facts
from makegood.values.verdict import FailureKind
from tests.simulation.flow.shop import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.journal.memory_store import MemoryStore, Record
    from tests.simulation.flow.books import Entry

__all__ = [
    "cancelled_children",
    "history_of",
    "open_intents",
    "situations",
    "wrong_about_order",
    "wrong_about_rounds",
]

_ROUND = re.compile(r"lines\[\d+\]")

History = list[facts.Fact]


def history_of(record: Record) -> History:
    """Return everything that has happened to a run."""
    return [fact for append in record.appends for fact in read_facts(append)]


def round_of(path: str) -> str | None:
    """Return the round of `lines` that a node is in."""
    found = _ROUND.match(path)
    return None if found is None else found[0]


# Doubt ------------------------------------------------------------------------------------------


def open_intents(store: MemoryStore, run: str) -> list[str]:
    """Return what may be happening in a run while it takes something back.

    A round that turns back by itself waits for nothing but its own.
    """
    [record] = [each for each in store.records.values() if str(each.run) == run]
    history = history_of(record)
    undone = [fact.node for fact in history if isinstance(fact, facts.UndoStarted)]
    is_whole = any(isinstance(fact, facts.RollbackBegan) for fact in history)
    within = None if is_whole else round_of(undone[-1])
    opened: dict[str, None] = {}
    for fact in history:
        match fact:
            case facts.NodeStarted():
                opened[fact.node] = None
            case facts.NodeDone() | facts.NodeGaveUp() | facts.NodeStopped():
                opened.pop(fact.node, None)
            case facts.NodeFailed() if fact.failure.kind is not FailureKind.IN_DOUBT:
                opened.pop(fact.node, None)
            case _:
                pass
    return [node for node in opened if is_whole or round_of(node) == within]


# Order ------------------------------------------------------------------------------------------


def wrong_about_order(store: MemoryStore, record: Record, taken_back: list[Entry]) -> Iterator[str]:
    """Compare how things were taken back with the order in which they were done.

    What rounds took back by themselves is compared round by round, and the rest as a whole: there
    a child is one unit, at the place of its completion.
    """
    history = history_of(record)
    began = next((n for n, f in enumerate(history) if isinstance(f, facts.RollbackBegan)), None)
    before = history if began is None else history[:began]
    alone = {fact.node for fact in before if isinstance(fact, facts.UndoStarted)}
    undone = {fact.node for fact in history if isinstance(fact, facts.UndoStarted)}
    for inside in sorted({round_of(node) or "" for node in alone}):
        nodes = {node for node in alone if round_of(node) == inside}
        yield from _compared(_backwards(store, history, nodes), taken_back, f"{inside} of")
    yield from _compared(_backwards(store, history, undone - alone), taken_back, "")


def _compared(expected: list[str], taken_back: list[Entry], where: str) -> Iterator[str]:
    things = [each.request.thing for each in taken_back if each.request.thing in expected]
    if things != expected:
        yield f"{where} it went back by {things} and not by {expected}"


def _backwards(store: MemoryStore, history: History, nodes: set[str]) -> list[str]:
    """Return the things of these nodes, what was done last first; a child's are one unit."""
    started = {fact.node for fact in history if isinstance(fact, facts.NodeStarted)}
    things: list[str] = []
    for fact in reversed(history):
        match fact:
            case facts.NodeDone() if fact.node in nodes & started:
                things.append(msgspec.json.decode(fact.result)["thing"])
            case facts.ChildEnded(status="completed") if fact.node in nodes:
                child = history_of(store.records[fact.run])
                undone = {each.node for each in child if isinstance(each, facts.UndoStarted)}
                things += _backwards(store, child, undone)
            case _:
                pass
    return things


# Rounds -----------------------------------------------------------------------------------------


def wrong_about_rounds(history: History) -> Iterator[str]:
    """Follow the rounds and branches of a run, of which each is begun once."""
    begun: set[str] = set()
    ended: set[str] = set()
    chosen: set[str] = set()
    for fact in history:
        match fact:
            case facts.NodeStarted() if (inside := round_of(fact.node)) is not None:
                begun.add(inside)
                if len(begun - ended) > AT_ONCE:
                    yield f"{sorted(begun - ended)} were at work at once"
            case facts.NodeDone() if fact.node.endswith("]/shelve"):
                ended.add(fact.node.removesuffix("/shelve"))
            case facts.RoundGaveUp():
                ended.add(f"{fact.node}[{fact.round}]")
            case facts.Chosen():
                if fact.node in chosen:
                    yield f"{fact.node} was chosen twice"
                chosen.add(fact.node)
            case _:
                pass


def cancelled_children(history: History) -> Iterator[tuple[str, int]]:
    """Return the children that were told to go back, and when."""
    called: dict[str, str] = {}
    for fact in history:
        match fact:
            case facts.ChildStarted():
                called[fact.node] = str(fact.run)
            case facts.ChildCancelled():
                yield called[fact.node], fact.at
            case _:
                pass


# What was met -----------------------------------------------------------------------------------


def situations(record: Record) -> Iterator[str]:
    """Name what came about in a run."""
    history = history_of(record)
    called = {fact.node for fact in history if isinstance(fact, facts.ChildStarted)}
    is_back = False
    last: facts.Fact | None = None
    for fact in history:
        match fact:
            case facts.RoundGaveUp():
                yield "a round turned back"
            case facts.Chosen():
                yield f"chosen: {fact.case}"
            case facts.RoundBegan():
                yield "a repeat went round"
            case facts.ChildCancelled():
                yield "a child was cancelled"
            case facts.ChildEnded():
                yield f"a child has ended: {fact.status}"
            case facts.RollbackBegan():
                is_back = True
            case facts.UndoStarted():
                yield "a child was undone" if fact.node in called else "a step was undone"
                if "[" in fact.node:
                    yield f"undone in a round {'with the run' if is_back else 'by itself'}"
            case facts.Claimed() if isinstance(last, facts.SleepBegan):
                yield "taken up after a sleep"
            case facts.Claimed():
                yield "taken up from another"
            case _:
                pass
        last = fact
    listed = [len(fact.items) for fact in history if isinstance(fact, facts.ItemsListed)]
    picked = {fact.node for fact in history if _is_pick(fact)}
    if record.new.workflow == "ask_around" and record.status == "completed":
        yield "a round was not needed" if len(picked) < listed[0] else "every round was needed"
    yield f"{record.new.workflow}: {record.status}"


def _is_pick(fact: facts.Fact) -> bool:
    return isinstance(fact, facts.NodeStarted) and fact.node.endswith("/pick")
