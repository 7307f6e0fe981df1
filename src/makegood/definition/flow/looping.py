"""What is to happen for each of several items, and what again and again: `each` and `repeat`.

The body is traced once, when the workflow is declared, as a block of the plan. Every round gets
nodes of its own when it begins, so each is retried, asked about and undone like any other node, in
the one order of the whole run.

What becomes of the others when a round fails is the policy of an each: the run fails (the default),
the failures are kept beside the results (`Collect`), or so many are enough (`Quorum`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import TYPE_CHECKING, TypeVar, Union, cast, get_args, get_origin, overload

from makegood.definition.code import BodyCode, NodeCode, RoundsCode, always, gather
from makegood.definition.placeholder import is_placeholder
from makegood.definition.plan import Argument, Backoff, Block, Kind, Node
from makegood.definition.reading.fit import NEVER, NONE, UNKNOWN, TypeForm, fits, plain, type_name
from makegood.definition.reading.place import caller
from makegood.definition.trace import current_trace
from makegood.errors import DefinitionError
from makegood.values.codec import codec_of
from makegood.values.limits import AT_ONCE_MAX, ITEMS_MAX, ROUNDS_MAX
from makegood.values.rounds import Failed, Succeeded, Unneeded

if TYPE_CHECKING:
    from makegood.definition.flow.traced import Framed, Traced
    from makegood.definition.trace import Trace

__all__ = ["Collect", "Quorum", "each", "repeat"]

T = TypeVar("T")
R = TypeVar("R")

_GIVEN = {Kind.EACH: "items", Kind.REPEAT: "start"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Keeps the failures of rounds as outcomes; all rounds happen.

    A round that fails turns back by itself: what it did is undone, in the reverse order of its
    completion, and the others go on. With fewer than `done_min` that succeed the whole fails, as
    soon as that is certain.
    """

    done_min: int = 0


@dataclass(frozen=True, slots=True)
class Quorum:
    """Lets so many rounds be enough: no further one begins once they are done.

    Rounds that have begun go on to their end, and what they did stays done. A round that fails
    turns back by itself, as under `Collect`; when fewer than `done` can succeed the whole fails.
    """

    done: int


@overload
def each(
    items: Sequence[T], body: Callable[[T], R], *, at_once: int = 8, name: str = "each"
) -> list[R]: ...
@overload
def each(
    items: Sequence[T],
    body: Callable[[T], R],
    *,
    policy: Collect,
    at_once: int = 8,
    name: str = "each",
) -> list[Succeeded[R] | Failed]: ...
@overload
def each(
    items: Sequence[T],
    body: Callable[[T], R],
    *,
    policy: Quorum,
    at_once: int = 8,
    name: str = "each",
) -> list[Succeeded[R] | Failed | Unneeded]: ...
def each(
    items: Sequence[T],
    body: Callable[[T], R],
    *,
    policy: Collect | Quorum | None = None,
    at_once: int = 8,
    name: str = "each",
) -> object:
    """Let a block happen for each item, so many at once, and return what they give, in order.

    `items` is an input, a result or a part of one: a list or a tuple, of at most 10,000. `body` is
    a lambda with one parameter, a function that the body of the workflow defines, or a step. A
    round begins as soon as one before it has ended. When one fails the run fails, and what all of
    them did is undone in the reverse order of its completion; unless the `policy` is a `Collect`
    or a `Quorum`. Then the results are outcomes: `Succeeded`, `Failed` or `Unneeded`.

    Raises `DefinitionError` for what is no bounded sequence, and for numbers out of bounds.
    """
    trace = current_trace("each(…) is called", "call it inside a function under @workflow")
    path = trace.take_path(name, remedy='give one of them name="…"')
    _require_between(f"`{path}`: at_once", at_once, 1, AT_ONCE_MAX)
    needs: set[int] = set()
    given = trace.scalar(f"the items of `{path}`", items, needs)
    kind = _kind_of_items(path, given.type)
    framed = trace.block(body, kind, f"an item of {path}")
    _require_some(path, framed)
    value = _carried(framed.returned.type)
    done_min = _done_min(path, policy)
    block = Block(
        number=framed.number,
        nodes=framed.nodes,
        returns=framed.returned.source,
        at_once=at_once,
        rounds_max=ITEMS_MAX,
        keeps_failures=policy is not None,
        done_min=done_min,
        is_quorum=isinstance(policy, Quorum),
    )
    result = GenericAlias(list, (_outcome(policy, value),))
    node = _node(path, Kind.EACH, given, block, result)
    code = _code(
        path,
        "items",
        given,
        RoundsCode(given=codec_of(kind), value=framed.returned.read, value_codec=codec_of(value)),
        result,
    )
    return trace.keep(node, code, result, needs | framed.needs, gives=framed.gives)


