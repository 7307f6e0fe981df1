"""Of who listens: the promise 24."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.values.instants import Instant
from tests.journal.contract.lanes.post import (
    CHARGE,
    listens,
    message,
    promise_of_messages,
    publish,
    subscribe,
    take,
)
from tests.journal.records import AFTER_EVERY_LEASE, ALICE, BOB

if TYPE_CHECKING:
    from makegood.journal.messages import KeepsMessages
    from tests.journal.records import World


@promise_of_messages(24)
async def test_one_worker_listens_under_a_name_until_it_says_otherwise(
    post: KeepsMessages,
) -> None:
    assert await listens(post, ALICE)
    assert not await listens(post, BOB)
    assert await listens(post, ALICE, now=11)
    assert await listens(post, BOB, name="another")

    await post.release_listening("bus", BOB, now=Instant(12))
    assert not await listens(post, BOB, now=12)
    await post.release_listening("bus", ALICE, now=Instant(13))

    assert await listens(post, BOB, now=13)
    assert not await listens(post, ALICE, now=14)
    await post.release_listening("nobody does", ALICE, now=Instant(15))


@promise_of_messages(24)
async def test_of_workers_that_claim_at_once_one_listens(world: World) -> None:
    one, two = await world.open(), await world.open()
    claiming = [(one, ALICE), (two, BOB)] * 5

    claimed = await asyncio.gather(*(listens(each.messages, worker) for each, worker in claiming))

    who = {worker for (_, worker), is_told in zip(claiming, claimed, strict=True) if is_told}
    assert len(who) == 1


@promise_of_messages(24)
async def test_after_the_death_of_whoever_listened_another_one_may(world: World) -> None:
    one, two = await world.open(), await world.open()
    assert await listens(one.messages, ALICE)
    assert not await listens(two.messages, BOB)

    await world.kill(one)

    assert await listens(two.messages, BOB, now=AFTER_EVERY_LEASE)
    assert await listens(two.messages, BOB, now=AFTER_EVERY_LEASE + 1)


@promise_of_messages(24)
async def test_to_listen_is_nothing_that_is_to_be_given_to_anybody(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    assert await listens(post, ALICE)
    await publish(post, message("a"))

    held = await take(post, ALICE)

    assert [each.id.recipient for each in held] == [CHARGE]
    assert [each.recipient for each in await post.lag()] == [CHARGE]
    assert await listens(post, ALICE)
