"""What the tutorial of lifecycles shows is what happens, word for word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from order_machine import orders

from makegood import picture
from tests.source import ROOT
from tests.test_examples import blocks_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "tutorial" / "order-lifecycle.md"
PICTURE = PAGE.with_suffix(".svg")
EXAMPLES = ROOT / "examples" / "lifecycle"
BLOCK = re.compile(r"^```(?P<kind>text|py)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = "$ python examples/lifecycle/order_processing.py\n"


def shown(kind: str) -> list[str]:
    """Return what the page shows, of one kind of block."""
    return [block["text"] for block in BLOCK.finditer(PAGE.read_text()) if block["kind"] == kind]


def said_by(script: Path, folder: Path) -> str:
    """Run a script as a user would, and return what it prints."""
    finished = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return finished.stdout


@pytest.mark.real
def test_the_refusals_that_the_tutorial_shows_are_those_that_are_made(tmp_path: Path) -> None:
    script = tmp_path / "order_lifecycle.py"
    script.write_text(blocks_of(PAGE.read_text()))
    refusals = [text for text in shown("text") if not text.startswith(COMMAND)]

    assert len(refusals) == 3
    assert said_by(script, tmp_path) == "".join(refusals)


@pytest.mark.real
def test_the_sample_orders_end_as_the_tutorial_shows(tmp_path: Path) -> None:
    [sample] = [text for text in shown("text") if text.startswith(COMMAND)]

    assert COMMAND + said_by(EXAMPLES / "order_processing.py", tmp_path) == sample


def test_what_the_tutorial_quotes_of_the_example_stands_there() -> None:
    sources = [path.read_text() for path in EXAMPLES.glob("*.py")]
    assert shown("py") != []
    assert [text for text in shown("py") if not any(text in source for source in sources)] == []


def test_the_picture_in_the_tutorial_is_that_of_the_machine() -> None:
    # Write `picture.svg(orders)` there again when the machine has changed, and look at it.
    assert PICTURE.read_text() == picture.svg(orders)
