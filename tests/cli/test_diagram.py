"""`makegood diagram`: a workflow as declared, from a program or a journal; or a run as executed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, MISTAKE
from makegood.picture import chart, mermaid, svg, text
from tests.cli.shop import place_order, run_id
from tests.cli.test_show import timeline_of

APP = "tests.cli.shop"
FINGERPRINT = place_order.plan.fingerprint


@pytest.mark.parametrize("name", ["place_order", f"place_order@{FINGERPRINT}"])
def test_a_workflow_is_drawn_from_the_journal_without_its_program(
    name: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagram", name, "--store", store]) == DONE
    assert capsys.readouterr().out == text(place_order)


@pytest.mark.parametrize("name", ["place_order", f"place_order@{FINGERPRINT}"])
@pytest.mark.parametrize("app", [APP, f"{APP}:place_order", f"{APP}:WORKFLOWS"])
def test_a_workflow_is_drawn_from_its_program_without_a_journal(
    name: str, app: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagram", name, "--app", app, "--format", "mermaid"]) == DONE
    assert capsys.readouterr().out == mermaid(place_order)


@pytest.mark.parametrize("run", [run_id(3), "place_order/order-3"])
@pytest.mark.parametrize("app", [[], ["--app", APP]])
def test_a_run_is_drawn_as_it_was_executed(
    run: str, app: list[str], store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagram", run, "--store", store, *app]) == DONE
    assert capsys.readouterr().out == text(asyncio.run(timeline_of(store, run_id(3))))


def test_a_drawing_is_written_to_a_file(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "order.svg"
    command = ["diagram", run_id(4), "--store", store, "--format", "svg", "--output", str(output)]
    assert main(command) == DONE
    assert output.read_text(encoding="utf-8") == svg(asyncio.run(timeline_of(store, run_id(4))))
    assert capsys.readouterr().out == ""


def test_a_run_is_drawn_along_its_time(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagram", run_id(3), "--store", store, "--format", "chart"]) == DONE
    assert capsys.readouterr().out == chart(asyncio.run(timeline_of(store, run_id(3))))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["place_order", "--format", "chart"], "a chart shows a run along its time"),
        (["nothing"], "the journal has no workflow 'nothing'"),
        (["place_order@0123456789abcdef"], "the journal has no workflow 'place_order@0123456789a"),
        ([f"another@{FINGERPRINT}"], "the journal has no workflow 'another@"),
        (["place_order/order-9"], "no run 'place_order/order-9' is in the journal"),
        (["nothing", "--app", APP], f"--app {APP} has no workflow 'nothing'; it has place_order"),
        (["place_order", "--format", "jpeg"], 'Choose from: "mermaid", "text", "svg", "chart"'),
        (["place_order", "--output", "/no/folder/x"], "/no/folder/x cannot be written: No such"),
    ],
)
def test_what_cannot_be_drawn_is_a_mistake(
    words: list[str], sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagram", *words, "--store", store]) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_it_must_be_said_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagram", "place_order"]) == MISTAKE
    assert "name the journal with --store, or a program with --app" in capsys.readouterr().err
