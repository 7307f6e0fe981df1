"""A workflow with its inputs: inert until an engine starts it.

Inputs are parsed here, at the door: each is written by its declared type, proven to be read back
by it, and refused with its name when it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from makegood.definition.reading.binding import bind
from makegood.definition.reading.fit import type_name
from makegood.errors import InvalidInput, PayloadTooLarge
from makegood.values.codec import Codec, writes_json
from makegood.values.limits import PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Raw

    from makegood.definition.reading.signature import Parameter
    from makegood.definition.workflow import Workflow

__all__ = ["Call", "Door"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Call(Generic[R]):
    """A workflow with its inputs: hand it to `Engine.start`."""

    # Any: once called, a workflow's parameters do not matter any more.
    workflow: Workflow[..., R]
    input: dict[str, Raw]
    """The JSON of each input, by name, in the order of the workflow's parameters."""
    input_hash: str
    """The same for the same inputs, however they were given."""

    def __repr__(self) -> str:
        # Names only: what an input holds may not be for whoever reads a log.
        return f"<call {self.workflow.name}({', '.join(self.input)}) {self.input_hash[:8]}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the inputs of a workflow are parsed."""

    workflow: str
    parameters: tuple[Parameter, ...]
    # Any: each input has the type that the user declares.
    codecs: tuple[tuple[str, Codec[Any]], ...]

    def admit(
        self, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> tuple[dict[str, Raw], str]:
        """Return the JSON of each input, and their hash; raise `InvalidInput` with the reason."""
        if kwargs or len(args) != len(self.codecs):
            args = self._arranged(args, kwargs)
        given: dict[str, Raw] = {}
        digest = blake2b(digest_size=16, person=b"makegood.input")
        size = 0
        for (name, codec), value in zip(self.codecs, args, strict=True):
            try:
                raw = codec.write(value)
            except PayloadTooLarge as error:
                raise PayloadTooLarge(self._about(name, str(error))) from None
            except InvalidInput as error:
                raise InvalidInput(self._about(name, str(error))) from None
            given[name] = raw
            size += len(raw)
            # Canonical JSON has no line break, so the break tells the inputs apart.
            digest.update(writes_json(value) + b"\n")
        if size > PAYLOAD_BYTES_MAX:
            message = (
                f"the inputs of `{self.workflow}` have {size:,} bytes as JSON; at most "
                f"{PAYLOAD_BYTES_MAX:,} are allowed: store them elsewhere and carry an id"
            )
            raise PayloadTooLarge(message)
        return given, digest.hexdigest()

    def _arranged(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
        """Return a value for every parameter, in their order, defaults filled in."""
        bound, problems = bind(self.workflow, self.parameters, args, kwargs)
        if problems:
            raise InvalidInput("\n".join(problems))
        return [bound.get(item.name, item.default) for item in self.parameters]

    def _about(self, name: str, why: str) -> str:
        kind = next(item.type for item in self.parameters if item.name == name)
        return f"the input `{name}: {type_name(kind)}` of `{self.workflow}`: {why}"
