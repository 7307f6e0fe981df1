"""What a receptor sends: collected while its body is at work, and sealed at once.

A message is written down where it is emitted, so what the body does to it afterwards changes
nothing, and what cannot be carried is refused on the very line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from makegood.definition.call import Call
from makegood.errors import DefinitionError, InvalidInput
from makegood.values.ids import message_id
from makegood.values.instants import after as instant_after
from makegood.values.limits import SENT_AT_ONCE_MAX
from makegood.values.schemas import seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from makegood.definition.receiving.messages import Schemas
    from makegood.values.envelope import Envelope, Origin
    from makegood.values.instants import Instant

__all__ = ["Outbox"]

_SHAPES = (list, tuple)
"""What stands for several messages; a NamedTuple is one."""


class Outbox:
    """Collects what comes of one attempt; it is the `Emit` of the body, too.

    `owner` names who sends, and `key` its effect, of which the ids of the messages are made.
    """

    __slots__ = (
        "_calls",
        "_declared",
        "_key",
        "_now",
        "_origin",
        "_owner",
        "_seen",
        "_source",
        "calls",
        "messages",
    )

    def __init__(
        self,
        owner: str,
        declared: Schemas,
        *,
        calls: bool,
        key: str,
        source: str,
        origin: Callable[[], Origin],
        now: Callable[[], Instant],
    ) -> None:
        self._owner = owner
        self._declared = declared
        self._calls = calls
        self._key = key
        self._source = source
        self._origin = origin
        self._now = now
        self._seen: dict[int, object] = {}
        """What was emitted, by identity: the same object goes out once."""
        self.messages: list[Envelope] = []
        self.calls: list[Call[object]] = []

    def __call__(
        self, message: object, /, *, key: str | None = None, after: timedelta | None = None
    ) -> None:
        """Send a message; see `Emit`."""
        if id(message) in self._seen:
            return
        schema = self._declared.get(type(message))
        if schema is None:
            raise DefinitionError(self._undeclared(message))
        self._require_room()
        now = self._now()
        envelope = seal(
            schema,
            message,
            self._origin(),
            id=message_id(self._key, len(self.messages) + 1),
            source=self._source,
            at=now,
            key=key,
            not_before=None if after is None else instant_after(now, after),
        )
        # It is kept, so that no other object can have its identity while the body is at work.
        self._seen[id(message)] = message
        self.messages.append(envelope)

    def take(self, returned: object) -> None:
        """Send what the body returned, in its order.

        Raises `DefinitionError` for what it does not declare, and `InvalidInput` for what cannot
        be carried.
        """
        if returned is None:
            return
        if isinstance(returned, Call):
            self._call(cast("Call[object]", returned))
        elif type(returned) in _SHAPES:
            for each in cast("list[object] | tuple[object, ...]", returned):
                self.take(each)
        else:
            self(returned)

    def _call(self, call: Call[object]) -> None:
        if not self._calls:
            raise DefinitionError(self._undeclared(call))
        if any(each is call for each in self.calls):
            return
        self._require_room()
        self.calls.append(call)

    def _require_room(self) -> None:
        if len(self.messages) + len(self.calls) >= SENT_AT_ONCE_MAX:
            message = (
                f"`{self._owner}` sends more than {SENT_AT_ONCE_MAX:,} messages at once; send one "
                "that stands for them, or let a workflow send them in several steps"
            )
            raise InvalidInput(message)

    def _undeclared(self, sent: object) -> str:
        kind = type(sent).__qualname__
        return (
            f"`{self._owner}` sends a `{kind}`, which its annotations do not declare; add it to "
            "what it returns or emits"
        )
