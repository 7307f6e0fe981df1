"""Of reading runs, listings, queries and plans (promises 16 to 20)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.errors import InvalidInput, UnknownRun
from makegood.journal.protocol import (
    Filter,
    Posted,
    StoredPlan,
    Summary,
    ToStart,
)
from makegood.values.instants import Instant
from tests.journal.promises import RUN, promise, stock
from tests.journal.records import (
    append,
    first,
    last,
    new_run,
    post,
    run_id,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from makegood.values.ids import RunId


@promise(16)
async def test_a_run_that_is_not_there_cannot_be_read(journal: Journal) -> None:
    with pytest.raises(UnknownRun, match="look at the id"):
        await journal.read(RUN)


@promise(16)
async def test_what_was_taken_has_left_the_inbox(journal: Journal) -> None:
    await journal.append(first(RUN))
    for number in range(4):
        await journal.post(post(RUN, b"%d" % number))

    await journal.append(append(RUN, 2, inbox_head=4, inbox_taken=3))

    history = await journal.read(RUN)
    assert history.inbox == (Posted(4, b"3", Instant(0)),)
    assert history.row.inbox_head == 4


@promise(16)
async def test_several_runs_are_read_at_once_those_left_out_that_are_not_there(
    journal: Journal,
) -> None:
    for number in (1, 2, 3):
        await journal.append(first(run_id(number)))
    await journal.append(append(run_id(2), 2))
    await journal.post(post(run_id(3)))

    found = await journal.read_all([run_id(number) for number in (3, 9, 2)])

    apart = [await journal.read(run_id(number)) for number in (2, 3)]
    assert sorted(found, key=lambda history: history.row.run) == apart
    assert await journal.read_all(()) == ()


@promise(17)
async def test_pages_show_every_run_once_with_the_newest_first(journal: Journal) -> None:
    await asyncio.gather(*(journal.append(first(run_id(number))) for number in range(25)))

    seen: list[RunId] = []
    sizes = []
    page = await journal.list(Filter(limit=10))
    while True:
        sizes.append(len(page.rows))
        seen.extend(row.run for row in page.rows)
        await journal.append(first(run_id(100 + len(sizes))))
        if page.next is None:
            break
        page = await journal.list(Filter(limit=10, after=page.next))

    assert sizes == [10, 10, 5]
    assert seen == [run_id(number) for number in reversed(range(25))]


@promise(17)
@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (Filter(), [4, 3, 2, 1]),
        (Filter(statuses=frozenset({"parked"})), [2]),
        (Filter(statuses=frozenset({"parked", "failed"})), [3, 2]),
        (Filter(statuses=frozenset({"parked", "running"})), [4, 2, 1]),
        (Filter(causes=frozenset({"error"})), [3, 2]),
        (Filter(reasons=frozenset({"poison"})), [2]),
        (Filter(workflow="refund"), [4]),
        (Filter(created_before=Instant(3)), [2, 1]),
        (Filter(created_after=Instant(3)), [4, 3]),
        (Filter(created_after=Instant(2), created_before=Instant(4)), [3, 2]),
        (Filter(unfinished=True), [4, 2, 1]),
        (Filter(unfinished=False), [3]),
        (Filter(unfinished=True, workflow="place_order", limit=1), [2]),
        (Filter(statuses=frozenset({"nothing"})), []),
    ],
)
async def test_a_listing_shows_what_every_field_of_its_filter_allows(
    journal: Journal, wanted: Filter, shown: list[int]
) -> None:
    parked = Summary(status="parked", cause="error", reason="poison")
    failed = Summary(status="failed", cause="error", rollback="undone", ended_at=Instant(9))
    for number, other in (
        (1, {}),
        (2, {"summary": parked}),
        (3, {"summary": failed}),
        (4, {"workflow": "refund"}),
    ):
        await journal.append(first(run_id(number), created_at=Instant(number), **other))

    page = await journal.list(wanted)

    assert [row.run for row in page.rows] == [run_id(number) for number in shown]


@promise(17)
async def test_a_listing_shows_the_runs_that_are_about_somebody(journal: Journal) -> None:
    await journal.append(first(run_id(1), subject="customer-1"))
    await journal.append(first(run_id(2), subject="customer-2"))
    await journal.post(post(run_id(3), create=new_run(subject="customer-1")))
    await journal.append(first(run_id(4)))

    page = await journal.list(Filter(subject="customer-1"))

    assert [(row.run, row.subject) for row in page.rows] == [
        (run_id(3), "customer-1"),
        (run_id(1), "customer-1"),
    ]


@promise(33)
async def test_a_listing_shows_the_runs_that_belong_together(journal: Journal) -> None:
    belongs = {"correlation": "order-7", "causation": "message-1"}
    await journal.append(first(run_id(1), **belongs))
    await journal.append(first(run_id(2), correlation="order-8"))
    await journal.post(post(run_id(3), create=new_run(**belongs)))
    await journal.append(first(run_id(4), causation="nightly"))
    await journal.append(first(run_id(5)))
    create = new_run(**belongs, created_at=Instant(1))
    await journal.append(
        append(run_id(5), 2, outgoing=(ToStart(run=run_id(6), create=create, body=b"1"),))
    )
    await journal.deliver(limit=9, now=Instant(1))

    page = await journal.list(Filter(correlation="order-7"))

    assert [(row.run, row.correlation, row.causation) for row in page.rows] == [
        (run_id(number), "order-7", "message-1") for number in (6, 3, 1)
    ]
    rows = {row.run: row for row in (await journal.list(Filter())).rows}
    assert (rows[run_id(4)].correlation, rows[run_id(4)].causation) == (None, "nightly")
    assert (rows[run_id(5)].correlation, rows[run_id(5)].causation) == (None, None)


@promise(33)
async def test_starts_that_wait_together_keep_apart_what_they_belong_to(journal: Journal) -> None:
    begun = [
        first(run_id(n), correlation=f"order-{n}") if n % 2 else first(run_id(n)) for n in range(9)
    ]
    posts = [post(run_id(20 + n), create=new_run(f"k{n}", causation=f"m{n}")) for n in range(5)]
    taken = post(run_id(30), create=new_run("k1", correlation="never"))

    await asyncio.gather(
        *(journal.append(each) for each in begun), *(journal.post(each) for each in posts)
    )
    await asyncio.gather(journal.post(taken), journal.append(begun[1]))

    rows = {row.run: row for row in (await journal.list(Filter())).rows}
    assert [rows[run_id(n)].correlation for n in range(9)] == [
        f"order-{n}" if n % 2 else None for n in range(9)
    ]
    assert [rows[run_id(20 + n)].causation for n in range(5)] == [f"m{n}" for n in range(5)]
    assert (await journal.list(Filter(correlation="never"))).rows == ()


@promise(19)
async def test_runs_are_settled_that_ended_or_are_parked_or_are_not_there(
    journal: Journal,
) -> None:
    parked = Summary(status="parked", reason="in doubt")
    await journal.append(first(run_id(1)))
    await journal.append(first(run_id(2), summary=parked, release=True))
    await journal.append(first(run_id(3)))
    await journal.append(last(run_id(3), 2, ended_at=9))

    asked = [run_id(number) for number in (1, 2, 3, 4)]

    assert await journal.settled(asked) == {run_id(2), run_id(3), run_id(4)}
    assert await journal.settled(()) == frozenset()


@promise(17)
async def test_a_listing_shows_runs_that_nothing_wakes_and_runs_that_were_posted_to(
    journal: Journal,
) -> None:
    ended = Summary(status="completed", ended_at=Instant(9))
    parked = Summary(status="parked", reason="in doubt")
    await journal.append(first(run_id(1)))
    await journal.append(first(run_id(2), summary=parked, release=True))
    await journal.append(first(run_id(3), summary=ended, release=True))
    await journal.append(first(run_id(4), release=True, wake_at=Instant(5)))
    for number in (1, 3):
        await journal.post(post(run_id(number), b"1"))

    async def shown(wanted: Filter) -> list[RunId]:
        return [row.run for row in (await journal.list(wanted)).rows]

    assert await shown(Filter(wakeless=True)) == [run_id(2)]
    assert await shown(Filter(posted=True)) == [run_id(3), run_id(1)]
    assert await shown(Filter(posted=True, wakeless=True)) == []
    assert await shown(Filter(posted=True, unfinished=True)) == [run_id(1)]
    await journal.append(append(run_id(1), 2, inbox_head=1, inbox_taken=1, release=True))
    assert await shown(Filter(wakeless=True)) == [run_id(2), run_id(1)]
    assert await shown(Filter(posted=True)) == [run_id(3)]


@promise(18)
async def test_a_query_reads_the_applications_tables(journal: Journal) -> None:
    rows = await journal.query("SELECT sku, count FROM stock WHERE count > ?", 4)

    assert rows == [("tea", 5)]


@promise(18)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE stock SET count = 0",
        "DELETE FROM stock",
        "DROP TABLE stock",
        "SELECT * FROM makegood_migration",
        "PRAGMA query_only = 0",
        "BEGIN",
        "SELECT * FROM absent",
        "SELECT ?",
        "not SQL",
    ],
)
async def test_a_query_cannot_write_or_look_into_the_engine(journal: Journal, sql: str) -> None:
    with pytest.raises(InvalidInput, match="a query reads the application's own tables"):
        await journal.query(sql)

    assert await stock(journal) == 5


@promise(20)
async def test_a_plan_is_kept_once_under_its_fingerprint(journal: Journal) -> None:
    plan = StoredPlan(fingerprint="plan-1", workflow="place_order", json="{}")

    await journal.keep_plan(plan)
    await journal.keep_plan(StoredPlan(fingerprint="plan-1", workflow="other", json="[]"))

    assert await journal.plan("plan-1") == plan
    assert await journal.plan("plan-2") is None
