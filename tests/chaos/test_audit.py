"""The audit finds what it is there to find: each defect is planted in a store, and named."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import apsw
import msgspec
import pytest

from makegood.cli.demo.shop import Day, keep_shop
from makegood.commerce.books import gateway_path
from makegood.commerce.cdnow import Purchase, read_rows, spread
from tests.chaos.audit import Ask, Auditor

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


class Kept(NamedTuple):
    """A store of thirty orders, and what is right about it."""

    path: Path
    ask: Ask
    completed: str
    """An order that was completed."""
    payment: str
    """Its payment at the gateway."""
    rolled_back: str
    """One of which something was undone at the gateway."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    path = tmp_path_factory.mktemp("audit") / "shop.journal"
    known = [row for row in read_rows() if isinstance(row, Purchase)]
    sample = spread(known, 30, seed=1)
    day = Day(
        store=f"sqlite:///{path}",
        gateway=gateway_path(path),
        sample=sample,
        known=sample,
        seed=1,
        faults=0.4,
        at_once=30,
    )
    asyncio.run(keep_shop(day, lambda _news: None, clock=lambda: 0.0))
    with closing(apsw.Connection(str(path))) as shop:
        sql = "SELECT key, id, status, rollback FROM makegood_run WHERE workflow = 'place_order'"
        runs = [tuple(row) for row in shop.execute(sql)]
    with closing(apsw.Connection(str(gateway_path(path)))) as gateway:
        sql = "SELECT reference, id, refunded > 0 FROM sandbox_payment"
        payments = {reference: (payment, back) for reference, payment, back in gateway.execute(sql)}
    ask = Ask(
        store=str(path),
        starts={key: run for key, run, *_ in runs},
        ends={key: (status, rollback) for key, _, status, rollback in runs},
        is_finished=True,
    )
    completed = next(key for key, _, status, _ in runs if status == "completed")
    rolled_back = next(reference for reference, (_, back) in payments.items() if back)
    return Kept(path, ask, completed, payments[completed][0], rolled_back)


@pytest.fixture
def kept(original: Kept, tmp_path: Path) -> Kept:
    for file in original.path.parent.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / original.path.name
    ask = msgspec.structs.replace(original.ask, store=str(path))
    return original._replace(path=path, ask=ask)


