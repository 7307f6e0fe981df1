"""Declaring read models: `Projection`, a pure function that folds messages into rows.

    summaries = Projection("order_summary", summarize)

The annotations say what stands in a row and which messages change it. It is a value, as a group
of receptors is: hand it to `Engine.serve`.
"""

from __future__ import annotations

import inspect
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from makegood.definition.policy import Retry
from makegood.definition.reading.fit import NONE, UNKNOWN, fits, members, or_none, type_name
from makegood.definition.reading.place import Place, caller
from makegood.definition.reading.signature import Signature, read_signature
from makegood.definition.receiving.messages import Schemas, read_received
from makegood.definition.receiving.receptor import Receptor
from makegood.definition.receiving.receptors import RECEIVE_TIMEOUT
from makegood.definition.recipe import misnamed
from makegood.errors import DefinitionError, InvalidInput
from makegood.values.codec import Codec, codec_of, uncarried
from makegood.values.ids import parse_message_key
from makegood.values.limits import VERSION_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.values.envelope import Envelope

__all__ = ["Projection"]

M = TypeVar("M")

_ROW_AND_MESSAGE = 2

_ONCE = Retry(attempts=1)
"""A pure function that has failed fails again."""


class Projection(Generic[M]):
    """A read model: rows that are folded from messages, and kept beside them.

    `fold` is called with what stands in a row, or None, and with a message. It returns what stands
    there from now on: the same object where nothing changes, or None, and the row is gone. It is
    pure: it may be called again with the same messages, and then gives the same. The annotation of
    its first parameter says what a row is, that of the second which messages there are.

    Each message goes to the row of its own key, unless `key` says to which; None is to none. The
    messages of one key are folded in the order in which they were stored, whenever they come; where
    `key` gathers those of several in one row, what stands there must not depend on how the keys
    take turns, as a sum does not. A message for which `fold` raises is a dead letter; those behind
    it go on, or, with `on_dead="block"`, those of its key wait for a person.

    Count `version` when `fold` means something else: the rows are then built anew, beside those
    that are read, out of all messages that are stored. So are they when it takes other messages or
    another class of rows.

    Raises `DefinitionError` with everything that is wrong.
    """

    __slots__ = ("_codec", "fingerprint", "fold", "key", "name", "place", "receptor", "version")

    # Any: messages are of whatever classes the annotation says.
    def __init__(
        self,
        name: str,
        fold: Callable[[M | None, Any], M | None],
        /,
        *,
        key: Callable[[Any], str | None] | None = None,
        version: int = 1,
        on_dead: Literal["go on", "block"] = "go on",
    ) -> None:
        given: object = fold
        if not callable(given):
            message = (
                f"{caller()}: Projection({name!r}, {given!r}) is given no function; give it one"
            )
            raise DefinitionError(message)
        signature = read_signature(fold)
        where = f"{signature.place}: `{signature.name}`"
        problems = [*signature.problems]
        problems += [f"{caller()}: {each}" for each in _misgiven(name, version, on_dead)]
        row, receives = _read(fold, signature, where, problems)
        if problems:
            raise DefinitionError(*dict.fromkeys(problems))
        self.name: str = name
        self.fold = fold
        self.key = key
        self.version: int = version
        self.place: Place = signature.place
        self._codec: Codec[M] = codec_of(cast("type[M]", row))
        self.fingerprint: str = _fingerprint(version, row, receives, has_key=key is not None)
        self.receptor: Receptor = _receptor(self, signature, receives, blocks=on_dead == "block")

    def __repr__(self) -> str:
        taken = " | ".join(kind.__name__ for kind in self.receptor.receives)
        return f"<projection {self.name}({taken}), version {self.version}>"

    @property
    def types(self) -> tuple[str, ...]:
        """The names of the messages that it folds, sorted."""
        return self.receptor.types

    def message_of(self, envelope: Envelope) -> object:
        """Return a message of one of its classes, fresh.

        Raises `NotCarried` for what cannot be read, and `NewerSchema` for what is too new.
        """
        schema = self.receptor.schema_of(envelope.type)
        if schema is None:
            text = f"`{self.name}` folds no `{envelope.type}`"
            raise InvalidInput(text)
        message: object = schema.read(envelope)
        return message

    def row_of(self, message: object, envelope: Envelope) -> str | None:
        """Return the key of the row that a message goes to, or None where it goes to none.

        Raises `InvalidInput` for a message that has none and ought to have one.
        """
        if self.key is not None:
            # What is given is met at run time, whatever the annotations say.
            said = cast("object", self.key(message))
            if said is None:
                return None
            if not isinstance(said, str):
                text = f"the key of a row of `{self.name}` is {said!r:.80}; give text, or None"
                raise InvalidInput(text)
            return parse_message_key(said)
        if envelope.key is None:
            text = f"a `{envelope.type}` without a key has no row in `{self.name}`; give it a key"
            raise InvalidInput(text)
        return envelope.key

    def write(self, row: M) -> bytes:
        """Return a row as it is kept; raise `InvalidInput` where it cannot be."""
        return bytes(self._codec.write(row))

    def read(self, body: bytes | None) -> M | None:
        """Return a fresh row."""
        return None if body is None else self._codec.read(body)


