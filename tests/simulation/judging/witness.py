"""Sees everything that is done to the store and outside, when it is done.

A `Watched` journal stands where the wire ends, before the store. It hands the `Witness` each
call with what the store's records said before and say after; the engine's memory is not looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from makegood.journal.protocol import Append, Applied, Conflict, Exists, Fenced
from makegood.testing.simulation import current_lane
from tests.simulation.judging.ledger import Ledger
from tests.simulation.judging.rules import RULES
from tests.simulation.outside import LOOK_UP

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from makegood.journal.memory import MemoryStore
    from makegood.journal.protocol import Journal, Leases, Post, Verdict
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Lane
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant
    from tests.simulation.outside import Request

__all__ = ["Watched", "Witness"]


class Witness:
    """What was seen of one world: its ledgers, the rules that were broken, what was reached."""

    def __init__(
        self, store: MemoryStore, now: Callable[[], int], tell: Callable[..., None]
    ) -> None:
        self.violations: list[str] = []
        self.ledgers: dict[RunId, Ledger] = {}
        self.reached: Counter[str] = Counter()
        self.unsettled: int = 0
        """How many runs have not come to rest."""
        self.settled_at: dict[RunId, int] = {}
        """When each run came to rest last, by the time of the world."""
        self.claims: Counter[RunId] = Counter()
        """How often each run was claimed."""
        self._store = store
        self._now = now
        self._tell = tell
        """Adds a line to the story of the world."""
        self._by_key: dict[str, Ledger] = {}
        self._tokens: dict[RunId, list[bytes]] = defaultdict(list)
        self._epochs: Counter[RunId] = Counter()
        self._holders: dict[RunId, list[Lane]] = defaultdict(list)
        """The process that made a run's last progress, and those that have claimed it since."""
        self._releases: dict[RunId, int] = {}
        """Which release of the program wrote to a run last."""

    def break_rule(self, rule: str, what: str) -> None:
        """Put on record that a rule was broken."""
        assert rule in RULES, rule
        self.violations.append(f"{self._now() / 1e6:.3f} s: {rule}: {what}")

    def ledger_of(self, key: str) -> Ledger | None:
        """Return what is known of the run with this key, which is the order's id."""
        return self._by_key.get(key)

    def has_written(self, run: RunId, token: bytes) -> bool:
        """Say whether an append is in the journal."""
        return token in self._tokens[run]

    # The outside ----------------------------------------------------------------------------

    def requested(self, request: Request) -> None:
        """See a request arrive outside: its intent must be durable."""
        ledger = self._by_key.get(request.order)
        if ledger is None or request.operation not in ledger.begun:
            self.break_rule("the intent comes first", f"{request.operation} of {request.order}")
        elif "price" in ledger.results and request.amount not in {0, ledger.results["price"]}:
            self.break_rule("computed once", f"{request}, and not {ledger.results['price']}")
        if request.operation.startswith(LOOK_UP):
            self.reached["look-up"] += 1

    # The store ------------------------------------------------------------------------------

    def appended(
        self, lane: Lane, release: int, append: Append, before: _Row | None, verdict: Verdict
    ) -> None:
        """See an append, and what the store made of it."""
        record = self._store.records.get(append.run)
        match verdict:
            case Applied() if record is not None:
                if len(record.appends) == len(self._tokens[append.run]):
                    self._seen_again(append)
                else:
                    self._written(lane, release, append, before)
            case Fenced() if before is not None and before.owner != append.worker:
                self.reached["append: refused to a former holder"] += 1
            case Conflict() if before is not None and before.inbox_head != append.inbox_head:
                self.reached["append: refused for a post"] += 1
            case Exists():
                self.reached["start: another was first"] += 1
            case _:
                pass
        self.check_wakes(append.run)

    def _seen_again(self, append: Append) -> None:
        self.reached["append: known by its token"] += 1
        if self._tokens[append.run][-1:] != [append.token]:
            self.break_rule("only what is durable is acknowledged", f"{append.run} {append.seq}")

    def _written(self, lane: Lane, release: int, append: Append, before: _Row | None) -> None:
        run, record = append.run, self._store.records[append.run]
        if before is None:
            self.reached["start: held at once"] += 1
            self._begin(run)
        elif (before.epoch, before.owner) != (append.epoch, append.worker):
            self.break_rule("only the holder writes", f"{lane.name} to {record.new.key}")
        elif (before.seq, before.inbox_head) != (append.seq - 1, append.inbox_head):
            self.break_rule("nothing is written unseen", f"{lane.name} to {record.new.key}")
        self._tokens[run].append(append.token)
        if not record.seq == len(record.appends) == len(self._tokens[run]):
            self.break_rule("facts have no gaps", f"{record.new.key} {record.seq}")
        if record.epoch < self._epochs[run]:
            self.break_rule("epochs never go back", f"{record.new.key} {record.epoch}")
        self._epochs[run] = record.epoch
        if self._releases.get(run, release) != release and record.epoch > 1:
            self.reached["deploy between two holders"] += 1
        self._releases[run] = release
        ledger = self.ledgers[run]
        was_settled = ledger.is_settled
        self._tell("journal", "writes", run, "by", lane.name, *ledger.read(record.appends[-1]))
        self.unsettled += was_settled - ledger.is_settled
        if ledger.is_settled and not was_settled:
            self.settled_at[run] = self._now()
        self._check_row(run, ledger)
        if ledger.parked == "poison" and not was_settled:
            self._check_poison(run)
        if record.claims == 0:
            self._holders[run] = [lane]

    def _begin(self, run: RunId) -> None:
        record = self._store.records[run]
        ledger = self.ledgers[run] = Ledger(record.new.workflow, self.break_rule)
        assert record.new.key is not None
        self._by_key[record.new.key] = ledger
        self.unsettled += 1

    def _check_row(self, run: RunId, ledger: Ledger) -> None:
        record = self._store.records[run]
        if ledger.ended is not None:
            told: tuple[str | None, ...] = (record.status, record.cause, record.rollback)
            agrees = told == ledger.ended and record.ended_at is not None
        elif ledger.parked is not None:
            agrees = (record.status, record.reason) == ("parked", ledger.parked)
        else:
            agrees = record.status in {"running", "waiting", "undoing"}
        if not agrees:
            self.break_rule("the row says what the facts say", f"{record.new.key} {record.status}")

    def _check_poison(self, run: RunId) -> None:
        # The last one is alive: it parks the run. Of the others a few may have been robbed by
        # one whose clock is ahead, which looks to the store as if they were dead.
        *before, _last = self._holders[run]
        lost = sum(lane.is_dead or lane.has_stood_still for lane in before)
        robbed = len(before) - lost
        if lost + min(robbed, _ROBBED_MAX) < _CLAIMS_MAX:
            self.break_rule("poison kills", f"{run}: {[lane.name for lane in self._holders[run]]}")

    def posted(self, post: Post, outcome: int | Exists) -> None:
        """See a post."""
        if isinstance(outcome, Exists):
            self.reached["start: another was first"] += 1
            return
        record = self._store.records.get(post.run)
        inbox = record.inbox if record is not None else []
        if (outcome, post.body) not in [(posted.n, posted.body) for posted in inbox]:
            self.break_rule("only what is durable is acknowledged", f"post {outcome}")
        if post.create is not None:
            self.reached["start: posted"] += 1
            self._begin(post.run)
        self.check_wakes(post.run)

    def leased(self, lane: Lane, leases: Leases, fingerprints: Collection[str]) -> None:
        """See what was claimed."""
        for leased in leases.claimed:
            record, ledger = self._store.records[leased.run], self.ledgers[leased.run]
            if leased.fingerprint not in fingerprints or record.epoch <= self._epochs[leased.run]:
                self.break_rule("only what is served is claimed", f"{record.new.key}")
            self._epochs[leased.run] = record.epoch
            holders = self._holders[leased.run]
            if leased.claims > 1 or holders:
                self._taken_over(ledger)
            holders.append(lane)
            self.claims[leased.run] += 1
            self._tell(lane.name, "claims", leased.run, str(leased.claims))
            self.check_wakes(leased.run)

    def _taken_over(self, ledger: Ledger) -> None:
        for phase, nodes in (
            ("running", ledger.running),
            ("asking", ledger.asking),
            ("undoing", ledger.undoing),
            ("waiting", ledger.waiting),
        ):
            if nodes:
                self.reached[f"taken over while {phase}"] += 1

    def released(self, runs: Sequence[RunId]) -> None:
        """See runs being handed back."""
        for run in runs:
            self.reached["handed back"] += 1
            if self._holders[run]:
                self._holders[run].pop()
            self.check_wakes(run)

    def passed_by(self, fingerprints: Collection[str], now: Instant) -> None:
        """See that somebody asks for work, and leaves what it does not serve."""
        for run in self._store.wakeable:
            record = self._store.records[run]
            if record.new.fingerprint not in fingerprints and (record.wake_at or now) < now:
                self.reached["another plan's run is left alone"] += 1

    def check_wakes(self, run: RunId) -> None:
        """Check that something wakes a run that is not done with."""
        record, ledger = self._store.records.get(run), self.ledgers.get(run)
        if record is None or ledger is None or record.wake_at is not None:
            return
        if record.owner is None and (record.inbox or not ledger.is_settled):
            self.break_rule("nothing is forgotten", f"{record.new.key}, {record.status}")


