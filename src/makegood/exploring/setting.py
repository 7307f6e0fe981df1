"""What is the same in all worlds of a workflow: its plan and code, its inputs, its results.

All values are examples, made of the declared types once and shared by all worlds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from makegood.decision.decide import decide
from makegood.definition.lifecycle.carrying import OutcomeCodec
from makegood.definition.plan import BLOCK_SPAN, Kind
from makegood.errors import InvalidInput
from makegood.exploring.witnessing.atlas import Atlas
from makegood.values.injectable import CompletionToken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Raw

    from makegood.decision.imagined import Decide
    from makegood.decision.state import RunState
    from makegood.definition.call import Door
    from makegood.definition.code import NodeCode
    from makegood.definition.plan import Node, Plan
    from makegood.definition.workflow import Workflow
    from makegood.exploring.examples import Examples
    from makegood.values.codec import AnyCodec

__all__ = ["Setting"]

REPEATS_MAX = 3
"""How often a handler asks to be called again at most: more would show no more."""

_GIVING = frozenset({Kind.STEP, Kind.QUERY, Kind.LOCAL, Kind.CHILD})


class Setting:
    """A workflow, and an example of everything that it carries."""

    def __init__(
        self,
        workflow: Workflow[..., Any],  # Any: whatever it takes and returns
        examples: Examples,
        inputs: Mapping[str, object],
        *,
        decide: Decide = decide,
    ) -> None:
        self.workflow = workflow
        self.decide = decide
        self.plan = _shortened(workflow.plan)
        self.atlas = Atlas(workflow.plan)
        self.inputs: dict[str, Raw] = _started_with(workflow.door, examples, inputs)
        """What the run is started with."""
        self._answered_outside = {
            number
            for number, node in workflow.code.nodes.items()
            if any(injection.wants is CompletionToken for injection in node.injections)
        }
        self._examples = examples
        self._made: dict[tuple[int, str], Raw] = {}
        # Here and not when they are needed, so that a type without example is told at once.
        self._make_results(self.plan.nodes, 0)
        self.messages: dict[str, Raw] = {}
        """An example of each message that a status hears."""
        if workflow.code.lifecycle is not None:
            for message, codec in workflow.code.lifecycle.messages.items():
                self.messages[message] = examples.raw(codec, message)
        self.outcomes = {
            codec.name: codec
            for codec in (node.result for node in workflow.code.nodes.values())
            if isinstance(codec, OutcomeCodec)
        }
        """What the handlers of a lifecycle may give, by their names."""

    def code(self, state: RunState, index: int) -> NodeCode:
        """Return the code of a node of a run."""
        return self.workflow.code.nodes[state.number_of(index)]

    def is_answered_outside(self, state: RunState, index: int) -> bool:
        """Say whether a node's body hands out a token, by which somebody else says how it ends."""
        return state.number_of(index) in self._answered_outside

    def is_handler(self, state: RunState, index: int) -> bool:
        """Say whether a node is a call of a handler of a lifecycle."""
        return isinstance(self.code(state, index).result, OutcomeCodec)

    def may_act(self, state: RunState, index: int) -> bool:
        """Say whether a node may have done anything: a handler is often given its record alone."""
        given = self.code(state, index).injections
        return not self.is_handler(state, index) or any(item.is_to_act for item in given)

    def result(self, state: RunState, index: int) -> Raw:
        """Return what a node gives."""
        number = state.number_of(index)
        return self._result(number, state.graph[index].function)

    def given(self, state: RunState, index: int) -> Raw:
        """Return what a round of an each or of a repeat is given."""
        number = state.number_of(index)
        return self._of_rounds(number, "given")

    def round_value(self, state: RunState, index: int) -> Raw:
        """Return what a round of an each or of a repeat gives."""
        return self._of_rounds(state.number_of(index), "value")

    def value(self) -> Raw:
        """Return what the workflow gives."""
        return self._once(-1, "value", self.workflow.code.result_codec, self.workflow.name)

    def _make_results(self, nodes: Sequence[Node], first: int) -> None:
        for place, node in enumerate(nodes, start=first):
            codec = self.workflow.code.nodes[place].result
            if node.kind in _GIVING and not isinstance(codec, OutcomeCodec):
                self._result(place, node.function)
            if node.kind is Kind.EACH:
                self._of_rounds(place, "given")
            for block in node.inner:
                self._make_results(block.nodes, block.number * BLOCK_SPAN)

    def _result(self, number: int, function: str) -> Raw:
        return self._once(number, "result", self.workflow.code.nodes[number].result, function)

    def _of_rounds(self, number: int, what: Literal["given", "value"]) -> Raw:
        rounds = self.workflow.code.nodes[number].rounds
        assert rounds is not None, "an each and a repeat have rounds"
        codec = rounds.given if what == "given" else rounds.value_codec
        return self._once(number, what, codec, "item" if what == "given" else "round")

    def _once(self, number: int, what: str, codec: AnyCodec, name: str) -> Raw:
        made = self._made.get((number, what))
        if made is None:
            made = self._made[number, what] = self._examples.raw(codec, name)
        return made


def _shortened(plan: Plan) -> Plan:
    """Return a plan in which nothing goes on and on that does not lead anywhere."""
    if plan.machine is None:
        return plan
    [node] = plan.nodes
    repeats = min(REPEATS_MAX, plan.machine.repeats_max)
    machine = msgspec.structs.replace(plan.machine, repeats_max=repeats)
    node = msgspec.structs.replace(node, machine=machine)
    return msgspec.structs.replace(plan, nodes=(node,))


def _started_with(door: Door, examples: Examples, inputs: Mapping[str, object]) -> dict[str, Raw]:
    """Return the inputs that are given, and an example of each other one."""
    codecs = dict(door.codecs)
    unknown = next((name for name in inputs if name not in codecs), None)
    if unknown is not None:
        message = f"`{door.workflow}` has no input `{unknown}`; it has {', '.join(codecs)}"
        raise InvalidInput(message)
    return {
        name: codec.write(inputs[name]) if name in inputs else examples.raw(codec, name)
        for name, codec in codecs.items()
    }
