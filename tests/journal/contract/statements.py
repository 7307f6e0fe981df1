"""Of a step's own statements in its append (promise 6)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from makegood.journal.protocol import (
    Applied,
    Migration,
    Refused,
    Statement,
)
from tests.journal.promises import OTHER, RUN, promise, remembered, stock
from tests.journal.records import (
    STOCK,
    World,
    append,
    facts,
    first,
    run_id,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal


@promise(6)
async def test_writes_are_applied_with_their_append(journal: Journal) -> None:
    sold = Statement("UPDATE stock SET count = count - ? WHERE sku = ?", (2, "tea"), expect_rows=1)

    assert await journal.append(first(RUN, writes=(sold,))) == Applied()

    assert await stock(journal) == 3


@promise(6)
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (Statement("UPDATE stock SET count = -1"), "CHECK constraint failed|check constraint"),
        (Statement("UPDATE stock SET count = 1 WHERE sku = 'gin'", (), 1), "changed 0 rows, not 1"),
        (Statement("UPDATE absent SET count = 1"), 'no such table|"absent" does not exist'),
        (Statement("UPDATE stock SET count = ?"), "number of bindings|no parameter|expects 1 arg"),
        (Statement("INSERT INTO stock VALUES ('tea', 1)"), "UNIQUE constraint|unique constraint"),
        (Statement("INSERT OR ROLLBACK INTO stock VALUES ('tea', 1)"), "UNIQUE|syntax error"),
        (Statement("COMMIT"), "not authorized"),
        (Statement("ROLLBACK"), "not authorized"),
        (Statement("SAVEPOINT mine"), "not authorized"),
        (Statement("PRAGMA synchronous = 0"), "not authorized"),
        (Statement("ATTACH ':memory:' AS other"), "not authorized"),
        (Statement("DROP TABLE stock"), "not authorized"),
        (Statement("DELETE FROM makegood_migration"), "not authorized"),
        (Statement("DELETE FROM stock WHERE (SELECT 1 FROM MAKEGOOD_migration)"), "not authorized"),
    ],
)  # fmt: skip
async def test_a_refused_statement_refuses_the_whole_append(
    journal: Journal, statement: Statement, reason: str
) -> None:
    await journal.append(first(RUN))
    sold = Statement("UPDATE stock SET count = count - 1")

    refused, neighbour = await asyncio.gather(
        journal.append(append(RUN, 2, writes=(sold, statement))), journal.append(first(OTHER))
    )

    assert isinstance(refused, Refused)
    assert re.search(reason, refused.reason), refused.reason
    assert neighbour == Applied()
    assert await remembered(journal, RUN) == (1, (facts("001/1"),))
    assert await stock(journal) == 5


@promise(6)
async def test_a_constraint_that_is_looked_at_last_refuses_only_its_own_append(
    world: World,
) -> None:
    parts = Migration(
        owner="shop",
        number=2,
        sql="CREATE TABLE part (sku TEXT REFERENCES stock DEFERRABLE INITIALLY DEFERRED)",
    )
    journal = await world.open(migrations=(STOCK, parts))
    orphan = Statement("INSERT INTO part VALUES ('gin')")
    good = Statement("INSERT INTO part VALUES ('tea')")

    refused, plain, applied = await asyncio.gather(
        journal.append(first(run_id(1), writes=(orphan,))),
        journal.append(first(run_id(2))),
        journal.append(first(run_id(3), writes=(good,))),
    )

    assert isinstance(refused, Refused)
    assert "foreign key constraint" in refused.reason.lower()
    assert (plain, applied) == (Applied(), Applied())
    assert await journal.query("SELECT sku FROM part") == [("tea",)]
