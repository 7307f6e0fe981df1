"""A placeholder can be passed on, or asked for a part; everything else it refuses by itself."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from makegood.definition.placeholder import is_placeholder, reveal
from makegood.definition.plan import FromInput
from makegood.definition.reading.signature import read_signature
from makegood.definition.trace import Trace
from makegood.errors import DefinitionError


@dataclass
class Order:
    total: int
    tags: dict[str, list[str]]


def traced(look: Callable[[Any], object]) -> Any:
    """Run something on the placeholder of an input, as a body without source would."""
    seen: list[object] = []

    def body(order: Order) -> None:
        seen.append(look(order))

    Trace("body").run(body, read_signature(body).parameters)
    return seen[0]


USES: dict[str, Callable[[Any], object]] = {
    "bool": bool,
    "not": lambda it: not it,
    "==": lambda it: it == 1,
    "!=": lambda it: it != 1,
    "<": lambda it: it < 1,
    ">=": lambda it: it >= 1,
    "in": lambda it: 1 in it,
    "hash": hash,
    "set": lambda it: {it},
    "len": len,
    "iter": list,
    "unpack": lambda it: [*it],
    "reversed": reversed,
    "next": next,
    "call": lambda it: it(),
    "str": str,
    "format": lambda it: f"{it}",
    "percent": lambda it: "%s" % it,  # noqa: UP031 - the old way too
    "bytes": bytes,
    "int": int,
    "float": float,
    "index": lambda it: [1, 2][it],
    "round": round,
    "floor": math.floor,
    "neg": lambda it: -it,
    "abs": abs,
    "add": lambda it: it + 1,
    "radd": lambda it: 1 + it,
    "sum": lambda it: sum([it]),
    "rsub": lambda it: 1 - it,
    "mul": lambda it: it * 2,
    "pow": lambda it: it**2,
    "mod": lambda it: it % 2,
    "or": lambda it: it | 1,
    "max": lambda it: max(it, it),
    "sorted": lambda it: sorted([it, it]),
    "with": lambda it: it.__enter__(),
    "pickle": pickle.dumps,
    "item assignment": lambda it: it.__setitem__("a", 1),
    "attribute assignment": lambda it: setattr(it, "total", 1),
    "attribute deletion": lambda it: delattr(it, "total"),
    "item by placeholder": lambda it: it[it],
    "item by slice": lambda it: it.tags[1:2],
    "item by flag": lambda it: it.tags[True],
    "item that looks like an attribute": lambda it: it.tags[".x"],
    "dunder": lambda it: it.__wrapped__,
}


@pytest.mark.parametrize("name", USES)
def test_a_placeholder_refuses_to_be_a_value(name: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        traced(USES[name])

    place, _, sentence = str(caught.value).partition(": ")
    assert place.partition(":")[0] == __file__
    assert "`order" in sentence
    assert "only exists when the workflow runs; " in sentence


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_placeholder_refuses_to_be_copied(copied: Callable[[Any], object]) -> None:
    with pytest.raises(DefinitionError, match="the body copies `order`"):
        traced(copied)


async def test_a_placeholder_refuses_to_be_awaited() -> None:
    held = traced(lambda it: it)

    with pytest.raises(DefinitionError, match="write the call without await"):
        await held


def test_a_placeholder_shows_what_it_stands_for() -> None:
    part = traced(lambda it: it.tags["colour"][0])

    assert is_placeholder(part)
    assert repr(part) == "<order.tags['colour'][0]: known when the workflow runs>"
    assert reveal(part).source == FromInput("order", (".tags", "colour", 0))
    assert reveal(part).type is str


def test_nothing_else_is_a_placeholder() -> None:
    assert not is_placeholder("order")
