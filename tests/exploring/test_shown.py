"""Every workflow that is shown to users is clean and keeps every promise, whatever goes wrong."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from makegood import Workflow, lint
from makegood.exploring.exploration import explore
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


WORLDS_MAX = 2_000
"""How many worlds of one are played; the whole of a large lifecycle takes a minute."""


def declared() -> Iterator[tuple[str, Workflow[..., Any]]]:
    """Return every workflow that an example declares, by a name that tells which it is."""
    seen: set[int] = set()
    for path in sorted((ROOT / "examples").rglob("*.py")):
        for value in vars(import_module(path.stem)).values():
            if isinstance(value, Workflow) and id(value) not in seen:
                # One that another example imports is played once.
                seen.add(id(value))
                yield f"{path.stem}.{value.name}", value


SHOWN = dict(declared())


def test_the_examples_declare_workflows() -> None:
    assert len(SHOWN) >= 17


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_of_an_example_looks_wrong(name: str) -> None:
    assert [str(finding) for finding in lint(SHOWN[name])] == []


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_keeps_every_promise_whatever_goes_wrong(name: str) -> None:
    found = explore(SHOWN[name], worlds_max=WORLDS_MAX)
    assert found.broken == (), found
    assert found.worlds > 0
