"""What must be true of schedules at any time: no slot is lost, doubled, or against its policy.

It follows where each schedule stood, as it was written, and which runs were begun, and when.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from makegood import Misfire
from makegood.decision.facts import RunStarted
from makegood.journal.messages import DeliveryState
from makegood.journal.protocol import Applied
from makegood.runtime.scheduler import read_standing
from makegood.testing.simulation import START
from makegood.values.instants import Instant, as_instant, micros
from tests.simulation.ablation import Around
from tests.simulation.flow.histories import history_of
from tests.simulation.messages.without import AroundMessages
from tests.simulation.schedules.shop import GRACE, SECOND, Notice, thing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.dispatch.scheduling import Standing
    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.memory import MemoryStore
    from makegood.journal.messages import KeepsMessages, Malformed, Receipt
    from makegood.journal.protocol import Append, Exists, Journal, Post, Verdict
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Simulation
    from makegood.values.envelope import Envelope
    from tests.simulation.kinds.books import Books
    from tests.simulation.schedules.shop import Plan

__all__ = ["LATE_MICROSECONDS", "Diary", "Watched", "judged", "situations"]

LATE_MICROSECONDS = 3 * SECOND
"""How long it may take from a decision until what comes of it is written."""


class Diary:
    """When things were written, in true time."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.standings: defaultdict[str, list[tuple[Instant, Standing]]] = defaultdict(list)
        """Where each schedule stood, and since when."""
        self.began: dict[str, Instant] = {}
        """When each run was begun, and each message stored, by id."""
        self.ended: dict[str, Instant] = {}
        """When each run moved no more by itself: it had ended, or was parked."""

    @property
    def now(self) -> Instant:
        """The true time."""
        return Instant(START + self._simulation.loop.micros)

    def begins(self, id: str) -> None:
        """See a run begun, or a message stored."""
        self.began.setdefault(id, self.now)

    def stands(self, row: ScheduleRow) -> None:
        """See where a schedule stands from now on."""
        self.standings[row.name].append((self.now, read_standing(row.body)))

    def appends(self, append: Append) -> None:
        """See what was written of a run."""
        if append.summary.ended_at is not None or append.summary.status == "parked":
            self.ended.setdefault(append.run, self.now)


