"""Of callers without a lease, who leave something for a run (promises 9 to 11)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.errors import UnknownRun
from makegood.journal.protocol import (
    Applied,
    Exists,
    Leased,
    Posted,
    Summary,
)
from makegood.values.instants import Instant
from tests.journal.promises import OTHER, RUN, lease, promise
from tests.journal.records import (
    ALICE,
    append,
    first,
    last,
    post,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal


@promise(9)
async def test_posts_are_numbered_without_gaps_in_their_order(journal: Journal) -> None:
    await journal.append(first(RUN))

    numbers = await asyncio.gather(*(journal.post(post(RUN, b"%d" % n, n)) for n in range(30)))

    history = await journal.read(RUN)
    assert list(numbers) == list(range(1, 31))
    assert history.row.inbox_head == 30
    assert history.inbox == tuple(Posted(n + 1, b"%d" % n, Instant(n)) for n in range(30))


@promise(9)
async def test_a_post_makes_a_run_due_that_nobody_holds(journal: Journal) -> None:
    await journal.append(first(RUN, release=True))

    await journal.post(post(RUN, at=7))

    assert (await journal.read(RUN)).row.wake_at == 7
    assert [leased.run for leased in (await lease(journal, now=7)).claimed] == [RUN]


@promise(9)
async def test_a_post_never_makes_a_run_wait_longer(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(5)))

    await journal.post(post(RUN, at=7))

    assert (await journal.read(RUN)).row.wake_at == 5


@promise(9)
async def test_a_post_leaves_a_held_run_with_its_holder(journal: Journal) -> None:
    await journal.append(first(RUN))
    before = (await journal.read(RUN)).row.wake_at

    await journal.post(post(RUN, at=1))

    row = (await journal.read(RUN)).row
    assert (row.owner, row.wake_at, row.inbox_head) == (ALICE, before, 1)


@promise(10)
async def test_a_post_may_start_a_run_that_anyone_may_take(journal: Journal) -> None:
    start = first(RUN, "order-1").create

    assert await journal.post(post(RUN, b"[]", 4, create=start, status="waiting")) == 1

    row = (await journal.read(RUN)).row
    assert (row.status, row.seq, row.epoch, row.owner) == ("waiting", 0, 0, None)
    assert (row.wake_at, row.inbox_head, row.key) == (4, 1, "order-1")
    claimed = (await lease(journal)).claimed
    assert claimed == (Leased(run=RUN, epoch=1, fingerprint="plan-1", claims=1),)
    taken = append(RUN, 1, inbox_head=1, inbox_taken=1)
    assert await journal.append(taken) == Applied()
    assert (await journal.read(RUN)).inbox == ()


@promise(9)
async def test_what_is_not_taken_stays_in_its_order_and_wakes_nobody_again(
    journal: Journal,
) -> None:
    parked = Summary(status="parked", reason="poison")
    await journal.post(post(RUN, b'"start"', 4, create=first(RUN).create))
    await journal.post(post(RUN, b'"later"', 5))
    await lease(journal)
    left = append(RUN, 1, inbox_head=2, inbox_taken=0, summary=parked, release=True)

    assert await journal.append(left) == Applied()

    assert (await journal.read(RUN)).row.wake_at is None
    assert (await lease(journal)).claimed == ()
    assert await journal.settled([RUN]) == {RUN}
    await journal.post(post(RUN, b'"again"', 9))
    history = await journal.read(RUN)
    assert [each.body for each in history.inbox] == [b'"start"', b'"later"', b'"again"']
    assert (history.row.wake_at, history.row.inbox_head) == (9, 3)
    assert [each.epoch for each in (await lease(journal)).claimed] == [2]
    taken = append(RUN, 2, epoch=2, inbox_head=3, inbox_taken=3)
    assert await journal.append(taken) == Applied()
    assert (await journal.read(RUN)).inbox == ()


@promise(10)
async def test_a_posted_start_finds_its_key_taken(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", input_hash="theirs"))
    start = first(OTHER, "order-1").create

    assert await journal.post(post(OTHER, create=start)) == Exists(RUN, "theirs")

    assert (await journal.read(RUN)).inbox == ()
    with pytest.raises(UnknownRun):
        await journal.read(OTHER)


@promise(10)
async def test_a_start_that_is_posted_again_exists_already(journal: Journal) -> None:
    start = post(RUN, create=first(RUN).create)
    await journal.post(start)

    assert await journal.post(start) == Exists(RUN, "hash-1")


@promise(11)
async def test_a_post_to_a_run_that_is_not_there_is_refused(journal: Journal) -> None:
    with pytest.raises(UnknownRun, match="look at the id"):
        await journal.post(post(RUN))


@promise(11)
async def test_a_run_that_has_ended_may_be_posted_to(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.append(last(RUN, 2, ended_at=2))

    assert await journal.post(post(RUN, at=5)) == 1

    assert [leased.run for leased in (await lease(journal, now=5)).claimed] == [RUN]
