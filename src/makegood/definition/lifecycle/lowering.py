"""A lifecycle as a plan of one node, with a block for each of its handlers, and their code.

Every call of a handler is a round of its block. A handler's block is one step; that of a workflow
which is called is the child, which keeps its failure, and the handler after it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from makegood.definition.call import Call, Door, Workflow
from makegood.definition.code import (
    BodyCode,
    Code,
    LifecycleCode,
    NodeCode,
    always,
    gather,
    read_result,
)
from makegood.definition.lifecycle.carrying import OutcomeCodec, schema_in
from makegood.definition.lifecycle.graph import start_of, terminal_of
from makegood.definition.lifecycle.machine import FAILED, MESSAGE, RECORD, AtOnce, Machine, Trigger
from makegood.definition.lint.linting import findings_of
from makegood.definition.lint.rules import misallowed
from makegood.definition.lint.subject import Origin, Subject
from makegood.definition.plan import (
    BLOCK_SPAN,
    Argument,
    Backoff,
    Block,
    FromInput,
    FromNode,
    FromRound,
    Input,
    Kind,
    Node,
    Plan,
    fingerprint_of,
)
from makegood.definition.reading.fit import type_name
from makegood.definition.reading.signature import Parameter, Signature, first_line
from makegood.errors import DefinitionError
from makegood.values.codec import Codec, codec_of
from makegood.values.rounds import Failed, Succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta
    from enum import Enum

    from msgspec import Raw

    from makegood.definition.code import Inputs, Read, Results
    from makegood.definition.lifecycle.builder import Lifecycle
    from makegood.definition.lifecycle.carrying import RecordCodec
    from makegood.definition.lifecycle.handling import Handling

__all__ = ["lowered"]

_INPUT = "record"
"""The name of the one input of the workflow."""


class _Made(NamedTuple):
    """The block of a handler, and the code of its nodes in their order."""

    block: Block
    code: tuple[NodeCode, ...]


# Any: whatever the record and the statuses are.
def lowered(
    lifecycle: Lifecycle[Any, Enum],
    *,
    deadline: timedelta | None,
    strict: bool,
    allow: Mapping[str, str],
) -> Workflow[..., Any]:
    """Return the workflow of a lifecycle that makes sense as a whole."""
    problems = [f"{lifecycle.place}: {why}" for why in misallowed(allow)]
    if problems:
        raise DefinitionError(*problems)
    made = [
        _block(lifecycle, handling, number)
        for number, handling in enumerate(lifecycle.handlings, 1)
    ]
    plan = _plan(lifecycle, [each.block for each in made], deadline=deadline, strict=strict)
    subject = Subject(plan=plan, place=lifecycle.place, origins=_origins(lifecycle, made))
    findings = findings_of(subject, allow)
    if strict:
        problems = [str(finding) for finding in findings if finding.reason is None]
    if problems:
        raise DefinitionError(*problems)
    return Workflow(
        plan=plan,
        code=_code(lifecycle, made),
        signature=_signature(lifecycle),
        findings=findings,
        door=Door(
            workflow=lifecycle.name,
            parameters=_signature(lifecycle).parameters,
            codecs=((_INPUT, codec_of(lifecycle.record)),),
        ),
        key=_by_record(lifecycle.key),
    )


# The plan -----------------------------------------------------------------------------------------


def _by_record(key: Callable[[Any], str]) -> Callable[..., str]:
    """Return who says the key of a record, however that is given: by its place or by its name."""

    # Any: a record has the type that the user declares.
    def key_of(record: Any) -> str:
        return key(record)

    return key_of


def _plan(
    lifecycle: Lifecycle[Any, Enum],
    blocks: list[Block],
    *,
    deadline: timedelta | None,
    strict: bool,
) -> Plan:
    record = type_name(lifecycle.record)
    node = Node(
        path=lifecycle.name,
        kind=Kind.LIFECYCLE,
        function=lifecycle.name,
        arguments=(Argument(name=_INPUT, source=FromInput(_INPUT), type=record),),
        returns=record,
        retry=Backoff(attempts=1),
        timeout=None,
        machine=_machine(lifecycle),
        blocks=tuple(blocks),
    )
    plan = Plan(
        workflow=lifecycle.name,
        fingerprint="",
        nodes=(node,),
        inputs=(Input(name=_INPUT, type=record),),
        returns=FromNode(0),
        returns_type=record,
        deadline=deadline,
        strict=strict,
        summary=first_line(lifecycle.record),
    )
    return msgspec.structs.replace(plan, fingerprint=fingerprint_of(plan))


def _machine(lifecycle: Lifecycle[Any, Enum]) -> Machine:
    start = start_of(lifecycle)
    assert start is not None, "a lifecycle without a start was refused"
    return Machine(
        statuses=tuple(status.name for status in lifecycle.statuses),
        start=start.name,
        terminal=tuple(status.name for status in terminal_of(lifecycle)),
        pivots=tuple(each.name for each in lifecycle.statuses if each in lifecycle.pivots),
        handlers=tuple(handling.handler for handling in lifecycle.handlings),
        schema=lifecycle.schema,
        visits_max=lifecycle.visits_max,
        repeats_max=lifecycle.repeats_max,
        pauses=lifecycle.pause_after is not None,
        resume_after=lifecycle.resume_after,
        resumes_max=lifecycle.resumes_max,
        at_once=lifecycle.at_once,
        bounds=tuple(
            AtOnce(tuple(each.name for each in lifecycle.statuses if each in where), most)
            for where, most in lifecycle.bounds
        ),
    )


def _signature(lifecycle: Lifecycle[Any, Enum]) -> Signature:
    return Signature(
        name=lifecycle.name,
        place=lifecycle.place,
        parameters=(Parameter(name=_INPUT, type=lifecycle.record),),
        injections=(),
        returns=lifecycle.record,
        summary=first_line(lifecycle.record),
        problems=(),
    )


def _origins(lifecycle: Lifecycle[Any, Enum], made: list[_Made]) -> dict[int, Origin]:
    origins = {0: Origin(place=lifecycle.place)}
    for handling, each in zip(lifecycle.handlings, made, strict=True):
        first = each.block.number * BLOCK_SPAN
        last = first + len(each.block.nodes) - 1
        origins[first] = Origin(place=handling.recipe.place)
        origins[last] = Origin(place=handling.recipe.place, recipe=handling.recipe)
    return origins


# The block of a handler ---------------------------------------------------------------------------


def _block(lifecycle: Lifecycle[Any, Enum], handling: Handling, number: int) -> _Made:
    record = lifecycle.shape.codec
    nodes = [_node(lifecycle, handling, number)]
    code = [_code_of(handling, number, record)]
    if handling.use.trigger is Trigger.CALL:
        nodes.insert(0, _child(lifecycle, handling, number))
        code.insert(0, _code_of_child(handling, record))
    block = Block(
        number=number,
        nodes=tuple(nodes),
        returns=FromNode(number * BLOCK_SPAN + len(nodes) - 1),
        rounds_max=lifecycle.visits_max + lifecycle.repeats_max,
    )
    return _Made(block, tuple(code))


def _node(lifecycle: Lifecycle[Any, Enum], handling: Handling, number: int) -> Node:
    node, is_call = handling.recipe.node, handling.use.trigger is Trigger.CALL
    sources = (
        FromRound(number, (".record",)),
        FromNode(number * BLOCK_SPAN) if is_call else FromRound(number, (".message",)),
    )
    retry = node.retry
    if lifecycle.pause_after is not None:
        attempts = min(retry.attempts, lifecycle.pause_after)
        retry = msgspec.structs.replace(retry, attempts=attempts)
    return msgspec.structs.replace(
        node,
        path=handling.handler.name,
        arguments=tuple(
            Argument(name=item.name, source=source, type=type_name(item.type))
            for item, source in zip(handling.recipe.signature.parameters, sources, strict=False)
        ),
        needs=(0,) if is_call else (),
        # Statuses are known by their names, so what they stand for has no part in the plan.
        returns=f"Next[{lifecycle.statuses.__name__}, {type_name(lifecycle.record)}]",
        retry=retry,
        timeout_total=None if is_call else node.timeout_total,
    )


def _child(lifecycle: Lifecycle[Any, Enum], handling: Handling, number: int) -> Node:
    return Node(
        path=f"{handling.handler.name}-run",
        kind=Kind.CHILD,
        function=f"{handling.handler.name}-run",
        arguments=(
            Argument(
                name=_INPUT,
                source=FromRound(number, (".record",)),
                type=type_name(lifecycle.record),
            ),
        ),
        feeds=(1,),
        returns=type_name(handling.given),
        retry=Backoff(attempts=1),
        timeout=None,
        timeout_total=handling.recipe.node.timeout_total,
        keeps_failure=True,
    )


# Its code -----------------------------------------------------------------------------------------


def _code(lifecycle: Lifecycle[Any, Enum], made: list[_Made]) -> Code:
    record, codec = lifecycle.shape.codec, codec_of(lifecycle.record)
    nodes = {
        0: NodeCode(
            body=BodyCode(function=_nothing),
            result=codec,
            arguments=gather([(_INPUT, partial(_began, record))], lifecycle.name),
            holds=always,
        )
    }
    for each in made:
        first = each.block.number * BLOCK_SPAN
        nodes |= {first + place: code for place, code in enumerate(each.code)}
    hearing = [each for each in lifecycle.handlings if each.handler.message is not None]
    return Code(
        nodes=nodes,
        result=read_result(0, codec),
        result_codec=codec,
        lifecycle=LifecycleCode(
            statuses=lifecycle.statuses,
            key=lifecycle.key,
            began=partial(_began, record),
            record=record,
            messages={
                each.handler.message: codec_of(each.use.message)
                for each in hearing
                if each.handler.message is not None
            },
            due={
                each.handler.name: each.use.due
                for each in lifecycle.handlings
                if each.use.due is not None
            },
            announcements=lifecycle.announcements,
        ),
    )


def _code_of(handling: Handling, number: int, record: RecordCodec) -> NodeCode:
    recipe = handling.recipe
    readers: list[Read] = [partial(_given, record)]
    if handling.use.trigger is Trigger.MESSAGE:
        readers.append(partial(_came, codec_of(handling.use.message)))
    elif handling.use.trigger is Trigger.CALL:
        readers.append(partial(_ended, codec_of(handling.given), number * BLOCK_SPAN))
    codec = recipe.result
    assert isinstance(codec, OutcomeCodec), "a handler gives an outcome"
    return NodeCode(
        body=recipe.body,
        result=codec,
        arguments=gather(
            [
                (item.name, read)
                for item, read in zip(recipe.signature.parameters, readers, strict=False)
            ],
            handling.handler.name,
        ),
        holds=always,
        undo=recipe.undo,
        compensate=recipe.compensate,
        record=recipe.record,
        left=codec.left_by,
    )


def _code_of_child(handling: Handling, record: RecordCodec) -> NodeCode:
    call = handling.use.call
    assert call is not None, "a workflow is called"
    says = call

    # Any: a call gives what its workflow declares.
    def called(record: object) -> Call[Any]:
        return says(record)

    return NodeCode(
        body=BodyCode(function=called),
        result=codec_of(handling.given),
        arguments=gather([(_INPUT, partial(_given, record))], handling.handler.name),
        holds=always,
    )


def _nothing() -> None:
    """Do nothing: what goes from status to status has handlers, and no function."""


# Any: each of these gives what the user declares.
def _began(record: RecordCodec, inputs: Inputs, _results: Results | None = None) -> Any:
    """Read the record with which the run began."""
    return record.read(inputs[_INPUT], schema_in(inputs, record.schema))


def _given(record: RecordCodec, inputs: Inputs, _results: Results) -> Any:
    """Read the record that a handler is given."""
    return record.read(inputs[RECORD], schema_in(inputs, record.schema))


def _came(codec: Codec[Any], inputs: Inputs, _results: Results) -> Any:
    """Read the message that a handler is given."""
    return codec.read(inputs[MESSAGE])


def _ended(
    codec: Codec[Any], number: int, inputs: Inputs, results: Results
) -> Succeeded[Any] | Failed:
    """Read how a workflow has ended that a handler has waited for."""
    failed: Raw | None = inputs.get(FAILED)
    if failed is not None:
        return msgspec.json.decode(failed, type=Failed)
    raw = results[number]
    assert raw is not None, "what did not fail has given something"
    return Succeeded(codec.read(raw))
