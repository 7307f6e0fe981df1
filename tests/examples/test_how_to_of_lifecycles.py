"""What the page on writing a lifecycle shows is what the commands say, and what is drawn."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.source import ROOT
from tests.test_examples import blocks_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "how-to" / "write-a-lifecycle.md"
PICTURE = PAGE.with_suffix(".svg")
SHOWN = re.compile(
    r"^```console\n\$ makegood (?P<words>[^\n]*)\n(?P<text>.*?)\n…\n```$", re.MULTILINE | re.DOTALL
)

pytestmark = pytest.mark.real


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in which the page's program is a module."""
    (tmp_path / "booking.py").write_text(blocks_of(PAGE.read_text()))
    return tmp_path


def said(folder: Path, *words: str) -> str:
    """Return what Python prints when it is run there."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout


def test_what_the_page_shows_of_a_command_is_what_it_says(folder: Path) -> None:
    shown = [*SHOWN.finditer(PAGE.read_text())]

    assert [each["words"] for each in shown] == ["explore booking:bookings"]
    for each in shown:
        told = said(folder, "-m", "makegood.cli", *each["words"].split())
        assert told.startswith(each["text"])


def test_the_picture_on_the_page_is_that_of_its_declaration(folder: Path) -> None:
    # Write this to the file again when the declaration has changed, and look at it.
    drawn = said(
        folder, "-m", "makegood.cli", "diagram", "booking", "--app", "booking", "--format", "svg"
    )

    assert drawn.strip() == PICTURE.read_text().strip()
