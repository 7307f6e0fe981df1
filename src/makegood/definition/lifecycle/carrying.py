"""How the record of a lifecycle is carried, and what its handlers return.

A record is stored with the schema under which it was written, and read by the newest one: what was
written under an older schema is brought up first, step by step. An outcome is proven when it is
written, before anything is made of it: that it is one, that its status is declared, and that its
record can be carried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Raw

from makegood.definition.lifecycle.machine import RECORD, SCHEMA
from makegood.errors import DefinitionError, InvalidInput, RemoteError
from makegood.values.codec import Codec, NotCarried
from makegood.values.limits import SLEEP_MAX
from makegood.values.outcomes import (
    UNCHANGED,
    UNSAID,
    Again,
    CancelRun,
    FailRun,
    Goto,
    PauseRun,
    Rearm,
    Stay,
    StoredAgain,
    StoredCancel,
    StoredFail,
    StoredGoto,
    StoredNext,
    StoredPause,
    StoredRearm,
    StoredStay,
    read_next,
    write_next,
)

if TYPE_CHECKING:
    from enum import Enum

    from makegood.definition.reading.place import Place

__all__ = ["OutcomeCodec", "RecordCodec", "Upcast", "schema_in"]

# Any: a record as JSON is made of whatever an earlier version of the program has written.
Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes a record of one schema one of the next, both as JSON."""

_ZERO = timedelta(0)


def schema_in(inputs: Mapping[str, Raw], newest: int) -> int:
    """Return the schema of the record that a round was given."""
    given = inputs.get(SCHEMA)
    return newest if given is None else int(bytes(given))