_CLAIMS_MAX = 5
_ROBBED_MAX = 2


class _Row:
    """What a record said before a call."""

    __slots__ = ("epoch", "inbox_head", "owner", "seq")

    def __init__(self, record: Any) -> None:  # Any: the store's records have no public type.
        self.epoch: int = record.epoch
        self.owner: str | None = record.owner
        self.seq: int = record.seq
        self.inbox_head: int = record.inbox_head


class Watched:
    """A journal whose every call the witness sees."""

    def __init__(
        self, journal: Journal, store: MemoryStore, witness: Witness, release: int
    ) -> None:
        self._journal = journal
        self._store = store
        self._witness = witness
        self._release = release
        self._lane = current_lane()

    # Any: whatever the journal inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, append: Append) -> Pending[Verdict]:
        """Let an append be written."""
        record = self._store.records.get(append.run)
        before = None if record is None else _Row(record)
        reply = self._journal.append(append)
        if reply.exception() is None:
            verdict = reply.result()
            self._witness.appended(self._lane, self._release, append, before, verdict)
        return reply

    async def post(self, post: Post) -> int | Exists:
        """Let something be posted."""
        outcome = await self._journal.post(post)
        self._witness.posted(post, outcome)
        return outcome

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Let runs be claimed."""
        leases = await self._journal.lease(worker, room=room, limit=limit, now=now)
        self._witness.leased(self._lane, leases, room)
        self._witness.passed_by(room, now)
        return leases

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Let runs be handed back."""
        records = self._store.records
        held = [run for run in runs if run in records and records[run].owner == worker]
        await self._journal.release(worker, runs, now=now)
        self._witness.released(held)
