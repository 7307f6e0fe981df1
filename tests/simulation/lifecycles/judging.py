"""What must be true of lifecycles when everything has come to rest, whatever went wrong before."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.exploring.witnessing.witness import Witness
from makegood.journal.protocol import Applied
from makegood.values.verdict import FailureKind
from tests.simulation.ablation import Around
from tests.simulation.flow.histories import history_of
from tests.simulation.lifecycles.replaying import Replay, left_by
from tests.simulation.lifecycles.shop import KEPT, LIFECYCLES, pack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from makegood.journal.memory import MemoryStore
    from makegood.journal.memory_store import Record
    from makegood.journal.protocol import Append, Exists, Journal, Post, Verdict
    from makegood.journal.reply import Pending
    from tests.simulation.kinds.books import Books

__all__ = ["Alone", "judged", "situations"]

PLANS = {each.name: each.plan for each in (*LIFECYCLES.values(), pack)}


class Alone(Around):
    """A way to the store on which it is seen that one unfinished run has a key, and no other."""

    def __init__(self, journal: Journal, store: MemoryStore, wrong: list[str]) -> None:
        super().__init__(journal, store)
        self._wrong = wrong

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run."""
        reply = self.journal.append(append)
        is_written = reply.exception() is None and isinstance(reply.result(), Applied)
        if append.create is not None and is_written:
            self._look()
        return reply

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one."""
        answer = await self.journal.post(post)
        if post.create is not None:
            self._look()
        return answer

    def _look(self) -> None:
        unfinished = Counter(
            (record.new.workflow, record.new.key)
            for record in self.store.records.values()
            if record.ended_at is None
        )
        for (workflow, key), count in unfinished.items():
            if count > 1 and key is not None:
                told = f"{count} unfinished runs of {workflow} have the key {key}"
                if told not in self._wrong:
                    self._wrong.append(told)


def judged(
    store: MemoryStore, books: Books, *, turned: Collection[str], sent: Collection[str]
) -> Iterator[str]:
    """Yield what is wrong; `turned` are the runs that were cancelled, `sent` the messages."""
    replays: dict[str, Replay] = {}
    for record in store.records.values():
        name, history = record.new.workflow, history_of(record)
        where = f"{name} {record.new.key} {record.run}"
        yield from (f"{where}: {each}" for each in _against_the_witness(record))
        if name in LIFECYCLES:
            replay = replays[record.run] = Replay(name, history)
            yield from (f"{where}: {each}" for each in replay.wrong)
            yield from (f"{where}: {each}" for each in _about_rows(store, record, replay))
            yield from (f"{where}: {each}" for each in _about_ends(record, replay, books, turned))
        yield from (f"{where}: {each}" for each in _about_order(store, record, books))
    yield from _about_letters(store, replays, sent)
    yield from _about_events(replays)
    yield from _left_in_the_post(store)


def _against_the_witness(record: Record) -> Iterator[str]:
    witness = Witness(PLANS[record.new.workflow])
    for fact in history_of(record):
        try:
            witness.read(fact)
        except AssertionError as error:
            yield f"{type(fact).__name__} {getattr(fact, 'node', '')}: {error}"
            return


def _about_rows(store: MemoryStore, record: Record, replay: Replay) -> Iterator[str]:
    """Compare the row of a run, and its moves, with its facts."""
    stage = None if replay.status is None else replay.status.name
    if record.stage != stage:
        yield f"its row says that it stands at {record.stage}, and it stands at {stage}"
    moves = store.moves.get(record.run, {})
    kept = [(moves[version].origin, moves[version].destination) for version in sorted(moves)]
    if kept != replay.moves:
        yield f"its moves are kept as {kept}, and are {replay.moves}"
    if not record.key_is_free:
        yield "it has ended, and still has its key"


def _about_ends(
    record: Record, replay: Replay, books: Books, turned: Collection[str]
) -> Iterator[str]:
    """Compare how a run has ended with what was done outside, and with what was asked."""
    net, order = books.net(record.run), replay.order
    assert order is not None, "the run has begun"
    history = history_of(record)
    if record.status == EndStatus.COMPLETED:
        done = {f"{record.run}/{number}/{what}" for number, what in enumerate(order.log)}
        if net != done:
            yield f"its record says {sorted(done)}, and there is {sorted(net)}"
        return
    left = {thing for thing in net if thing.rpartition("/")[2] not in KEPT}
    if left:
        yield f"{sorted(left)} is left"
    is_declined = any(
        isinstance(fact, facts.NodeFailed) and fact.failure.kind is FailureKind.DECLINED
        for fact in history
    )
    reasons = {
        EndStatus.FAILED: is_declined or "fail" in replay.outcomes,
        EndStatus.CANCELLED: record.run in turned or "cancel" in replay.outcomes,
    }
    if not reasons.get(EndStatus(record.status), False):
        yield f"it is {record.status}, and nothing gives a reason for it"


def _about_order(store: MemoryStore, record: Record, books: Books) -> Iterator[str]:
    """Compare how things were taken back with the order in which they were done."""
    if record.status == EndStatus.COMPLETED:
        return
    expected = _backwards(store, record)
    taken_back = [entry.deed.thing for entry in books.entries if entry.deed.is_undo]
    things = [thing for thing in taken_back if thing in expected]
    if things != expected:
        yield f"it went back by {things} and not by {expected}"


def _backwards(store: MemoryStore, record: Record) -> list[str]:
    """Return what a run has to take back, what was done last first; a child's are one unit."""
    things: list[str] = []
    for fact in reversed(history_of(record)):
        match fact:
            case facts.NodeDone(node=node, result=result) if record.new.workflow == pack.name:
                if node in {"box", "label"}:
                    things.append(msgspec.json.decode(result))
            case facts.NodeDone(node=node, result=result) if "]/" in node:
                left = left_by(bytes(result))
                if left is not None and left.log[-1] not in KEPT:
                    things.append(f"{record.run}/{len(left.log) - 1}/{left.log[-1]}")
            case facts.ChildEnded(run=child, status=EndStatus.COMPLETED):
                things += _backwards(store, store.records[child])
            case _:
                pass
    return things


