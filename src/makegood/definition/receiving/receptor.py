"""One receptor: a function that receives messages, what it sends, and its policy."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

from makegood.definition.reading.fit import type_name
from makegood.definition.reading.place import Place, caller
from makegood.definition.reading.signature import Parameter, Signature, read_signature
from makegood.definition.receiving.messages import Schemas, read_emitted, read_received, read_sent
from makegood.definition.recipe import misnamed, out_of_bounds
from makegood.errors import DefinitionError
from makegood.values.injectable import CompletionToken, Once, RunInfo, Transaction, Writes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import timedelta
    from typing import Literal

    from makegood.definition.code import Injection
    from makegood.definition.policy import Retry
    from makegood.values.schemas import Schema

__all__ = ["Policy", "Receptor", "read_receptor"]

_OF_RUNS: tuple[object, ...] = (CompletionToken, RunInfo)
"""What can only be given where there is a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The options of `Receptors.on`, as they were given."""

    name: str | None
    retry: Retry
    timeout: timedelta
    at_once: int | None
    on_dead: Literal["go on", "block"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Receptor:
    """A function that receives messages, and its policy."""

    name: str
    """Its whole name, under which messages are kept for it: those of its group, and its own."""
    # Any: a user's function takes and returns whatever it declares.
    function: Callable[..., Awaitable[Any]]
    place: Place
    summary: str
    receives: Schemas
    sends: Schemas
    """What it returns or emits, calls left out."""
    calls: bool
    """Whether it may return a call, which starts a run."""
    injections: tuple[Injection, ...]
    retry: Retry
    timeout: timedelta
    at_once: int | None
    """How many of its messages one engine receives at once; None: as many as there is room for."""
    blocks: bool
    """Whether a message that is given up keeps those behind it, of its key, waiting."""
    fingerprint: str
    """Of what it receives and sends: a dead letter says by which definition it was given up."""

    def __repr__(self) -> str:
        return f"<receptor {self.name}({_told(self.receives)}) -> {_told(self.sends)}>"

    @property
    def is_local(self) -> bool:
        """Whether its body runs within the transaction in which it is marked as done."""
        return any(item.wants is Transaction for item in self.injections)

    @property
    def types(self) -> tuple[str, ...]:
        """The names of the messages that it receives, sorted."""
        return tuple(sorted(schema.name for schema in self.receives.values()))

    # Any: each schema has the class that the user declares.
    def schema_of(self, name: str) -> Schema[Any] | None:
        """Return the schema of the messages that it receives under a name, or None."""
        return next((each for each in self.receives.values() if each.name == name), None)


# Any: as above.
def read_receptor(function: Callable[..., Awaitable[Any]], group: str, policy: Policy) -> Receptor:
    """Return the receptor; raise `DefinitionError` with everything that is wrong."""
    given: object = function
    if not callable(given):
        message = f"{caller()}: on({given!r}) is given no function; give it one"
        raise DefinitionError(message)
    signature = read_signature(function)
    name = policy.name or signature.name
    where = f"{signature.place}: `{signature.name}`"
    problems = [*signature.problems]
    if not inspect.iscoroutinefunction(function):
        problems.append(
            f"{where} is not async; write `async def`, or on(threaded({signature.name})) for a "
            "function that blocks"
        )
    problems += [f"{caller()}: {sentence}" for sentence in _misgiven(name, policy)]
    problems += [f"{where} {sentence}" for sentence in _misinjected(signature)]
    received = _message_of(signature, where, problems)
    takes = {} if received is None else read_received(received.type, where, problems)
    sends, calls = _sent(signature, where, problems)
    if problems:
        raise DefinitionError(*dict.fromkeys(problems))
    return Receptor(
        name=f"{group}/{name}",
        function=function,
        place=signature.place,
        summary=signature.summary,
        receives=takes,
        sends=sends,
        calls=calls,
        injections=signature.injections,
        retry=policy.retry,
        timeout=policy.timeout,
        at_once=policy.at_once,
        blocks=policy.on_dead == "block",
        fingerprint=_fingerprint(takes, sends, signature),
    )


def _misgiven(name: str, policy: Policy) -> Iterator[str]:
    """Say what is wrong with the options."""
    why = misnamed(name)
    if why is not None:
        yield why
    yield from out_of_bounds("timeout", policy.timeout)
    # What is given is met at run time, whatever the annotations say.
    at_once = cast("object", policy.at_once)
    if at_once is None:
        pass
    elif not isinstance(at_once, int) or isinstance(at_once, bool):
        yield f"at_once={at_once!r} is no whole number; give one of at least 1, or leave it out"
    elif at_once < 1:
        yield f"at_once={at_once} receives nothing; give at least 1, or leave it out"
    if policy.on_dead not in {"go on", "block"}:
        yield f'on_dead={policy.on_dead!r} is unknown; say "go on" or "block"'


def _misinjected(signature: Signature) -> Iterator[str]:
    """Say what a receptor cannot be given."""
    for item in signature.injections:
        if item.is_record or item.wants in _OF_RUNS:
            yield (
                f"injects `{item.name}: {type_name(item.wants)}`, which only a step has; remove "
                "it, or start a workflow by returning a call"
            )
    if not signature.injects(Transaction):
        return
    for item in signature.injections:
        if item.is_service:
            yield (
                f"takes a Transaction, within which it cannot await the service `{item.name}`; "
                "ask it in a receptor before this one"
            )
        if item.wants is Writes:
            yield "takes a Transaction, by which it writes; remove the Writes"
        if item.wants is Once:
            yield "takes a Transaction and Once; insert the key into a table of your own instead"


def _message_of(signature: Signature, where: str, problems: list[str]) -> Parameter | None:
    """Return the parameter that takes the message."""
    positional = [item for item in signature.parameters if not item.is_keyword_only]
    problems += [
        f"{where} takes `{item.name}`, which nobody gives it; write "
        f"`{item.name}: {type_name(item.type)} = injected`, or remove it"
        for item in signature.parameters
        if item.is_keyword_only
    ]
    if len(positional) == 1:
        return positional[0]
    if not signature.problems:
        problems.append(
            f"{where} takes {len(positional)} parameters by position; a receptor takes the "
            "message that it receives, and everything else injected behind a `*`"
        )
    return None


def _sent(signature: Signature, where: str, problems: list[str]) -> tuple[Schemas, bool]:
    """Return what is returned and what is emitted, together."""
    if signature.problems:
        return {}, False
    sends, calls = read_sent(signature.returns, where, problems)
    return sends | read_emitted(signature.injections, where, problems), calls


def _fingerprint(takes: Schemas, sends: Schemas, signature: Signature) -> str:
    parts = [
        *sorted(f"{schema.name} {schema.version}" for schema in takes.values()),
        "->",
        *sorted(f"{schema.name} {schema.version}" for schema in sends.values()),
        *sorted(type_name(item.wants) for item in signature.injections),
    ]
    digest = blake2b("\n".join(parts).encode(), digest_size=8, person=b"makegood.recept")
    return digest.hexdigest()


def _told(schemas: Schemas) -> str:
    return " | ".join(kind.__name__ for kind in schemas) or "None"
