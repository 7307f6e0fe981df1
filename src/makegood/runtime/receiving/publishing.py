"""Sending a message from outside: durably, to everybody who subscribes to its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from makegood.errors import InvalidInput, UnknownMessage
from makegood.journal.messages import Duplicate
from makegood.runtime.receiving.context import with_context
from makegood.values.envelope import Origin
from makegood.values.ids import parse_message_key
from makegood.values.instants import after as instant_after
from makegood.values.schemas import Schema, misfit_schema, seal

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.runtime.receiving.reception import Reception
    from makegood.runtime.shell import Shell

__all__ = ["Publisher", "Receipt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That a message is durable, and by what it is found again."""

    id: str
    """Sent again under this id and from the same source it is the same message, and is dropped."""
    correlation: str
    """What everything shares that comes of it; `makegood trace` shows all of that."""
    causation: str
    """The id of what it came from: its own, since it came from outside."""
    key: str | None
    """Messages of one key are received in order."""
    state: Literal["stored", "duplicate"]
    """Whether it was stored now, or is known already."""
    recipients: tuple[str, ...]
    """Who receives it, as far as it was stored now."""


class Publisher:
    """Sends for one engine."""

    __slots__ = ("_reception", "_schemas", "_shell")

    def __init__(self, shell: Shell, reception: Reception) -> None:
        self._shell = shell
        self._reception = reception
        self._schemas: dict[type, Schema[object]] = {}

    async def publish(
        self,
        message: object,
        *,
        id: str | None,
        key: str | None,
        source: str | None,
        correlation: str | None,
        tenant: str,
        subject: str | None,
        after: timedelta | None,
    ) -> Receipt:
        """Store a message; see `Engine.publish`."""
        shell, reception = self._shell, self._reception
        schema = self._schema_of(type(message))
        now = shell.clock.now()
        named = str(shell.ids.run()) if id is None else parse_message_key(id)
        origin = Origin(
            correlation=correlation or named,
            causation=named,
            tenant=tenant,
            subject=subject,
        )
        envelope = seal(
            schema,
            message,
            with_context(origin, shell.carriers.capture()),
            id=named,
            source=source or shell.config.message_source,
            at=now,
            key=key,
            not_before=None if after is None else instant_after(now, after),
        )
        await reception.subscribe()
        if schema.kind == "command":
            await self._require_owner(schema)
        (stored,) = await shell.answer(reception.messages.publish([envelope], now=now))
        is_known = isinstance(stored, Duplicate)
        if not is_known:
            reception.stored([envelope])
        return Receipt(
            id=envelope.id,
            correlation=envelope.correlation,
            causation=envelope.causation or envelope.id,
            key=envelope.key,
            state="duplicate" if is_known else "stored",
            recipients=() if isinstance(stored, Duplicate) else stored.recipients,
        )

    def _schema_of(self, kind: type) -> Schema[object]:
        schema = self._schemas.get(kind)
        if schema is None:
            why = misfit_schema(kind)
            if why is not None:
                raise InvalidInput(why)
            schema = self._schemas[kind] = Schema(kind)
        return schema

    async def _require_owner(self, schema: Schema[object]) -> None:
        """Refuse a command that nobody has subscribed to."""
        messages = self._reception.messages
        subscribed = await self._shell.answer(messages.subscriptions())
        if not any(each.type == schema.name for each in subscribed):
            message = (
                f"no receptor owns the command `{schema.name}`; serve the one that does, once, or "
                "make it an event, which nobody need receive"
            )
            raise UnknownMessage(message)
