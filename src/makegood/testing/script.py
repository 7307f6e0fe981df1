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
    is called has the name of that before it: `pack_order/pick`. A handler of a lifecycle is known
    by its name alone, for all its calls, and by its path for one: `order[2]/charge`. One scripted
    outcome holds for every attempt; a sequence gives one for each, and then the function is called
    as it is.
    """

    def __init__(
        self,
        fail: Mapping[str, Scripted | Sequence[Scripted]],
        workflow: Workflow[..., Any],  # Any: whatever it returns
        *called: Workflow[..., Any],
    ) -> None:
        plan, seen = workflow.plan, {workflow.name}
        known = [*_keys(plan), *_called(workflow, *called, seen=seen)]
        self._workflow = plan.workflow
        self._handlers: frozenset[str] = frozenset()
        if plan.machine is not None:
            self._handlers = frozenset(plan.machine.places)
        for key in fail:
            if _ROUND.sub(_ANY_ROUND, key) not in known:
                raise InvalidInput(_unknown(key, known, plan))
        self._always = {key: item for key, item in fail.items() if not isinstance(item, Sequence)}
        self._next = {key: list(item) for key, item in fail.items() if isinstance(item, Sequence)}

    async def __call__(
        self, invocation: Invocation, proceed: Callable[[], Awaitable[object]], /
    ) -> object:
        """Do what the script says for this call."""
        match self._scripted(invocation):
            case None:
                return await proceed()
            case Returns(value=value):
                return value
            case AfterEffect(error=error):
                await proceed()
                raise error
            case error:
                raise error

    def _scripted(self, invocation: Invocation) -> Scripted:
        """Return what this call does: by its path, or else as every call of its handler."""
        path, suffix = invocation.path, ""
        if invocation.direction != "do":
            suffix = f".{invocation.direction}"
        keys = [path + suffix]
        if invocation.workflow != self._workflow:
            keys = [f"{invocation.workflow}/{path}{suffix}"]
        elif (name := path.rpartition("]/")[2]) in self._handlers:
            keys.append(name + suffix)
        for key in keys:
            if waiting := self._next.get(key):
                return waiting.pop(0)
            if key in self._always:
                return self._always[key]
        return None


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
    machine = plan.machine
    for path, node in _nodes(plan.nodes, "").items():
        name = path.rpartition("]/")[2]
        is_handler = machine is not None and name in machine.places
        for known in (path, name) if is_handler else (path,):
            if node.kind in _CALLED:
                keys.append(known)
            if node.undo is not None:
                keys.append(f"{known}.undo")
            if node.compensate is not None:
                keys.append(f"{known}.compensate")
    return keys


# Any: as above.
def _called(
    workflow: Workflow[..., Any], *others: Workflow[..., Any], seen: set[str]
) -> Iterator[str]:
    """Yield what can be scripted of the workflows that are called, and of those that they call."""
    for child in (*workflow.children(), *others):
        if child.name not in seen:
            seen.add(child.name)
            yield from (f"{child.name}/{key}" for key in _keys(child.plan))
            yield from _called(child, seen=seen)


def _nodes(nodes: Sequence[Node], prefix: str) -> dict[str, Node]:
    """Return the nodes by path, and those of a block as if they were of its first round."""
    found: dict[str, Node] = {}
    for node in nodes:
        path = prefix + node.path
        found[path] = node
        for block in node.inner:
            found |= _nodes(block.nodes, path + _ANY_ROUND)
    return found
