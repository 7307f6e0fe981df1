"""What the pages show is what the commands say, but for times and ids."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {"look-into-a-run.md": 6, "explore-failures.md": 1}
"""The pages, and how many commands each shows at least."""

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
CHANGING = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d(\.\d+)?")

AS_HERE = {
    "python": [sys.executable],
    "makegood": [sys.executable, "-m", "makegood.cli"],
}
"""The programs that the page names, as this installation has them."""


def masked(line: str) -> str:
    return CHANGING.sub(lambda found: "#" * len(found[0]), line)


def assert_told(expected: str, told: str) -> None:
    """Compare line by line; `…` stands for any number of lines."""
    rest = [masked(line) for line in told.splitlines()]
    may_skip = False
    for line in expected.splitlines():
        if line == "…":
            may_skip = True
            continue
        assert masked(line) in (rest if may_skip else rest[:1])
        rest = rest[rest.index(masked(line)) + 1 :]
        may_skip = False
    assert may_skip or rest == []


@pytest.mark.real
@pytest.mark.parametrize(("page", "commands"), PAGES.items())
def test_the_commands_of_a_page_say_what_it_shows(page: str, commands: int, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / page).read_text()
    for program in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[:1]:
        (tmp_path / "shop.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}
    shown = [each for block in CONSOLE.findall(text) for each in COMMAND.findall(block)]
    assert len(shown) >= commands
    for command, expected in shown:
        name, _, arguments = command.partition(" ")
        if name == "export":
            variable, _, value = arguments.partition("=")
            environment[variable] = value
            continue
        finished = subprocess.run(
            [*AS_HERE[name], *shlex.split(arguments)],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode in {0, 1, 4}, finished.stderr
        assert_told(expected, finished.stdout)
