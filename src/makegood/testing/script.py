"""Scripting what users' functions do in a test, by node path and attempt."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from makegood.definition.plan import Kind
from makegood.errors import InvalidInput

if TYPE_CHECKING:
    from makegood.definition.call import Workflow
    from makegood.definition.plan import Node, Plan
    from makegood.runtime.ports import Invocation

__all__ = ["AfterEffect", "Returns", "Script", "Scripted"]


@dataclass(frozen=True, slots=True)
class AfterEffect:
    """The function is really called, and then this is raised: a lost reply."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Returns:
    """The function is not called; this is its result."""

    value: object


Scripted = Exception | AfterEffect | Returns | None
"""What one attempt does; None calls the function as it is."""


class Script:
    """An interceptor that makes functions do what a test says.

    Keys are node paths, or a node path with `.undo` or `.compensate` behind it; a node of a round
    is `each[0]/pack_line`, whether or not there will be such a round, and a node of a workflow that
    is called has the name of that before it: `pack_order/pick`. One scripted outcome holds for
    every attempt; a sequence gives one for each, and then the function is called as it is.
    """

    def __init__(
        self,
        fail: Mapping[str, Scripted | Sequence[Scripted]],
        workflow: Workflow[..., Any],  # Any: whatever it returns
    ) -> None:
        plan = workflow.plan
        known = [*_keys(plan), *_called(workflow, {plan.workflow})]
        self._workflow = plan.workflow
        for key in fail:
            if _ROUND.sub(_ANY_ROUND, key) not in known:
                raise InvalidInput(_unknown(key, known, plan))
        self._always = {key: item for key, item in fail.items() if not isinstance(item, Sequence)}
        self._next = {key: list(item) for key, item in fail.items() if isinstance(item, Sequence)}

    async def __call__(
        self, invocation: Invocation, proceed: Callable[[], Awaitable[object]], /
    ) -> object:
        """Do what the script says for this call."""
        key = invocation.path
        if invocation.workflow != self._workflow:
            key = f"{invocation.workflow}/{key}"
        if invocation.direction != "do":
            key = f"{key}.{invocation.direction}"
        waiting = self._next.get(key)
        scripted = waiting.pop(0) if waiting else self._always.get(key)
        match scripted:
            case None:
                return await proceed()
            case Returns():
                return scripted.value
            case AfterEffect():
                await proceed()
                raise scripted.error
            case _:
                raise scripted


_ROUND = re.compile(r"\[[0-9]+\]/")
"""What stands in the path of a node between what has rounds and its place in one."""

_ANY_ROUND = "[0]/"
"""How the nodes of all rounds are known, of which there may be any number."""

_CALLED = frozenset({Kind.STEP, Kind.LOCAL, Kind.QUERY})
"""What has a function that an interceptor is asked about."""


def _unknown(key: str, known: Sequence[str], plan: Plan) -> str:
    if _ROUND.sub(_ANY_ROUND, key) in _nodes(plan.nodes, ""):
        return (
            f"the script names {key!r}, which is computed from recorded values and called by "
            "nobody; script the step that its values come from"
        )
    near = get_close_matches(key, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"the script names {key!r}, which `{plan.workflow}` does not have{hint}"


def _keys(plan: Plan) -> list[str]:
    """Return what can be scripted: what an interceptor is asked about."""
    keys: list[str] = []
    for path, node in _nodes(plan.nodes, "").items():
        if node.kind in _CALLED:
            keys.append(path)
        if node.undo is not None:
            keys.append(f"{path}.undo")
        if node.compensate is not None:
            keys.append(f"{path}.compensate")
    return keys


# Any: as above.
def _called(workflow: Workflow[..., Any], seen: set[str]) -> Iterator[str]:
    """Yield what can be scripted of the workflows that are called, and of those that they call."""
    for child in workflow.children():
        if child.name not in seen:
            seen.add(child.name)
            yield from (f"{child.name}/{key}" for key in _keys(child.plan))
            yield from _called(child, seen)


def _nodes(nodes: Sequence[Node], prefix: str) -> dict[str, Node]:
    """Return the nodes by path, and those of a block as if they were of its first round."""
    found: dict[str, Node] = {}
    for node in nodes:
        path = prefix + node.path
        found[path] = node
        if node.block is not None:
            found |= _nodes(node.block.nodes, path + _ANY_ROUND)
    return found
