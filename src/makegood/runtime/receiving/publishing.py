"""Sending a message from outside: durably, to everybody who subscribes to its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from makegood.errors import InvalidInput, StoreError, Unavailable, UnknownMessage
from makegood.journal.beside.models import MODEL_PREFIX
from makegood.journal.messages import Duplicate, Stored
from makegood.runtime.receiving.context import with_context
from makegood.values.envelope import Origin
from makegood.values.ids import parse_message_key, slot_key
from makegood.values.instants import after as instant_after
from makegood.values.instants import micros
from makegood.values.schemas import Schema, misfit_schema, seal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from makegood.definition.receiving.messages import Schemas
    from makegood.runtime.receiving.reception import Reception
    from makegood.runtime.shell import Shell
    from makegood.values.envelope import Envelope
    from makegood.values.instants import Instant

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
    source: str
    """Who gave the id."""
    tenant: str = ""


class Publisher:
    """Sends for one engine."""

    __slots__ = ("_owned", "_reception", "_schemas", "_shell")

    def __init__(self, shell: Shell, reception: Reception) -> None:
        self._shell = shell
        self._reception = reception
        self._schemas: dict[type, Schema[object]] = {}
        self._owned: dict[str, Instant] = {}
        """Commands that somebody was known to own, and when that was asked last."""

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
        shell = self._shell
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
        stored = await self._store(schema, envelope)
        return Receipt(
            id=envelope.id,
            correlation=envelope.correlation,
            causation=envelope.causation or envelope.id,
            key=envelope.key,
            state="duplicate" if isinstance(stored, Duplicate) else "stored",
            recipients=() if isinstance(stored, Duplicate) else stored.recipients,
            source=envelope.source,
            tenant=tenant,
        )

    async def publish_slot(self, message: object, *, schedule: str, slot: Instant) -> None:
        """Send the message of a schedule's slot, which is named by the two and so is sent once.

        Raises `InvalidInput` for a value that is no message, or is too large, and `UnknownMessage`
        for a command that no receptor owns.
        """
        schema = self._schema_of(type(message))
        named = slot_key(schedule, slot)
        envelope = seal(
            schema,
            message,
            Origin(correlation=named, causation=named),
            id=named,
            source=f"schedule:{schedule}",
            at=slot,
        )
        await self._store(schema, envelope)

    async def _store(self, schema: Schema[object], envelope: Envelope) -> Stored | Duplicate:
        shell, reception = self._shell, self._reception
        await reception.subscribe()
        if schema.kind == "command" and not self._was_owned_lately(schema.name):
            await self._require_owner(schema)
        publishing = reception.messages.publish([envelope], now=shell.clock.now())
        (stored,) = await shell.answer(publishing)
        if isinstance(stored, Stored):
            reception.stored([envelope])
        return stored

    # What runs send -----------------------------------------------------------------------------

    def is_ready(self, sends: Schemas) -> bool:
        """Say whether messages of these classes may be sent without another question."""
        return self._reception.is_subscribed and all(
            schema.kind != "command" or schema.name in self._owned for schema in sends.values()
        )

    async def prepare(self, sends: Schemas) -> None:
        """See to it that what may be sent is kept for all who are served here.

        Raises `UnknownMessage` for a command that nobody owns, and `Unavailable` while the store
        does not answer.
        """
        try:
            await self._reception.subscribe()
            await self.require_owners(sends)
        except StoreError as error:
            # It is no failure of whoever is about to send: nothing was begun.
            message = f"who receives what is sent cannot be known now: {error}"
            raise Unavailable(message) from error

    async def require_owners(self, sends: Schemas) -> None:
        """Raise `UnknownMessage` for a command among these that nobody is known to own."""
        for schema in sends.values():
            if schema.kind == "command" and schema.name not in self._owned:
                await self._require_owner(schema)

    async def subscribe(self) -> None:
        """See to it that events which runs send are kept for all who are served here."""
        await self._reception.subscribe()

    def stored(self, messages: Sequence[Envelope]) -> None:
        """Take notice of what runs have sent."""
        self._reception.stored(messages)

    def _schema_of(self, kind: type) -> Schema[object]:
        schema = self._schemas.get(kind)
        if schema is None:
            why = misfit_schema(kind)
            if why is not None:
                raise InvalidInput(why)
            schema = self._schemas[kind] = Schema(kind)
        return schema

    def _was_owned_lately(self, name: str) -> bool:
        """Say whether a command was owned no longer ago than the journal is looked at in any case.

        Its owner may have been forgotten since, which a person does: what is stored in that moment
        is kept, and shown as unheard.
        """
        seen_at = self._owned.get(name)
        if seen_at is None:
            return False
        age = self._shell.clock.now() - seen_at
        return 0 <= age < micros(self._shell.config.poll_max)

    async def _require_owner(self, schema: Schema[object]) -> None:
        """Refuse a command that nobody has subscribed to."""
        messages = self._reception.messages
        now = self._shell.clock.now()
        subscribed = await self._shell.answer(messages.subscriptions())
        # A read model is told of a command, and does nothing about it.
        owners = [each for each in subscribed if not each.recipient.startswith(MODEL_PREFIX)]
        if not any(each.type == schema.name for each in owners):
            message = (
                f"no receptor owns the command `{schema.name}`; serve the one that does, once, or "
                "make it an event, which nobody need receive"
            )
            raise UnknownMessage(message)
        self._owned[schema.name] = now
