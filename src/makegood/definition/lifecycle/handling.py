"""What one handler of a lifecycle is: what it is given, what it may return, and its policy.

Its function is read here, and everything is found at once that is wrong with it by itself. Whether
the statuses make sense together is for `graph` to judge.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    TypedDict,
    TypeVar,
    get_args,
    get_origin,
)

from makegood.definition.lifecycle.carrying import OutcomeCodec, RecordCodec
from makegood.definition.lifecycle.machine import Handler, Trigger
from makegood.definition.plan import Kind
from makegood.definition.reading.fit import UNKNOWN, fits, members, type_name
from makegood.definition.reading.place import caller
from makegood.definition.reading.signature import read_signature
from makegood.definition.recipe import (
    COMPENSATE_RETRY,
    COMPENSATE_TIMEOUT,
    KEY_VALID_FOR,
    NOTHING,
    RETRY,
    TIMEOUT,
    UNDO_RETRY,
    UNDO_TIMEOUT,
    Recipe,
    StepPolicy,
    handler_recipe,
    misnamed,
)
from makegood.errors import DefinitionError
from makegood.values.codec import uncarried
from makegood.values.limits import AT_ONCE_MAX
from makegood.values.messages import message_name, misfit_message
from makegood.values.outcomes import Again, CancelRun, FailRun, Goto, PauseRun, Rearm, Stay
from makegood.values.rounds import Failed, Succeeded

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from enum import Enum

    from makegood.definition.call import Call
    from makegood.definition.policy import Retry
    from makegood.definition.reading.fit import TypeForm
    from makegood.definition.reading.signature import Signature
    from makegood.values.verdict import Failure, Verdict

__all__ = ["Handling", "Policy", "Shape", "Use", "read_handling"]

T = TypeVar("T")

# Any: a user's function takes and returns whatever it declares.
Function = Callable[..., Any]

_STAYING: frozenset[object] = frozenset({Stay, Rearm})
# Any: classes, some of them generic.
_OUTCOMES: tuple[Any, ...] = (Goto, Stay, Rearm, Again, PauseRun, CancelRun, FailRun)


class Policy(TypedDict, Generic[T], total=False):
    """The policy of a handler: the options of `step` that a handler may have.

    An undo is given the record as the handler left it.
    """

    name: str
    undo: Callable[Concatenate[T, ...], Awaitable[object]]
    undo_retry: Retry
    undo_timeout: timedelta
    # Any: whether the verdict proceeds with an outcome of the handler is found at import.
    compensate: Callable[Concatenate[Failure, ...], Awaitable[Verdict[Any]]]
    compensate_retry: Retry
    compensate_timeout: timedelta
    retry: Retry
    timeout: timedelta
    timeout_total: timedelta
    key_valid_for: timedelta | None
    irreversible: str
    at_once: int
    allow: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a lifecycle is about: its record and its statuses."""

    name: str
    record: TypeForm
    statuses: type[Enum]
    codec: RecordCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Where and when a function is to be called, as it was declared."""

    trigger: Trigger
    statuses: tuple[Enum, ...]
    to: tuple[Enum, ...]
    message: TypeForm = None
    """The class of the message that it hears."""
    after: timedelta | None = None
    # Any: a record has the type that the user declares.
    due: Callable[[Any], datetime | None] | None = None
    """Says when a timer is due."""
    # Any: as above, and a call gives what its workflow declares.
    call: Callable[[Any], Call[Any]] | None = None
    """Says which workflow is started."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Handling:
    """One handler, read and found to be right by itself."""

    handler: Handler
    use: Use
    recipe: Recipe
    given: TypeForm = None
    """The type of what the workflow gives that it waits for."""
    may_stay: bool = False
    """Whether it says that it may let the record stay, and does not just say `Next`."""


