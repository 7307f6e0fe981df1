"""How a user's function is written: its syntax, and the names that it sees around it.

It finds the source and parses it; what the source may say is for the caller to judge.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from collections import ChainMap, defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType

__all__ = ["Syntax", "arguments_of", "names_around", "syntax_of"]

Function = Callable[..., object]

Syntax = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
"""A function as it is written."""

_FILES_PARSED_MAX = 4
"""How many files are remembered parsed: modules import one another while they are declared."""


def syntax_of(function: Function) -> tuple[Syntax, int] | None:
    """Return a function's syntax, and what to add to its line numbers; None without source."""
    try:
        if getattr(function, "__name__", "") == "<lambda>":
            return _lambda(function)
        return _definition(function)
    except (OSError, TypeError, SyntaxError, IndexError):
        return None


def arguments_of(tree: Syntax) -> list[ast.arg]:
    """Return the parameters that a function names."""
    return [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]


def names_around(function: Function) -> Mapping[str, object]:
    """Return the names that a function sees around it, without a copy of its module's."""
    names: dict[str, object] = {}
    module = cast("dict[str, object]", getattr(function, "__globals__", {}))
    code = getattr(function, "__code__", None)
    for name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=True
    ):
        with suppress(ValueError):  # The cell is still empty.
            names[name] = cell.cell_contents
    return ChainMap(names, module, builtins.__dict__)


def _definition(function: Function) -> tuple[Syntax, int] | None:
    lines, start = inspect.getsourcelines(function)
    # A function inside another is indented, and its docstring may not be: the line above
    # gives the indentation a reason, where removing it could break the docstring.
    tree = ast.parse(
        "if True:\n" + "".join(lines) if lines[0][0].isspace() else "\n" + "".join(lines)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return (node, start - 2) if _is_source_of(node, function) else None
    return None


def _is_source_of(tree: ast.FunctionDef | ast.AsyncFunctionDef, function: Function) -> bool:
    """Say whether the source is the function's own, and not what now stands in its place."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    names = tuple(argument.arg for argument in arguments_of(tree))
    return code is not None and (tree.name, names) == (code.co_name, code.co_varnames[: len(names)])


def _lambda(function: Function) -> tuple[Syntax, int] | None:
    """Find a lambda in its file by its line and names; where several fit, by its columns."""
    code: CodeType = function.__code__
    lines, _ = inspect.findsource(function)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    found = [
        node
        for node in _lambdas_of(_File(lines)).get(code.co_firstlineno, ())
        if tuple(argument.arg for argument in arguments_of(node)) == names
    ]
    # The outer lambda of several around one another comes first; the inner ones hold less.
    mine = [node for node in found if _holds(node.body, code)]
    return (mine[-1], 0) if mine else None


class _File:
    """The lines of a file as `linecache` keeps them, which are the same list until it changes.

    They are known by that, for comparing them would take as long as they are.
    """

    __slots__ = ("lines",)

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _File) and other.lines is self.lines

    def __hash__(self) -> int:
        return id(self.lines)


@lru_cache(maxsize=_FILES_PARSED_MAX)
def _lambdas_of(file: _File) -> Mapping[int, Sequence[ast.Lambda]]:
    """Return every lambda of a file by its line, the outer ones first; nobody may change them.

    A lambda stands inside of a statement that may have begun on any line above, so the whole file
    is parsed. It is remembered, for a chain has a lambda in nearly every link, and is written in
    one file.
    """
    found: defaultdict[int, list[ast.Lambda]] = defaultdict(list)
    for node in ast.walk(ast.parse("".join(file.lines))):
        if isinstance(node, ast.Lambda):
            found[node.lineno].append(node)
    return found


def _holds(body: ast.expr, code: CodeType) -> bool:
    """Say whether everything in the code is written within the expression."""
    begin = (body.lineno, body.col_offset)
    end = (body.end_lineno or body.lineno, body.end_col_offset or body.col_offset)
    # What the compiler adds has no columns, and neither has a program that runs without them.
    return all(
        begin <= (line, column) and (end_line, end_column) <= end
        for line, end_line, column, end_column in code.co_positions()
        if line and end_line and column is not None and end_column
    )
