"""Sending a message from a terminal, and looking at those that nobody has waited for."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from makegood import InvalidInput, SentMessage
from makegood.cli.status import DONE, FOUND
from makegood.cli.store import opened
from makegood.cli.workflows import workflows_of
from makegood.cli.writing import json_of, look_of, table, write
from makegood.picture.marks import Style
from makegood.picture.typeset import visible
from makegood.runtime.asking.messages import messages_heard, named_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from makegood import KeptMessage, Messages
    from makegood.cli.writing import Look
    from makegood.values.codec import AnyCodec

__all__ = ["Sending", "messages", "send"]


class Sending(NamedTuple):
    """What is sent, to whom, and which program knows its type."""

    store: str
    app: str
    message: str
    """The name of its class, with its module or without."""
    key: str
    keep: timedelta
    id: str | None
    subject: str | None
    as_json: bool


def send(sending: Sending, value: str) -> int:
    """Send a message that is given as JSON, and say who was given it."""
    # Any: a message has whatever class the program declares.
    message: Any = _codec_of(sending).read(value.encode())
    sent = asyncio.run(_sent(sending, message))
    if sending.as_json:
        write(json_of(sent))
    elif sent.state == "duplicate":
        whom = "it is kept" if sent.run is None else f"run {sent.run} was given it"
        write(f"it was received before under this id: {whom}")
    elif sent.run is not None:
        write(f"run {sent.run} was given it")
    else:
        write(f"no run waits for it yet; it is kept until {_moment(sent.until)} UTC")
    return DONE


def messages(store: str, *, as_json: bool) -> int:
    """Write which messages were given to nobody, and who waits for one."""
    found = asyncio.run(_found(store))
    write(json_of(found) if as_json else "\n".join(_as_text(found, look_of(sys.stdout))))
    return FOUND if found.expired else DONE


async def _sent(sending: Sending, message: object) -> SentMessage:
    async with opened(sending.store) as its:
        key, keep, id, subject = sending.key, sending.keep, sending.id, sending.subject
        return await its.engine.send(message, key=key, keep=keep, id=id, subject=subject)


async def _found(store: str) -> Messages:
    async with opened(store) as its:
        return await its.operator.messages()


def _codec_of(sending: Sending) -> AnyCodec:
    """Return what reads the message: that of a workflow which waits for its class."""
    workflows = workflows_of(sending.app)
    found = named_message(workflows, sending.message)
    if found is not None:
        return found
    known = ", ".join(sorted(messages_heard(workflows))) or "no message at all"
    message = (
        f"not one message is named {sending.message!r} for the workflows there; --app "
        f"{sending.app} waits for {known}"
    )
    raise InvalidInput(message)


def _as_text(found: Messages, look: Look) -> Iterator[str]:
    yield look.ink(f"waiting for a message: {len(found.waiting) or 'none'}", Style.GOOD)
    if found.waiting:
        rows = [
            (_moment(each.since), visible(each.message), visible(each.key), each.run, each.node)
            for each in found.waiting
        ]
        yield from table(("since (UTC)", "message", "key", "run", "node"), rows, look)
    yield from _kept("kept for somebody who does not wait yet", found.kept, look, Style.DOUBT)
    yield from _kept("nobody has waited for it in time", found.expired, look, Style.BAD)


def _kept(name: str, kept: Sequence[KeptMessage], look: Look, style: Style) -> Iterator[str]:
    yield look.ink(f"{name}: {len(kept) or 'none'}", style if kept else Style.GOOD)
    if kept:
        rows = [
            (
                *(_moment(each.sent_at), _moment(each.until)),
                *(visible(each.message), visible(each.key), visible(each.id)),
            )
            for each in kept
        ]
        yield from table(("sent (UTC)", "until", "message", "key", "id"), rows, look)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
