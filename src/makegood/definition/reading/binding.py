"""Which argument is meant for which parameter, and what is wrong with a call that fits none."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.definition.reading.signature import Parameter

__all__ = ["bind"]


def bind(
    name: str,
    parameters: Sequence[Parameter],
    args: Sequence[object],
    kwargs: Mapping[str, object],
) -> tuple[dict[str, object], list[str]]:
    """Return the given arguments by parameter, and every problem of the call as a sentence.

    Defaults are not filled in. Values are never looked at: they may be placeholders.
    """
    positional = [item.name for item in parameters if not item.is_keyword_only]
    known = {item.name for item in parameters}
    bound = dict(zip(positional, args, strict=False))
    problems: list[str] = []
    if len(args) > len(positional):
        problems.append(
            f"`{name}` takes {_count(positional)} by position, but {len(args)} are given; "
            "remove what is too many"
        )
    for key, value in kwargs.items():
        if key not in known:
            problems.append(f"`{name}` takes no `{key}`; {_nearest(key, parameters)}")
        elif key in bound:
            problems.append(f"`{name}` is given `{key}` twice; give it once")
        else:
            bound[key] = value
    problems.extend(
        f"`{name}` is not given `{item.name}`; add it"
        for item in parameters
        if item.is_required and item.name not in bound
    )
    return bound, problems


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} argument{'' if len(names) == 1 else 's'}"


def _nearest(name: str, parameters: Sequence[Parameter]) -> str:
    names = [item.name for item in parameters]
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"it takes {', '.join(f'`{item}`' for item in names)}" if names else "it takes nothing"
