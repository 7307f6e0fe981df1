"""Of keys that a run has only until it ends (promises 31 and 32)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.errors import UnknownRun
from makegood.journal.protocol import Applied, Exists, Filter, Summary, ToStart
from makegood.values.instants import Instant
from tests.journal.promises import OTHER, RUN, lease, promise
from tests.journal.records import (
    BOB,
    append,
    first,
    last,
    new_run,
    post,
    run_id,
    token,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from tests.journal.records import World

THIRD = run_id(3)
ENDED = Summary(status="completed", ended_at=Instant(9))


@promise(31)
async def test_a_key_until_the_end_is_taken_while_its_run_has_not_ended(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", key_until_ended=True))

    again = first(OTHER, "order-1", key_until_ended=True)
    posted = post(THIRD, create=new_run("order-1", key_until_ended=True))

    assert await journal.append(again) == Exists(RUN, "hash-1")
    assert await journal.post(posted) == Exists(RUN, "hash-1")
    assert [row.run for row in (await journal.list(Filter())).rows] == [RUN]


async def test_runs_are_found_by_their_key_also_when_they_have_it_no_more(
    journal: Journal,
) -> None:
    await journal.append(first(RUN, "order-1", key_until_ended=True))
    await journal.append(last(RUN, 2, ended_at=9))
    await journal.append(first(OTHER, "order-1"))
    await journal.append(first(THIRD, "order-2"))

    page = await journal.list(Filter(workflow="place_order", key="order-1"))

    assert [row.run for row in page.rows] == [OTHER, RUN]
    assert (await journal.list(Filter(key="order-3"))).rows == ()


@promise(31)
async def test_the_append_that_ends_the_run_frees_its_key(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", key_until_ended=True))
    await journal.append(last(RUN, 2, ended_at=9))

    again = first(OTHER, "order-1", key_until_ended=True)

    assert await journal.append(again) == Applied()
    assert await journal.append(first(THIRD, "order-1")) == Exists(OTHER, "hash-1")


@promise(31)
async def test_a_post_starts_a_run_under_a_key_that_is_free_again(journal: Journal) -> None:
    await journal.post(post(RUN, create=new_run("order-1", key_until_ended=True)))
    await lease(journal, BOB)
    await journal.append(
        append(RUN, 1, worker=BOB, summary=ENDED, inbox_head=1, inbox_taken=1, release=True)
    )

    started = await journal.post(post(OTHER, create=new_run("order-1", key_until_ended=True)))

    assert started == 1
    assert (await journal.read(OTHER)).row.key == "order-1"


@promise(31)
async def test_what_a_run_starts_takes_a_key_that_is_free_again(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", key_until_ended=True, summary=ENDED, release=True))
    create = new_run("order-1", key_until_ended=True)
    to_start = ToStart(run=OTHER, create=create, body=b'"start"', refused=b'"no"')
    await journal.append(first(THIRD, outgoing=(to_start,)))

    delivered = await journal.deliver(limit=9, now=Instant(1))

    assert delivered.posted == (OTHER,)
    assert await journal.find("place_order", "order-1") == OTHER


@promise(31)
async def test_a_run_that_goes_on_after_its_end_has_its_key_no_more(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", key_until_ended=True))
    await journal.append(append(RUN, 2, summary=ENDED))
    await journal.append(first(OTHER, "order-1", key_until_ended=True))

    undoing = await journal.append(append(RUN, 3, summary=Summary(status="undoing")))
    undone = await journal.append(append(RUN, 4, summary=ENDED))

    assert (undoing, undone) == (Applied(), Applied())
    assert await journal.append(first(THIRD, "order-1")) == Exists(OTHER, "hash-1")
    assert await journal.find("place_order", "order-1") == OTHER


@promise(31)
async def test_a_run_that_ends_as_it_begins_needs_its_key_all_the_same(journal: Journal) -> None:
    ends = first(RUN, "order-1", key_until_ended=True, summary=ENDED, release=True)
    await journal.append(ends)
    await journal.append(first(OTHER, "order-1", key_until_ended=True))

    too_late = first(THIRD, "order-1", key_until_ended=True, summary=ENDED, release=True)

    assert await journal.append(too_late) == Exists(OTHER, "hash-1")
    assert await journal.append(ends) == Applied()


@promise(31)
async def test_of_two_starts_that_race_for_a_freed_key_one_is_the_run(world: World) -> None:
    alice, bob = await world.open(), await world.open(work=False)
    await alice.append(first(RUN, "order-1", key_until_ended=True))
    named = token()

    ended, appended, posted = await asyncio.gather(
        alice.append(last(RUN, 2, ended_at=9)),
        alice.append(first(OTHER, "order-1", key_until_ended=True, token=named)),
        bob.post(post(THIRD, create=new_run("order-1", key_until_ended=True))),
    )

    holder = await alice.find("place_order", "order-1")
    assert ended == Applied()
    started = {OTHER: appended == Applied(), THIRD: posted == 1}
    assert [run for run, is_started in started.items() if is_started] in ([holder], [])
    assert holder in (RUN, OTHER, THIRD)
    rows = (await alice.list(Filter(unfinished=True))).rows
    assert [row.run for row in rows] == ([] if holder == RUN else [holder])


@promise(31)
async def test_a_run_whose_key_is_free_again_is_pruned_whole(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", key_until_ended=True))
    await journal.append(last(RUN, 2, ended_at=9))

    assert await journal.prune(ended_before=Instant(10), limit=9, now=Instant(99)) == 1

    assert await journal.find("place_order", "order-1") is None
    with pytest.raises(UnknownRun):
        await journal.read(RUN)


@promise(32)
async def test_who_has_a_key_is_found_before_those_who_had_it(journal: Journal) -> None:
    for number in (2, 3):
        await journal.append(first(run_id(number), "order-1", key_until_ended=True))
        await journal.append(last(run_id(number), 2, ended_at=9))
    assert await journal.find("place_order", "order-1") == THIRD

    await journal.append(first(RUN, "order-1", key_until_ended=True))

    assert await journal.find("place_order", "order-1") == RUN
    assert await journal.find("refund_order", "order-1") is None
