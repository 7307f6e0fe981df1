"""`makegood runs`: which runs, the newest first, page by page."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from makegood.cli.app import main
from makegood.cli.runs import listed, listing
from makegood.cli.status import DONE, MISTAKE
from makegood.cli.writing import Look
from makegood.journal.protocol import RunRow
from makegood.journal.sqlite.rows import HELD
from makegood.values.ids import WorkerId
from makegood.values.instants import Instant
from tests.cli.shop import place_order, run_id

ALL = """\
began (UTC)          status                took    run
2020-05-05 00:04:05  waiting                       place_order/order-5
2020-05-05 00:03:03  parked, undo gave up          place_order/order-4
2020-05-05 00:02:00  parked, in doubt              place_order/order-3
2020-05-05 00:00:59  failed, error         1.26 s  place_order/order-2
2020-05-04 23:59:58  completed             1.26 s  place_order/order-1
"""


def keys(store: str, *words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the keys of the runs that are listed."""
    assert main(["runs", "--store", store, "--json", *words]) == DONE
    return [run["key"] for run in json.loads(capsys.readouterr().out)["runs"]]


def test_all_runs_are_listed_with_the_newest_first(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--store", store]) == DONE
    assert capsys.readouterr().out == ALL


def test_an_address_means_the_same_as_a_path(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--store", f"sqlite:///{store}"]) == DONE
    assert capsys.readouterr().out == ALL


def test_a_page_says_where_the_next_one_begins(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--store", store, "--limit", "2"]) == DONE
    assert (
        capsys.readouterr().out
        == f"""\
began (UTC)          status                took  run
2020-05-05 00:04:05  waiting                     place_order/order-5
2020-05-05 00:03:03  parked, undo gave up        place_order/order-4

there are more; the next page: --after {run_id(4)}
"""
    )
    assert main(["runs", "--store", store, "--limit", "3", "--after", run_id(4)]) == DONE
    assert (
        capsys.readouterr().out
        == """\
began (UTC)          status            took    run
2020-05-05 00:02:00  parked, in doubt          place_order/order-3
2020-05-05 00:00:59  failed, error     1.26 s  place_order/order-2
2020-05-04 23:59:58  completed         1.26 s  place_order/order-1
"""
    )


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        (["--status", "parked"], ["order-4", "order-3"]),
        (["--status", "completed", "--status", "failed"], ["order-2", "order-1"]),
        (["--cause", "error"], ["order-4", "order-2"]),
        (["--reason", "in doubt"], ["order-3"]),
        (["--workflow", "place_order", "--limit", "1"], ["order-5"]),
        (["--workflow", "another"], []),
        (["--older-than", "7d"], ["order-5", "order-4", "order-3", "order-2", "order-1"]),
        (["--newer-than", "7d"], []),
        (["--status", "failed", "--older-than", "1.5h"], ["order-2"]),
    ],
)
def test_only_runs_of_which_all_options_hold_are_listed(
    words: list[str], listed: list[str], store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys(store, *words, capsys=capsys) == listed


def test_the_json_is_one_object_with_the_runs_and_the_next_page(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--store", store, "--json", "--status", "parked", "--limit", "1"]) == DONE
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert json.loads(told) == {
        "runs": [
            {
                "run": run_id(4),
                "workflow": "place_order",
                "key": "order-4",
                "fingerprint": place_order.plan.fingerprint,
                "status": "parked",
                "cause": "error",
                "rollback": None,
                "reason": "undo gave up",
                "claims": 0,
                "stage": None,
                "began": "2020-05-05T00:03:03.786000Z",
                "ended": None,
                "wakes": None,
            }
        ],
        "next": run_id(4),
    }


def test_nothing_found_is_said_in_words(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--store", store, "--workflow", "another"]) == DONE
    assert capsys.readouterr().out == "there are no such runs\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--limit", "0"], "a page of 0 runs; ask for 1 to 200"),
        (["--limit", "201"], "a page of 201 runs; ask for 1 to 200"),
        (["--after", "yesterday"], "'yesterday' is not a run id"),
        (["--status", "sleeping"], 'Invalid value "sleeping" for --status. Choose from: "running"'),
        (["--newer-than=-2h"], "Give a duration from 0s to 36500d"),
        (["--older-than", "99999999d"], "Give a duration from 0s to 36500d"),
        (["--older-than", "soon"], 'unable to convert "soon" into timedelta'),
    ],
)
def test_what_cannot_be_is_a_mistake(
    words: list[str], sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--store", store, *words]) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


ROW = RunRow(
    run=run_id(1),
    workflow="注文\u202e",
    key=None,
    fingerprint="0",
    input_hash="0",
    status="parked",
    cause=None,
    rollback=None,
    reason="in doubt",
    seq=1,
    inbox_head=0,
    epoch=1,
    claims=0,
    owner=None,
    wake_at=Instant(1_500_000),
    created_at=Instant(0),
    ended_at=None,
    pruned_at=None,
)


def test_the_wake_time_of_a_run_that_is_held_is_none_of_a_persons_business() -> None:
    assert listed(ROW).wakes == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert listed(replace(ROW, wake_at=None)).wakes is None
    assert listed(replace(ROW, owner=WorkerId("w"), wake_at=HELD)).wakes is None


def test_a_run_without_a_key_is_named_by_its_id_and_nothing_of_a_name_is_obeyed() -> None:
    keyed = replace(ROW, key="令和 7", status="completed", reason=None)
    assert [*listing([ROW, keyed], Look(is_coloured=True))] == [
        "\x1b[2mbegan (UTC)          status            took  run\x1b[0m",
        f"1970-01-01 00:00:00  parked, in doubt        {run_id(1)} (注文\\u202e)",
        "1970-01-01 00:00:00  completed               注文\\u202e/令和 7",
    ]
