"""Every example runs, and so does every Python block of the README and the documents."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source import ROOT

SECONDS_MAX = 50

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    """Name a file by where it stands in the project."""
    return path.relative_to(ROOT).as_posix()


def blocks_of(text: str) -> str:
    """Return a document's Python blocks as one program, each line where it stands in the text.

    A reader takes the blocks in order, so a later one may use what an earlier one defined; and
    because lines keep their numbers, a traceback points into the document.
    """
    lines = [""] * text.count("\n")
    for block in PYTHON_BLOCK.finditer(text):
        first = text.count("\n", 0, block.start("code"))
        code = block["code"].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines)


def run_in(folder: Path, script: Path) -> None:
    """Run a script as a user would, in an empty folder, with every warning an error."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"


@pytest.mark.real
@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_an_example_runs_as_it_stands(example: Path, tmp_path: Path) -> None:
    run_in(tmp_path, example)


@pytest.mark.real
@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if PYTHON_BLOCK.search(path.read_text())], ids=named
)
def test_a_documents_python_runs_from_top_to_bottom(document: Path, tmp_path: Path) -> None:
    script = tmp_path / f"{document.stem.replace('-', '_').lower()}.py"
    script.write_text(blocks_of(document.read_text()))
    run_in(tmp_path, script)


def test_a_line_of_a_block_keeps_its_number() -> None:
    text = "# Title\n\n```python\nfirst = 1\n```\n\nText.\n\n```python\nsecond = first\n```\n"
    lines = blocks_of(text).splitlines()
    assert (lines[3], lines[9]) == ("first = 1", "second = first")
