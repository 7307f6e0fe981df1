"""`makegood stuck`: what nothing will wake, what is stranded, and what waits for a person."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, FOUND, MISTAKE
from tests.cli.shop import run_id

PARKED = """\
began (UTC)          reason        run                  what is left
2020-05-05 00:03:03  undo gave up  place_order/order-4  charge
2020-05-05 00:02:00  in doubt      place_order/order-3  charge
"""

NOT_GIVEN = "the run was not given the input `order_id`, which is taken now"


def change(store: str, sql: str, *parameters: object) -> None:
    """Do to a journal what no engine does."""
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(sql, parameters)


# Any: JSON.
def found(store: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Return the status and what is found, each run by its id."""
    status = main(["stuck", "--store", store, "--json"])
    told = json.loads(capsys.readouterr().out)
    return status, {group: [run["run"] for run in runs] for group, runs in told.items()}


def test_parked_runs_are_shown_and_are_no_trouble(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stuck", "--store", store]) == DONE
    assert capsys.readouterr().out == (
        "nothing will wake: none\n"
        "stranded, for they fit no known program: none\n"
        "parked, to wait for a person: 2\n"
        f"{PARKED}"
    )


def test_a_program_that_serves_the_workflow_strands_nothing(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stuck", "--store", store, "--app", "tests.cli.shop:place_order"]) == DONE
    assert "stranded, for they fit no known program: none" in capsys.readouterr().out


def test_a_program_that_serves_something_else_strands_what_is_unfinished(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stuck", "--store", store, "--app", "makegood.commerce"]) == FOUND
    assert capsys.readouterr().out == (
        "nothing will wake: none\n"
        "stranded, for they fit no known program: 3\n"
        "began (UTC)          status   run                  difference\n"
        f"2020-05-05 00:04:05  waiting  place_order/order-5  {NOT_GIVEN}\n"
        f"2020-05-05 00:03:03  parked   place_order/order-4  {NOT_GIVEN}\n"
        f"2020-05-05 00:02:00  parked   place_order/order-3  {NOT_GIVEN}\n"
        "\n"
        "parked, to wait for a person: 2\n"
        f"{PARKED}"
    )


def test_a_run_that_nothing_will_wake_is_found(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, "UPDATE makegood_run SET wake_at = NULL WHERE id = ?", run_id(5))
    assert found(store, capsys) == (
        FOUND,
        {
            "unwoken": [run_id(5)],
            "stranded": [],
            "parked": [run_id(4), run_id(3)],
            "paused": [],
            "halts": [],
        },
    )


def test_a_run_whose_plan_the_journal_lacks_is_stranded(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, "DELETE FROM makegood_plan")
    status, groups = found(store, capsys)
    assert status == FOUND
    assert groups["stranded"] == [run_id(5), run_id(4), run_id(3)]


def test_the_json_says_what_is_left_of_a_parked_run(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stuck", "--store", store, "--json"]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert {run["run"]: (run["reason"], run["left"], run["problem"]) for run in told["parked"]} == {
        run_id(4): ("undo gave up", ["charge"], None),
        run_id(3): ("in doubt", ["charge"], None),
    }


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("no.such.module", "the module `no.such.module` cannot be imported: ModuleNotFoundError"),
        ("", "the module `` cannot be imported: ValueError: Empty module name"),
        ("tests.cli.shop:nothing", "`tests.cli.shop` has no `nothing`; name a workflow in it"),
        ("tests.cli.shop:fill", "--app tests.cli.shop:fill is no workflow and holds none"),
        ("tests.cli.shop:FATES", "--app tests.cli.shop:FATES is no workflow and holds none"),
        ("tests.cli.broken", "`tests.cli.broken` cannot be imported: ZeroDivisionError: integer"),
    ],
)
def test_a_program_that_cannot_be_found_is_a_mistake(
    place: str, sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stuck", "--store", store, "--app", place]) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