class Watched(Around):
    """A way to the store on which it is seen when things are written."""

    def __init__(self, journal: Journal, store: MemoryStore, diary: Diary) -> None:
        super().__init__(journal, store)
        self._diary = diary
        self.messages = _Watched(journal.messages, store, diary)

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands."""
        before = self.store.schedules.get(row.name)
        is_kept = await self.journal.keep_schedule(row)
        if is_kept and self.store.schedules[row.name] != before:
            self._diary.stands(row)
        return is_kept

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one."""
        answer = await self.journal.post(post)
        if post.create is not None and isinstance(answer, int):
            self._diary.begins(post.run)
        return answer

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run."""
        reply = self.journal.append(append)
        if reply.exception() is None and isinstance(reply.result(), Applied):
            self._diary.appends(append)
        return reply


class _Watched(AroundMessages):
    """What keeps the messages of a store on which it is seen when they are stored."""

    def __init__(self, messages: KeepsMessages, store: MemoryStore, diary: Diary) -> None:
        super().__init__(messages, store)
        self._diary = diary

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        """Store messages."""
        reply = self.messages_inside.publish(messages, now=now)
        if reply.exception() is None:
            for message in messages:
                self._diary.begins(message.id)
        return reply


def judged(
    store: MemoryStore,
    plans: Sequence[Plan],
    diary: Diary,
    books: Books,
    *,
    skew_micros: int,
    late_micros: int = LATE_MICROSECONDS,
) -> Iterator[str]:
    """Yield what is wrong; clocks were wrong by so much at most, and something so late."""
    runs = _begun_by_slot(store)
    yield from _about_heeding(store, books, diary, late_micros)
    for plan in plans:
        standings = diary.standings[plan.name]
        if not standings:
            yield f"{plan.name} was never looked after"
            continue
        mine = {slot: begun for (name, slot), begun in runs.items() if name == plan.name}
        told = [
            *_about_slots(plan, standings, mine),
            *_about_standings(plan, standings),
            *_about_times(
                plan, standings, mine, diary, skew_micros=skew_micros, late_micros=late_micros
            ),
            *_about_overlap(plan, mine, diary),
            *_about_lag(plan, standings[-1][1], diary, late_micros),
        ]
        yield from (f"{plan.name}: {each}" for each in told)


def _begun_by_slot(store: MemoryStore) -> dict[tuple[str, Instant], list[str]]:
    """Return which runs were begun, or messages stored, for each slot of each schedule."""
    runs: defaultdict[tuple[str, Instant], list[str]] = defaultdict(list)
    for record in store.records.values():
        # One that nobody has taken yet says it in the post that starts it.
        begun = [each for each in history_of(record) if isinstance(each, RunStarted)]
        if begun:
            inputs = begun[0].inputs
        else:
            body: dict[str, Any] = msgspec.json.decode(record.inbox[0].body)
            inputs = {
                name: msgspec.Raw(msgspec.json.encode(value))
                for name, value in body["started"]["inputs"].items()
            }
        slot = msgspec.json.decode(inputs["slot"], type=datetime)
        runs[msgspec.json.decode(inputs["name"]), as_instant(slot)].append(record.run)
    for stored in store.office.messages.values():
        notice = msgspec.json.decode(stored.message.body, type=Notice)
        at = as_instant(datetime.fromisoformat(notice.slot))
        runs[notice.name, at].append(stored.message.id)
    return runs


def _about_heeding(
    store: MemoryStore, books: Books, diary: Diary, late_micros: int
) -> Iterator[str]:
    """Look whether each message was received, once; the newest may still be."""
    done = Counter(entry.deed.thing for entry in books.entries)
    for stored in store.office.messages.values():
        states = [delivery.state for delivery in stored.deliveries.values()]
        heeded = done[thing_of(stored.message.id)]
        is_new = diary.now - diary.began[stored.message.id] < late_micros
        if heeded > 1 or not (is_new or (states == [DeliveryState.DONE] and heeded)):
            yield f"{stored.message.id} is {states}, and was heeded {heeded} times"


def _about_slots(
    plan: Plan, standings: Sequence[tuple[Instant, Standing]], runs: dict[Instant, list[str]]
) -> Iterator[str]:
    """Compare the runs with the slots that there are, and with those that were taken."""
    for slot, begun in runs.items():
        if len(begun) > 1:
            yield f"{len(begun)} were begun for the slot {slot}"
        if slot not in plan.slots(slot, Instant(slot + 1)):
            yield f"{slot} is none of its slots"
        if plan.is_refused(slot):
            yield f"the slot {slot} was taken, which its condition refuses"
    taken = {standing.last for _, standing in standings} - {None}
    for slot in taken - {*runs}:
        yield f"the slot {slot} counts as taken, and nothing was begun for it"
    unknown = sorted({*runs} - taken - {standings[-1][1].taking})
    if unknown:
        yield f"{unknown} were begun, and do not count as taken"
    if plan.times_max is not None and len(runs) > plan.times_max:
        yield f"{len(runs)} slots were taken, and {plan.times_max} are to be"


def _about_standings(plan: Plan, standings: Sequence[tuple[Instant, Standing]]) -> Iterator[str]:
    """Follow where it stood: each slot is taken, skipped or waits, once, and none is forgotten."""
    first = standings[0][1]
    for (_, before), (_, standing) in pairwise(standings):
        if (standing.count, standing.skipped) < (before.count, before.skipped):
            yield f"it stood at {before}, and was put back to {standing}"
            return
        if standing.next is None or first.next is None:
            continue
        passed = len(plan.slots(first.next, standing.next))
        known = standing.count + standing.skipped + (standing.waiting is not None)
        if passed != known:
            yield f"{passed} slots are behind it, and {known} were taken or skipped: {standing}"
            return


def _about_times(
    plan: Plan,
    standings: Sequence[tuple[Instant, Standing]],
    runs: dict[Instant, list[str]],
    diary: Diary,
    *,
    skew_micros: int,
    late_micros: int,
) -> Iterator[str]:
    """Compare when slots were taken with what is to become of those that were missed."""
    waited = {standing.waiting for _, standing in standings}
    meant: dict[Instant | None, Instant] = {}
    for at, standing in standings:
        meant.setdefault(standing.taking, at)
    for slot, begun in runs.items():
        # What was meant to be taken in time is taken, however late whoever meant it has an heir.
        at = meant.get(slot, diary.began[begun[0]])
        if at < slot - skew_micros:
            yield f"the slot {slot} was taken {slot - at} µs before its time"
        late = at - slot - skew_micros - late_micros
        if slot in waited or late <= micros(GRACE):
            continue
        if plan.misfire is Misfire.SKIP:
            yield f"the slot {slot} was missed by {at - slot} µs, and was taken"
        if plan.misfire is Misfire.ONCE and late > plan.every * SECOND:
            yield f"the slot {slot} was missed, and taken though a later one was due"
    last = standings[-1][1]
    takes_all = plan.misfire is Misfire.ALL and not plan.waits
    if takes_all and plan.refuses is None and last.skipped:
        yield f"{last.skipped} slots were skipped, and each is to be taken"


def _about_overlap(plan: Plan, runs: dict[Instant, list[str]], diary: Diary) -> Iterator[str]:
    """Look whether a run was begun while the one before had not ended."""
    if not plan.waits:
        return
    begun = sorted((diary.began[runs[slot][0]], runs[slot][0]) for slot in runs)
    for (_, before), (at, run) in pairwise(begun):
        if before not in diary.ended or diary.ended[before] > at:
            yield f"{run} was begun while {before} had not ended"


def _about_lag(plan: Plan, last: Standing, diary: Diary, late_micros: int) -> Iterator[str]:
    """Look whether it is behind, some time after all is well again."""
    catches_up = plan.misfire is Misfire.ALL and plan.waits
    if last.next is None or catches_up:
        # Each waits for the one before, so what was missed is behind for a while.
        return
    lag = diary.now - last.next
    if lag > 2 * plan.every * SECOND + late_micros + micros(GRACE):
        yield f"it is {lag} µs behind: {last}"


def situations(store: MemoryStore, plans: Sequence[Plan], diary: Diary) -> Iterator[str]:
    """Name what came about."""
    for record in store.records.values():
        yield f"a run: {record.status}"
    for stored in store.office.messages.values():
        for delivery in stored.deliveries.values():
            yield f"a message: {delivery.state}"
            if delivery.attempts > 1:
                yield "a message was received anew"
    for plan in plans:
        of = "a slot of messages" if plan.tells else "a slot"
        yield f"misfire: {plan.misfire.value}"
        yield f"overlap: {plan.overlap.value}"
        for (since, before), (at, standing) in pairwise(diary.standings[plan.name]):
            if standing.count > before.count:
                yield f"{of} was taken"
            if standing.skipped > before.skipped:
                many = standing.skipped - before.skipped
                yield f"{of} was skipped" if many == 1 else "several slots were skipped at once"
            if standing.waiting is not None and before.waiting is None:
                yield "a slot waited"
            if standing.is_cancelling:
                yield "a run was cancelled for the next slot"
            if before.taking is not None and at - since > 5 * SECOND:
                yield f"{of} was taken for one who had died"
            if standing.failures:
                yield f"{of} could not be taken"
            if standing.next is None:
                yield "a schedule was over"
