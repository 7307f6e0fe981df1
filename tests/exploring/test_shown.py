"""Every workflow that is shown to users keeps every promise, whatever goes wrong in it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest

from makegood import Workflow
from makegood.exploring.exploration import explore
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_keeps_every_promise_whatever_goes_wrong(name: str) -> None:
    module: Mapping[str, Any] = vars(import_module(name))
    for workflow in module.values():
        if not isinstance(workflow, Workflow):
            continue
        found = explore(cast("Workflow[..., Any]", workflow))
        assert found.broken == (), found
        assert found.worlds > 0
