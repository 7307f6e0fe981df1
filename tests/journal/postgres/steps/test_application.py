"""What may the application's own SQL do in PostgreSQL, and which values come out?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.errors import InvalidInput
from makegood.journal.postgres.steps.guard import Permission, permitted
from makegood.journal.protocol import Applied, Refused, Statement
from tests.journal.promises import RUN
from tests.journal.records import STOCK, append, first

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT $1", "SELECT $1"),
        ("SELECT '?', ?", "SELECT '?', $1"),
        ("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1"),
        (r"SELECT E'\'?', ?", r"SELECT E'\'?', $1"),
        ('SELECT "a?" FROM b WHERE c = ?', 'SELECT "a?" FROM b WHERE c = $1'),
        ("SELECT $$ ? ; $$, ?", "SELECT $$ ? ; $$, $1"),
        ("SELECT $a$ ? $$ ? $a$, ?", "SELECT $a$ ? $$ ? $a$, $1"),
        ("SELECT ? -- why?\n, ?", "SELECT $1 -- why?\n, $2"),
        ("/* ? */ (SELECT ?)", "/* ? */ (SELECT $1)"),
        ("SELECT ' makegood_run ', ?;", "SELECT ' makegood_run ', $1;"),
    ],
)
def test_a_parameter_is_a_question_mark_outside_of_what_is_quoted(sql: str, sent: str) -> None:
    assert permitted(sql, Permission.WRITE, schema="orders") == sent


@pytest.mark.parametrize(
    ("sql", "permission"),
    [
        ("COMMIT", Permission.WRITE),
        ("/* now */ rollback", Permission.WRITE),
        ("SELECT 1; COMMIT", Permission.WRITE),
        ("SELECT 1; SELECT 2", Permission.WRITE),
        ("SET search_path = orders", Permission.WRITE),
        ("CALL anything()", Permission.WRITE),
        ("DO $$ BEGIN END $$", Permission.WRITE),
        ("DROP TABLE stock", Permission.WRITE),
        ("DELETE FROM stock", Permission.READ),
        ("SELECT * FROM orders.run", Permission.READ),
        ("SELECT * FROM ORDERS.run", Permission.READ),
        ('SELECT * FROM "orders"."run"', Permission.READ),
        ("SELECT * FROM makegood_run", Permission.READ),
        ("CREATE TABLE a (b text); COMMIT; CREATE TABLE c (d text)", Permission.DEFINE),
        ("SET search_path = elsewhere", Permission.DEFINE),
        ("DROP TABLE orders.run", Permission.DEFINE),
    ],
)
def test_what_is_the_engines_is_out_of_reach(sql: str, permission: Permission) -> None:
    with pytest.raises(InvalidInput, match="not authorized"):
        permitted(sql, permission, schema="orders")


def test_a_migration_may_have_several_statements_and_any_operator() -> None:
    sql = "CREATE TABLE a (b jsonb CHECK (b ? 'c')); INSERT INTO a VALUES ('{}')"

    assert permitted(sql, Permission.DEFINE, schema="orders") == sql


async def test_values_come_out_as_every_store_has_them(world: PostgresWorld) -> None:
    journal = await world.open()

    rows = await journal.query(
        "SELECT 1::smallint, sum(x), 1.50::numeric, true, NULL, 'tea', decode('00ff', 'hex'), "
        "0.5::float8, DATE '2026-11-21', ?::bigint, ?::text FROM (VALUES (2), (3)) AS t (x)",
        7,
        "é",
    )

    assert rows == [
        (1, 5, "1.50", 1, None, "tea", b"\x00\xff", 0.5, "2026-11-21", 7, "é"),
    ]


async def test_a_value_of_another_type_is_refused_and_not_stored(world: PostgresWorld) -> None:
    journal = await world.open(migrations=(STOCK,))
    await journal.append(first(RUN))
    wrong = Statement("UPDATE stock SET count = ?", ("five",))

    refused = await journal.append(append(RUN, 2, writes=(wrong,)))

    assert isinstance(refused, Refused)
    assert "invalid input for query argument" in refused.reason
    assert await journal.append(append(RUN, 2)) == Applied()
