"""How is a message sent from outside, and which are left? Knows no rule of delivery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from makegood.decision.mail import Message
from makegood.definition.plan import Kind, numbered_nodes
from makegood.errors import InvalidInput, MailboxFull, UnknownMessage
from makegood.runtime.turning.mail import letter_of
from makegood.values.codec import codec_of
from makegood.values.ids import parse_message_key, parse_subject
from makegood.values.instants import after, as_datetime
from makegood.values.limits import KEEP_MAX, LETTERS_KEPT_MAX, MESSAGES_SHOWN_MAX
from makegood.values.messages import message_name, misfit_message, require_kept

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from makegood.definition.call import Workflow
    from makegood.definition.plan import Plan
    from makegood.journal.mail import KeptLetter, Waiter
    from makegood.runtime.shell import Shell
    from makegood.values.codec import AnyCodec, Codec

__all__ = [
    "KeptMessage",
    "Messages",
    "SentMessage",
    "WaitingRun",
    "messages_heard",
    "messages_in",
    "named_message",
    "send_message",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """What became of a message at once."""

    id: str
    """Its name: sent again under the same one it is the same message, and is dropped."""
    run: str | None
    """The run that it was given to; None while it is kept for one that does not wait yet."""
    until: datetime
    """Until when it is kept."""
    state: Literal["stored", "duplicate"] = "stored"
    """Whether it was stored now, or is known already: then nobody is given it once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage:
    """A message that was given to no run."""

    id: str
    message: str
    """The name of its class."""
    key: str
    sent_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRun:
    """A run that waits for a message."""

    run: str
    node: str
    message: str
    """The name of its class."""
    key: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Which messages were given to nobody, and who waits for one."""

    kept: tuple[KeptMessage, ...]
    """Those that a run may still be given, the oldest first."""
    expired: tuple[KeptMessage, ...]
    """Those whose time is over: nobody has waited for them. A prune removes them."""
    waiting: tuple[WaitingRun, ...]
    """Who waits, the longest first."""


async def send_message(
    shell: Shell,
    served: Iterable[Plan],
    message: object,
    *,
    key: str,
    keep: timedelta,
    id: str | None,
    subject: str | None,
) -> SentMessage:
    """Send a message from outside, durably; refuse what no workflow that is served waits for."""
    kind = type(message)
    why = misfit_message(kind)
    if why is not None:
        raise InvalidInput(why)
    name = message_name(kind)
    _require_awaited(name, served)
    codec: Codec[object] = codec_of(kind)
    now = shell.clock.now()
    parse_message_key(key)
    until = after(now, require_kept(keep, KEEP_MAX))
    if subject is not None:
        parse_subject(subject)
    named = str(shell.ids.run()) if id is None else parse_message_key(id)
    letter = letter_of(Message(named, name, key, codec.write(message), until), subject)
    kept = await shell.answer(shell.journal.send(letter, now=now))
    if kept is None:
        full = (
            f"{LETTERS_KEPT_MAX:,} messages `{name}` for `{key}` are kept already, and no run has "
            "waited for one: see `makegood messages`"
        )
        raise MailboxFull(full)
    if kept.taken_by is not None:
        shell.ring(kept.taken_by)
    return SentMessage(
        id=kept.id,
        run=kept.taken_by,
        until=as_datetime(kept.until),
        state="duplicate" if kept.was_known else "stored",
    )


# Any: a workflow is looked at whatever it takes and returns.
def messages_heard(workflows: Iterable[Workflow[..., Any]]) -> dict[str, AnyCodec]:
    """Return what reads each message that one of these workflows waits for, by its name."""
    heard: dict[str, AnyCodec] = {}
    for workflow in workflows:
        for number, node in numbered_nodes(workflow.plan):
            codec = workflow.code.nodes[number].result if node.kind is Kind.WAIT else None
            if codec is not None:
                heard[node.function] = codec
        if workflow.code.lifecycle is not None:
            heard.update(workflow.code.lifecycle.messages)
    return heard


# Any: as above.
def named_message(workflows: Iterable[Workflow[..., Any]], name: str) -> AnyCodec | None:
    """Return what reads the one message of this name, with its module or without; None for none."""
    heard = messages_heard(workflows)
    found = [codec for each, codec in heard.items() if name in {each, each.rpartition(".")[2]}]
    return found[0] if len(found) == 1 else None


async def messages_in(shell: Shell) -> Messages:
    """Return which messages were given to nobody, and who waits for one."""
    now = shell.clock.now()
    letters = await shell.answer(shell.journal.letters(limit=MESSAGES_SHOWN_MAX))
    waiters = await shell.answer(shell.journal.waiters(limit=MESSAGES_SHOWN_MAX))
    left = [letter for letter in letters if letter.taken_by is None]
    return Messages(
        kept=tuple(_kept(letter) for letter in left if letter.until > now),
        expired=tuple(_kept(letter) for letter in left if letter.until <= now),
        waiting=tuple(_waiting(waiter) for waiter in waiters),
    )


def _require_awaited(name: str, served: Iterable[Plan]) -> None:
    """Refuse a message that no workflow waits for, where any is served from which that is known."""
    plans = [*served]
    awaited = {name for plan in plans for name in plan.heard}
    if not plans or name in awaited:
        return
    known = ", ".join(f"`{each}`" for each in sorted(awaited)) or "no message at all"
    message = (
        f"no workflow that is served here waits for `{name}`; they wait for {known}: serve the one "
        "that does, or send from an engine that serves nothing"
    )
    raise UnknownMessage(message)


def _kept(letter: KeptLetter) -> KeptMessage:
    return KeptMessage(
        id=letter.id,
        message=letter.message,
        key=letter.key,
        sent_at=as_datetime(letter.at),
        until=as_datetime(letter.until),
    )


def _waiting(waiter: Waiter) -> WaitingRun:
    return WaitingRun(
        run=waiter.run,
        node=waiter.node,
        message=waiter.message,
        key=waiter.key,
        since=as_datetime(waiter.since),
    )
