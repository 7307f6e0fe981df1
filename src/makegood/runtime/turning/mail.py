"""How is what a run says written, so that it can be delivered? Knows posts, decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision.mail import Await, AwaitNoMore, Claim, LetGo, Mail, Message, mail_of
from makegood.journal.mail import Claiming, Letter, LettingGo, NoLonger, Outgoing, Waiting
from makegood.runtime.asking.post import LetterPost, WaitRefusedPost, write_post
from makegood.values.codec import codec_of
from makegood.values.held import HELD, Held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.values.ids import RunId

__all__ = ["letter_of", "letters_of"]


_write = codec_of(Held).write


def letters_of(state: RunState, run: RunId, recorded: Sequence[Fact]) -> tuple[Outgoing, ...]:
    """Return the messages that others are to be given, and what the run waits for from now on."""
    return tuple(_outgoing(mail) for mail in mail_of(state, run, recorded))


def letter_of(message: Message, subject: str | None = None) -> Letter:
    """Return a message as it is delivered, about a subject if that is known here."""
    post = LetterPost(
        id=message.id,
        message=message.message,
        key=message.key,
        value=message.value,
        until=message.until,
    )
    return Letter(
        id=message.id,
        message=message.message,
        key=message.key,
        body=write_post(post),
        until=message.until,
        is_returned=message.is_returned,
        subject=subject,
    )


def _outgoing(mail: Mail) -> Outgoing:
    match mail:
        case Message():
            return letter_of(mail)
        case Await(message=message, key=key, node=node):
            refused = write_post(WaitRefusedPost(node, message))
            return Waiting(message=message, key=key, node=node, refused=refused)
        case AwaitNoMore(message=message, key=key, node=node):
            return NoLonger(message=message, key=key, node=node)
        case Claim():
            granted = LetterPost(
                id=mail.id,
                message=HELD,
                key=mail.key,
                value=_write(Held(mail.key)),
                until=mail.at,
            )
            body = write_post(granted)
            return Claiming(key=mail.key, id=mail.id, root=mail.root, body=body)
        case LetGo(key=key, id=id):
            return LettingGo(key=key, id=id)
        case _:
            assert_never(mail)
