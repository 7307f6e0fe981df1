"""What runs say to others reaches them: at once, and whoever dies in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood.errors import StoreBusy, StoreFailed, StoreFull
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.journal.protocol import Append, Delivered, ToRun, Verdict
from makegood.runtime.asking.post import UndoPost, write_post
from tests.runtime.trips import book
from tests.runtime.world import turn_of_the_loop, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood import Engine
    from makegood.journal.reply import Reply
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant
    from tests.runtime.world import World

UNDO = write_post(UndoPost("another run", "it has ended"))


class Talkative(MemoryJournal):
    """A journal in which the end of every other run has one undone."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.told: RunId | None = None
        self.rings: Callable[[], None] = lambda: None
        """Called when something was said, as by the turn that says it."""
        self.errors: list[Exception] = []
        self.asked = 0

    def append(self, append: Append) -> Reply[Verdict]:
        if self.told in {None, append.run} or append.summary.ended_at is None:
            return super().append(append)
        assert self.told is not None
        news = ToRun(run=self.told, body=UNDO)
        reply = super().append(msgspec.structs.replace(append, outgoing=(news,)))
        self.rings()
        return reply

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return await super().deliver(limit=limit, now=now)


async def talking(world: World, store: MemoryStore) -> tuple[Engine, Talkative]:
    """Return an engine one of whose runs has ended, and will be told by every other one."""
    journal = Talkative(store)
    engine = await world.engine(book, journal=journal)
    told = await engine.start(book("Oslo"))
    await world.finish(engine, told.result())
    journal.told, journal.rings = told.id, engine._relay.ring
    return engine, journal


async def test_what_a_run_says_is_delivered_before_any_time_has_passed(world: World) -> None:
    engine, _journal = await talking(world, MemoryStore())
    before = world.clock.now()

    await engine.start(book("Rome"))
    await until(lambda: "free" in world.outside.happened)

    assert world.clock.now() == before
    assert world.outside.happened[-3:] == ["recall", "refund", "free"]


async def test_a_store_that_is_busy_or_full_is_asked_again(world: World) -> None:
    engine, journal = await talking(world, MemoryStore())
    journal.errors = [StoreBusy("busy"), StoreFull("full")]

    await engine.start(book("Rome"))
    await world.finish(engine, _comes(world, "free"))

    assert journal.errors == []


async def test_what_a_dead_engine_has_left_is_delivered_by_another_one(world: World) -> None:
    store = MemoryStore()
    engine, journal = await talking(world, store)
    journal.errors = [StoreBusy("busy")] * 99
    run = await engine.start(book("Rome"))
    await world.finish(engine, run.result())
    await world.kill(engine)
    assert len(store.outgoing) == 1

    other = await world.engine(book, journal=MemoryJournal(store))
    await world.finish(other, _comes(world, "free"))

    assert store.outgoing == {}


async def test_an_engine_that_does_not_work_delivers_nothing(world: World) -> None:
    journal = Talkative(MemoryStore())
    engine = await world.engine(journal=journal, work=False)

    world.clock.turn_to_next()
    await until(lambda: engine.is_at_rest)

    assert journal.asked == 0


async def test_an_engine_that_cannot_deliver_any_more_stops(world: World) -> None:
    """To seem alive while runs wait for each other in vain would be worse."""
    engine, journal = await talking(world, MemoryStore())
    journal.errors = [RuntimeError("a defect")]

    await engine.start(book("Rome"))

    with pytest.raises(StoreFailed, match="cannot deliver any more: RuntimeError"):
        await engine.serve_forever()


async def test_an_engine_that_closes_has_delivered_what_its_runs_said(world: World) -> None:
    store = MemoryStore()
    engine, _journal = await talking(world, store)
    run = await engine.start(book("Rome"))
    await until(lambda: world.outside.happened[-1] == "send")

    await world.close(engine)

    assert store.outgoing == {}
    assert store.records[run.id].status == "completed"


async def _comes(world: World, happening: str) -> None:
    while happening not in world.outside.happened:
        await turn_of_the_loop()
