"""What happens on a bad disk: no room, a failed fsync, a torn write (promise 8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.errors import StoreFailed, StoreFull, UnknownRun
from makegood.journal.protocol import Applied, Statement
from makegood.journal.sqlite.journal import SqliteJournal
from tests.journal.faulty import FaultyDisk
from tests.journal.promises import lease, promise
from tests.journal.records import BOB, STOCK, Body, append, facts, first, post, run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from makegood.values.injectable import Transaction

RUN = run_id(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.journal"


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> FaultyDisk:
    return FaultyDisk(f"faulty-{request.node.name[:80]}")


@pytest.fixture
async def journal(path: Path, disk: FaultyDisk) -> AsyncGenerator[SqliteJournal, None]:
    journal = SqliteJournal(path, vfs=disk.name)
    await journal.open(work=True, migrations=(STOCK,))
    yield journal
    disk.is_full = disk.fails_to_sync = disk.tears_writes = False
    await journal.close()


async def sell(transaction: Transaction) -> object:
    return await transaction.execute("UPDATE stock SET count = count - 1")


@promise(8)
async def test_without_room_nobody_is_acknowledged_and_nothing_is_written(
    journal: SqliteJournal, disk: FaultyDisk
) -> None:
    await journal.append(first(RUN))
    disk.is_full = True

    answers = await asyncio.gather(
        *(journal.append(first(run_id(number))) for number in range(2, 9)),
        journal.append(append(RUN, 2, writes=(Statement("UPDATE stock SET count = 1"),))),
        journal.post(post(RUN)),
        return_exceptions=True,
    )

    assert {type(answer) for answer in answers} == {StoreFull}
    assert (await journal.read(RUN)).appends == (facts("001/1"),)
    with pytest.raises(UnknownRun):
        await journal.read(run_id(2))


@promise(8)
async def test_the_same_appends_succeed_once_there_is_room(
    journal: SqliteJournal, disk: FaultyDisk
) -> None:
    sent = [first(run_id(number)) for number in range(9)]
    body = Body(sell)
    sent.append(first(run_id(10), local=body))
    disk.is_full = True
    refused = await asyncio.gather(*map(journal.append, sent), return_exceptions=True)
    disk.is_full = False

    verdicts = await asyncio.gather(*map(journal.append, sent))

    assert {type(answer) for answer in refused} == {StoreFull}
    assert list(verdicts) == [Applied()] * 9 + [Applied(b"[1]")]
    assert await journal.query("SELECT count FROM stock") == [(4,)]


async def test_a_full_disk_is_never_recorded_as_the_failure_of_a_local_step(
    journal: SqliteJournal, disk: FaultyDisk
) -> None:
    body = Body(sell)
    await journal.append(first(RUN))
    disk.is_full = True

    with pytest.raises(StoreFull):
        await journal.append(append(RUN, 2, local=body))

    assert body.error is None


@promise(8)
@pytest.mark.parametrize("fault", ["fails_to_sync", "tears_writes"])
async def test_after_a_commit_of_unknown_outcome_every_waiter_gets_store_failed(
    journal: SqliteJournal, disk: FaultyDisk, fault: str
) -> None:
    await journal.append(first(RUN))
    setattr(disk, fault, True)

    waiting = [journal.append(first(run_id(number))) for number in range(2, 500)]
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(answer) for answer in answers} == {StoreFailed}
    for later in (
        lambda: journal.append(append(RUN, 2)),
        lambda: journal.post(post(RUN)),
    ):
        with pytest.raises(StoreFailed, match="start the engine again"):
            await later()
    assert not journal.leads


@pytest.mark.parametrize("fault", ["fails_to_sync", "tears_writes"])
async def test_what_was_acknowledged_before_the_fault_is_there_after_a_restart(
    journal: SqliteJournal, disk: FaultyDisk, path: Path, fault: str
) -> None:
    acknowledged = [first(run_id(number)) for number in range(1, 50)]
    await asyncio.gather(*map(journal.append, acknowledged))
    in_doubt = append(RUN, 2)
    setattr(disk, fault, True)
    with pytest.raises(StoreFailed):
        await journal.append(in_doubt)
    await journal.close()
    setattr(disk, fault, False)

    again = SqliteJournal(path)
    await again.open(work=True, migrations=(STOCK,))

    for each in acknowledged:
        assert (await again.read(each.run)).appends[0] == each.facts
    assert len((await again.read(RUN)).appends) in (1, 2)
    assert await again.crashes() == 1
    await again.close()


async def test_a_commit_that_nobody_heard_of_is_found_by_its_token(
    journal: SqliteJournal, disk: FaultyDisk, path: Path
) -> None:
    in_doubt = first(RUN, "order-1")
    disk.fails_to_sync = True
    with pytest.raises(StoreFailed):
        await journal.append(in_doubt)
    await journal.close()

    again = SqliteJournal(path)
    await again.open(work=True, migrations=(STOCK,))
    verdict = await again.append(in_doubt)

    assert verdict == Applied()
    assert (await again.read(RUN)).appends == (in_doubt.facts,)
    await again.close()


async def test_a_journal_that_broke_lets_a_standby_take_over(
    journal: SqliteJournal, disk: FaultyDisk, path: Path
) -> None:
    standby = SqliteJournal(path)
    await standby.open(work=True, migrations=(STOCK,))
    led_before = standby.leads
    await journal.append(first(RUN))
    disk.fails_to_sync = True
    with pytest.raises(StoreFailed):
        await journal.append(append(RUN, 2))

    leases = await lease(standby, BOB)

    assert (led_before, standby.leads) == (False, True)
    assert [leased.run for leased in leases.claimed] == [RUN]
    await standby.close()


@promise(8)
async def test_a_standby_takes_over_once_there_is_room(path: Path, disk: FaultyDisk) -> None:
    """G32, F30: a full disk delays who leads next, and does not end whoever waits for it."""
    leader, standby = SqliteJournal(path), SqliteJournal(path, vfs=disk.name)
    await leader.open(work=True, migrations=(STOCK,))
    await leader.append(first(RUN))
    await standby.open(work=True, migrations=(STOCK,))
    await leader.close()
    disk.is_full = True

    for _ in range(2):
        with pytest.raises(StoreFull):
            await lease(standby, BOB)
    disk.is_full = False
    leases = await lease(standby, BOB)

    assert standby.leads
    assert [leased.run for leased in leases.claimed] == [RUN]
    assert await standby.crashes() == 0
    await standby.close()


async def test_opening_without_room_says_so_and_can_be_tried_again(
    path: Path, disk: FaultyDisk
) -> None:
    before = SqliteJournal(path)
    await before.open(work=True, migrations=(STOCK,))
    await before.close()
    disk.is_full = True

    with pytest.raises(StoreFull):
        await SqliteJournal(path, vfs=disk.name).open(work=True, migrations=(STOCK,))
    disk.is_full = False
    again = SqliteJournal(path, vfs=disk.name)
    await again.open(work=True, migrations=(STOCK,))

    assert again.leads
    await again.close()
