"""What a run says and hears by messages: `send`, and `wait`.

A message is known by its class and by a key, such as an order's id. Either is a node of the plan;
who is to have the message is found when it is delivered, by the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, cast, overload

from makegood.definition.code import BodyCode
from makegood.definition.placeholder import is_placeholder, reveal
from makegood.definition.plan import Backoff, Kind, Node
from makegood.definition.reading.fit import type_name
from makegood.definition.reading.place import caller
from makegood.definition.reading.signature import read_signature
from makegood.definition.recipe import Recipe
from makegood.definition.trace import UNWIRED, Wiring, current_trace
from makegood.errors import DefinitionError, InvalidInput
from makegood.values.codec import Codec, codec_of
from makegood.values.ids import parse_message_key
from makegood.values.instants import Instant, after
from makegood.values.limits import KEEP_MAX, SLEEP_MAX
from makegood.values.messages import KEEP, message_name, misfit_message, require_kept

if TYPE_CHECKING:
    from msgspec import Raw

    from makegood.definition.reading.fit import TypeForm

__all__ = ["Send", "Wait", "send", "wait"]

M = TypeVar("M")


def _awaited(key: str, within: timedelta | None = None) -> None:
    """Wait for a message with this key."""


def _address(now: Instant, *, key: str, within: timedelta | None) -> tuple[str, Instant | None]:
    """Return the key of a wait that begins now, and when it is given up."""
    parse_message_key(key)
    if within is None:
        return key, None
    if not timedelta(0) < within <= SLEEP_MAX:
        message = (
            f"wait(…, within={within}) has no sense; give a duration above zero and of at most "
            f"{SLEEP_MAX.days:,} days"
        )
        raise InvalidInput(message)
    return key, after(now, within)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Wait:
    """Waits for a message; wired like a step. There is one, `wait`."""

    wiring: Wiring = UNWIRED

    @overload
    def __call__(
        self,
        message: type[M],
        *,
        key: str,
        within: timedelta,
        forever: Literal[False] = False,
        optional: Literal[False] = False,
    ) -> M: ...

    @overload
    def __call__(
        self,
        message: type[M],
        *,
        key: str,
        within: timedelta,
        forever: Literal[False] = False,
        optional: Literal[True],
    ) -> M | None: ...

    @overload
    def __call__(self, message: type[M], *, key: str, forever: Literal[True]) -> M: ...

    def __call__(
        self,
        message: type[M],
        *,
        key: str,
        within: timedelta | None = None,
        forever: bool = False,
        optional: bool = False,
    ) -> M | None:
        """Wait for a message of this class with this key, and return it.

        Whoever sends it names the same class and key: another workflow by `send`, or anybody by
        `Engine.send`. One that came before and is still kept is there at once. When `within` is
        over the wait fails with `WaitTimedOut`, or with `optional` its result is None; a wait that
        shall never be given up says `forever=True`. One run waits for a class and a key at a time:
        the wait of a second one fails with `KeyConflict`. Meanwhile the run leaves memory.
        """
        trace = current_trace("wait(…) is called", "call it inside a function under @workflow")
        _require_message(message, "wait(…)")
        if forever == (within is not None):
            why = "says both within= and forever=True" if forever else "has no end"
            text = f"{caller()}: wait({message.__name__}, …) {why}; "
            raise DefinitionError(text + "give it within=…, or forever=True")
        recipe = _wait_recipe(message, optional=optional)
        # What waits for ever gives no duration, which the plan shows.
        given = {"key": key} if within is None else {"key": key, "within": within}
        return cast("M | None", trace.add(recipe, self.wiring, (), given))

    def named(self, name: str) -> Wait:
        """Return a copy with a name of its own, for a workflow that waits more than once."""
        return replace(self, wiring=replace(self.wiring, name=name))

    def after(self, *results: object) -> Wait:
        """Return a copy that begins when these results are there."""
        return replace(self, wiring=replace(self.wiring, after=(*self.wiring.after, *results)))

    def when(self, flag: bool) -> NoReturn:  # noqa: ARG002, FBT001 - as a step is guarded
        """Refuse a guard: whether to wait is a choice between branches."""
        message = (
            f"{caller()}: wait(…) is not guarded by .when(…); let "
            "switch(flag, {True: lambda: wait(…), False: lambda: …}) choose"
        )
        raise DefinitionError(message)

    def __repr__(self) -> str:
        return f"<{self.wiring.name or 'wait'}(message, key, within)>"


wait = Wait()
"""Wait for a message: `wait(Shipped, key=order.id, within=timedelta(days=3))`."""


def _sent(key: str, keep: timedelta = KEEP, on: str = "now") -> None:
    """Send a message to whoever waits for it under this key."""


def _letter(
    codec: Codec[Any],  # Any: the message has the class that the user declares.
    now: Instant,
    *,
    message: object,
    key: str,
    keep: timedelta,
    on: str,
) -> tuple[str, Raw, Instant, str]:
    """Return the key of a message, the message as JSON, until when it is kept, and `on`."""
    parse_message_key(key)
    return key, codec.write(message), after(now, require_kept(keep, KEEP_MAX)), on


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Send:
    """Sends a message; wired like a step. There is one, `send`."""

    wiring: Wiring = UNWIRED

    def __call__(
        self,
        message: object,
        *,
        key: str,
        keep: timedelta = KEEP,
        on: Literal["now", "success"] = "now",
    ) -> None:
        """Send a message to the run that waits for its class and this key, now or later.

        `message` is a constant, an input, a result or a part of one. It is on record with the
        sending and is delivered exactly once. It is kept for `keep`, at most 366 days, for a run
        that does not wait yet. With `on="success"` it is held back until this run has completed,
        and dropped when the run is rolled back instead. What was sent cannot be unsent.
        """
        trace = current_trace("send(…) is called", "call it inside a function under @workflow")
        kind: TypeForm = reveal(message).type if is_placeholder(message) else type(message)
        _require_message(kind, "send(…)")
        if on not in {"now", "success"}:
            text = f'{caller()}: send(…, on={on!r}) has no sense; give on="now" or on="success"'
            raise DefinitionError(text)
        given = {"message": message, "key": key, "keep": keep, "on": on}
        sent = trace.add(_send_recipe(kind), self.wiring, (), given)
        return cast("None", cast("object", sent))

    def named(self, name: str) -> Send:
        """Return a copy with a name of its own, for a workflow that sends more than once."""
        return replace(self, wiring=replace(self.wiring, name=name))

    def after(self, *results: object) -> Send:
        """Return a copy that sends when these results are there."""
        return replace(self, wiring=replace(self.wiring, after=(*self.wiring.after, *results)))

    def when(self, flag: bool) -> Send:  # noqa: FBT001 - a placeholder, not an option
        """Return a copy that sends only if the flag holds."""
        return replace(self, wiring=replace(self.wiring, when=(*self.wiring.when, flag)))

    def __repr__(self) -> str:
        return f"<{self.wiring.name or 'send'}(message, key, keep, on)>"


send = Send()
"""Send a message: `send(shipped, key=order.id)`, or `send.after(paid)(shipped, key=order.id)`."""


def _require_message(kind: object, call: str) -> None:
    why = misfit_message(kind)
    if why is not None:
        message = f"{caller()}: {call}: {why}"
        raise DefinitionError(message)


def _wait_recipe(kind: type, *, optional: bool) -> Recipe:
    return Recipe(
        place=caller(),
        node=Node(
            path="wait",
            kind=Kind.WAIT,
            function=message_name(kind),
            returns=type_name(kind),
            retry=Backoff(attempts=1),
            timeout=None,
            optional=optional,
        ),
        signature=replace(read_signature(_awaited), returns=kind),
        body=BodyCode(function=_address),
        result=codec_of(cast("type[Any]", kind)),  # Any: the class that the user declares
    )


def _send_recipe(kind: TypeForm) -> Recipe:
    signature = read_signature(_sent)
    message = replace(signature.parameters[0], name="message", type=kind)
    return Recipe(
        place=caller(),
        node=Node(
            path="send",
            kind=Kind.SEND,
            function=message_name(cast("type", kind)),
            retry=Backoff(attempts=1),
            timeout=None,
        ),
        signature=replace(signature, parameters=(message, *signature.parameters)),
        # Any: as for `_letter`.
        body=BodyCode(function=partial(_letter, codec_of(cast("type[Any]", kind)))),
        result=codec_of(type(None)),
    )
