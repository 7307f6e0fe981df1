"""The public face wakes no room before its name is used, and says the same to type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module

import pytest

import makegood
from tests.source import ROOT

FACE = ROOT / "src" / "makegood" / "__init__.py"


def test_type_checkers_and_the_running_program_are_told_the_same() -> None:
    told = {
        name.name: statement.module
        for statement in ast.walk(ast.parse(FACE.read_text()))
        if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("makegood.")
        for name in statement.names
    }
    assert told == makegood._PLACES
    assert sorted(told) == sorted(makegood.__all__)


@pytest.mark.parametrize("name", makegood.__all__)
def test_a_name_is_the_one_that_its_room_has(name: str) -> None:
    assert getattr(makegood, name) is getattr(import_module(makegood._PLACES[name]), name)


def test_all_names_are_listed_before_they_are_used() -> None:
    assert set(makegood.__all__) <= set(dir(makegood))


def test_a_name_that_is_not_there_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'makegood' has no attribute 'bogus'"):
        getattr(makegood, "bogus")  # noqa: B009 - the checkers would refuse it too


@pytest.mark.real
def test_importing_the_face_imports_nothing_of_the_engine() -> None:
    command = "import sys, makegood; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert [name for name in told if name.startswith("makegood.")] == []
    assert {"msgspec", "apsw", "asyncio"}.isdisjoint(told)
