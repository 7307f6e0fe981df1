"""What must be true of runs that were handed over and gone back in, when all has come to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.values.verdict import FailureKind
from tests.simulation.flow.histories import history_of
from tests.simulation.moving.shop import DOES, RANKS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from makegood.journal.memory import MemoryStore
    from makegood.journal.memory_store import Record
    from tests.simulation.kinds.books import Books

__all__ = ["judged", "situations"]


def judged(store: MemoryStore, books: Books, *, turned: Collection[str]) -> Iterator[str]:
    """Yield what is wrong; `turned` are the orders that somebody wanted to be cancelled."""
    yield from _out_of_line(books)
    for record in store.records.values():
        where = f"{record.new.key} {record.run}"
        yield from (f"{where}: {each}" for each in _about_ends(record, books, turned))


def _out_of_line(books: Books) -> Iterator[str]:
    """Follow what was done and taken back: each behind all that stands before it."""
    standing: dict[str, list[str]] = {}
    for entry in books.entries:
        order, _, name = entry.deed.thing.rpartition("/")
        there = standing.setdefault(order, [])
        beyond = [each for each in there if RANKS.index(each) > RANKS.index(name)]
        what = "taken back" if entry.deed.is_undo else "done"
        if beyond:
            yield f"{name} of {order} was {what} while {beyond} were there"
        if entry.deed.is_undo:
            there.remove(name)
        else:
            there.append(name)


def _about_ends(record: Record, books: Books, turned: Collection[str]) -> Iterator[str]:
    """Compare how a run has ended with what is there of it, by the definition it goes by."""
    order = str(record.new.key)
    net = {thing.rpartition("/")[2] for thing in books.net(record.run)}
    if record.status == EndStatus.COMPLETED:
        does = DOES[record.new.fingerprint]
        if net != {*does}:
            yield f"{sorted(net)} is there of it, and should be {does}"
        return
    if net:
        yield f"{sorted(net)} is left"
    is_declined = any(
        isinstance(fact, facts.NodeFailed) and fact.failure.kind is FailureKind.DECLINED
        for fact in history_of(record)
    )
    reasons = {EndStatus.FAILED: is_declined, EndStatus.CANCELLED: order in turned}
    if not reasons.get(EndStatus(record.status), False):
        yield f"it is {record.status}, and nothing gives a reason for it"


def situations(store: MemoryStore) -> Iterator[str]:
    """Name what came about in the runs of a world."""
    for record in store.records.values():
        yield f"a run: {record.status}"
        yield f"ended by edition {[*DOES].index(record.new.fingerprint) + 1}"
        undone = 0
        for fact in history_of(record):
            match fact:
                case facts.MovedOn():
                    yield "handed over to another definition"
                case facts.RetraceBegan():
                    yield "retried from a step"
                    undone = 0
                case facts.UndoDone():
                    undone += 1
                case facts.Retraced() if undone:
                    yield "done again after it was taken back"
                case facts.Claimed():
                    yield "taken up from another"
                case _:
                    pass
