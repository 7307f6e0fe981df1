"""`makegood explore`: what a workflow would leave behind, whatever goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from makegood import InvalidInput, Workflow
from makegood.cli.status import DONE, ERROR
from makegood.cli.workflows import object_at
from makegood.cli.writing import json_of, look_of, write
from makegood.exploring.exploration import explore as exploration_of
from makegood.exploring.report import as_text

if TYPE_CHECKING:
    from makegood.exploring.survey import Invariant

__all__ = ["explore"]


def explore(
    place: str,
    *,
    examples: str | None,
    invariants: Sequence[str],
    pairs: bool,
    worlds_max: int,
    as_json: bool,
) -> int:
    """Write what is found in every world of a workflow."""
    found = exploration_of(
        _workflow_at(place),
        examples=_examples_at(examples),
        invariants=[_invariant_at(each) for each in invariants],
        pairs=pairs,
        worlds_max=worlds_max,
    )
    look = look_of(sys.stdout)
    write(json_of(found) if as_json else as_text(found, color=look.is_coloured, width=look.width))
    return DONE if found.is_clean else ERROR


# Any: whatever the workflow takes and returns.
def _workflow_at(place: str) -> Workflow[..., Any]:
    found = object_at(place, asked="explore", wanted="a workflow")
    if not isinstance(found, Workflow):
        message = f"{place} is no workflow; name one as module:workflow"
        raise InvalidInput(message)
    return cast("Workflow[..., Any]", found)


def _examples_at(place: str | None) -> Mapping[Any, object]:
    """Return values by their types."""
    if place is None:
        return {}
    found = object_at(place, asked="--examples", wanted="a dict of types and values")
    if not isinstance(found, Mapping):
        message = f"--examples {place} is no dict; name one as {{OrderId: OrderId('A-17')}}"
        raise InvalidInput(message)
    return cast("Mapping[Any, object]", found)


def _invariant_at(place: str) -> Invariant:
    found = object_at(place, asked="--invariant", wanted="a function of a world")
    if not callable(found):
        message = f"--invariant {place} is no function; name one that takes an Explored"
        raise InvalidInput(message)
    return cast("Invariant", found)
