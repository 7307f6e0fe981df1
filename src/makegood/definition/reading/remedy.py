"""Whether an undo or a compensate fits its step, and what the runtime is to hand it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args, get_origin

from makegood.definition.code import CompensateCode, RemedyCode
from makegood.definition.reading.fit import fits, members, type_name
from makegood.definition.reading.recording import RECORDED
from makegood.definition.reading.signature import Parameter, Signature, read_signature
from makegood.definition.receiving.messages import read_emitted
from makegood.values.injectable import Transaction, Writes
from makegood.values.verdict import (
    Abort,
    Failure,
    Proceed,
    RetryFresh,
    RetryNow,
    Undecided,
)

if TYPE_CHECKING:
    from makegood.definition.policy import Retry

__all__ = ["read_compensate", "read_undo"]

# Any: a user's function takes and returns whatever it declares.
Function = Callable[..., Any]

_VERDICTS: tuple[type, ...] = (Abort, Proceed, RetryFresh, RetryNow, Undecided)


def read_undo(function: Function, step: Signature, retry: Retry, problems: list[str]) -> RemedyCode:
    """Return the code of an undo; add what is wrong with it to `problems`."""
    undo = _read_async(function, "undo", problems)
    where = f"{undo.place}: the undo `{undo.name}`"
    taken, others = undo.parameters[:1], undo.parameters[1:]
    if not taken or taken[0].is_keyword_only:
        problems.append(
            f"{where} takes nothing; its first parameter takes what `{step.name}` returned: "
            f"{type_name(step.returns)}"
        )
    elif not fits(step.returns, taken[0].type):
        problems.append(
            f"{where} takes `{taken[0].name}: {type_name(taken[0].type)}`, but `{step.name}` "
            f"returns {type_name(step.returns)}; an undo takes what its step returned"
        )
    problems.extend(
        f"{where} also takes `{item.name}`; an undo takes the result only, and services as "
        f"`*, {item.name}: … = injected`"
        for item in others
        if item.is_required
    )
    if undo.injects(Transaction):
        problems.extend(
            f"{where} takes a Transaction, so it cannot await `{item.name}`; take one or the other"
            for item in undo.injections
            if (item.is_service and item.name != RECORDED) or item.wants is Writes or item.is_record
        )
    return RemedyCode(
        function=function,
        injections=undo.injections,
        retry_on=retry.classes,
        sends=read_emitted(undo.injections, where, problems),
    )


def read_compensate(
    function: Function, step: Signature, retry: Retry, problems: list[str]
) -> CompensateCode:
    """Return the code of a compensate; add what is wrong with it to `problems`."""
    compensate = _read_async(function, "compensate", problems)
    where = f"{compensate.place}: the compensate `{compensate.name}`"
    taken, others = compensate.parameters[:1], compensate.parameters[1:]
    if not taken or taken[0].is_keyword_only or not fits(Failure, taken[0].type):
        problems.append(f"{where} does not take the failure; begin with `failure: Failure`")
        others = compensate.parameters
    for item in others:
        problems.extend(f"{where} {why}" for why in _misfits(item, step))
    problems.extend(f"{where} {why}" for why in _wrong_verdicts(compensate, step))
    if compensate.injects(Transaction):
        problems.append(
            f"{where} takes a Transaction, but it asks the outside; record with `Writes`"
        )
    return CompensateCode(
        function=function,
        injections=compensate.injections,
        retry_on=retry.classes,
        sends=read_emitted(compensate.injections, where, problems),
        parameters=tuple(item.name for item in others if step.parameter(item.name)),
    )


def _read_async(function: Function, what: str, problems: list[str]) -> Signature:
    read = read_signature(function)
    problems += [*read.problems, *read.received_only()]
    if not inspect.iscoroutinefunction(function):
        problems.append(
            f"{read.place}: the {what} `{read.name}` is not async; write `async def`, or "
            f"`{what}=threaded({read.name})` for a function that blocks"
        )
    return read


def _misfits(item: Parameter, step: Signature) -> list[str]:
    """Say why the step cannot give this parameter its own argument of that name."""
    own = step.parameter(item.name)
    if own is None and not item.is_required:
        return []
    if own is None:
        names = ", ".join(f"`{other.name}`" for other in step.parameters) or "no parameters"
        return [
            (
                f"takes `{item.name}`, which `{step.name}` does not take; after the failure it may "
                f"take the step's own parameters by name ({names}), and services as "
                f"`*, {item.name}: … = injected`"
            )
        ]
    if fits(own.type, item.type):
        return []
    return [
        (
            f"takes `{item.name}: {type_name(item.type)}`, but `{step.name}` takes "
            f"`{own.name}: {type_name(own.type)}`; give both the same type"
        )
    ]


def _wrong_verdicts(compensate: Signature, step: Signature) -> list[str]:
    """Say which verdicts it may return are none, or proceed with what is not the result."""
    found: list[str] = []
    for member in members(compensate.returns):
        verdict = get_origin(member) or member
        if isinstance(verdict, type) and verdict not in _VERDICTS:
            names = ", ".join(kind.__name__ for kind in _VERDICTS)
            found.append(f"returns {type_name(member)}; a verdict is one of {names}")
        elif verdict is Proceed and not all(fits(kind, step.returns) for kind in get_args(member)):
            found.append(
                f"returns {type_name(member)}, but `{step.name}` returns "
                f"{type_name(step.returns)}; proceed with the step's own result"
            )
    return found
