"""Every safeguard that is taken away in turn, to show that the simulation notices.

Each is a wrapper around a port: the journal where it is written (`store`), the journal in the
engine's hands (`journal`), the way to the outside (`teller`) or the decision core (`decide`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from makegood.decision.decide import decide
from makegood.decision.rollback import roll_back
from makegood.decision.state import Phase
from makegood.errors import Declined, OutcomeUnknown
from makegood.journal.protocol import Applied
from makegood.journal.reply import Reply
from makegood.values.verdict import FailureKind
from tests.simulation.ablation import Ablation
from tests.simulation.workflows import recomputed
from tests.simulation.world import play

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.decision.commands import Decision
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.journal.memory import MemoryStore
    from makegood.journal.protocol import Append, History, Journal, Leases, Verdict
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Host
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant
    from tests.simulation.ablation import Teller
    from tests.simulation.outside import Answer, Request

__all__ = ["ABLATIONS", "SEEDS_MAX", "Caught", "first_caught"]

SEEDS_MAX = 2_000
"""In how many worlds the lack of a safeguard must show."""


class Caught(msgspec.Struct, frozen=True):
    """The first world that an ablation broke."""

    seed: int
    violation: str


def first_caught(ablation: Ablation) -> Caught | None:
    """Return the first world in which the lack of a safeguard shows, or None."""
    for seed in range(SEEDS_MAX):
        played = play(seed, ablation)
        if played.violations:
            return Caught(seed, played.violations[0])
    return None


class Around:
    """A journal that does what the one inside does, but for what a subclass takes away."""

    def __init__(self, journal: Journal, store: MemoryStore | None = None) -> None:
        self._journal = journal
        self._store = store

    # Any: whatever the journal inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    # Any: a record of the store's, which has no public type.
    def record(self, run: RunId) -> Any:
        assert self._store is not None
        return self._store.records.get(run)


# Behind the wire --------------------------------------------------------------------------------


class NoFence(Around):
    """Whoever once held a run may go on writing to it."""

    def append(self, append: Append) -> Pending[Verdict]:
        return self._journal.append(as_if_held(self.record(append.run), append))


def as_if_held(record: Any, append: Append) -> Append:  # Any: see `Around.record`.
    if record is None or record.owner is None or append.create is not None:
        return append
    return msgspec.structs.replace(append, epoch=record.epoch, worker=record.owner)


class NoSequence(Around):
    """An append goes behind whatever is there."""

    def append(self, append: Append) -> Pending[Verdict]:
        record = self.record(append.run)
        if record is not None and append.create is None:
            append = msgspec.structs.replace(append, seq=record.seq + 1)
        return self._journal.append(append)


class NoToken(Around):
    """An append that is sent again is not recognized."""

    def append(self, append: Append) -> Pending[Verdict]:
        record = self.record(append.run)
        if record is not None:
            # What is written last never looks like what comes now.
            record.token = b""
        return self._journal.append(append)


class NoInboxHead(Around):
    """An append is written although something was posted that its writer has not seen."""

    def append(self, append: Append) -> Pending[Verdict]:
        record = self.record(append.run)
        if record is not None and append.create is None:
            append = msgspec.structs.replace(append, inbox_head=record.inbox_head)
        return self._journal.append(append)


class WallClockLease(Around):
    """A lease is believed as long as its holder's own clock says that it lasts."""

    def __init__(self, journal: Journal, store: MemoryStore) -> None:
        super().__init__(journal, store)
        self._until: dict[WorkerId, int] = {}

    def append(self, append: Append) -> Pending[Verdict]:
        assert self._store is not None
        if append.create is not None:
            self._until.setdefault(append.worker, append.at + self._store.lease_micros)
        if append.at <= self._until.get(append.worker, 0):
            append = as_if_held(self.record(append.run), append)
        return self._journal.append(append)

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        assert self._store is not None
        self._until[worker] = now + self._store.lease_micros
        return await self._journal.lease(worker, room=room, limit=limit, now=now)


class Recomputed(Around):
    """Values of pure functions are computed anew when a run is read, by the code of today."""

    async def read(self, run: RunId) -> History:
        history = await self._journal.read(run)
        appends = tuple(recomputed(history.row, facts) for facts in history.appends)
        return msgspec.structs.replace(history, appends=appends)

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        return tuple([await self.read(run) for run in runs])


class StaleRead(Around):
    """Runs are read from a copy that lags behind by one append."""

    async def read(self, run: RunId) -> History:
        history = await self._journal.read(run)
        appends = history.appends[:-1] if len(history.appends) > 1 else history.appends
        return msgspec.structs.replace(history, appends=appends)

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        return tuple([await self.read(run) for run in runs])


class UncountedClaims(Around):
    """A claim does not count, so what kills its workers is claimed for ever."""

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        leases = await self._journal.lease(worker, room=room, limit=limit, now=now)
        for leased in leases.claimed:
            self.record(leased.run).claims = 1
        claimed = tuple(msgspec.structs.replace(leased, claims=1) for leased in leases.claimed)
        return msgspec.structs.replace(leases, claimed=claimed)


# Before the wire --------------------------------------------------------------------------------


class AcknowledgedAtOnce(Around):
    """An append is acknowledged when it is sent, not when it is written."""

    def append(self, append: Append) -> Pending[Verdict]:
        sent = self._journal.append(append)
        if append.create is not None or append.local is not None:
            return sent
        given: Reply[Verdict] = Reply()
        given.give(Applied())
        return given


