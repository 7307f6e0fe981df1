"""Of stages and of the moves between them (the promises of `KeepsStages`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from makegood.journal.protocol import Applied, Conflict, Filter, Refused, Statement, Summary
from makegood.journal.staging import Move, MoveCount, StageCount
from makegood.values.instants import Instant
from tests.journal.promises import OTHER, RUN, promise, promise_of_stages
from tests.journal.records import Body, append, facts, first, last, post, run_id, token

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from makegood.values.injectable import Transaction
    from tests.journal.records import World


def move(version: int, origin: str | None, destination: str, **other: Any) -> Move:
    fields: dict[str, Any] = {
        "run": RUN,
        "workflow": "place_order",
        "cause": "validate",
        "at": Instant(version),
    }
    return Move(version=version, origin=origin, destination=destination, **(fields | other))


def at(stage: str, since: int = 0, **other: Any) -> Summary:
    fields: dict[str, Any] = {"status": "running"}
    return Summary(stage=stage, stage_since=Instant(since), **(fields | other))


CREATED = move(1, None, "CREATED", cause=None)
VALIDATED = move(2, "CREATED", "VALIDATED", actor="ann")
CLOSED = move(5, "VALIDATED", "CLOSED", cause="timer give_up")


async def moves_of(journal: Journal, run: str = RUN) -> tuple[Move, ...]:
    return await journal.moves(run, limit=99)  # type: ignore[arg-type]


@promise(1)
async def test_the_row_says_where_the_run_stands_and_since_when(journal: Journal) -> None:
    await journal.append(first(RUN, summary=at("CREATED", 3)))
    await journal.append(append(RUN, 2, summary=at("VALIDATED", 4)))
    row = (await journal.read(RUN)).row

    assert (row.stage, row.stage_since) == ("VALIDATED", Instant(4))

    await journal.append(append(RUN, 3, release=True, summary=at("CLOSED", 5, ended_at=Instant(6))))
    row = (await journal.read(RUN)).row
    assert (row.stage, row.stage_since, row.ended_at) == ("CLOSED", Instant(5), Instant(6))


@promise(17)
async def test_runs_are_listed_by_where_they_stand(journal: Journal) -> None:
    for number, stage in ((1, "CREATED"), (2, "VALIDATED"), (3, "CREATED"), (4, None)):
        summary = Summary(status="running", stage=stage, stage_since=Instant(0))
        await journal.append(first(run_id(number), summary=summary))

    page = await journal.list(Filter(stage="CREATED", limit=1))
    rest = await journal.list(Filter(stage="CREATED", after=page.next))

    assert [row.run for row in (*page.rows, *rest.rows)] == [run_id(3), run_id(1)]
    assert (await journal.list(Filter(stage="CREATED", workflow="refund_order"))).rows == ()


@promise_of_stages(1)
async def test_moves_are_remembered_with_their_append_and_seen_by_every_worker(
    world: World,
) -> None:
    alice, bob = await world.open(), await world.open(work=False)

    await alice.append(first(RUN, moves=(CREATED,)))
    await alice.append(append(RUN, 2, moves=(VALIDATED, CLOSED)))

    assert await moves_of(bob) == (CREATED, VALIDATED, CLOSED)
    assert await moves_of(bob, OTHER) == ()


@promise_of_stages(1)
async def test_no_move_is_remembered_of_what_is_not_written(journal: Journal) -> None:
    await journal.append(first(RUN, moves=(CREATED,)))
    await journal.post(post(RUN))
    out_of_stock = Statement("UPDATE stock SET count = -1", (), 1)

    moved = await journal.append(append(RUN, 2, moves=(VALIDATED,)))
    refused = await journal.append(
        append(RUN, 2, moves=(VALIDATED,), inbox_head=1, writes=(out_of_stock,))
    )

    assert moved == Conflict()
    assert isinstance(refused, Refused)
    assert await moves_of(journal) == (CREATED,)


@promise_of_stages(1)
async def test_moves_come_with_a_steps_own_statements_and_with_a_local_steps_body(
    journal: Journal,
) -> None:
    async def sell(transaction: Transaction) -> object:
        return await transaction.execute("UPDATE stock SET count = count - 1")

    await journal.append(first(RUN, moves=(CREATED,)))
    sale = Statement("UPDATE stock SET count = count - 1", (), 1)
    await journal.append(append(RUN, 2, moves=(VALIDATED,), writes=(sale,)))
    await journal.append(append(RUN, 3, moves=(CLOSED,), local=Body(sell)))

    assert await moves_of(journal) == (CREATED, VALIDATED, CLOSED)
    assert await journal.query("SELECT count FROM stock") == [(3,)]


@promise_of_stages(1)
async def test_an_append_that_is_sent_again_adds_no_moves(journal: Journal) -> None:
    sent = first(RUN, moves=(CREATED, VALIDATED))
    await journal.append(sent)

    assert await journal.append(sent) == Applied()
    assert await moves_of(journal) == (CREATED, VALIDATED)


@promise_of_stages(1)
async def test_a_version_has_one_move(journal: Journal) -> None:
    await journal.append(first(RUN, moves=(CREATED,)))

    again = replace(CREATED, destination="VALIDATED")

    assert await journal.append(append(RUN, 2, moves=(again, VALIDATED))) == Applied()
    assert await moves_of(journal) == (CREATED, VALIDATED)


@promise_of_stages(2)
async def test_moves_are_paged_by_their_versions(journal: Journal) -> None:
    await journal.append(first(RUN, moves=(CLOSED, CREATED, VALIDATED)))

    assert await journal.moves(RUN, limit=2) == (CREATED, VALIDATED)
    assert await journal.moves(RUN, after=VALIDATED.version, limit=2) == (CLOSED,)


@promise_of_stages(3)
async def test_what_stands_at_a_stage_is_counted_until_it_ends(journal: Journal) -> None:
    standing = (
        (1, "place_order", at("CREATED", 30)),
        (2, "place_order", at("CREATED", 7, status="parked", reason="in doubt")),
        (3, "place_order", at("CREATED", 7, status="paused")),
        (4, "place_order", at("VALIDATED", 100)),
        (5, "place_order", at("VALIDATED", 20, ended_at=Instant(21))),
        (6, "place_order", Summary(status="running")),
        (7, "refund_order", at("CREATED", 9)),
    )
    for number, workflow, summary in standing:
        await journal.append(first(run_id(number), workflow=workflow, summary=summary))
    created = StageCount(
        workflow="place_order",
        stage="CREATED",
        count=3,
        parked=1,
        paused=1,
        since=Instant(7),
        oldest=run_id(2),
    )
    validated = replace(
        created,
        stage="VALIDATED",
        count=1,
        parked=0,
        paused=0,
        since=Instant(100),
        oldest=run_id(4),
    )
    refund = replace(
        created,
        workflow="refund_order",
        count=1,
        parked=0,
        paused=0,
        since=Instant(9),
        oldest=run_id(7),
    )

    assert await journal.stage_counts() == (created, validated, refund)
    assert await journal.stage_counts("refund_order") == (refund,)
    assert await journal.stage_counts("no_such") == ()


@promise_of_stages(4)
async def test_moves_since_a_moment_are_counted_by_where_they_led(journal: Journal) -> None:
    moves = (
        move(1, None, "CREATED", at=Instant(9)),
        move(2, None, "CREATED", at=Instant(10)),
        move(3, "CREATED", "VALIDATED", at=Instant(11)),
        move(4, "VALIDATED", "CREATED", at=Instant(12)),
        move(5, "CREATED", "VALIDATED", at=Instant(13)),
        move(6, "CREATED", "CLOSED", at=Instant(13), workflow="refund_order"),
    )
    await journal.append(first(RUN, moves=moves))

    def counted(origin: str | None, destination: str, count: int, **other: str) -> MoveCount:
        workflow = other.get("workflow", "place_order")
        return MoveCount(workflow=workflow, origin=origin, destination=destination, count=count)

    of_refunds = counted("CREATED", "CLOSED", 1, workflow="refund_order")
    assert await journal.move_counts(since=Instant(10)) == (
        counted(None, "CREATED", 1),
        counted("CREATED", "VALIDATED", 2),
        counted("VALIDATED", "CREATED", 1),
        of_refunds,
    )
    assert await journal.move_counts("refund_order", since=Instant(10)) == (of_refunds,)
    assert await journal.move_counts("refund_order", since=Instant(14)) == ()


@promise_of_stages(5)
@pytest.mark.parametrize("key", [None, "order-1"])
async def test_pruning_takes_the_moves_of_a_run_along(journal: Journal, key: str | None) -> None:
    await journal.append(first(RUN, key, moves=(CREATED,)))
    await journal.append(last(RUN, 2, ended_at=9, moves=(VALIDATED,)))
    other = replace(CREATED, run=OTHER)
    await journal.append(first(OTHER, moves=(other,)))

    await journal.prune(ended_before=Instant(10), limit=9, now=Instant(99))

    assert await moves_of(journal) == ()
    assert await moves_of(journal, OTHER) == (other,)


@promise_of_stages(5)
async def test_erasing_leaves_where_a_run_was_but_not_why_or_by_whom(journal: Journal) -> None:
    await journal.append(first(RUN, moves=(CREATED, VALIDATED)))
    await journal.append(last(RUN, 2, ended_at=9, moves=(CLOSED,)))

    erased = await journal.erase(
        RUN, seq=2, appends=(b"[]", b"[]"), last=facts("erased"), token=token(), now=Instant(10)
    )

    assert erased
    assert await moves_of(journal) == (
        CREATED,
        replace(VALIDATED, cause=None, actor=None),
        replace(CLOSED, cause=None),
    )