def _about_letters(
    store: MemoryStore, replays: Mapping[str, Replay], sent: Collection[str]
) -> Iterator[str]:
    """Follow every message that was acknowledged: one run has handled it, or it is kept."""
    handled: dict[str, list[str]] = defaultdict(list)
    for run, replay in replays.items():
        for letter in replay.handled:
            handled[letter].append(run)
    for letter in sent:
        if letter not in store.letters:
            yield f"{letter} was acknowledged, and is lost"
    for letter, runs in handled.items():
        if len(runs) > 1:
            yield f"{letter} was handled {len(runs)} times"
        elif letter not in store.letters:
            yield f"{letter} was handled, and nobody has sent it"
        elif store.letters[letter].taken_by != runs[0]:
            yield f"{letter} was handled by {runs}, and is with {store.letters[letter].taken_by}"
    for letter, kept in store.letters.items():
        if kept.taken_by is not None and letter not in handled:
            yield f"{letter} is with {kept.taken_by}, which has not handled it"


def _about_events(replays: Mapping[str, Replay]) -> Iterator[str]:
    """Count how often each event was noted about an order: once at most, in whichever run."""
    noted: Counter[tuple[str, str]] = Counter()
    for replay in replays.values():
        assert replay.order is not None, "the run has begun"
        noted.update((replay.order.id, what) for what in replay.order.log if ":" in what)
    for (order, what), count in noted.items():
        if count > 1:
            yield f"{what} was noted {count} times about {order}"


def _left_in_the_post(store: MemoryStore) -> Iterator[str]:
    for waiting in store.outgoing.values():
        yield f"{waiting.entry} was not delivered"
    for waiter in store.waiters.values():
        yield f"{waiter.run} has ended and still waits for {waiter.message}"


def situations(store: MemoryStore) -> Iterator[str]:
    """Name what came about in the runs of a world."""
    for record in store.records.values():
        name, history = record.new.workflow, history_of(record)
        yield f"{name}: {record.status}"
        for fact in history:
            match fact:
                case facts.HandlingBegan(cause=cause, handler=handler):
                    yield f"called for: {cause}"
                    yield f"called: {handler}"
                case facts.Moved(origin="PACKING", status="PAYING"):
                    yield "a status was entered again"
                case facts.Stayed(rearms=True):
                    yield "its timers began anew"
                case facts.Paused():
                    yield "paused by its failure"
                case facts.Claimed():
                    yield "taken up from another"
                case facts.ChildEnded(status=status):
                    yield f"a child has ended: {status}"
                case _:
                    pass
    by_key = Counter(record.new.key for record in store.records.values())
    if any(count > 1 for key, count in by_key.items() if key is not None):
        yield "one key for a second run"
    if any(letter.taken_by is None for letter in store.letters.values()):
        yield "a message is kept for nobody"
