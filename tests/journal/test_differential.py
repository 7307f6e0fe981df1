"""Do the stores agree? The same random operations on each must give the same answers and rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood.errors import MakegoodError
from makegood.journal.beside.scheduling import ScheduleRow
from makegood.journal.halting import Halt, HaltKind, Lifting
from makegood.journal.mail import Claiming, Letter, LettingGo, NoLonger, Waiting
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.protocol import (
    Append,
    Exists,
    Filter,
    Leases,
    NewRun,
    Statement,
    Summary,
    ToRun,
    ToStart,
)
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.journal.staging import Move
from makegood.values.instants import Instant
from tests.journal.records import ALICE, BOB, STOCK, Body, append, new_run, post, run_id, token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.protocol import Journal, Outgoing
    from makegood.values.ids import RunId
    from makegood.values.injectable import Transaction
    from tests.journal.postgres.served import PostgresWorld, Served

WORKERS = (ALICE, BOB)
PLANS = ("plan-1", "plan-2", "plan-3")
RUNS = [run_id(number) for number in range(6)]
SUMMARIES = (
    Summary(status="running"),
    Summary(status="parked", reason="doubt"),
    Summary(status="completed", ended_at=Instant(40)),
    Summary(status="failed", cause="error", rollback="undone", ended_at=Instant(60)),
    Summary(status="running", stage="CREATED", stage_since=Instant(1)),
    Summary(status="paused", stage="CREATED", stage_since=Instant(2)),
    Summary(status="parked", stage="VALIDATED", stage_since=Instant(3)),
    Summary(status="completed", stage="CLOSED", stage_since=Instant(4), ended_at=Instant(50)),
)
OPERATIONS = 60
# Long enough that no lease runs out: it would do so by another clock in every store.
LEASE_SECONDS = 86_400.0


async def sell(transaction: Transaction) -> object:
    return await transaction.execute("UPDATE stock SET count = count - 1")


class Player:
    """Draws operations from a seed, and plays each on one journal after the other."""

    def __init__(self, seed: int, journals: list[Journal]) -> None:
        self.random = Random(seed)
        self.journals = journals
        self.sent: list[Append] = []

    async def play(self) -> None:
        often = (self.append, self.append, self.append, self.again, self.post, self.lease)
        often = (*often, self.deliver, self.send_letter)
        seldom = (self.release, self.prune, self.erase, self.settled, self.crash_free)
        seldom = (*seldom, self.adopt)
        of_halts = (self.halt, self.unhalt)
        of_schedules = (self.keep_schedule, self.forget_schedule)
        await self.random.choice((*often, *seldom, *of_halts, *of_schedules))()

    async def append(self) -> None:
        run = self.random.choice(RUNS)
        sent = await self.fitting(run) if self.random.random() < 0.8 else self.random_append(run)
        self.sent.append(sent)
        await self.send(sent)

    async def again(self) -> None:
        if self.sent:
            await self.send(self.random.choice(self.sent))

    async def send(self, sent: Append) -> None:
        answers = [await journal.append(sent) for journal in self.journals]
        assert_same(answers, sent)

    async def fitting(self, run: RunId) -> Append:
        """Return an append that fits the run as it is, or makes it."""
        try:
            row = (await self.journals[0].read(run)).row
        except MakegoodError:
            return self.random_append(run, seq=1, create=self.new_run(self.random.choice("ab")))
        changes = {
            "epoch": row.epoch,
            "worker": row.owner or ALICE,
            "inbox_head": row.inbox_head,
            "inbox_taken": self.random.randint(0, row.inbox_head),
        }
        return self.random_append(run, seq=row.seq + 1, **changes)

    def new_run(self, key: str | None) -> NewRun:
        subject = self.random.choice((None, "customer-1"))
        return new_run(
            key,
            fingerprint=self.random.choice(PLANS),
            subject=subject,
            key_until_ended=self.random.random() < 0.5,
        )

    def moves(self, run: RunId) -> tuple[Move, ...]:
        draw = self.random
        return tuple(
            Move(
                run=run,
                version=draw.randrange(20),
                workflow="place_order",
                origin=draw.choice((None, "CREATED", "VALIDATED")),
                destination=draw.choice(("VALIDATED", "CLOSED")),
                cause=draw.choice((None, "validate")),
                actor=draw.choice((None, "ann")),
                at=Instant(draw.randrange(99)),
            )
            for _ in range(draw.choice((0, 0, 1, 2)))
        )

    def random_append(self, run: RunId, **other: object) -> Append:
        draw = self.random
        fields: dict[str, object] = {
            "seq": draw.randint(2, 4),
            "worker": draw.choice(WORKERS),
            "epoch": 1 if "create" in other else draw.randint(1, 3),
            "summary": draw.choice(SUMMARIES),
            "release": draw.random() < 0.4,
            "wake_at": draw.choice((None, Instant(draw.randint(0, 99)))),
            "progress": draw.random() < 0.5,
            "moves": self.moves(run),
        }
        step = draw.random()
        if step < 0.1:
            fields["writes"] = (Statement("UPDATE stock SET count = count - 1", (), 1),)
        elif step < 0.2:
            fields["local"] = Body(sell)
        if draw.random() < 0.4:
            fields["outgoing"] = tuple(self.outgoing() for _ in range(draw.randint(1, 3)))
        return append(run, **(fields | other))  # type: ignore[arg-type]

    def outgoing(self) -> Outgoing:
        run, refused = self.random.choice(RUNS), self.random.choice((None, b'"refused"'))
        kind = self.random.random()
        if kind < 0.5:
            return self.letters()
        if kind < 0.75:
            return ToRun(run=run, body=b'"hello"', refused=refused)
        return ToStart(
            run=run,
            create=msgspec.structs.replace(
                self.new_run(self.random.choice(("a", "b", None))),
                input_hash=self.random.choice(("hash-1", "hash-2")),
            ),
            body=b'"start"',
            joined=self.random.choice((None, b'"joined"')),
            refused=refused,
        )

    def letters(self) -> Outgoing:
        """Return something about a message, of one type and two keys, or a key that is held."""
        key, node = self.random.choice("ab"), self.random.choice("vw")
        match self.random.randrange(7):
            case 4 | 5:
                root = self.random.choice(RUNS)
                id = str(self.random.randrange(99))
                return Claiming(key=key, id=id, root=root, body=b'"yours"')
            case 6:
                id_or_all = self.random.choice((None, str(self.random.randrange(99))))
                return LettingGo(key=key, id=id_or_all)
            case 0:
                return Waiting(message="Shipped", key=key, node=node, refused=b'"taken"')
            case 1:
                return NoLonger(message="Shipped", key=key, node=node)
            case _:
                return self.letter(key)

    def letter(self, key: str) -> Letter:
        return Letter(
            id=str(self.random.randrange(20)),
            message="Shipped",
            key=key,
            body=b"%d" % self.random.randrange(99),
            until=Instant(self.random.randint(0, 200)),
            is_returned=self.random.random() < 0.2,
        )

    async def send_letter(self) -> None:
        letter, now = self.letter(self.random.choice("ab")), Instant(self.random.randint(0, 99))
        assert_same([await journal.send(letter, now=now) for journal in self.journals], letter)

    async def post(self) -> None:
        key = self.random.choice(("a", "b", None))
        create = self.new_run(key) if self.random.random() < 0.3 else None
        sent = post(self.random.choice(RUNS), at=self.random.randint(0, 99), create=create)
        answers: list[int | Exists | str] = []
        for journal in self.journals:
            try:
                answers.append(await journal.post(sent))
            except MakegoodError as error:
                answers.append(type(error).__name__)
        assert_same(answers, sent)

    async def lease(self) -> None:
        worker = self.random.choice(WORKERS)
        now = Instant(self.random.randint(0, 99))
        plans = self.random.sample(PLANS, 2)
        room = {plan: self.random.choice((0, 1, 9)) for plan in plans}
        limit = self.random.randint(0, 3)
        found = [
            await journal.lease(worker, room=room, limit=limit, now=now)
            for journal in self.journals
        ]
        assert_same([sorted_leases(leases) for leases in found], (worker, now, room, limit))

    async def deliver(self) -> None:
        limit, now = self.random.randint(1, 4), Instant(self.random.randint(0, 99))
        answers = [await journal.deliver(limit=limit, now=now) for journal in self.journals]
        assert_same([(each.count, sorted(each.posted)) for each in answers], (limit, now))

    async def settled(self) -> None:
        assert_same([await journal.settled(RUNS) for journal in self.journals], RUNS)

    async def erase(self) -> None:
        run, seq = self.random.choice(RUNS), self.random.randint(1, 3)
        named, kept = token(), (b"[]",) * seq
        erased = [
            await journal.erase(
                run, seq=seq, appends=kept, last=b"[9]", token=named, now=Instant(9)
            )
            for journal in self.journals
        ]
        assert_same(erased, run)

    async def adopt(self) -> None:
        run, seq = self.random.choice(RUNS), self.random.randint(0, 2)
        plan, other = self.random.sample(PLANS, 2)
        wakes = self.random.choice((False, True))
        adopted = [
            await journal.adopt(
                run, plan=plan, instead_of=other, seq=seq, now=Instant(50), wakes=wakes
            )
            for journal in self.journals
        ]
        assert_same(adopted, (run, seq, plan, other, wakes))

    async def release(self) -> None:
        worker, runs = self.random.choice(WORKERS), self.random.sample(RUNS, 2)
        for journal in self.journals:
            await journal.release(worker, runs, now=Instant(50))

    async def prune(self) -> None:
        before = Instant(self.random.choice((50, 99)))
        pruned = [
            await journal.prune(ended_before=before, limit=1, now=Instant(99))
            for journal in self.journals
        ]
        assert_same(pruned, before)

    async def keep_schedule(self) -> None:
        draw = self.random
        row = ScheduleRow(
            name=draw.choice(("nightly", "hourly")),
            version=draw.randint(1, 4),
            wake_at=draw.choice((None, Instant(draw.randint(0, 99)))),
            body=draw.choice((b"{}", b"[]")),
        )
        assert_same([await journal.keep_schedule(row) for journal in self.journals], row)

    async def forget_schedule(self) -> None:
        if self.random.random() < 0.2:
            gone = [await journal.forget_schedule("nightly") for journal in self.journals]
            assert_same(gone, "a schedule that is forgotten")

    async def halt(self) -> None:
        draw = self.random
        halt = Halt(
            kind=draw.choice(tuple(HaltKind)),
            name=draw.choice("ab"),
            actor=draw.choice(("ann", "breaker")),
            reason="",
            at=Instant(draw.randint(0, 99)),
            until=draw.choice((None, Instant(draw.randint(0, 99)))),
        )
        assert_same([await journal.halt(halt) for journal in self.journals], halt)

    async def unhalt(self) -> None:
        draw = self.random
        kind, name = draw.choice(tuple(HaltKind)), draw.choice("ab")
        lifting = Lifting(actor="bob", reason="", at=Instant(draw.randint(0, 99)))
        of = draw.choice((None, "breaker"))
        lifted = [await journal.unhalt(kind, name, lifting, of=of) for journal in self.journals]
        assert_same(lifted, (kind, name, lifting, of))

    async def crash_free(self) -> None:
        assert [await journal.crashes() for journal in self.journals] == [0, 0, 0]

    async def compare(self) -> None:
        """Compare every row, every append and every inbox, and the application's table."""
        pages = [await journal.list(Filter(limit=100)) for journal in self.journals]
        assert_same([[row.run for row in page.rows] for page in pages], "the listing")
        for shown in pages[0].rows:
            found = [without_lease(await journal.read(shown.run)) for journal in self.journals]
            assert_same(found, shown.run)
        waiting = [await journal.undelivered(limit=999) for journal in self.journals]
        assert_same(waiting, "what is on its way")
        letters = [await journal.letters(limit=999) for journal in self.journals]
        assert_same(letters, "what is kept")
        waiters = [await journal.waiters(limit=999) for journal in self.journals]
        assert_same(waiters, "who waits")
        claims = [await journal.claims(limit=999) for journal in self.journals]
        assert_same(claims, "who holds a key")
        assert_same([await journal.halts() for journal in self.journals], "what is halted")
        await self.compare_stages()
        assert_same([await journal.schedules() for journal in self.journals], "the schedules")
        stock = [await journal.query("SELECT * FROM stock") for journal in self.journals]
        assert_same(stock, "the application's table")

    async def compare_stages(self) -> None:
        """Compare who has which key, where runs stand, and how they came there."""
        for key in "ab":
            found = [await journal.find("place_order", key) for journal in self.journals]
            assert_same(found, f"who has the key {key}")
        for stage in ("CREATED", "VALIDATED", "CLOSED"):
            pages = [await journal.list(Filter(stage=stage)) for journal in self.journals]
            assert_same([[row.run for row in page.rows] for page in pages], stage)
        for run in RUNS:
            moves = [await journal.moves(run, limit=99) for journal in self.journals]
            assert_same(moves, f"the moves of {run}")
        stage_counts = [await journal.stage_counts() for journal in self.journals]
        assert_same(stage_counts, "where runs stand")
        move_counts = [await journal.move_counts(since=Instant(30)) for journal in self.journals]
        assert_same(move_counts, "which moves were made")


