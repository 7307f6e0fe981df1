"""Which functions a body may hand on as a part of itself: as a branch, or as a round."""

from __future__ import annotations

import ast

__all__ = ["BRANCH", "ROUND", "is_lambda_of", "problem_of_part"]

BRANCH = (
    "a branch is a lambda without parameters, or a function without parameters that the body "
    "defines above"
)
ROUND = (
    "a round is a lambda with one parameter, a step, or a function with one parameter that the "
    "body defines above"
)


def is_lambda_of(part: ast.expr, parameters: int) -> bool:
    """Say whether this is a lambda with so many plain parameters."""
    if not isinstance(part, ast.Lambda):
        return False
    return _is_plain(part.args) and len(part.args.args) == parameters


def problem_of_part(function: ast.FunctionDef) -> str | None:
    """Say why a function that the body defines cannot be a part of it, or None when it can."""
    if not _is_plain(function.args):
        return (
            f"`{function.name}` has parameters that are not plain; a branch has none, and a round "
            "has one"
        )
    if function.decorator_list:
        return f"`{function.name}` is decorated; leave it a plain function"
    return None


def _is_plain(given: ast.arguments) -> bool:
    """Say whether all parameters are given by position, and none has a default."""
    others = (given.posonlyargs, given.kwonlyargs, given.vararg, given.kwarg, given.defaults)
    return not any(others)