# Any: the policy is for records of whatever type the lifecycle declares.
def read_handling(shape: Shape, use: Use, function: Function, policy: Policy[Any]) -> Handling:
    """Return a handler; raise `DefinitionError` with everything that is wrong with it."""
    asked: object = function
    if not callable(asked):
        message = f"{caller()}: a handler of `{shape.name}` is {asked!r:.80}; give it a function"
        raise DefinitionError(message)
    signature = read_signature(function)
    name = policy.get("name", signature.name)
    taken = signature.parameters[1].type if len(signature.parameters) > 1 else None
    problems = [*signature.problems, *signature.received_only()]
    problems += _misdeclared(shape, use, name, policy.get("at_once"))
    problems += _misgiven(shape, use, signature)
    problems += _misreturned(shape, use, signature)
    if problems:
        raise DefinitionError(*problems)
    kinds = {_of_class(kind) for kind in members(signature.returns)}
    codec = OutcomeCodec(
        name=name,
        place=signature.place,
        statuses=shape.statuses,
        to=frozenset(status.name for status in use.to),
        kinds=frozenset(kind for kind in _OUTCOMES if kind in kinds or not kinds & {*_OUTCOMES}),
        record=shape.codec,
    )
    recipe = handler_recipe(
        function,
        signature,
        _policy(name, policy),
        record=shape.record,
        result=codec,
    )
    if recipe.node.kind is Kind.LOCAL and policy.get("at_once") is not None:
        message = (
            f"{signature.place}: `{name}` has at_once= and writes by Transaction; remove at_once=, "
            "for what is done in the store's own transaction is done one after the other"
        )
        raise DefinitionError(message)
    order = [status.name for status in shape.statuses]
    return Handling(
        handler=Handler(
            name=name,
            trigger=use.trigger,
            statuses=tuple(sorted((each.name for each in use.statuses), key=order.index)),
            to=tuple(sorted((each.name for each in use.to), key=order.index)),
            message=None if use.message is None else message_name(use.message),
            after=use.after,
            at_once=policy.get("at_once"),
        ),
        use=use,
        recipe=recipe,
        given=None if use.call is None else _given_by(taken),
        may_stay=bool(kinds & _STAYING) and kinds != {*_OUTCOMES},
    )


# What is declared beside the function -----------------------------------------------------------


def _misdeclared(shape: Shape, use: Use, name: str, at_once: int | None) -> list[str]:
    found: list[str] = []
    why = misnamed(name)
    if why is not None:
        found.append(why)
    if not use.statuses:
        found.append(f"`{name}` is called in no status; name one, or several in a set")
    found += [
        f"`{name}` names {status!r:.80}, which is no {shape.statuses.__qualname__}; name one of "
        f"{_listed(shape.statuses)}"
        for status in (*use.statuses, *use.to)
        if not isinstance(status, shape.statuses)
    ]
    if at_once is not None and not 1 <= at_once <= AT_ONCE_MAX:
        found.append(f"`{name}` has at_once={at_once}; give 1 to {AT_ONCE_MAX:,}")
    if use.trigger is Trigger.MESSAGE:
        why = misfit_message(use.message)
        if why is not None:
            found.append(why)
    # They are met at run time, whatever the annotations say.
    computed: tuple[tuple[str, object], ...] = (("at", use.due), ("call", use.call))
    found += [
        f"{option}= of `{name}` is {given!r:.80}, but it is computed at once; give it a plain "
        "function of the record"
        for option, given in computed
        if given is not None and (not callable(given) or iscoroutinefunction(given))
    ]
    return [f"{caller()}: {problem}" for problem in found]


def _listed(statuses: Collection[Enum] | type[Enum]) -> str:
    return ", ".join(status.name for status in statuses)


# What it is given -------------------------------------------------------------------------------


def _misgiven(shape: Shape, use: Use, signature: Signature) -> list[str]:
    """Say why the function cannot be called with the record, and what comes beside it."""
    where = f"{signature.place}: the handler `{signature.name}`"
    wanted = _wanted(shape, use)
    found: list[str] = []
    for place, (what, kind) in enumerate(wanted):
        if place >= len(signature.parameters):
            found.append(f"{where} does not take {what}; let parameter {place + 1} be {kind}")
            continue
        taken = signature.parameters[place]
        if not _takes(use, place, kind, taken.type):
            found.append(
                f"{where} takes `{taken.name}: {type_name(taken.type)}`, but is given {what}, "
                f"{_shown(kind)}"
            )
    found += [
        f"{where} also takes `{item.name}`; it is given {' and '.join(what for what, _ in wanted)},"
        f" and services as `*, {item.name}: … = injected`"
        for item in signature.parameters[len(wanted) :]
    ]
    return found