def _misgiven(name: object, version: object, on_dead: object) -> list[str]:
    """Say what is wrong with the options."""
    problems: list[str] = []
    if not isinstance(name, str):
        problems.append(f"{name!r} is no name of a read model; give it one")
    elif (why := misnamed(name)) is not None:
        problems.append(why)
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION_MAX:
        problems.append(f"version={version!r}: versions count from 1")
    if on_dead not in {"go on", "block"}:
        problems.append(f'on_dead={on_dead!r} is unknown; say "go on" or "block"')
    return problems


# Any: what it takes and gives is looked at here.
def _read(
    fold: Callable[..., Any], signature: Signature, where: str, problems: list[str]
) -> tuple[object, Schemas]:
    """Return what stands in a row, and which messages there are."""
    if inspect.iscoroutinefunction(fold):
        problems.append(
            f"{where} is async; a row is folded by a pure function: write `def`, and call the "
            "outside from a receptor"
        )
    problems += [
        f"{where} injects `{item.name}`; a fold is pure and is given nothing"
        for item in signature.injections
    ]
    if signature.problems:
        return UNKNOWN, {}
    given = [item.type for item in signature.parameters if not item.is_keyword_only]
    if len(given) != len(signature.parameters) or len(given) != _ROW_AND_MESSAGE:
        problems.append(
            f"{where} takes {len(signature.parameters)} parameters; a fold takes two by position: "
            "what stands in the row, or None, and a message"
        )
        return UNKNOWN, {}
    model, message = given
    rows = [each for each in members(model) if each is not NONE]
    if NONE not in members(model) or len(rows) != 1:
        problems.append(
            f"{where} takes a row of type `{type_name(model)}`; write one class or None, as in "
            "`Summary | None`, for a row that is not there yet"
        )
        return UNKNOWN, {}
    if (why := uncarried(rows[0])) is not None:
        problems.append(f"{where}: a row: {why}")
    if not fits(signature.returns, or_none(rows[0])):
        problems.append(
            f"{where} returns `{type_name(signature.returns)}`, which is no row; return "
            f"`{type_name(rows[0])}`, or None for no row"
        )
    return rows[0], read_received(message, where, problems)


def _fingerprint(version: int, row: object, receives: Schemas, *, has_key: bool) -> str:
    parts = [
        str(version),
        type_name(row),
        # "known": an edition that an earlier program has built cannot say what went to which row.
        "by a key of its own, known" if has_key else "by the messages' keys",
        *sorted(f"{schema.name} {schema.version}" for schema in receives.values()),
    ]
    text = "\n".join(parts).encode()
    return blake2b(text, digest_size=8, person=b"makegood.model").hexdigest()


def _receptor(
    projection: Projection[Any],  # Any: whatever its rows are
    signature: Signature,
    receives: Schemas,
    *,
    blocks: bool,
) -> Receptor:
    """Return it as whoever decides on its messages knows it."""
    return Receptor(
        name=projection.name,
        # It is called by whoever folds, and by nobody who awaits what it returns.
        function=cast("Any", projection.fold),
        place=signature.place,
        summary=signature.summary,
        receives=receives,
        sends={},
        calls=False,
        injections=(),
        retry=_ONCE,
        timeout=RECEIVE_TIMEOUT,
        at_once=None,
        blocks=blocks,
        fingerprint=projection.fingerprint,
    )
