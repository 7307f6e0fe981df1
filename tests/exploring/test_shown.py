"""Every workflow that is shown to users keeps every promise, whatever goes wrong in it."""

from __future__ import annotations

from importlib import import_module

import pytest

from makegood import Workflow
from makegood.exploring.exploration import explore
from tests.source import ROOT

SHOWN = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_keeps_every_promise_whatever_goes_wrong(name: str) -> None:
    workflows = [each for each in vars(import_module(name)).values() if isinstance(each, Workflow)]
    for workflow in workflows:
        found = explore(workflow)
        assert found.broken == (), found
        assert found.worlds > 0