def change(path: Path, *statements: str) -> None:
    """Do to a file what no step and no process of ours would."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
        for name in ("makegood_facts_never_change", "makegood_facts_stay"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for sql in statements:
            connection.execute(sql)
            assert connection.changes() > 0 or sql.startswith("PRAGMA"), sql


def found_in(kept: Kept) -> str:
    return "\n".join(Auditor().audit(kept.ask).problems)


@pytest.mark.parametrize("at_rest", [True, False])
def test_nothing_is_wrong_with_a_store_that_was_left_alone(kept: Kept, *, at_rest: bool) -> None:
    auditor = Auditor()
    ask = msgspec.structs.replace(kept.ask, at_rest=at_rest)
    first, second = auditor.audit(ask), auditor.audit(ask)
    assert first == second
    assert first.problems == ()
    assert sum(first.statuses.values()) == 30


@pytest.mark.parametrize("at_rest", [True, False])
def test_an_acknowledged_start_that_is_lost_is_named(kept: Kept, *, at_rest: bool) -> None:
    ask = msgspec.structs.replace(kept.ask, starts={"order-0": "a run"}, at_rest=at_rest)
    (problem,) = Auditor().audit(ask).problems
    assert problem == "the acknowledged start of order-0 as run a run is lost"


@pytest.mark.parametrize("at_rest", [True, False])
def test_an_acknowledged_end_that_is_another_now_is_named(kept: Kept, *, at_rest: bool) -> None:
    ends = {kept.completed: ("failed", "undone")}
    ask = msgspec.structs.replace(kept.ask, ends=ends, at_rest=at_rest)
    (problem,) = Auditor().audit(ask).problems
    assert problem.startswith(f"{kept.completed} was told to have ended ('failed', 'undone')")


def test_a_store_that_is_gone_is_named(kept: Kept) -> None:
    kept.path.unlink()
    assert found_in(kept) == "there is no store, and 30 starts were acknowledged"


def test_a_damaged_file_is_named(kept: Kept) -> None:
    # A page that a check surely reads: of a long value it looks only at the beginning.
    with closing(apsw.Connection(str(kept.path))) as shop:
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'makegood_facts'"
        page = shop.execute(sql).get
    with kept.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    assert "the journal's file is damaged" in found_in(kept)


@pytest.mark.parametrize("at_rest", [True, False])
def test_a_fact_that_changed_since_it_was_seen_is_named(kept: Kept, *, at_rest: bool) -> None:
    auditor = Auditor()
    ask = msgspec.structs.replace(kept.ask, at_rest=at_rest)
    assert auditor.audit(ask).problems == ()
    change(kept.path, "UPDATE makegood_facts SET body = CAST(body || ' ' AS BLOB) WHERE seq = 2")
    assert all(problem.startswith("fact 2 of run") for problem in auditor.audit(ask).problems)


def test_a_fact_that_is_gone_is_named_though_nothing_else_shows_it(kept: Kept) -> None:
    auditor = Auditor()
    assert auditor.audit(kept.ask).problems == ()
    words = words_for(kept)
    change(
        kept.path,
        "DELETE FROM makegood_facts WHERE run = {run} AND seq = "
        "(SELECT seq FROM makegood_run WHERE id = {run})".format_map(words),
        "UPDATE makegood_run SET seq = seq - 1 WHERE id = {run}".format_map(words),
    )
    (problem,) = auditor.audit(kept.ask).problems
    assert problem.startswith("fact ")
    assert problem.endswith("and is None")


def words_for(kept: Kept) -> dict[str, str]:
    """Return what the braces of the planted statements stand for."""
    return {
        "completed": kept.completed,
        "rolled_back": kept.rolled_back,
        "run": f"'{kept.ask.starts[kept.completed]}'",
        "payment": f"'{kept.payment}'",
        "sku": "(SELECT min(sku) FROM shop_stock)",
    }


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM makegood_facts WHERE seq = 3 AND run = {run}", "4 where 3 should be"),
        (
            "UPDATE makegood_facts SET body = CAST(replace(body, '[', "
            '\'[{{"type":"node_done","node":"validate_order"}},\') AS BLOB) '
            "WHERE seq = 4 AND run = {run}",
            "was done 2 times",
        ),
        ("UPDATE makegood_run SET seq = seq + 1 WHERE key = '{completed}'", "and has facts up to"),
        (
            "UPDATE makegood_run SET status = 'running' WHERE key = '{completed}'",
            "is still running",
        ),
        (
            "UPDATE makegood_run SET status = 'parked', reason = NULL WHERE key = '{completed}'",
            "is parked without a reason",
        ),
        ("UPDATE shop_stock SET on_hand = on_hand + 1 WHERE sku = {sku}", "do not agree"),
        (
            "UPDATE shop_shipment SET status = 'recalled' WHERE order_id = '{completed}'",
            "{completed} is completed, and in the books it is",
        ),
        (
            "UPDATE shop_reservation SET status = 'held' WHERE order_id = '{rolled_back}'",
            "{rolled_back} is failed, and in the books it is",
        ),
    ],
)
def test_a_journal_that_says_something_else_is_named(
    kept: Kept, statement: str, problem: str
) -> None:
    words = words_for(kept)
    change(kept.path, statement.format_map(words))
    assert problem.format_map(words) in found_in(kept)


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (
            (
                "INSERT INTO sandbox_payment (id, reference, currency, authorized, created_at) "
                "VALUES ('twice', '{completed}', 'USD', 1, 0)",
                "INSERT INTO sandbox_entry (payment_id, op_id, kind, amount) "
                "VALUES ('twice', 'another key', 'authorize', 1)",
            ),
            "{completed} has 2 payments: ",
        ),
        (
            (
                "INSERT INTO sandbox_entry (payment_id, op_id, kind, amount) "
                "VALUES ({payment}, 'another key', 'refund', 1)",
            ),
            "another key did `refund` for {completed}, and no intent of it is on record",
        ),
        (
            (
                "INSERT INTO sandbox_entry (payment_id, op_id, kind, amount) "
                "VALUES ({payment}, 'another key', 'capture', 1)",
            ),
            "{completed} is completed, and in the books it is (('authorize', 'capture', 'c",
        ),
        (
            ("UPDATE sandbox_payment SET captured = captured - 1 WHERE reference = '{completed}'",),
            "the books do not agree",
        ),
        (
            ("DELETE FROM sandbox_entry WHERE kind = 'capture' AND payment_id = {payment}",),
            "{completed} is completed, and in the books it is (('authorize',),",
        ),
    ],
)
def test_money_that_moved_otherwise_is_named(
    kept: Kept, statements: tuple[str, ...], problem: str
) -> None:
    words = words_for(kept)
    change(gateway_path(kept.path), *(sql.format_map(words) for sql in statements))
    assert problem.format_map(words) in found_in(kept)