class RecordCodec:
    """Writes records of a lifecycle, and reads those of every schema that it knows."""

    __slots__ = ("_codec", "_upcasts", "schema")

    # Any: a record has the type that the user declares.
    def __init__(self, codec: Codec[Any], schema: int, upcasts: Mapping[int, Upcast]) -> None:
        self._codec = codec
        self._upcasts = dict(upcasts)
        self.schema = schema
        """The newest one, under which it writes."""

    @property
    def type(self) -> object:
        """The type of the records."""
        return self._codec.type

    def write(self, record: object) -> Raw:
        """Return a record as JSON; raise `NotCarried` or `PayloadTooLarge` with the reason."""
        return self._codec.write(record)

    def read(self, data: Raw, schema: int) -> Any:  # Any: as above
        """Return a fresh record; raise `NotCarried` for what none can be made of."""
        if schema != self.schema:
            data = self._brought_up(data, schema)
        return self._codec.read(data)

    # Any: as above.
    def read_left(self, outcome: Raw) -> Any:
        """Return the record of an outcome that was stored, whatever that leads to; None: no other.

        Where a handler led once is no matter any more, and what it has left is.
        """
        stored = read_next(outcome)
        if stored is None or stored.record == UNSAID:
            return None
        return self.read(stored.record, stored.schema)

    def _brought_up(self, data: Raw, schema: int) -> Raw:
        if not schema < self.schema:
            message = (
                f"the stored record has schema {schema}, which is newer than {self.schema}; carry "
                "it out with the program that wrote it, or a newer one"
            )
            raise NotCarried(message)
        record = msgspec.json.decode(data)
        for step in range(schema, self.schema):
            if step not in self._upcasts:
                message = f"the stored record has schema {schema}; give upcasts={{{step}: …}}"
                raise NotCarried(message)
            record = self._upcasts[step](record)
        return Raw(msgspec.json.encode(record))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCodec:
    """Writes and reads what one handler returns.

    `write` raises `DefinitionError` for what is no outcome of it: it names the handler's place.
    """

    name: str
    place: Place
    """Where the handler is defined."""
    statuses: type[Enum]
    to: frozenset[str]
    """Where it may lead, by name."""
    record: RecordCodec
    kinds: frozenset[type] = frozenset()
    """The classes of what it says that it returns."""
    names: Mapping[int, str] = field(init=False)
    """The names of those, by the identity of the status, of which there is one object each."""

    def __post_init__(self) -> None:
        names = {id(status): status.name for status in self.statuses if status.name in self.to}
        object.__setattr__(self, "names", names)

    @property
    def type(self) -> object:
        """The type of what is carried, as far as it can be said."""
        return object

    def write(self, value: object) -> Raw:
        """Return an outcome as JSON."""
        match value:
            case Goto():
                goto = cast("Goto[object, object]", value)
                name = self.names.get(id(goto.status))
                if name is None:
                    raise self._undeclared(goto.status)
                if goto.record is UNCHANGED:
                    return Raw(write_next(StoredGoto(name)))
                record = self._left(goto.record)
                return Raw(write_next(StoredGoto(name, record, self.record.schema)))
            case Stay():
                stored: StoredNext = StoredStay()
            case Rearm():
                stored = StoredRearm()
            case Again(after=wait):
                stored = StoredAgain(self._wait(wait))
            case PauseRun(reason=reason, by_hand=by_hand):
                stored = StoredPause(reason, by_hand=by_hand)
            case CancelRun(reason=reason):
                stored = StoredCancel(reason)
            case FailRun(error=error):
                kind = type(error)
                stored = StoredFail(f"{kind.__module__}.{kind.__qualname__}", str(error))
            case None:
                raise self._refused("returned None; return Goto(…), Stay() or another outcome")
            case _:
                raise self._refused(
                    f"returned {value!r:.80}; return Goto(…), Stay() or another outcome"
                )
        left = cast("Stay[object]", value).record
        if left is not UNCHANGED:
            record, schema = self._left(left), self.record.schema
            stored = msgspec.structs.replace(stored, record=record, schema=schema)
        return Raw(write_next(stored))

    def read(self, data: bytes | Raw) -> object:
        """Return the outcome that was stored; raise `InvalidInput` for what none is."""
        try:
            stored = read_next(Raw(data))
        except msgspec.MsgspecError as error:
            message = f"it is no outcome of `{self.name}`: {error}"
            raise InvalidInput(message) from error
        if stored is None:
            message = f"null is no outcome of `{self.name}`"
            raise InvalidInput(message)
        # Any: as for the codec of the record.
        record: Any = UNCHANGED
        if stored.record != UNSAID:
            record = self.record.read(stored.record, stored.schema)
        match stored:
            case StoredGoto(status=status):
                if status not in self.to:
                    message = f"`{self.name}` does not lead to {status!r:.80}, but to {self._known}"
                    raise InvalidInput(message)
                return Goto(self.statuses[status], record)
            case StoredStay():
                return Stay(record)
            case StoredRearm():
                return Rearm(record)
            case StoredAgain(after=wait):
                return Again(record, after=wait)
            case StoredPause(reason=reason, by_hand=by_hand):
                return PauseRun(reason, record, by_hand=by_hand)
            case StoredCancel(reason=reason):
                return CancelRun(reason, record)
            case StoredFail():
                return FailRun(RemoteError(stored.type, stored.message, ""), record)

    def left_by(self, result: Raw, inputs: Mapping[str, Raw]) -> Any:  # Any: as above
        """Return the record as the handler has left it, which its undo is given."""
        stored = read_next(result)
        if stored is None or stored.record == UNSAID:
            return self.record.read(inputs[RECORD], schema_in(inputs, self.record.schema))
        return self.record.read(stored.record, stored.schema)

    def _left(self, record: object) -> Raw:
        try:
            return self.record.write(record)
        except InvalidInput as error:
            why = f"leaves its record as what cannot be stored: {error}"
            raise self._refused(why) from error

    @property
    def _known(self) -> str:
        return ", ".join(sorted(self.to)) or "no other status"

    def _undeclared(self, status: object) -> DefinitionError:
        if not isinstance(status, self.statuses):
            kind = self.statuses.__qualname__
            return self._refused(f"goes to {status!r:.80}, which is no {kind}; go to {self._known}")
        return self._refused(
            f"goes to {status.name}, which it does not declare; add it to to=, or go to "
            f"{self._known}"
        )

    def _wait(self, wait: object) -> timedelta:
        if isinstance(wait, timedelta) and _ZERO <= wait <= SLEEP_MAX:
            return wait
        raise self._refused(
            f"is to be called again after={wait!r:.80}; give a duration of at most "
            f"{SLEEP_MAX.days:,} days"
        )

    def _refused(self, why: str) -> DefinitionError:
        return DefinitionError(f"{self.place}: `{self.name}` {why}")
