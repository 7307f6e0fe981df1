"""Folding messages into a read model, without an engine, a store or a clock that moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from makegood.errors import InvalidInput
from makegood.values.envelope import Origin
from makegood.values.instants import Instant
from makegood.values.schemas import seal

if TYPE_CHECKING:
    from makegood.definition.receiving.projection import Projection

__all__ = ["project"]

M = TypeVar("M")


def project(projection: Projection[M], *messages: object) -> dict[str, M]:
    """Fold messages in this order, and return the rows that are there then, sorted by their keys.

    Each message is written and read back by its class before, and each row after every message, as
    in production. What the fold raises is raised here as it is. Raises `InvalidInput` for a
    message that the projection does not fold, or that has no row there.
    """
    rows: dict[str, bytes | None] = {}
    for number, message in enumerate(messages, start=1):
        schema = projection.receptor.receives.get(type(message))
        if schema is None:
            text = f"`{projection.name}` folds no `{type(message).__qualname__}`"
            raise InvalidInput(text)
        id = f"message-{number}"
        origin = Origin(correlation=id, causation=id)
        envelope = seal(schema, message, origin, id=id, source="test", at=Instant(number))
        read = projection.message_of(envelope)
        key = projection.row_of(read, envelope)
        if key is not None:
            row = projection.fold(projection.read(rows.get(key)), read)
            rows[key] = None if row is None else projection.write(row)
    there = {key: projection.read(rows[key]) for key in sorted(rows)}
    return {key: row for key, row in there.items() if row is not None}
