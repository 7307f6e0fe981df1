"""The project's own Python files, parsed once, for the tests that read them."""

from __future__ import annotations

import ast
import gc
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/makegood/"
FOLDERS = ("src", "tests", "benchmarks", "examples")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file: where it stands, what it says, and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def looked_up(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the dotted name of everything that is looked up by attribute.

        A parameter's default is left out: it only names what is used where nobody gives another.
        """
        defaults = {
            node
            for function in ast.walk(self.tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for default in (*function.args.defaults, *function.args.kw_defaults)
            if default is not None
            for node in ast.walk(default)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and node not in defaults:
                yield node.lineno, ast.unparse(node)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the dotted name of everything that is imported."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def modules() -> tuple[Module, ...]:
    """Return every Python file of the project, in order of its path."""
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    # None of the million nodes that are made is garbage, and it takes long to find that out.
    gc.disable()
    try:
        return tuple(_parse(file) for file in files)
    finally:
        gc.freeze()
        gc.enable()


def modules_of(folder: str) -> tuple[Module, ...]:
    """Return the files under one folder, such as `src` or `tests`."""
    return tuple(module for module in modules() if module.path.startswith(f"{folder}/"))


def _parse(file: Path) -> Module:
    text = file.read_text(encoding="utf-8")
    return Module(path=file.relative_to(ROOT).as_posix(), text=text, tree=ast.parse(text))
