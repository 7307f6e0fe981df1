"""Who is rung when something was left, how often, and what happens to a ring that is lost?"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from makegood.journal.postgres.working.doorbell import listening_place
from makegood.values.instants import Instant
from tests.journal.postgres.served import eventually
from tests.journal.promises import OTHER, RUN, lease
from tests.journal.records import ALICE, BOB, append, first, last, post, run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from makegood.values.ids import WorkerId
    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

RINGS_A_SECOND_MAX = 50


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    async with served.lent() as world:
        yield world


class Ear:
    """A worker that listens, and how often it was rung."""

    def __init__(self, world: PostgresWorld, place: Place | None = None) -> None:
        self.journal = PostgresJournal(place or world.place)
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1

    async def has_heard(self, rings: int) -> None:
        """Wait until it was rung so often."""

        async def is_so() -> bool:
            return self.rings >= rings

        await eventually(is_so)


@asynccontextmanager
async def listening(world: PostgresWorld, worker: WorkerId) -> AsyncGenerator[Ear, None]:
    """Return a worker that listens already, and was rung once because it had not before."""
    ear = Ear(world)
    await ear.journal.open(work=True, ring=ear.ring)
    try:
        await lease(ear.journal, worker, now=0)
        await ear.has_heard(1)
        yield ear
    finally:
        await ear.journal.close()


@pytest.fixture
async def ears(world: PostgresWorld) -> AsyncGenerator[tuple[Ear, Ear], None]:
    """Alice and Bob, who listen."""
    async with listening(world, ALICE) as alice, listening(world, BOB) as bob:
        yield alice, bob


async def test_a_post_rings_whoever_holds_the_run_and_nobody_else(
    world: PostgresWorld, ears: tuple[Ear, Ear]
) -> None:
    alice, bob = ears
    client = await world.open(work=False)
    await alice.journal.append(first(RUN))

    await client.post(post(RUN))
    await alice.has_heard(2)
    await client.post(post(OTHER, create=first(OTHER).create))
    await bob.has_heard(2)
    await alice.has_heard(3)

    # Rings are heard in their order, so that the first one was not for Bob.
    assert (alice.rings, bob.rings) == (3, 2)


async def test_who_posts_to_its_own_run_rings_nobody(world: PostgresWorld) -> None:
    async with listening(world, ALICE) as alice, hearing(world) as heard:
        await alice.journal.append(first(RUN))

        await alice.journal.post(post(RUN))
        await alice.journal.release(ALICE, (RUN,), now=Instant(5))

        async def has_heard() -> bool:
            return bool(heard)

        await eventually(has_heard)
        # Rings are heard in their order.
        assert heard == ["due"]


async def post_a_start(journal: PostgresJournal) -> object:
    return await journal.post(post(OTHER, create=first(OTHER).create))


async def post_to_what_nobody_holds(journal: PostgresJournal) -> object:
    return await journal.post(post(RUN))


async def hand_back(journal: PostgresJournal) -> object:
    await journal.append(first(OTHER))
    return await journal.release(ALICE, (OTHER,), now=Instant(5))


async def give_back_what_is_due(journal: PostgresJournal) -> object:
    await journal.append(first(OTHER))
    return await journal.append(append(OTHER, 2, release=True, wake_at=Instant(2)))


@pytest.mark.parametrize(
    "leave", [post_a_start, post_to_what_nobody_holds, hand_back, give_back_what_is_due]
)
async def test_anybody_is_rung_when_a_run_is_due_that_nobody_holds(
    world: PostgresWorld, leave: Callable[[PostgresJournal], Awaitable[object]]
) -> None:
    journal = await world.open()
    await journal.append(first(RUN, release=True))
    async with listening(world, BOB) as bob:
        await leave(journal)

        await bob.has_heard(2)


async def test_nobody_is_rung_for_what_is_settled_or_due_later(
    world: PostgresWorld, ears: tuple[Ear, Ear]
) -> None:
    alice, bob = ears
    await alice.journal.append(first(RUN))
    await alice.journal.append(last(RUN, 2, ended_at=2))
    await alice.journal.append(first(OTHER))
    await alice.journal.append(append(OTHER, 2, release=True, wake_at=Instant(99)))
    await alice.journal.post(post(RUN))
    await bob.has_heard(2)

    assert bob.rings == 2


async def test_rings_are_gathered_however_much_is_left(world: PostgresWorld) -> None:
    client = await world.open(work=False)
    async with hearing(world) as heard:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(200):
            run = run_id(number)
            await client.post(post(run, create=first(run).create))
        # Closing rings what is still to be rung.
        await client.close()
        seconds = loop.time() - begun

        async def has_heard() -> bool:
            return bool(heard)

        await eventually(has_heard)

    assert 1 <= len(heard) <= seconds * RINGS_A_SECOND_MAX + 2
    assert set(heard) == {"due"}


@asynccontextmanager
async def hearing(world: PostgresWorld) -> AsyncGenerator[list[str], None]:
    """Return everything that is said at the door, as somebody hears it who is no worker."""
    heard: list[str] = []

    def take(_connection: object, _process: int, _channel: str, whom: str) -> None:
        heard.append(whom)

    async with world.outside() as connection:
        await connection.add_listener(world.place.schema, take)
        yield heard
        await connection.remove_listener(world.place.schema, take)


async def test_who_has_lost_the_line_listens_again_and_asks_for_what_it_missed(
    world: PostgresWorld,
) -> None:
    """F53: and again, however often."""
    client = await world.open(work=False)
    async with listening(world, BOB) as bob:
        for times in range(3):
            rings = bob.rings
            cut = await world.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1",
                f'LISTEN "{world.place.schema}"',
            )
            assert len(cut) == 1
            await bob.has_heard(rings + 1)
            await client.post(post(run_id(times), create=first(run_id(times)).create))
            await bob.has_heard(rings + 2)


async def test_behind_a_pooler_a_worker_listens_where_it_is_told_to(served: Served) -> None:
    world = await served.world(pooled=True)
    world.place = replace(world.place, listen_dsn=world.place.dsn)
    async with listening(world, BOB) as bob:
        await (await world.open(work=False)).post(post(RUN, create=first(RUN).create))

        await bob.has_heard(2)
    await world.close()


def test_nothing_listens_at_a_pooler() -> None:
    direct = Place(dsn="postgresql://db/shop")
    pooled = replace(direct, pooled=True)

    assert listening_place(direct) == direct
    assert listening_place(pooled) is None
    told = listening_place(replace(pooled, listen_dsn="postgresql://direct/shop"))
    assert told is not None
    assert (told.dsn, told.pooled) == ("postgresql://direct/shop", False)
