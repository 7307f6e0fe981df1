"""What a step, a query or a pure is before it has a place in a workflow, and what rules it out.

A recipe is a node without wiring: the template of what the plan will say, and the code beside
it. It is made, and checked as a whole, when a function is declared.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from makegood.definition.call import uncalled
from makegood.definition.code import BodyCode, CompensateCode, Injection, RemedyCode
from makegood.definition.lint.rules import misallowed
from makegood.definition.plan import Backoff, Kind, Node, Remedy
from makegood.definition.policy import Retry
from makegood.definition.reading.fit import TypeForm, type_name
from makegood.definition.reading.place import Place, caller
from makegood.definition.reading.recording import read_record
from makegood.definition.reading.remedy import read_compensate, read_undo
from makegood.definition.reading.signature import Signature, name_of, read_signature
from makegood.definition.receiving.messages import read_emitted
from makegood.errors import DefinitionError
from makegood.values.codec import AnyCodec, Codec, codec_of
from makegood.values.injectable import Transaction, Writes
from makegood.values.limits import PATH_CHARACTERS_MAX

__all__ = [
    "COMPENSATE_RETRY",
    "COMPENSATE_TIMEOUT",
    "KEY_VALID_FOR",
    "NOTHING",
    "RETRY",
    "TIMEOUT",
    "UNDO_RETRY",
    "UNDO_TIMEOUT",
    "Recipe",
    "StepPolicy",
    "handler_recipe",
    "misnamed",
    "out_of_bounds",
    "overlong",
    "pure_recipe",
    "query_recipe",
    "step_recipe",
]

# Any: a user's function takes and returns whatever it declares.
Function = Callable[..., Any]

# The defaults of a step. An option that is given is told from one that is not by identity, so
# that an option without effect can be refused and a stated one told from an assumed one.
TIMEOUT = timedelta(seconds=30)
UNDO_RETRY = Retry(attempts=10)
UNDO_TIMEOUT = timedelta(seconds=30)
COMPENSATE_RETRY = Retry(attempts=10)
COMPENSATE_TIMEOUT = timedelta(seconds=30)
KEY_VALID_FOR = timedelta(hours=24)
RETRY = Retry()
NOTHING: Mapping[str, str] = MappingProxyType({})
"""What is allowed where nothing is."""

DURATION_MAX = timedelta(days=366)
"""The longest timeout, horizon or deadline."""

_NAME = re.compile(r"[^\W\d][\w-]*")
_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recipe:
    """A node to be: what the plan will say about it, and its code."""

    node: Node
    place: Place
    """Where it was declared."""
    signature: Signature
    body: BodyCode
    result: AnyCodec
    undo: RemedyCode | None = None
    compensate: CompensateCode | None = None
    states_horizon: bool = False
    """Whether `key_valid_for` was stated and not assumed."""
    # Any: what is recorded has the type that the user's functions declare.
    record: Codec[Any] | None = None
    """Writes and reads what its `Record` stores."""
    allow: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why it is meant as it is, by the code of the rule that finds it wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPolicy:
    """The options of `step`, as they were given."""

    name: str | None
    undo: Function | None
    undo_retry: Retry
    undo_timeout: timedelta
    compensate: Function | None
    compensate_retry: Retry
    compensate_timeout: timedelta
    retry: Retry
    timeout: timedelta
    timeout_total: timedelta | None
    key_valid_for: timedelta | None
    irreversible: str | None
    optional: bool
    pivot: bool
    allow: Mapping[str, str]


def step_recipe(function: Function, policy: StepPolicy) -> Recipe:
    """Return the recipe of a step; raise `DefinitionError` with everything that is wrong."""
    signature, problems = _read(function, "step", policy.name)
    problems += _async_problems(function, signature, "step")
    problems += _at(_contradictions(policy))
    problems += _at(_durations(policy))
    problems += _at(misallowed(policy.allow))
    if signature.injects(Transaction):
        problems += _local_problems(signature, policy)
    return _acting(function, signature, policy, problems, undone=signature.returns)


def handler_recipe(
    function: Function,
    signature: Signature,
    policy: StepPolicy,
    *,
    record: TypeForm,
    result: AnyCodec,
) -> Recipe:
    """Return the recipe of a handler of a lifecycle, whose undo is given the record it has left.

    Raises `DefinitionError` with everything that is wrong with its policy; what it takes and
    returns was looked at before.
    """
    problems = _async_problems(function, signature, "step")
    problems += _at(_contradictions(policy))
    problems += _at(_durations(policy))
    problems += _at(misallowed(policy.allow))
    if signature.injects(Transaction):
        problems += _local_problems(signature, policy)
    return _acting(function, signature, policy, problems, undone=record, result=result)


def _acting(
    function: Function,
    signature: Signature,
    policy: StepPolicy,
    problems: list[str],
    *,
    undone: TypeForm,
    result: AnyCodec | None = None,
) -> Recipe:
    """Return the recipe of what acts; `undone` is the type of what its undo is given."""
    undo = compensate = None
    if policy.undo is not None:
        given = replace(signature, returns=undone)
        undo = read_undo(policy.undo, given, policy.undo_retry, problems)
    if policy.compensate is not None:
        compensate = read_compensate(
            policy.compensate, signature, policy.compensate_retry, problems
        )
    record, undo, compensate = read_record(signature, undo, compensate, problems)
    where = f"{signature.place}: `{signature.name}`"
    sends = read_emitted(signature.injections, where, problems)
    _refuse(problems)
    kind = Kind.LOCAL if signature.injects(Transaction) else Kind.STEP
    return Recipe(
        node=_step_node(signature, kind, policy, (undo, compensate), record=record),
        place=caller(),
        signature=signature,
        body=BodyCode(
            function=function,
            injections=signature.injections,
            retry_on=policy.retry.classes,
            sends=sends,
        ),
        result=codec_of(signature.returns) if result is None else result,
        undo=undo,
        compensate=compensate,
        states_horizon=policy.key_valid_for is not KEY_VALID_FOR,
        record=None if record is None else codec_of(record),
        allow={**policy.allow},
    )


def query_recipe(
    function: Function,
    *,
    name: str | None,
    retry: Retry,
    timeout: timedelta,
    allow: Mapping[str, str],
) -> Recipe:
    """Return the recipe of a query; raise `DefinitionError` with everything that is wrong."""
    signature, problems = _read(function, "query", name)
    problems += _async_problems(function, signature, "query")
    problems += _at(out_of_bounds("timeout", timeout))
    problems += _at(misallowed(allow))
    problems += [
        f"{signature.place}: the query `{signature.name}` takes {type_name(item.wants)}, but a "
        "query only asks; declare it as step(…)"
        for item in signature.injections
        if item.wants is Transaction or item.wants is Writes or item.is_record or item.is_emit
    ]
    _refuse(problems)
    return Recipe(
        node=Node(
            path=name or signature.name,
            kind=Kind.QUERY,
            function=signature.name,
            returns=type_name(signature.returns),
            retry=retry.backoff,
            timeout=timeout,
            summary=signature.summary,
            services=_services(signature.injections),
        ),
        place=caller(),
        signature=signature,
        body=BodyCode(function=function, injections=signature.injections, retry_on=retry.classes),
        result=codec_of(signature.returns),
        allow={**allow},
    )


def pure_recipe(function: Function, *, name: str | None) -> Recipe:
    """Return the recipe of a pure; raise `DefinitionError` with everything that is wrong."""
    signature, problems = _read(function, "pure", name)
    if inspect.iscoroutinefunction(function):
        problems.append(
            f"{signature.place}: `{signature.name}` is async, but a pure is a plain function of "
            f"values; declare it as query({signature.name}) or step({signature.name})"
        )
    if signature.injections:
        problems.append(
            f"{signature.place}: the pure `{signature.name}` takes injected parameters, but a "
            "pure depends on its arguments only; declare it as a query or a step"
        )
    _refuse(problems)
    return Recipe(
        node=Node(
            path=name or signature.name,
            kind=Kind.PURE,
            function=signature.name,
            returns=type_name(signature.returns),
            retry=Backoff(attempts=1),
            timeout=None,
            summary=signature.summary,
        ),
        place=caller(),
        signature=signature,
        body=BodyCode(function=function),
        result=codec_of(signature.returns),
    )


def misnamed(name: str) -> str | None:
    """Say why a node or a workflow cannot have this name, or None when it can."""
    too_long = overlong(name)
    if too_long is not None:
        return too_long
    if name == "<lambda>":
        return 'a lambda has no name; give it one with name="…"'
    if not _NAME.fullmatch(name):
        return (
            f"the name {name!r} cannot be part of a path; use letters, digits, `_` and `-`, "
            "beginning with a letter"
        )
    return None


def overlong(path: str) -> str | None:
    """Say that a name, or a path made of several, is too long, or None when it is not."""
    if len(path) <= PATH_CHARACTERS_MAX:
        return None
    return (
        f"the name `{path[:40]}…` has {len(path)} characters; at most {PATH_CHARACTERS_MAX} are "
        "allowed"
    )


def out_of_bounds(option: str, duration: timedelta | None) -> list[str]:
    """Say that an option is no duration above zero, or one without a practical end."""
    if duration is None or _ZERO < duration <= DURATION_MAX:
        return []
    return [
        (
            f"{option}={duration!r} is out of bounds; give a duration above zero and of at most "
            f"{DURATION_MAX.days} days"
        )
    ]


def _read(function: Function, what: str, name: str | None) -> tuple[Signature, list[str]]:
    given: object = function
    if not callable(given):
        message = f"{caller()}: {what}({given!r}) is given no function; give it one"
        raise DefinitionError(message)
    signature = uncalled(read_signature(function))
    why = misnamed(signature.name if name is None else name)
    problems = [*signature.problems, *signature.received_only(), *signature.uncarried()]
    if signature.calls and what != "step":
        problems.append(
            f"{signature.place}: the {what} `{signature.name}` returns a call, but only a step has "
            "one run in its place; declare it as step(…)"
        )
    return signature, problems + _at([why] if why else [])


def _async_problems(function: Function, signature: Signature, what: str) -> list[str]:
    if inspect.iscoroutinefunction(function):
        return []
    return [
        (
            f"{signature.place}: `{signature.name}` is not async; write `async def`, or "
            f"{what}(threaded({signature.name})) for a function that blocks"
        )
    ]


def _contradictions(policy: StepPolicy) -> list[str]:
    """Return options that exclude each other, or that would have no effect."""
    found: list[str] = []
    if policy.irreversible is not None and not policy.irreversible.strip():
        found.append('irreversible="" gives no reason; say why it cannot be undone')
    if policy.undo and policy.irreversible is not None:
        found.append("undo= and irreversible= contradict each other; keep the one that is true")
    if policy.undo and policy.pivot:
        found.append("undo= has no effect on a pivot: nothing is undone after it; remove one")
    if policy.optional and policy.pivot:
        found.append(
            "optional=True and pivot=True contradict each other: a run cannot be past a step "
            "that need not happen; keep one"
        )
    if not policy.undo and (
        policy.undo_retry is not UNDO_RETRY or policy.undo_timeout is not UNDO_TIMEOUT
    ):
        found.append("undo_retry= and undo_timeout= have no effect without undo=; add it")
    if not policy.compensate and (
        policy.compensate_retry is not COMPENSATE_RETRY
        or policy.compensate_timeout is not COMPENSATE_TIMEOUT
    ):
        found.append(
            "compensate_retry= and compensate_timeout= have no effect without compensate=; add it"
        )
    return found


def _durations(policy: StepPolicy) -> list[str]:
    found = [
        *out_of_bounds("timeout", policy.timeout),
        *out_of_bounds("timeout_total", policy.timeout_total),
        *out_of_bounds("undo_timeout", policy.undo_timeout),
        *out_of_bounds("compensate_timeout", policy.compensate_timeout),
        *out_of_bounds("key_valid_for", policy.key_valid_for),
    ]
    if policy.timeout_total is not None and policy.timeout_total < policy.timeout:
        found.append(
            f"timeout_total={policy.timeout_total!r} is shorter than "
            f"timeout={policy.timeout!r}, which is for one attempt; raise it"
        )
    return found


def _local_problems(signature: Signature, policy: StepPolicy) -> list[str]:
    """Return what a local step may not have.

    Its body awaits nothing but the transaction, so a service could only be waited for in vain,
    and its record is one commit with what it did, so there is no doubt to ask about and no key
    that another side would have to remember.
    """
    where = f"{signature.place}: `{signature.name}` takes a Transaction, so it is a local step: "
    found = [
        f"{where}it cannot await the service `{item.name}`; ask it in a step before this one"
        for item in signature.injections
        if item.is_service
    ]
    if signature.injects(Writes):
        found.append(f"{where}it writes by its Transaction; remove the Writes")
    if any(item.is_record for item in signature.injections):
        found.append(f"{where}it is one commit with its result; return what its undo needs")
    if policy.compensate:
        found.append(f"{where}it is never in doubt; remove compensate=")
    if signature.calls:
        found.append(f"{where}it returns no call; let a step after it return the call")
    if policy.key_valid_for is not KEY_VALID_FOR:
        found.append(f"{where}no other side knows its key; remove key_valid_for=")
    return found


def _step_node(
    signature: Signature,
    kind: Kind,
    policy: StepPolicy,
    remedies: tuple[RemedyCode | None, CompensateCode | None],
    *,
    record: TypeForm | None,
) -> Node:
    undo, compensate = remedies
    return Node(
        path=policy.name or signature.name,
        kind=kind,
        function=signature.name,
        returns=type_name(signature.returns),
        retry=policy.retry.backoff,
        timeout=policy.timeout,
        timeout_total=policy.timeout_total,
        undo=_remedy(undo, policy.undo_retry, policy.undo_timeout),
        compensate=_remedy(compensate, policy.compensate_retry, policy.compensate_timeout),
        irreversible=policy.irreversible,
        optional=policy.optional,
        pivot=policy.pivot,
        key_valid_for=policy.key_valid_for if kind is Kind.STEP else None,
        summary=signature.summary,
        record=None if record is None else type_name(record),
        services=_services(signature.injections),
        calls=signature.calls,
    )


def _remedy(
    code: RemedyCode | CompensateCode | None, retry: Retry, timeout: timedelta
) -> Remedy | None:
    if code is None:
        return None
    return Remedy(
        function=name_of(code.function),
        retry=retry.backoff,
        timeout=timeout,
        local=any(item.wants is Transaction for item in code.injections),
        services=_services(code.injections),
    )


def _services(injections: tuple[Injection, ...]) -> tuple[str, ...]:
    return tuple(sorted({type_name(item.wants) for item in injections if item.is_service}))


def _at(sentences: list[str]) -> list[str]:
    """Put the place of the declaration before each sentence."""
    return [f"{caller()}: {sentence}" for sentence in sentences]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise DefinitionError(*problems)
