"""`makegood lifecycles`: how many runs stand at which status, how long, and how they move."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from makegood import Census, Move, MoveCount, StageCount
from makegood.cli.app import main
from makegood.cli.lifecycles import counted, listed
from makegood.cli.status import DONE, MISTAKE
from makegood.cli.writing import Look
from makegood.journal.protocol import StoredPlan, Summary
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.picture import text
from makegood.values.instants import Instant
from tests.journal.records import first, run_id
from tests.picture.machine.drawn import INVOICE

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)
MINUTE = 60_000_000
NOW = Instant(200 * MINUTE)
PAYING = StageCount(
    workflow="order",
    stage="PAYMENT_PROCESSING",
    count=1_200,
    parked=3,
    paused=1,
    since=Instant(100 * MINUTE),
    oldest=run_id(1),
)
CREATED = replace(PAYING, stage="CREATED", count=1, parked=0, paused=0, since=NOW, oldest=run_id(2))
BEGAN = MoveCount(workflow="order", origin=None, destination="CREATED", count=30)
PAID = replace(BEGAN, origin="CREATED", destination="PAYMENT_PROCESSING", count=7)
ORDERS = Census(
    lifecycle="order",
    at=NOW,
    since=Instant(140 * MINUTE),
    stages=(CREATED, PAYING),
    moves=(BEGAN, PAID),
)
RETURNS = Census(lifecycle="return", at=NOW, since=Instant(140 * MINUTE), moves=(BEGAN,))


@pytest.fixture
def store(tmp_path: Path) -> str:
    path = tmp_path / "orders.journal"
    asyncio.run(fill(path))
    return str(path)


async def fill(path: Path) -> None:
    journal = SqliteJournal(path)
    await journal.open(work=True)
    for number, workflow, stage in (
        (1, "order", "CREATED"),
        (2, "order", "PAYING"),
        (3, "return", "ASKED"),
    ):
        run = run_id(number)
        moved = Move(
            run=run,
            version=1,
            workflow=workflow,
            origin=None,
            destination=stage,
            cause="start",
            at=Instant(number),
        )
        summary = Summary(status="waiting", stage=stage, stage_since=Instant(number))
        await journal.append(
            first(
                run,
                workflow=workflow,
                fingerprint=INVOICE.fingerprint if workflow == "return" else "gone",
                summary=summary,
                moves=(moved,),
            )
        )
    plan = msgspec.json.encode(INVOICE).decode()
    fingerprint = INVOICE.fingerprint
    await journal.keep_plan(StoredPlan(fingerprint=fingerprint, workflow="return", json=plan))
    await journal.close()


def told(*words: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["lifecycles", *words, "--json"]) == DONE
    return json.loads(capsys.readouterr().out)["lifecycles"]


def test_every_lifecycle_has_a_line_with_its_oldest_run() -> None:
    assert [*listed((ORDERS, RETURNS), HOUR, Look())] == [
        "lifecycle  runs   parked  paused  moves  at one status the longest",
        f"order      1,201  3       1       37     1 h 40 min at PAYMENT_PROCESSING, {run_id(1)}",
        "return     0      0       0       30",
        "",
        "moves are those of the last 1 h",
    ]


def test_one_lifecycle_is_told_by_status_and_by_move() -> None:
    statuses = ("PAYMENT_PROCESSING", "PAID")
    assert [*counted(ORDERS, statuses, HOUR / 2, Look())] == [
        "1,201 runs of order not ended, 3 of them parked",
        "status              runs   parked  paused  longest there  which",
        f"PAYMENT_PROCESSING  1,200  3       1       1 h 40 min     {run_id(1)}",
        "PAID                0",
        f"CREATED             1      0       0       0 ms           {run_id(2)}",
        "",
        "moves in the last 30 min",
        "from         to                  count  an hour",
        "(its start)  CREATED             30     60",
        "CREATED      PAYMENT_PROCESSING  7      14",
    ]


def test_without_moves_it_says_so() -> None:
    found = replace(ORDERS, moves=(), stages=(CREATED,))
    assert [*counted(found, (), HOUR, Look())][-2:] == ["", "no move in the last 1 h"]


def test_the_store_is_counted_as_json(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    (order, returned) = told("--store", store, "--period", "36500d", capsys=capsys)

    assert (order["lifecycle"], order["runs"], order["parked"]) == ("order", 2, 0)
    assert [(each["stage"], each["runs"], each["oldest"]) for each in order["stages"]] == [
        ("CREATED", 1, run_id(1)),
        ("PAYING", 1, run_id(2)),
    ]
    assert order["stages"][0]["since"] == "1970-01-01T00:00:00.000001Z"
    assert [(each["from"], each["to"], each["count"]) for each in order["moves"]] == [
        (None, "CREATED", 1),
        (None, "PAYING", 1),
    ]
    assert returned["lifecycle"] == "return"


def test_one_lifecycle_can_be_named(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = told("return", "--store", store, capsys=capsys)

    assert (found["lifecycle"], found["runs"], found["moves"]) == ("return", 1, [])
    assert tuple(found["statuses"]) == INVOICE.machine.statuses
    assert main(["lifecycles", "return", "--store", store]) == DONE
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 run of return not ended, 0 of them parked"
    # Those that are declared, none of which any run stands at, and one that is so no more.
    names = [line.split()[0] for line in said[2:9]]
    assert names == [*INVOICE.machine.statuses, "ASKED"]


def test_a_name_that_nothing_has_is_a_mistake(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lifecycles", "refund", "--store", store]) == MISTAKE
    assert capsys.readouterr().err == (
        "no run in the journal is of 'refund'; `makegood lifecycles` lists what there is\n"
    )


def test_runs_are_listed_by_where_they_stand(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--store", store, "--stage", "PAYING"]) == DONE
    assert capsys.readouterr().out == (
        "began (UTC)          status             took  run\n"
        f"1970-01-01 00:00:00  waiting at PAYING        {run_id(2)} (order)\n"
    )


def test_a_workflow_is_no_lifecycle(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lifecycles", "place_order", "--store", str(filled)]) == MISTAKE
    assert capsys.readouterr().err == (
        "`place_order` is a workflow and no lifecycle; `makegood runs` lists its runs\n"
    )


def test_a_lifecycle_is_drawn_with_its_runs_counted(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagram", "return", "--store", store]) == DONE
    assert capsys.readouterr().out == text(INVOICE)

    assert main(["diagram", "return", "--store", store, "--census"]) == DONE
    assert "● NEW  the start, no run\n" in capsys.readouterr().out


def test_only_a_lifecycle_has_its_runs_counted_and_only_in_a_store(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = ["diagram", "place_order", "--census"]

    assert main([*drawn, "--store", str(filled)]) == MISTAKE
    assert "a census counts the runs of a lifecycle, and `place_order` is none" in (
        capsys.readouterr().err
    )
    assert main([*drawn, "--app", "tests.cli.shop"]) == MISTAKE
    assert "name it with --store" in capsys.readouterr().err
