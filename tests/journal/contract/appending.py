"""Of writing: what an append is, alone and among others (promises 1 to 5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.errors import UnknownRun
from makegood.journal.protocol import (
    Applied,
    Conflict,
    Exists,
    Fenced,
    Filter,
    Refused,
    Statement,
    Summary,
)
from makegood.values.instants import Instant
from tests.journal.promises import NONE_LEASED, OTHER, RUN, lease, promise, remembered, stock
from tests.journal.records import (
    ALICE,
    BOB,
    Body,
    append,
    facts,
    first,
    last,
    post,
    run_id,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal


@promise(1)
async def test_an_acknowledged_append_is_read_back_whole(journal: Journal) -> None:
    summary = Summary(status="parked", cause="error", rollback="undone", reason="undo gave up")
    await journal.append(first(RUN, "order-1", input_hash="h", created_at=Instant(3)))

    assert await journal.append(append(RUN, 2, summary=summary)) == Applied()

    history = await journal.read(RUN)
    row = history.row
    assert history.appends == (facts("001/1"), facts("001/2"))
    assert (row.run, row.workflow, row.key, row.input_hash) == (RUN, "place_order", "order-1", "h")
    assert (row.status, row.cause, row.rollback) == ("parked", "error", "undone")
    assert (row.reason, row.seq, row.epoch, row.owner) == ("undo gave up", 2, 1, ALICE)
    assert (row.created_at, row.ended_at, row.pruned_at) == (3, None, None)


@promise(1)
async def test_facts_come_back_byte_for_byte(journal: Journal) -> None:
    odd = '[ {"text": "é\\u0000 – \\"", "n": 1.0e3} ]'.encode()

    await journal.append(first(RUN, facts=odd))

    assert (await journal.read(RUN)).appends == (odd,)


@promise(1)
async def test_a_run_that_ends_says_when_and_wakes_no_more(journal: Journal) -> None:
    await journal.append(first(RUN))

    await journal.append(last(RUN, 2, ended_at=9))

    row = (await journal.read(RUN)).row
    assert (row.status, row.ended_at, row.owner, row.wake_at) == ("completed", 9, None, None)
    assert await lease(journal) == NONE_LEASED


@promise(1)
async def test_a_run_may_begin_again_after_its_end(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.append(append(RUN, 2, summary=Summary(status="completed", ended_at=Instant(9))))

    await journal.append(append(RUN, 3, summary=Summary(status="undoing")))

    row = (await journal.read(RUN)).row
    assert (row.status, row.ended_at, row.owner) == ("undoing", None, ALICE)
    assert (await journal.list(Filter(unfinished=True))).rows == (row,)


@promise(2)
@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"epoch": 2}, Fenced()),
        ({"worker": BOB}, Fenced()),
        ({"seq": 2}, Conflict()),
        ({"seq": 4}, Conflict()),
        ({"inbox_head": 1}, Conflict()),
        ({"epoch": 2, "seq": 9}, Fenced()),
    ],
)
async def test_an_append_that_does_not_fit_its_run_writes_nothing(
    journal: Journal, changed: dict[str, int], verdict: object
) -> None:
    await journal.append(first(RUN))
    await journal.append(append(RUN, 2))
    before = await journal.read(RUN)

    found = await journal.append(append(RUN, **({"seq": 3} | changed)))

    assert found == verdict
    assert await journal.read(RUN) == before


@promise(2)
async def test_an_append_to_a_run_that_is_not_there_is_fenced(journal: Journal) -> None:
    assert await journal.append(append(RUN, 2)) == Fenced()


@promise(2)
async def test_whoever_gave_a_run_back_is_fenced(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.append(append(RUN, 2, release=True))

    assert await journal.append(append(RUN, 3)) == Fenced()


@promise(2)
async def test_a_post_between_decide_and_append_makes_it_a_conflict(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.post(post(RUN))

    assert await journal.append(append(RUN, 2)) == Conflict()
    assert await journal.append(append(RUN, 2, inbox_head=1, inbox_taken=1)) == Applied()


@promise(3)
@pytest.mark.parametrize("released", [False, True])
async def test_an_append_sent_again_is_applied_and_written_once(
    journal: Journal, *, released: bool
) -> None:
    await journal.append(first(RUN))
    again = append(RUN, 2, release=released)

    verdicts = [await journal.append(again) for _ in range(3)]

    assert verdicts == [Applied()] * 3
    assert await remembered(journal, RUN) == (2, (facts("001/1"), facts("001/2")))


@promise(3)
async def test_the_append_that_makes_a_run_may_be_sent_again(journal: Journal) -> None:
    again = first(RUN, "order-1")

    verdicts = await asyncio.gather(*(journal.append(again) for _ in range(3)))

    assert list(verdicts) == [Applied()] * 3
    assert await remembered(journal, RUN) == (1, (facts("001/1"),))


@promise(3)
async def test_a_local_step_sent_again_gives_its_facts_without_running_again(
    journal: Journal,
) -> None:
    body = Body(lambda transaction: transaction.execute("UPDATE stock SET count = count - 1"))
    await journal.append(first(RUN))
    again = append(RUN, 2, local=body)

    verdicts = [await journal.append(again), await journal.append(again)]

    assert verdicts == [Applied(b"[1]")] * 2
    assert (body.times_run, await stock(journal)) == (1, 4)


@promise(4)
async def test_a_new_run_is_leased_to_its_worker_under_epoch_1(journal: Journal) -> None:
    await journal.append(first(RUN))

    row = (await journal.read(RUN)).row
    assert (row.owner, row.epoch, row.claims, row.seq, row.inbox_head) == (ALICE, 1, 0, 1, 0)
    assert await lease(journal, BOB, now=1) == NONE_LEASED


@promise(4)
async def test_a_new_run_can_be_given_back_in_its_first_append(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(50)))

    row = (await journal.read(RUN)).row
    assert (row.owner, row.wake_at) == (None, 50)


@promise(4)
async def test_a_second_run_with_the_same_key_exists_already(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", input_hash="theirs"))

    found = await journal.append(first(OTHER, "order-1", input_hash="mine"))

    assert found == Exists(RUN, "theirs")
    with pytest.raises(UnknownRun):
        await journal.read(OTHER)
    assert await journal.find("place_order", "order-1") == RUN


@promise(4)
async def test_of_many_that_race_for_a_key_one_makes_the_run(journal: Journal) -> None:
    racing = [first(run_id(number), "order-1") for number in range(20)]

    verdicts = await asyncio.gather(*(journal.append(each) for each in racing))

    winner = await journal.find("place_order", "order-1")
    assert winner is not None
    expected = [Applied() if each.run == winner else Exists(winner, "hash-1") for each in racing]
    assert list(verdicts) == expected


@promise(4)
async def test_a_key_is_one_workflows_own_and_may_be_absent(journal: Journal) -> None:
    several = [
        first(run_id(1), "order-1"),
        first(run_id(2), "order-1", workflow="refund"),
        first(run_id(3)),
        first(run_id(4)),
    ]

    assert [await journal.append(each) for each in several] == [Applied()] * 4
    assert await journal.find("refund", "order-1") == run_id(2)
    assert await journal.find("refund", "order-2") is None


@promise(5)
async def test_one_append_that_fails_leaves_the_others_of_its_commit(journal: Journal) -> None:
    runs = [run_id(number) for number in range(50)]
    await asyncio.gather(*(journal.append(first(run)) for run in runs))

    sent = [append(run, 2, epoch=2 if run == runs[20] else 1) for run in runs]
    verdicts = await asyncio.gather(*(journal.append(each) for each in sent))

    assert list(verdicts) == [Fenced() if run == runs[20] else Applied() for run in runs]
    assert [(await journal.read(run)).row.seq for run in runs[19:22]] == [2, 1, 2]


@promise(5)
async def test_appends_of_one_run_that_wait_together_are_applied_in_order(
    journal: Journal,
) -> None:
    sent = [first(RUN), append(RUN, 2), append(RUN, 3), append(RUN, 3), append(RUN, 4)]

    verdicts = await asyncio.gather(*(journal.append(each) for each in sent))

    assert list(verdicts) == [Applied(), Applied(), Applied(), Conflict(), Applied()]
    assert (await journal.read(RUN)).row.seq == 4


@promise(5)
async def test_all_kinds_of_writes_share_a_commit(journal: Journal) -> None:
    await journal.append(first(RUN))
    sold = Statement("UPDATE stock SET count = count - 1")
    refused = Statement("UPDATE stock SET count = -1")
    body = Body(lambda transaction: transaction.execute("UPDATE stock SET count = count - 1"))

    results = await asyncio.gather(
        journal.append(first(run_id(2))),
        journal.append(first(run_id(3), writes=(sold,))),
        journal.post(post(RUN)),
        journal.append(first(run_id(4), writes=(refused,))),
        journal.append(append(run_id(9), 7)),
        journal.append(first(run_id(5), local=body)),
        journal.post(post(RUN)),
    )

    assert isinstance(results[3], Refused)
    expected = [Applied(), Applied(), 1, results[3], Fenced(), Applied(b"[1]"), 2]
    assert list(results) == expected
    assert await stock(journal) == 3
