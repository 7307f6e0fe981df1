"""`makegood lint`: what looks wrong in a program's workflows, one line each, and its status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR, MISTAKE
from tests.source import ROOT

LINTED = "tests.cli.checking.linted"
FILE = ROOT / "tests/cli/checking/linted.py"
FROM_HERE = FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE
LINES = FILE.read_text().splitlines()
HELD = LINES.index("held = step(hold)") + 1

SENTENCE = (
    'the step `hold` has no undo; give it undo=, or say why there is none with irreversible="…"'
)
WRONG = f"{FROM_HERE}:{HELD}: MG102 {SENTENCE}\n"


def test_what_looks_wrong_is_a_line_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", LINTED]) == ERROR
    assert capsys.readouterr().out == f"{WRONG}2 workflows, findings: 1\n"


def test_what_is_allowed_is_told_when_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", LINTED, "--allowed"]) == ERROR
    assert capsys.readouterr().out == (
        f"{WRONG}"
        f"{FROM_HERE}:{HELD + 1}: MG102 is allowed: parcels\\x1b are never recalled\n"
        f"{FROM_HERE}:{HELD}: MG102 is allowed: a test\n"
        "2 workflows, findings: 1\n"
    )


def test_one_workflow_is_looked_at_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", f"{LINTED}:clean"]) == DONE
    assert capsys.readouterr().out == "1 workflow, findings: none\n"


def test_a_program_reads_findings_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", LINTED, "--json"]) == ERROR
    assert json.loads(capsys.readouterr().out) == {
        "workflows": ["order", "clean"],
        "findings": [
            {
                "code": "MG102",
                "sentence": SENTENCE,
                "workflow": "order",
                "path": "hold",
                "file": str(FILE),
                "line": HELD,
                "reason": None,
            }
        ],
        "refused": [],
    }


def test_what_a_strict_workflow_refuses_at_import_is_told_alike(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = "tests.cli.checking.refused"

    assert main(["lint", refused]) == ERROR
    assert capsys.readouterr().out == f"{FILE}:{HELD}: MG102 {SENTENCE}\n"
    assert main(["lint", refused, "--json"]) == ERROR
    assert json.loads(capsys.readouterr().out) == {
        "workflows": [],
        "findings": [],
        "refused": [f"{FILE}:{HELD}: MG102 {SENTENCE}"],
    }


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere", "lint: the module `nowhere` cannot be imported"),
        (f"{LINTED}:tea", f"lint {LINTED}:tea: `{LINTED}` has no `tea`; name a workflow in it"),
        (f"{LINTED}:hold", f"lint {LINTED}:hold is no workflow and holds none"),
        ("json", "lint json is no workflow and holds none"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    place: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", place]) == MISTAKE
    told = capsys.readouterr()
    assert told.err.startswith(why)
    assert (told.out, told.err.count("\n")) == ("", 1)
