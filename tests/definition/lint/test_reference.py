"""Every rule stands in the reference, with a workflow that breaks it and one that does not."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import TYPE_CHECKING

import pytest

from makegood import lint
from makegood.definition.lint.rules import ALLOWED_FOR_NOTHING, RULES
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SECTION = re.compile(r"^## (MG\d+) · (.*?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

TEXT = (ROOT / "docs/reference/lint.md").read_text()
SECTIONS = [(code, name, text) for code, name, text in SECTION.findall(TEXT)]
SHARED = BLOCK.findall(TEXT.partition("## Saying")[0])


def imported(source: str, folder: Path) -> ModuleType:
    path = folder / "shown.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("shown", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shown"] = module
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_rule_in_order_and_no_other() -> None:
    assert [(code, name) for code, name, _ in SECTIONS] == [
        (ALLOWED_FOR_NOTHING, "allowed for nothing"),
        *((rule.code, rule.name) for rule in RULES),
    ]


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, _, text in SECTIONS])
def test_a_rule_finds_its_bad_example_and_nothing_in_the_good_one(
    code: str, text: str, tmp_path: Path
) -> None:
    (block,) = BLOCK.findall(text)

    module = imported("\n".join([*SHARED, block]), tmp_path)

    found = lint(module.bad)
    assert {finding.code for finding in found} == {code}
    assert {finding.file for finding in found} == {str(tmp_path / "shown.py")}
    assert lint(module.good) == ()
