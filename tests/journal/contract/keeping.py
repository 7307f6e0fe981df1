"""Of what is kept: pruning, erasing, migrations, crashes, and the end (promises 21 to 24)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.errors import EngineClosed, StoreRefused, UnknownRun
from makegood.journal.protocol import (
    Applied,
    Exists,
    Filter,
    Migration,
    Summary,
)
from makegood.values.instants import Instant
from tests.journal.promises import OTHER, RUN, lease, promise, stock
from tests.journal.records import (
    STOCK,
    World,
    append,
    facts,
    first,
    last,
    post,
    run_id,
    token,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal


@promise(21)
async def test_pruning_removes_what_ended_before_the_moment(journal: Journal) -> None:
    for number, ended_at in ((1, 10), (2, 20), (3, 30)):
        await journal.append(first(run_id(number)))
        await journal.append(last(run_id(number), 2, ended_at=ended_at))
    await journal.append(first(run_id(4)))

    assert await journal.prune(ended_before=Instant(30), limit=1, now=Instant(99)) == 1
    assert await journal.prune(ended_before=Instant(30), limit=9, now=Instant(99)) == 1
    assert await journal.prune(ended_before=Instant(30), limit=9, now=Instant(99)) == 0

    page = await journal.list(Filter())
    assert [row.run for row in page.rows] == [run_id(4), run_id(3)]
    assert (await journal.read(run_id(3))).appends == (facts("003/1"), facts("003/2"))


@promise(21)
async def test_a_pruned_run_with_a_key_keeps_its_row_so_that_its_key_stays_taken(
    journal: Journal,
) -> None:
    await journal.append(first(RUN, "order-1"))
    await journal.append(last(RUN, 2, ended_at=10))

    await journal.prune(ended_before=Instant(11), limit=9, now=Instant(99))

    history = await journal.read(RUN)
    assert (history.appends, history.inbox, history.row.status) == ((), (), "completed")
    assert history.row.pruned_at == Instant(99)
    assert await journal.append(first(OTHER, "order-1")) == Exists(RUN, "hash-1")
    assert await journal.prune(ended_before=Instant(11), limit=9, now=Instant(99)) == 0
    with pytest.raises(UnknownRun):
        await journal.post(post(RUN))


@promise(21)
async def test_what_is_left_of_a_pruned_run_tells_nothing_of_its_subject(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", subject="customer-1"))
    await journal.append(last(RUN, 2, ended_at=10))

    await journal.prune(ended_before=Instant(11), limit=9, now=Instant(99))

    assert (await journal.read(RUN)).row.subject is None
    assert (await journal.list(Filter(subject="customer-1"))).rows == ()


@promise(21)
async def test_an_append_sent_again_does_not_bring_back_what_was_pruned(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1"))
    again = last(RUN, 2, ended_at=10)
    await journal.append(again)
    await journal.prune(ended_before=Instant(11), limit=9, now=Instant(99))

    assert await journal.append(again) == Applied()

    assert (await journal.read(RUN)).appends == ()


@promise(21)
async def test_what_somebody_holds_or_was_posted_to_is_not_pruned(journal: Journal) -> None:
    ended = Summary(status="completed", ended_at=Instant(2))
    await journal.append(first(run_id(1)))
    await journal.append(append(run_id(1), 2, summary=ended))
    await journal.append(first(run_id(2)))
    await journal.append(last(run_id(2), 2, ended_at=2))
    await journal.post(post(run_id(2)))

    assert await journal.prune(ended_before=Instant(99), limit=9, now=Instant(99)) == 0


ERASED = b'[["erased"]]'


@promise(22)
async def test_erasing_replaces_the_facts_of_an_ended_run_and_adds_one(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1", subject="customer-1"))
    await journal.append(last(RUN, 2, ended_at=10))

    done = await journal.erase(
        RUN, seq=2, appends=(b"[1]", b"[2]"), last=ERASED, token=token(), now=Instant(99)
    )

    history = await journal.read(RUN)
    assert done
    assert (history.appends, history.inbox) == ((b"[1]", b"[2]", ERASED), ())
    assert (history.row.status, history.row.subject, history.row.seq) == ("erased", None, 3)
    assert history.row.ended_at == 10
    assert await journal.append(first(OTHER, "order-1")) == Exists(RUN, "hash-1")
    assert (await journal.list(Filter(subject="customer-1"))).rows == ()


@promise(22)
async def test_what_moves_or_has_moved_is_not_erased(journal: Journal) -> None:
    ended = Summary(status="completed", ended_at=Instant(2))
    await journal.append(first(run_id(1)))
    await journal.append(first(run_id(2), summary=ended))
    await journal.append(first(run_id(3)))
    await journal.append(last(run_id(3), 2, ended_at=2))
    await journal.append(first(run_id(4), summary=ended, release=True))
    await journal.post(post(run_id(4)))

    async def erase(number: int) -> bool:
        return await journal.erase(
            run_id(number), seq=1, appends=(b"[]",), last=ERASED, token=token(), now=Instant(9)
        )

    assert [await erase(number) for number in (1, 2, 3, 4, 5)] == [False] * 5
    assert (await journal.read(run_id(3))).appends == (facts("003/1"), facts("003/2"))


@promise(22)
async def test_an_erased_run_is_pruned_like_another(journal: Journal) -> None:
    await journal.append(first(RUN))
    await journal.append(last(RUN, 2, ended_at=10))
    await journal.erase(
        RUN, seq=2, appends=(b"[]", b"[]"), last=ERASED, token=token(), now=Instant(99)
    )

    assert await journal.prune(ended_before=Instant(11), limit=9, now=Instant(99)) == 1


@promise(23)
async def test_each_migration_is_applied_once_and_in_order(world: World) -> None:
    more = Migration(owner="shop", number=2, sql="INSERT INTO stock VALUES ('milk', 2)")

    for migrations in ((STOCK,), (STOCK, more), (STOCK, more)):
        journal = await world.open(migrations=migrations)
        await journal.close()

    journal = await world.open(migrations=(STOCK, more))
    assert await journal.query("SELECT * FROM stock ORDER BY sku") == [("milk", 2), ("tea", 5)]


@promise(23)
@pytest.mark.parametrize(
    ("migrations", "message"),
    [
        ((), None),
        ((STOCK, Migration(owner="shop", number=3, sql="SELECT 1")), "from 1 to 3"),
        ((Migration(owner="shop", number=2, sql="SELECT 1"),), "from 0 to 2"),
        ((STOCK, Migration(owner="shop", number=2, sql="CREATE nonsense")), "migration 2 of"),
        ((STOCK, Migration(owner="shop", number=2, sql="COMMIT")), "not authorized"),
        (
            (STOCK, Migration(owner="shop", number=2, sql="CREATE TABLE makegood_x (a TEXT)")),
            "not authorized",
        ),
        ((STOCK, Migration(owner="shop", number=2, sql="DELETE FROM makegood_migration")), "not a"),
    ],
)
async def test_a_migration_that_cannot_be_applied_changes_nothing(
    world: World, migrations: tuple[Migration, ...], message: str | None
) -> None:
    if message is not None:
        with pytest.raises(StoreRefused, match=message):
            await world.open(migrations=migrations)

    journal = await world.open(migrations=(STOCK,))
    assert await stock(journal) == 5


@promise(23)
async def test_tables_newer_than_the_program_are_refused(world: World) -> None:
    more = Migration(owner="shop", number=2, sql="CREATE TABLE more (a TEXT)")
    newer = await world.open(migrations=(STOCK, more))
    await newer.close()

    with pytest.raises(StoreRefused, match="at 2 and this program knows only 1"):
        await world.open(migrations=(STOCK,))


@promise(24)
async def test_an_orderly_end_is_no_crash(world: World) -> None:
    journal = await world.open()
    await journal.close()

    assert await (await world.open()).crashes() == 0


async def test_closing_finishes_what_waits(world: World) -> None:
    journal = await world.open()
    waiting = [journal.append(first(run_id(number))) for number in range(20)]

    await journal.close()

    assert [await each for each in waiting] == [Applied()] * 20


async def test_a_closed_journal_answers_nothing_more(world: World) -> None:
    journal = await world.open()
    await journal.close()
    await journal.close()

    for call in (
        lambda: journal.append(first(RUN)),
        lambda: journal.post(post(RUN)),
        lambda: journal.read(RUN),
        lambda: lease(journal),
        lambda: journal.list(Filter()),
        lambda: journal.query("SELECT 1"),
        journal.crashes,
    ):
        with pytest.raises(EngineClosed):
            await call()
    assert not journal.leads


async def test_an_append_to_a_closed_journal_is_answered_where_its_verdict_would_be(
    world: World,
) -> None:
    journal = await world.open()
    await journal.close()

    reply = journal.append(first(RUN))

    assert isinstance(reply.exception(), EngineClosed)