def _wanted(shape: Shape, use: Use) -> list[tuple[str, TypeForm]]:
    match use.trigger:
        case Trigger.MESSAGE:
            return [("the record", shape.record), ("the message", use.message)]
        case Trigger.CALL:
            how = "Succeeded[…] | Failed"
            return [("the record", shape.record), ("how the run has ended", how)]
        case Trigger.ENTRY | Trigger.TIMER:
            return [("the record", shape.record)]


def _takes(use: Use, place: int, given: TypeForm, taken: TypeForm) -> bool:
    if use.trigger is not Trigger.CALL or place == 0:
        return fits(given, taken)
    kinds = {_of_class(kind) for kind in members(taken)}
    return kinds == {Succeeded, Failed} and uncarried(_given_by(taken)) is None


def _given_by(taken: TypeForm) -> TypeForm:
    """Return what a workflow gives, by the type of how it has ended."""
    succeeded = next(kind for kind in members(taken) if _of_class(kind) is Succeeded)
    inner = get_args(succeeded)
    return inner[0] if inner else UNKNOWN


def _shown(kind: TypeForm) -> str:
    return kind if isinstance(kind, str) else type_name(kind)


# What it returns --------------------------------------------------------------------------------


def _misreturned(shape: Shape, use: Use, signature: Signature) -> list[str]:
    """Say what of that which it says it returns is no outcome of it."""
    where = f"{signature.place}: the handler `{signature.name}`"
    kinds = members(signature.returns)
    found = [
        f"{where} returns {type_name(kind)}; a handler returns "
        f"{', '.join(each.__name__ for each in _OUTCOMES)}"
        for kind in kinds
        if isinstance(_of_class(kind), type) and _of_class(kind) not in _OUTCOMES
    ]
    if found:
        return found
    found += [
        f"{where} returns {type_name(kind)}, but its record is {type_name(shape.record)}"
        for kind in kinds
        if get_args(kind) and not fits(get_args(kind)[-1], shape.record)
    ]
    return found + [f"{where} {why}" for why in _misled(shape, use, kinds)]


def _misled(shape: Shape, use: Use, kinds: Collection[TypeForm]) -> list[str]:
    """Say how the statuses to which it may lead differ from those that it says."""
    going = [kind for kind in kinds if _of_class(kind) is Goto]
    is_known = all(isinstance(_of_class(kind), type) for kind in kinds)
    if is_known and use.to and not going:
        return [f"leads to {_listed(use.to)}, but does not return Goto; remove to=, or return it"]
    said: set[object] = set()
    for kind in going:
        inner = get_args(kind)
        if not inner or get_origin(inner[0]) is not Literal:
            return [] if use.to else ["returns Goto, but says nowhere to what; add to={…}"]
        said.update(get_args(inner[0]))
    if not is_known or said == set(use.to):
        return []
    foreign = [status for status in said if not isinstance(status, shape.statuses)]
    if foreign:
        return [f"goes to {foreign[0]!r:.80}, which is no {shape.statuses.__qualname__}"]
    more = [each for each in shape.statuses if each in said and each not in use.to]
    if more:
        return [f"says it goes to {_listed(more)}; add it to to=, or take it out of Literal[…]"]
    less = [each for each in use.to if each not in said]
    return [f"leads to {_listed(less)}, which its Literal[…] does not name; make them agree"]


def _of_class(kind: TypeForm) -> object:
    origin: object = get_origin(kind)
    return kind if origin is None else origin


# Its policy -------------------------------------------------------------------------------------


# Any: as for `read_handling`.
def _policy(name: str, given: Policy[Any]) -> StepPolicy:
    """Return the policy with what is assumed where nothing was said."""
    return StepPolicy(
        name=name,
        undo=given.get("undo"),
        undo_retry=given.get("undo_retry", UNDO_RETRY),
        undo_timeout=given.get("undo_timeout", UNDO_TIMEOUT),
        compensate=given.get("compensate"),
        compensate_retry=given.get("compensate_retry", COMPENSATE_RETRY),
        compensate_timeout=given.get("compensate_timeout", COMPENSATE_TIMEOUT),
        retry=given.get("retry", RETRY),
        timeout=given.get("timeout", TIMEOUT),
        timeout_total=given.get("timeout_total"),
        key_valid_for=given.get("key_valid_for", KEY_VALID_FOR),
        irreversible=given.get("irreversible"),
        optional=False,
        pivot=False,
        allow=given.get("allow", NOTHING),
    )
