"""Calling a receptor with a message, without an engine, a store or a clock that moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, TypeVar, overload

from makegood.definition.receiving.receptors import Receptors
from makegood.errors import InvalidInput
from makegood.runtime.calling.writing import Collected
from makegood.runtime.observing.carrying import Carriers
from makegood.runtime.receiving.call import ReceptorCall, Surroundings
from makegood.runtime.receiving.receiver import Receiver
from makegood.testing.clock import TurnableClock
from makegood.values.envelope import Origin
from makegood.values.instants import after
from makegood.values.schemas import seal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from makegood.definition.call import Call
    from makegood.definition.receiving.receptor import Receptor
    from makegood.journal.protocol import Statement

__all__ = ["Received", "receive"]

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came of receiving a message."""

    messages: tuple[object, ...]
    """What was emitted and returned, in that order, as whoever receives it will be given it."""
    calls: tuple[Call[object], ...]
    """Calls of workflows that were returned: each is started when the message is done."""
    writes: tuple[Statement, ...]
    """What was collected by `Writes`."""


@overload
async def receive(
    receptor: Receptors,
    message: object,
    *,
    services: Mapping[type, object] | None = None,
    name: str | None = None,
    key: str | None = None,
    id: str = "message-1",
    attempt: int = 1,
    is_first: bool = True,
    clock: TurnableClock | None = None,
) -> Received: ...
@overload
# Any: a receptor returns whatever it declares.
async def receive(
    receptor: Callable[Concatenate[M, ...], Awaitable[Any]],
    message: M,
    *,
    services: Mapping[type, object] | None = None,
    name: None = None,
    key: str | None = None,
    id: str = "message-1",
    attempt: int = 1,
    is_first: bool = True,
    clock: TurnableClock | None = None,
) -> Received: ...
# Any: as above, and it takes a message of its own class.
async def receive(
    receptor: Receptors | Callable[..., Awaitable[Any]],
    message: object,
    *,
    services: Mapping[type, object] | None = None,
    name: str | None = None,
    key: str | None = None,
    id: str = "message-1",
    attempt: int = 1,
    is_first: bool = True,
    clock: TurnableClock | None = None,
) -> Received:
    """Call a receptor with a message, and return what it sends, calls and writes.

    `receptor` is a function, or a group, of which the one is meant that receives the class of the
    message, or that has this `name`. The message is written and read back by its class before, and
    what is sent after, as in production. `is_first` is what an injected `Once` answers. What the
    function raises is raised here as it is.

    Raises `InvalidInput` for a group without such a receptor, and for one that takes a
    `Transaction`, for which there is no store here.
    """
    found = _found(receptor, message, name)
    if found.is_local:
        text = (
            f"`{found.name}` takes a Transaction, for which there is no store here; serve it on "
            'Engine("memory://", …) instead'
        )
        raise InvalidInput(text)

    async def once(_key: str, _call: ReceptorCall) -> bool:
        return is_first

    clock = clock or TurnableClock()
    schema = found.receives[type(message)]
    origin = Origin(correlation=id, causation=id)
    envelope = seal(schema, message, origin, id=id, source="test", at=clock.now(), key=key)
    call = ReceptorCall(
        Receiver(found, services or {}),
        envelope,
        schema.read(envelope),
        Surroundings(clock, Carriers(()), source="test", once=once),
        attempt=attempt,
        until=after(clock.now(), found.timeout),
    )
    call.writes = Collected()
    call.outbox.take(await call.call(()))
    sent = {each.name: each for each in found.sends.values()}
    return Received(
        messages=tuple(sent[each.type].read(each) for each in call.outbox.messages),
        calls=tuple(call.outbox.calls),
        writes=tuple(call.writes.statements),
    )


# Any: as above.
def _found(
    given: Receptors | Callable[..., Awaitable[Any]], message: object, name: str | None
) -> Receptor:
    """Return the receptor that is meant."""
    if not isinstance(given, Receptors):
        given = Receptors("test").on(given)
    kind = type(message)
    meant = [
        each
        for each in given.receptors
        if kind in each.receives and name in {None, each.name, each.name.rpartition("/")[2]}
    ]
    if len(meant) == 1:
        return meant[0]
    names = ", ".join(f"`{each.name}`" for each in meant or given.receptors) or "none"
    what = "several receive it: name one of" if meant else "none of these receives it:"
    text = f"a `{kind.__qualname__}` is to be received, and {what} {names}"
    raise InvalidInput(text)
