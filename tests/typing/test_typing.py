"""The face as type checkers see it: what is right passes, each mistake is found on its line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REJECTS = "rejects.py"
FILES = ("accepts.py", "accepts_lifecycles.py", REJECTS)
REJECTED_MIN = 15

Place = tuple[str, int]
"""A file's name and a line."""

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_mypy_accepts_what_is_right_and_finds_each_mistake_on_its_line() -> None:
    assert _mypy() == WRONG


def test_basedpyright_accepts_what_is_right_and_finds_each_mistake_on_its_line(
    tmp_path: Path,
) -> None:
    assert _basedpyright(tmp_path) == WRONG


def test_there_are_enough_mistakes() -> None:
    assert len(WRONG) >= REJECTED_MIN


def _marked() -> set[Place]:
    """Return the lines on which something is to be refused: all of them are in one file."""
    lines = (HERE / REJECTS).read_text().splitlines()
    return {
        (REJECTS, number) for number, line in enumerate(lines, start=1) if "# refused: " in line
    }


WRONG = _marked()


def _mypy() -> set[Place]:
    """Return the lines on which mypy, strict, reports an error."""
    files = [str(HERE / name) for name in FILES]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(.*?):(\d+)(?::\d+)?: error: ", done.stdout, re.MULTILINE)
    assert bool(found) == bool(done.returncode), done.stdout + done.stderr
    return {(Path(file).name, int(line)) for file, line in found}


def _basedpyright(folder: Path) -> set[Place]:
    """Return the lines on which basedpyright, strict, reports an error or a warning."""
    settings = {
        "include": [str(HERE / name) for name in FILES],
        "extraPaths": [str(ROOT / "src")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
    }
    project = folder / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "basedpyright",
            "--outputjson",
            "--pythonpath",
            sys.executable,
            "--project",
            str(project),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(FILES), done.stdout
    return {
        (Path(item["file"]).name, item["range"]["start"]["line"] + 1)
        for item in report["generalDiagnostics"]
    }
