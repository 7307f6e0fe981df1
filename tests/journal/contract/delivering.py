"""Of what runs say to others: remembered with an append, and delivered once (promises 25 to 29)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.journal.protocol import (
    Applied,
    Conflict,
    Delivered,
    Fenced,
    Leased,
    NewRun,
    Posted,
    Refused,
    Statement,
    ToRun,
    ToStart,
    Undelivered,
)
from makegood.values.instants import Instant
from tests.journal.promises import OTHER, RUN, lease, promise, stock
from tests.journal.records import (
    BOB,
    append,
    first,
    last,
    new_run,
    run_id,
    token,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal, Outgoing
    from makegood.values.ids import RunId
    from tests.journal.records import World

THIRD = run_id(3)


def to_run(run: RunId, body: bytes = b'"hello"', refused: bytes | None = None) -> ToRun:
    return ToRun(run=run, body=body, refused=refused)


def to_start(run: RunId, key: str | None = "child", **other: object) -> ToStart:
    new = {name: other.pop(name) for name in NewRun.__struct_fields__ if name in other}
    fields: dict[str, object] = {"body": b'"start"', "refused": b'"refused"'}
    fields |= other
    return ToStart(run=run, create=new_run(key, **new), **fields)  # type: ignore[arg-type]


async def said(journal: Journal, *entries: Outgoing, by: RunId = RUN) -> None:
    """Let a run that is made by this say something."""
    assert await journal.append(first(by, outgoing=entries)) == Applied()


async def delivered(journal: Journal, *, limit: int = 99, now: int = 7) -> Delivered:
    return await journal.deliver(limit=limit, now=Instant(now))


async def inbox(journal: Journal, run: RunId) -> tuple[Posted, ...]:
    return (await journal.read(run)).inbox


@promise(25)
async def test_what_an_append_has_for_others_is_remembered_in_its_order(journal: Journal) -> None:
    entries = (to_run(OTHER, b"1"), to_start(THIRD), to_run(OTHER, b"2", b"3"))
    await journal.append(first(RUN))

    sent = append(RUN, 2, outgoing=entries)
    assert await journal.append(sent) == Applied()

    assert await journal.undelivered(limit=99) == tuple(
        Undelivered(sender=RUN, at=sent.at, entry=entry) for entry in entries
    )
    assert [each.entry for each in await journal.undelivered(limit=2)] == list(entries[:2])


@promise(25)
async def test_an_append_sent_again_says_nothing_twice(journal: Journal) -> None:
    await journal.append(first(RUN))
    sent = append(RUN, 2, outgoing=(to_run(OTHER),))
    await journal.append(sent)

    assert await journal.append(sent) == Applied()
    assert len(await journal.undelivered(limit=99)) == 1
    await delivered(journal)
    assert await journal.append(sent) == Applied()

    assert await journal.undelivered(limit=99) == ()


@promise(25)
async def test_the_first_append_of_a_run_may_say_something_and_says_it_once(
    journal: Journal,
) -> None:
    sent = first(RUN, "order-1", outgoing=(to_run(OTHER),))

    assert [await journal.append(sent), await journal.append(sent)] == [Applied(), Applied()]

    assert len(await journal.undelivered(limit=99)) == 1


@promise(25)
async def test_what_is_not_written_says_nothing(journal: Journal) -> None:
    await journal.append(first(RUN))
    news = (to_run(OTHER),)

    verdicts = [
        await journal.append(append(RUN, 2, worker=BOB, outgoing=news)),
        await journal.append(append(RUN, 7, outgoing=news)),
        await journal.append(
            append(RUN, 2, outgoing=news, writes=(Statement("SELECT 1 / 0 FROM nowhere"),))
        ),
    ]

    assert [type(verdict) for verdict in verdicts] == [Fenced, Conflict, Refused]
    assert await journal.undelivered(limit=99) == ()


@promise(25)
async def test_what_comes_with_a_steps_statements_is_remembered_with_them(
    journal: Journal,
) -> None:
    await journal.append(first(RUN))
    writes = (Statement("UPDATE stock SET count = count - 1", (), 1),)

    verdict = await journal.append(append(RUN, 2, writes=writes, outgoing=(to_run(OTHER),)))

    assert verdict == Applied()
    assert (await stock(journal), len(await journal.undelivered(limit=99))) == (4, 1)


@promise(25)
async def test_no_other_run_is_touched_before_it_is_delivered(journal: Journal) -> None:
    await journal.append(first(OTHER, release=True))
    before = await journal.read(OTHER)

    await said(journal, to_run(OTHER))

    assert await journal.read(OTHER) == before


@promise(26)
async def test_what_is_delivered_is_posted_once_and_wakes_its_run(journal: Journal) -> None:
    await journal.append(first(OTHER, release=True))
    await said(journal, to_run(OTHER, b"1"), to_run(OTHER, b"2"))

    answers = [await delivered(journal), await delivered(journal)]

    assert answers == [Delivered(count=2, posted=(OTHER,)), Delivered()]
    assert await inbox(journal, OTHER) == (
        Posted(1, b"1", Instant(7)),
        Posted(2, b"2", Instant(7)),
    )
    assert (await journal.read(OTHER)).row.wake_at == 7
    assert await journal.undelivered(limit=99) == ()


@promise(26)
async def test_a_held_run_that_was_given_something_is_rung(journal: Journal) -> None:
    await journal.append(first(OTHER))
    await said(journal, to_run(OTHER))

    await delivered(journal)

    assert (await lease(journal, now=8)).rung == (OTHER,)


@promise(26)
async def test_the_oldest_is_delivered_first_and_no_more_than_was_asked_for(
    journal: Journal,
) -> None:
    await journal.append(first(OTHER))
    await said(journal, to_run(OTHER, b"1"), to_run(OTHER, b"2"))
    await journal.append(append(RUN, 2, outgoing=(to_run(OTHER, b"3"),)))

    answer = await delivered(journal, limit=2)

    assert answer == Delivered(count=2, posted=(OTHER,), has_more=True)
    assert [each.body for each in await inbox(journal, OTHER)] == [b"1", b"2"]
    await delivered(journal)
    assert [each.body for each in await inbox(journal, OTHER)] == [b"1", b"2", b"3"]


@promise(26)
async def test_two_that_deliver_at_the_same_time_deliver_everything_once(world: World) -> None:
    first_one, second = await world.open(), await world.open()
    await first_one.append(first(OTHER))
    await said(first_one, *(to_run(OTHER, b"%d" % n) for n in range(20)))

    for _ in range(20):
        await asyncio.gather(
            first_one.deliver(limit=3, now=Instant(1)), second.deliver(limit=3, now=Instant(1))
        )
        if not await first_one.undelivered(limit=1):
            break

    bodies = [each.body for each in await inbox(first_one, OTHER)]
    assert bodies == [b"%d" % n for n in range(20)]


@promise(26)
async def test_a_run_that_was_started_is_due_and_has_its_start(journal: Journal) -> None:
    await said(journal, to_start(THIRD, subject="customer-1"), to_run(THIRD, b'"hurry"'))

    assert await delivered(journal) == Delivered(count=2, posted=(THIRD,))

    row = (await journal.read(THIRD)).row
    assert (row.workflow, row.key, row.subject) == ("place_order", "child", "customer-1")
    assert (row.status, row.seq, row.epoch, row.owner, row.wake_at) == ("running", 0, 0, None, 7)
    assert [each.body for each in await inbox(journal, THIRD)] == [b'"start"', b'"hurry"']
    claimed = (await lease(journal, now=7)).claimed
    assert claimed == (Leased(run=THIRD, epoch=1, fingerprint="plan-1", claims=1),)


@promise(27)
async def test_what_is_for_a_run_that_is_not_there_is_answered_to_its_sender(
    journal: Journal,
) -> None:
    await said(journal, to_run(OTHER, b"1", b'"nobody there"'), to_run(OTHER, b"2"))

    assert await delivered(journal) == Delivered(count=2, posted=(RUN,))

    assert await inbox(journal, RUN) == (Posted(1, b'"nobody there"', Instant(7)),)


@promise(27)
async def test_what_is_for_a_pruned_run_is_answered_to_its_sender(journal: Journal) -> None:
    await journal.append(first(OTHER, "order-2"))
    await journal.append(last(OTHER, 2, ended_at=1))
    await journal.prune(ended_before=Instant(2), limit=9, now=Instant(3))
    await said(journal, to_run(OTHER, refused=b'"gone"'))

    await delivered(journal)

    assert [each.body for each in await inbox(journal, RUN)] == [b'"gone"']
    assert await inbox(journal, OTHER) == ()


@promise(27)
async def test_an_answer_that_nobody_can_be_given_is_forgotten(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", outgoing=(to_run(OTHER, refused=b'"gone"'),)))
    await journal.append(last(RUN, 2, ended_at=1))
    await delivered(journal)
    await journal.append(first(THIRD, outgoing=(to_run(RUN), to_run(OTHER))))

    assert await delivered(journal) == Delivered(count=2, posted=(RUN,))
    assert await journal.undelivered(limit=99) == ()


@promise(28)
async def test_a_start_whose_key_has_this_very_input_joins_the_run_that_has_it(
    journal: Journal,
) -> None:
    await journal.append(first(OTHER, "child"))
    await said(journal, to_start(THIRD, joined=b'"me too"'))

    assert await delivered(journal) == Delivered(count=1, posted=(OTHER,))

    assert [each.body for each in await inbox(journal, OTHER)] == [b'"me too"']
    assert await inbox(journal, RUN) == ()
    assert await journal.settled([THIRD]) == {THIRD}


@promise(28)
async def test_a_start_that_has_nothing_for_whom_it_joins_posts_nothing(journal: Journal) -> None:
    await journal.append(first(OTHER, "child"))
    await said(journal, to_start(THIRD))

    assert await delivered(journal) == Delivered(count=1)

    assert (await inbox(journal, OTHER), await inbox(journal, RUN)) == ((), ())


@promise(28)
async def test_a_start_that_joins_a_tombstone_is_answered_to_its_sender(journal: Journal) -> None:
    await journal.append(first(OTHER, "child"))
    await journal.append(last(OTHER, 2, ended_at=1))
    await journal.prune(ended_before=Instant(2), limit=9, now=Instant(3))
    await said(journal, to_start(THIRD, joined=b'"me too"'))

    await delivered(journal)

    assert [each.body for each in await inbox(journal, RUN)] == [b'"refused"']


@promise(28)
async def test_a_start_whose_key_has_another_input_is_answered_to_its_sender(
    journal: Journal,
) -> None:
    await journal.append(first(OTHER, "child"))
    await said(journal, to_start(THIRD, input_hash="hash-2"))

    assert await delivered(journal) == Delivered(count=1, posted=(RUN,))

    assert [each.body for each in await inbox(journal, RUN)] == [b'"refused"']
    assert await inbox(journal, OTHER) == ()


@promise(29)
async def test_a_run_with_something_undelivered_is_neither_pruned_nor_erased(
    journal: Journal,
) -> None:
    await journal.append(first(OTHER))
    await said(journal, to_run(OTHER))
    await journal.append(last(RUN, 2, ended_at=1))

    assert await journal.prune(ended_before=Instant(2), limit=9, now=Instant(3)) == 0
    assert not await _erase(journal)
    await delivered(journal)

    assert await _erase(journal)
    assert await journal.prune(ended_before=Instant(2), limit=9, now=Instant(3)) == 1


async def _erase(journal: Journal) -> bool:
    kept = (b"[]", b"[]")
    return await journal.erase(RUN, seq=2, appends=kept, last=b"[]", token=token(), now=Instant(2))