class TimersApart(Around):
    """The time at which a waiting run is due is kept by the process, not in the run's row."""

    def __init__(self, journal: Journal, host: Host) -> None:
        super().__init__(journal)
        self._host = host

    def append(self, append: Append) -> Pending[Verdict]:
        wake_at = append.wake_at
        if not append.release or wake_at is None:
            return self._journal.append(append)
        self._host.clock.call_at(wake_at, lambda: self._wake(append.run, wake_at))
        return self._journal.append(msgspec.structs.replace(append, wake_at=None))

    def _wake(self, run: RunId, due: Instant) -> None:
        # As a second table of timers would: it finds the run and makes it due.
        store = self._host._simulation.store
        record = store.records[run]
        if record.owner is None and record.ended_at is None:
            record.wake_at = due
            store.wakeable.add(run)


# The way outside --------------------------------------------------------------------------------


class KeyPerAttempt:
    """Every call outside has a key of its own."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    async def ask(self, request: Request) -> Answer:
        key = f"{request.key} at {asyncio.get_running_loop().time():.6f}"
        return await self._teller.ask(msgspec.structs.replace(request, key=key))


class TimeoutIsFailure:
    """Whatever does not answer in time is taken to have done nothing."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    async def ask(self, request: Request) -> Answer:
        try:
            async with asyncio.timeout(4.0):
                return await self._teller.ask(request)
        except (TimeoutError, OutcomeUnknown) as error:
            message = "no answer, so nothing happened"
            raise Declined(message) from error


# The decision core ------------------------------------------------------------------------------


def undo_forwards(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Undo in the order in which things were done."""
    state.done_order.reverse()
    try:
        return decide(plan, state, now, chance)
    finally:
        state.done_order.reverse()


def undo_while_in_doubt(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Undo at once, whatever else is in flight or in doubt."""
    decision = decide(plan, state, now, chance)
    is_waiting = not (decision.facts or decision.commands)
    phases = {node.phase for node in state.nodes}
    is_undoing = not phases.isdisjoint(UNDOING)
    if state.rolling_back is None or state.is_settled or is_undoing or not is_waiting:
        return decision
    kept = state.in_flight, state.timers, state.stuck
    state.in_flight, state.timers, state.stuck = 0, {}, []
    try:
        return roll_back(state, now)
    finally:
        state.in_flight, state.timers, state.stuck = kept


UNDOING = frozenset({Phase.UNDOING, Phase.UNDO_FAILED, Phase.UNDO_INTERRUPTED, Phase.UNDO_AGAIN})


def without_pivot(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Go back even from behind the pivot."""
    nodes = tuple(msgspec.structs.replace(node, pivot=False) for node in plan.nodes)
    return decide(msgspec.structs.replace(plan, nodes=nodes), state, now, chance)


def keys_for_ever(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Trust the other side to know every key for ever."""
    for node in state.nodes:
        if node.first_at is not None:
            node.first_at = now
        if node.undo_first_at is not None:
            node.undo_first_at = now
    return decide(plan, state, now, chance)


def forgetful(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Take an answer to the second request for an answer to the first."""
    for node in state.nodes:
        failure = node.failure
        if failure is not None and failure.kind is FailureKind.TRANSIENT:
            node.doubt = False
    return decide(plan, state, now, chance)


ABLATIONS = (
    Ablation(
        name="fence",
        removes="Only the newest holder of a run writes to it.",
        store=NoFence,
    ),
    Ablation(
        name="sequence check",
        removes="An append follows the one that its writer saw last.",
        store=NoSequence,
    ),
    Ablation(
        name="append token",
        removes="An append that is sent again is known by its token.",
        store=NoToken,
    ),
    Ablation(
        name="inbox head",
        removes="An append is refused while something was posted that its writer has not seen.",
        store=NoInboxHead,
    ),
    Ablation(
        name="lease by wall clock",
        removes="Who may write is said by the epoch, never by a clock.",
        store=WallClockLease,
    ),
    Ablation(
        name="evaluation recomputed",
        removes="What was computed once is read from the journal, never computed again.",
        store=Recomputed,
    ),
    Ablation(
        name="stale read",
        removes="A run is read from where it is written.",
        store=StaleRead,
    ),
    Ablation(
        name="claims uncounted",
        removes="A run that kills its workers is parked.",
        store=UncountedClaims,
    ),
    Ablation(
        name="write-ahead",
        removes="A command is performed only after its fact is durable.",
        journal=lambda journal, _host: AcknowledgedAtOnce(journal),
    ),
    Ablation(
        name="timer apart",
        removes="The run's own row says when it is due.",
        journal=TimersApart,
    ),
    Ablation(
        name="key per attempt",
        removes="Every attempt has the same idempotency key.",
        teller=KeyPerAttempt,
    ),
    Ablation(
        name="timeout as failure",
        removes="What did not answer is in doubt.",
        teller=TimeoutIsFailure,
    ),
    Ablation(
        name="undo order",
        removes="What was done last is undone first.",
        decide=undo_forwards,
    ),
    Ablation(
        name="undo in doubt",
        removes="Nothing is undone while anything is in doubt.",
        decide=undo_while_in_doubt,
    ),
    Ablation(
        name="pivot",
        removes="Behind the pivot nothing is undone.",
        decide=without_pivot,
    ),
    Ablation(
        name="horizon",
        removes="A key is not used again once the other side may have forgotten it.",
        decide=keys_for_ever,
    ),
    Ablation(
        name="sticky doubt",
        removes="Only an answer about the effect clears a doubt.",
        decide=forgetful,
    ),
)
"""What is taken away, one at a time."""
