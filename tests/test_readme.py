"""The README's picture is that of its example."""

from __future__ import annotations

import re
import runpy
from typing import TYPE_CHECKING

from makegood import Workflow
from makegood.picture import mermaid
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_readmes_picture_is_drawn_from_its_example(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    declared = PYTHON.findall(text)[0].replace("asyncio.run(main())", "")
    script = tmp_path / "readme_example.py"
    script.write_text(declared)
    order = runpy.run_path(str(script))["order"]
    assert isinstance(order, Workflow)
    assert PICTURE.findall(text) == [mermaid(order)]


def test_the_readmes_example_fits_in_about_thirty_lines() -> None:
    (example,) = PYTHON.findall((ROOT / "README.md").read_text())
    assert len([line for line in example.splitlines() if line.strip()]) <= 36
