"""Declaring a workflow: `workflow` reads a body, runs it once and keeps the plan and its code."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

import msgspec

from makegood.definition.body import read_body
from makegood.definition.call import Call, Door, Workflow
from makegood.definition.code import Code
from makegood.definition.flow.frame import fed
from makegood.definition.flow.hooking import handlers_of
from makegood.definition.lint.linting import findings_of
from makegood.definition.lint.rules import misallowed
from makegood.definition.lint.subject import Subject
from makegood.definition.plan import Input, Plan, fingerprint_of
from makegood.definition.reading.fit import fits, or_none, type_name
from makegood.definition.reading.place import caller
from makegood.definition.reading.signature import Signature, read_signature
from makegood.definition.recipe import NOTHING, misnamed, out_of_bounds
from makegood.definition.trace import Trace, Traced
from makegood.errors import DefinitionError, InvalidInput
from makegood.values.codec import Codec, codec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from makegood.definition.recipe import Recipe

__all__ = ["Call", "Workflow", "workflow", "workflow_of"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def workflow(function: Callable[P, R], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    deadline: timedelta | None = None,
    strict: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...
def workflow(
    function: Callable[P, R] | None = None,
    /,
    *,
    deadline: timedelta | None = None,
    strict: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Workflow[P, R] | Callable[[Callable[P, R]], Workflow[P, R]]:
    """Declare a workflow: its body is read and run once, now, and kept as a plan.

    Steps that do not need each other's results run together; `.after(…)` orders them without
    data. `deadline` bounds a whole run: a run that takes longer fails and is undone. `strict`
    makes errors of what `lint` finds and else is only listed in `Workflow.findings`. `allow` says
    why something in it is meant that `lint` finds wrong, by the rule's code: a reason each.

    Raises `DefinitionError` with every problem that is found at once.
    """
    if function is not None:
        return _declare(function, deadline=None, strict=False, allow=NOTHING)
    return lambda body: _declare(body, deadline=deadline, strict=strict, allow=allow)


def _declare(
    function: Callable[P, R],
    *,
    deadline: timedelta | None,
    strict: bool,
    allow: Mapping[str, str],
    bound: Mapping[str, Recipe] | None = None,
) -> Workflow[P, R]:
    signature = read_signature(function)
    problems = [*signature.problems, *signature.uncarried()]
    problems += _unfit(function, signature, deadline)
    problems += read_body(function)
    if problems:
        raise DefinitionError(*problems)
    trace = Trace(signature.name, bound)
    returned = trace.run(function, signature.parameters)
    made = workflow_of(signature, trace, returned, deadline=deadline, strict=strict, allow=allow)

    def rebound(handlers: Mapping[str, object]) -> Workflow[P, R]:
        found = handlers_of(signature.name, made.hooks, handlers)
        together = {**(bound or {}), **found}
        return _declare(function, deadline=deadline, strict=strict, allow=allow, bound=together)

    return replace(cast("Workflow[P, R]", made), rebound=rebound)


# Any: the signature says at run time what the workflow takes and returns.
def workflow_of(
    signature: Signature,
    trace: Trace,
    returned: Traced,
    *,
    deadline: timedelta | None,
    strict: bool,
    allow: Mapping[str, str],
) -> Workflow[..., Any]:
    """Return the workflow of a trace; raise `DefinitionError` when it is none as a whole."""
    problems = [f"{signature.place}: {why}" for why in misallowed(allow)]
    if problems:
        raise DefinitionError(*problems)
    door = _door(signature)
    plan = _plan(signature, trace, returned, deadline=deadline, strict=strict)
    subject = Subject(
        plan=plan, place=signature.place, origins=trace.origins, offered=trace.offered
    )
    findings = findings_of(subject, allow)
    problems = [*_wrong_result(signature, returned), *_empty(signature, trace)]
    if strict:
        problems += [str(finding) for finding in findings if finding.reason is None]
    if problems:
        raise DefinitionError(*problems)
    code = Code(
        nodes=trace.code,
        result=returned.read,
        result_codec=codec_of(signature.returns),
    )
    return Workflow(
        plan=plan,
        code=code,
        signature=signature,
        findings=findings,
        door=door,
        hooks=tuple(trace.hooks.values()),
    )


def _unfit(
    function: Callable[..., object], signature: Signature, deadline: timedelta | None
) -> list[str]:
    """Return what is wrong with a body before it is looked into."""
    where = f"{signature.place}: `{signature.name}`"
    found: list[str] = []
    why = misnamed(signature.name)
    if why is not None:
        found.append(f"{signature.place}: {why}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        found.append(f"{where} is async, but a body only wires steps together; write plain `def`")
    found.extend(
        f"{where} injects `{item.name}`, but a body only takes inputs; let the step that needs "
        "it inject it"
        for item in signature.injections
    )
    found.extend(f"{caller()}: {why}" for why in out_of_bounds("deadline", deadline))
    return found


def _wrong_result(signature: Signature, returned: Traced) -> list[str]:
    if fits(returned.type, signature.returns):
        return []
    where = f"{signature.place}: `{signature.name}` says it returns {type_name(signature.returns)}"
    if fits(returned.type, or_none(signature.returns)):
        return [
            (
                f"{where}, but what it returns may be None; write "
                f"`-> {type_name(or_none(signature.returns))}`"
            )
        ]
    return [f"{where}, but it returns {type_name(returned.type)}; correct one of them"]


def _empty(signature: Signature, trace: Trace) -> list[str]:
    if trace.nodes:
        return []
    return [
        (
            f"{signature.place}: `{signature.name}` has no steps, so there is nothing to run; "
            "call at least one step in its body"
        )
    ]


def _door(signature: Signature) -> Door:
    # Any: each input has the type that the user declares.
    codecs: list[tuple[str, Codec[Any]]] = []
    problems: list[str] = []
    for item in signature.parameters:
        codec = codec_of(item.type)
        codecs.append((item.name, codec))
        if not item.is_required:
            try:
                codec.write(item.default)
            except InvalidInput as error:
                problems.append(
                    f"{signature.place}: the default of `{item.name}: {type_name(item.type)}` of "
                    f"`{signature.name}` does not fit: {error}"
                )
    if problems:
        raise DefinitionError(*problems)
    return Door(workflow=signature.name, parameters=signature.parameters, codecs=tuple(codecs))


def _plan(
    signature: Signature,
    trace: Trace,
    returned: Traced,
    *,
    deadline: timedelta | None,
    strict: bool,
) -> Plan:
    plan = Plan(
        workflow=signature.name,
        fingerprint="",
        nodes=fed(trace.nodes),
        inputs=tuple(
            Input(name=item.name, type=type_name(item.type), required=item.is_required)
            for item in signature.parameters
        ),
        returns=returned.source,
        returns_type=type_name(signature.returns),
        deadline=deadline,
        strict=strict,
        summary=signature.summary,
    )
    return msgspec.structs.replace(plan, fingerprint=fingerprint_of(plan))
