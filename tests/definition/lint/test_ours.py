"""What is shipped as an example to others is clean."""

from __future__ import annotations

from importlib import import_module

import pytest

from makegood import Workflow, lint
from makegood.commerce.inventory import stock_up
from makegood.commerce.place_order import place_order
from tests.source import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


def test_commerce_is_clean_and_allows_nothing() -> None:
    assert (*place_order.findings, *stock_up.findings) == ()


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_clean(example: str) -> None:
    declared = vars(import_module(example)).values()

    assert lint(*(each for each in declared if isinstance(each, Workflow))) == ()
