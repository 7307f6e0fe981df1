"""Of local steps, whose body runs in the transaction of their append (promise 7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.errors import InvalidInput, StepTimeout
from makegood.journal.protocol import (
    Applied,
    Fenced,
)
from tests.journal.promises import OTHER, RUN, promise, remembered, stock
from tests.journal.records import (
    Body,
    append,
    facts,
    first,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from makegood.journal.protocol import Journal
    from makegood.values.injectable import Transaction


class Pause:
    """Something other than the transaction to wait for."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def _sell(transaction: Transaction) -> object:
    rows = await transaction.fetch("SELECT count FROM stock WHERE sku = ?", "tea")
    await transaction.execute("UPDATE stock SET count = count - 1 WHERE sku = ?", "tea")
    return rows[0][0]


async def _sell_and_fail(transaction: Transaction) -> object:
    await _sell(transaction)
    message = "no more tea"
    raise ValueError(message)


async def _sell_and_wait(transaction: Transaction) -> object:
    await _sell(transaction)
    await Pause()
    return None


async def _sell_for_ever(transaction: Transaction) -> object:
    await _sell(transaction)
    return await transaction.fetch(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )


async def _write_for_ever(transaction: Transaction) -> object:
    return await transaction.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "INSERT INTO stock SELECT i, i FROM n"
    )


async def _reach_into_the_engine(transaction: Transaction) -> object:
    await _sell(transaction)
    return await transaction.fetch("SELECT * FROM makegood_migration")


async def _commit(transaction: Transaction) -> object:
    await _sell(transaction)
    return await transaction.execute("COMMIT")


async def _end_the_transaction_and_go_on(transaction: Transaction) -> object:
    try:
        await transaction.execute("INSERT OR ROLLBACK INTO stock VALUES ('tea', 1)")
    except Exception:  # noqa: BLE001 - each store has its own
        return await _sell(transaction)
    return None


@promise(7)
async def test_a_local_step_and_its_facts_are_one_commit(journal: Journal) -> None:
    await journal.append(first(RUN))

    assert await journal.append(append(RUN, 2, local=Body(_sell))) == Applied(b"[5]")

    assert await remembered(journal, RUN) == (2, (facts("001/1"), b"[5]"))
    assert await stock(journal) == 4


@promise(7)
@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (Body(_sell_and_fail), ValueError, "no more tea"),
        (Body(_sell_and_wait), InvalidInput, "may await only its transaction"),
        (Body(_sell_for_ever, 0.05), StepTimeout, "longer than 0.05 s"),
        (Body(_write_for_ever, 0.05), StepTimeout, "longer than 0.05 s"),
        (Body(_sell, -1.0), StepTimeout, "longer than"),
        (Body(_reach_into_the_engine), Exception, "prohibited"),
        (Body(_commit), Exception, "not authorized"),
        (Body(_end_the_transaction_and_go_on), InvalidInput, "rolled the transaction back"),
    ],
)
async def test_a_local_step_that_fails_writes_only_that_it_failed(
    journal: Journal, body: Body, error: type[Exception], message: str
) -> None:
    await journal.append(first(RUN))

    failed, neighbour = await asyncio.gather(
        journal.append(append(RUN, 2, local=body)), journal.append(first(OTHER))
    )

    assert (failed, neighbour) == (Applied(facts("failed")), Applied())
    assert isinstance(body.error, error)
    assert message in str(body.error)
    assert await remembered(journal, RUN) == (2, (facts("001/1"), facts("failed")))
    assert await journal.query("SELECT * FROM stock") == [("tea", 5)]


@promise(7)
async def test_what_ends_a_process_passes_through_a_local_step(journal: Journal) -> None:
    async def leave(transaction: Transaction) -> object:
        await _sell(transaction)
        raise asyncio.CancelledError

    await journal.append(first(RUN))

    with pytest.raises(asyncio.CancelledError):
        await journal.append(append(RUN, 2, local=Body(leave)))

    assert await remembered(journal, RUN) == (1, (facts("001/1"),))
    assert await stock(journal) == 5


@promise(7)
async def test_a_transaction_is_of_no_use_after_its_step(journal: Journal) -> None:
    kept: list[Transaction] = []

    async def keep(transaction: Transaction) -> object:
        kept.append(transaction)
        return None

    await journal.append(first(RUN, local=Body(keep)))

    with pytest.raises(InvalidInput, match="ended with its step"):
        await kept[0].execute("DELETE FROM stock")


@promise(7)
async def test_a_local_step_of_a_stale_holder_is_not_run(journal: Journal) -> None:
    body = Body(_sell)
    await journal.append(first(RUN))

    assert await journal.append(append(RUN, 2, epoch=2, local=body)) == Fenced()

    assert body.times_run == 0
