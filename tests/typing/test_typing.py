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
REJECTED_MIN = 15

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_mypy_accepts_what_is_right() -> None:
    assert _mypy("accepts.py") == set()


def test_basedpyright_accepts_what_is_right(tmp_path: Path) -> None:
    assert _basedpyright("accepts.py", tmp_path) == set()


def test_mypy_finds_each_mistake_on_its_line() -> None:
    assert _mypy("rejects.py") == _marked("rejects.py")


def test_basedpyright_finds_each_mistake_on_its_line(tmp_path: Path) -> None:
    assert _basedpyright("rejects.py", tmp_path) == _marked("rejects.py")


def test_there_are_enough_mistakes() -> None:
    assert len(_marked("rejects.py")) >= REJECTED_MIN


def _marked(name: str) -> set[int]:
    lines = (HERE / name).read_text().splitlines()
    return {number for number, line in enumerate(lines, start=1) if "# refused: " in line}


def _mypy(name: str) -> set[int]:
    """Return the lines on which mypy, strict, reports an error."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(HERE / name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(.*?):(\d+)(?::\d+)?: error: ", done.stdout, re.MULTILINE)
    assert bool(found) == bool(done.returncode), done.stdout + done.stderr
    return {int(line) for file, line in found if Path(file).name == name}


def _basedpyright(name: str, folder: Path) -> set[int]:
    """Return the lines on which basedpyright, strict, reports an error or a warning."""
    settings = {
        "include": [str(HERE / name)],
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
    assert report["summary"]["filesAnalyzed"] == 1, done.stdout
    return {item["range"]["start"]["line"] + 1 for item in report["generalDiagnostics"]}