def repeat(
    body: Callable[[T], T],
    start: T,
    *,
    times_max: int,
    until: Callable[[T], bool] | None = None,
    name: str = "repeat",
) -> T:
    """Let a block happen again and again, each round with what the one before gave.

    The first round is given `start`. `until` is a plain function of the value that says when it is
    over; it is asked after every round, and a run that is not over after `times_max` rounds fails.
    Without `until` there are just so many rounds. Returns what the last round gives.
    """
    trace = current_trace("repeat(…) is called", "call it inside a function under @workflow")
    path = trace.take_path(name, remedy='give one of them name="…"')
    _require_between(f"`{path}`: times_max", times_max, 1, ROUNDS_MAX)
    needs: set[int] = set()
    kind, given = _started(trace, path, start, needs)
    framed = trace.block(body, kind, f"the value of {path}")
    _require_some(path, framed)
    if not fits(framed.returned.type, kind):
        message = (
            f"{caller()}: a round of `{path}` is given {type_name(kind)} and gives "
            f"{type_name(framed.returned.type)}, but the next one needs what it gives; let it "
            f"return {type_name(kind)}"
        )
        raise DefinitionError(message)
    block = Block(
        number=framed.number,
        nodes=framed.nodes,
        returns=framed.returned.source,
        rounds_max=times_max,
        is_judged=until is not None,
    )
    node = _node(path, Kind.REPEAT, given, block, kind)
    rounds = RoundsCode(
        given=codec_of(kind),
        value=framed.returned.read,
        value_codec=codec_of(kind),
        until=until,
    )
    code = _code(path, "start", given, rounds, kind)
    return cast("T", trace.keep(node, code, kind, needs | framed.needs, gives=framed.gives))


def _started(trace: Trace, path: str, start: object, needs: set[int]) -> tuple[TypeForm, Traced]:
    """Return the type of the value that goes round, and where the first one comes from."""
    where = f"the start of `{path}`"
    if is_placeholder(start):
        given = trace.scalar(where, start, needs)
        return given.type, given
    return type(start), trace.constant(start, type(start), where)


def _kind_of_items(path: str, kind: TypeForm) -> TypeForm:
    """Return the type of one item; refuse what is no bounded sequence."""
    whole = plain(kind)
    origin, inner = get_origin(whole) or whole, get_args(whole)
    if not (isinstance(origin, type) and issubclass(origin, Sequence)) or origin in (str, bytes):
        message = (
            f"{caller()}: `{path}` goes over {type_name(kind)}; give it a list or a tuple, made "
            "with pure(…) where there is none"
        )
        raise DefinitionError(message)
    if origin is tuple and inner[-1:] != (Ellipsis,):
        return inner[0] if len(set(inner)) == 1 else UNKNOWN
    return inner[0] if inner else UNKNOWN


def _carried(kind: TypeForm) -> TypeForm:
    return NONE if kind is NEVER else kind


def _outcome(policy: Collect | Quorum | None, value: TypeForm) -> TypeForm:
    """Return the type of what the list of an each has for one item."""
    match policy:
        case None:
            return value
        case Collect():
            return Union[Succeeded[value], Failed]  # noqa: UP007 - made now
        case Quorum():
            return Union[Succeeded[value], Failed, Unneeded]  # noqa: UP007 - made now


def _done_min(path: str, policy: object) -> int:
    match policy:
        case None:
            return 0
        case Collect(done_min=least):
            _require_between(f"`{path}`: done_min", least, 0, ITEMS_MAX)
            return least
        case Quorum(done=least):
            _require_between(f"`{path}`: Quorum", least, 1, ITEMS_MAX)
            return least
        case _:
            message = (
                f"{caller()}: the policy of `{path}` is {policy!r:.80}; give it Collect() or "
                "Quorum(…), or leave it out"
            )
            raise DefinitionError(message)


def _require_some(path: str, framed: Framed) -> None:
    if not framed.nodes:
        message = (
            f"{caller()}: a round of `{path}` has no steps, so there is nothing to do; call at "
            "least one, or use pure(…) on the whole"
        )
        raise DefinitionError(message)


def _require_between(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        message = f"{caller()}: {what} is {number}; give {least} to {most:,}"
        raise DefinitionError(message)


def _node(path: str, kind: Kind, given: Traced, block: Block, returns: TypeForm) -> Node:
    return Node(
        path=path,
        kind=kind,
        function=kind.value,
        arguments=(Argument(name=_GIVEN[kind], source=given.source, type=type_name(given.type)),),
        returns=type_name(returns),
        retry=Backoff(attempts=1),
        timeout=None,
        block=block,
    )


def _code(path: str, named: str, given: Traced, rounds: RoundsCode, returns: TypeForm) -> NodeCode:
    return NodeCode(
        body=BodyCode(function=_nothing),
        result=codec_of(returns),
        arguments=gather([(named, given.read)], path),
        holds=always,
        rounds=rounds,
    )


def _nothing() -> None:
    """Do nothing: what goes round has a block, and no function."""