def assert_same(answers: Sequence[object], asked: object) -> None:
    for answer in answers[1:]:
        assert answer == answers[0], asked


def sorted_leases(leases: Leases) -> Leases:
    return Leases(
        claimed=tuple(sorted(leases.claimed, key=lambda leased: leased.run)), rung=leases.rung
    )


def without_lease(history: object) -> object:
    """Leave out when a lease ends, which every store counts in its own way."""
    built = msgspec.to_builtins(history)
    if built["row"]["owner"] is not None:
        del built["row"]["wake_at"]
    return built


@pytest.mark.real
@pytest.mark.parametrize("seed", range(30))
async def test_memory_sqlite_and_postgresql_give_the_same_answers(
    seed: int, served: Served
) -> None:
    async with served.lent(lease_seconds=LEASE_SECONDS) as world:
        await play_on_all(seed, world)


async def play_on_all(seed: int, world: PostgresWorld) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory = MemoryJournal(MemoryStore(lease_seconds=LEASE_SECONDS))
        sqlite = SqliteJournal(Path(folder) / "orders.journal")
        player = Player(seed, [memory, sqlite, PostgresJournal(world.place)])
        for journal in player.journals:
            await journal.open(work=True, migrations=(STOCK,))
        try:
            for _ in range(OPERATIONS):
                await player.play()
            await player.compare()
        finally:
            for journal in player.journals:
                await journal.close()
