"""`makegood check` and `makegood export`: what a new version would strand, and what shows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR, MISTAKE
from makegood.testing import replay
from tests.cli.checking import changed
from tests.cli.shop import place_order, run_id

if TYPE_CHECKING:
    from pathlib import Path

CHANGED = "tests.cli.checking.changed"
DIFFERENCE = "`hold_stock` has begun, and waits for `ask` now, which has not happened"


def test_a_program_that_has_not_changed_strands_nothing(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "tests.cli.shop:place_order", "--against", store]) == DONE
    assert capsys.readouterr().out == "place_order: runs that would be stranded: none\n"


@pytest.mark.parametrize("name", ["place_order", "engine"])
def test_a_program_that_has_changed_is_told_which_runs_it_strands_and_why(
    name: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", f"{CHANGED}:{name}", "--against", store]) == ERROR
    assert capsys.readouterr().out == (
        "began (UTC)          status   run                  difference\n"
        f"2020-05-05 00:04:05  waiting  place_order/order-5  {DIFFERENCE}\n"
        f"2020-05-05 00:03:03  parked   place_order/order-4  {DIFFERENCE}\n"
        f"2020-05-05 00:02:00  parked   place_order/order-3  {DIFFERENCE}\n"
        "\n"
        "place_order: runs that would be stranded: 3\n"
    )


def test_a_program_reads_what_would_be_stranded_as_json(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", CHANGED, "--against", store, "--json"]) == ERROR
    told = json.loads(capsys.readouterr().out)
    assert told["workflows"] == ["place_order"]
    assert [
        (each["run"], each["difference"], each["fact"], each["node"]) for each in told["stranded"]
    ] == [(run_id(number), DIFFERENCE, 2, "hold_stock") for number in (5, 4, 3)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nowhere"], "check: the module `nowhere` cannot be imported"),
        ([f"{CHANGED}:tea"], f"check {CHANGED}:tea: `{CHANGED}` has no `tea`; name an engine or a"),
        (["json"], "check json declares no workflow; name one, or the engine that serves them"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    words: list[str], why: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words, "--against", store]) == MISTAKE
    told = capsys.readouterr()
    assert told.err.startswith(why)
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_what_is_exported_can_be_replayed(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["place_order/order-1", run_id(3), run_id(1)]
    assert main(["export", *names, "--store", store]) == DONE
    path = tmp_path / "runs.jsonl"
    path.write_text(capsys.readouterr().out)

    assert [json.loads(line)["type"] for line in path.read_text().splitlines()] == [
        "plan",
        "run",
        "run",
    ]
    assert replay(place_order, path) == 2
    with pytest.raises(AssertionError, match="order-1, fact 2") as caught:
        replay(changed.place_order, path)
    assert str(caught.value).count(DIFFERENCE) == 2


def test_nothing_to_export_is_a_mistake(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--store", store]) == MISTAKE
    assert "name the runs to export" in capsys.readouterr().err
    assert main(["export", run_id(99), "--store", store]) == MISTAKE
