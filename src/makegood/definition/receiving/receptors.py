"""Declaring receptors: `Receptors`, a group of them under one name.

    receptors = Receptors("payments").on(charge, retry=Retry(attempts=8)).on(refund)

It is a value: `on` returns a new group, and nothing is registered anywhere until an engine serves
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Literal, TypeVar

from makegood.definition.policy import Retry
from makegood.definition.reading.place import caller
from makegood.definition.receiving.receptor import Policy, Receptor, read_receptor
from makegood.definition.recipe import misnamed
from makegood.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from makegood.values.schemas import Schema

__all__ = ["RECEIVE_RETRY", "RECEIVE_TIMEOUT", "Receptors", "require_owned"]

M = TypeVar("M")

RECEIVE_RETRY = Retry(attempts=5)
"""How often a message is received again, unless the receptor says otherwise."""

RECEIVE_TIMEOUT = timedelta(seconds=30)
"""How long a receptor may take for one message, unless it says otherwise."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Receptors:
    """Receptors under one name, such as that of a service; hand it to `Engine.serve`.

    Raises `DefinitionError` for a name that is none.
    """

    name: str
    receptors: tuple[Receptor, ...] = ()

    def __post_init__(self) -> None:
        why = misnamed(self.name)
        if why is not None:
            message = f"{caller()}: {why}"
            raise DefinitionError(message)

    # Any: what a receptor returns is looked at by its annotation.
    def on(
        self,
        function: Callable[Concatenate[M, ...], Awaitable[Any]],
        /,
        *,
        name: str | None = None,
        retry: Retry = RECEIVE_RETRY,
        timeout: timedelta = RECEIVE_TIMEOUT,
        at_once: int | None = None,
        on_dead: Literal["go on", "block"] = "go on",
    ) -> Receptors:
        """Return the group with one more receptor: an async function that takes one message.

        The annotation of its only positional parameter says what it receives: a class of messages
        or a union of several. What it returns, and what it emits by an injected `Emit`, is sent in
        the transaction that marks the message as done; a `Call` that it returns is started there.
        Everything else is injected, as in a step, but what only a run has.

        Messages of one key are received in order, one after the other; `at_once` bounds how many
        this engine receives together. One that fails is tried again under `retry` and the same
        idempotency key, also where it is in doubt; `timeout` is for one attempt. One that is given
        up is kept as a dead letter, and the messages behind it go on, or, with `on_dead="block"`,
        wait until a person has sent it again or discarded it.

        Its whole name, such as `payments/charge`, stands in the store: a receptor that is renamed
        is another one.

        Raises `DefinitionError` with everything that is wrong, each with its place and remedy.
        """
        policy = Policy(name=name, retry=retry, timeout=timeout, at_once=at_once, on_dead=on_dead)
        receptor = read_receptor(function, self.name, policy)
        if any(each.name == receptor.name for each in self.receptors):
            message = (
                f"{caller()}: two receptors are named `{receptor.name}`; give one of them another "
                'name, as in on(…, name="…")'
            )
            raise DefinitionError(message)
        added = replace(self, receptors=(*self.receptors, receptor))
        require_owned(added.receptors)
        return added

    def __repr__(self) -> str:
        names = ", ".join(each.name.rpartition("/")[2] for each in self.receptors)
        return f"<receptors {self.name}: {names or 'none'}>"


def require_owned(receptors: Iterable[Receptor]) -> None:
    """Raise `DefinitionError` for a command that two receptors receive, or two names that clash."""
    owners: dict[str, Receptor] = {}
    kinds: dict[str, type] = {}
    for receptor in receptors:
        for schema in receptor.receives.values():
            _require_one_class(kinds, schema)
            if schema.kind != "command":
                continue
            owner = owners.setdefault(schema.name, receptor)
            if owner is not receptor:
                message = (
                    f"{receptor.place}: the command `{schema.name}` is received by `{owner.name}` "
                    f"and by `{receptor.name}`; a command has one owner: make it an event, or "
                    "remove one of them"
                )
                raise DefinitionError(message)


# Any: each schema has the class that the user declares.
def _require_one_class(kinds: dict[str, type], schema: Schema[Any]) -> None:
    before = kinds.setdefault(schema.name, schema.type)
    if before is not schema.type:
        message = (
            f"two classes of messages are named `{schema.name}`; give one of them a message_name "
            "of its own"
        )
        raise DefinitionError(message)
