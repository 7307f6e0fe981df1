"""What callers without a lease leave for a run, and the facts that the holder makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood.decision.facts import (
    CancelRequested,
    ChildEnded,
    ChildMoved,
    ChildRefused,
    CompletionGiven,
    MessageCame,
    PauseRequested,
    ResumeRequested,
    RetryFromRequested,
    RetryRequested,
    RunStarted,
    SetResultRequested,
    SettleRequested,
    SkipRequested,
    UndoRequested,
    WaitRefused,
)
from makegood.definition.plan import Kind, numbered_nodes
from makegood.values.instants import Instant
from makegood.values.limits import ERROR_TEXT_CHARACTERS_MAX, PAYLOAD_BYTES_MAX
from makegood.values.verdict import Failure, ItHappened, Settlement

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.definition.code import Code
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import Posted
    from makegood.values.codec import AnyCodec

__all__ = [
    "CancelPost",
    "CompletionPost",
    "Control",
    "LetterPost",
    "PausePost",
    "ResumePost",
    "RetryFromPost",
    "RetryPost",
    "SetResultPost",
    "SettlePost",
    "SkipPost",
    "StartPost",
    "ToldPost",
    "UndoPost",
    "WaitRefusedPost",
    "as_fact",
    "misfit_in",
    "misfit_of",
    "write_post",
]


class StartPost(msgspec.Struct, frozen=True, tag="start"):
    """Start the run."""

    started: RunStarted


class CancelPost(msgspec.Struct, frozen=True, tag="cancel"):
    """Cancel the run."""

    actor: str
    reason: str


class UndoPost(msgspec.Struct, frozen=True, tag="undo", omit_defaults=True):
    """Undo the completed run."""

    actor: str
    reason: str
    is_parents: bool = False
    """Whether it is the parent of the run that says so."""


class SettlePost(msgspec.Struct, frozen=True, tag="settle"):
    """Settle a node that the run waits for."""

    node: str
    settlement: Settlement
    actor: str
    reason: str


class ToldPost(msgspec.Struct, frozen=True, tag="told"):
    """What a child says, as its parent is to record it."""

    told: ChildEnded | ChildMoved | ChildRefused


class RetryPost(msgspec.Struct, frozen=True, tag="retry", omit_defaults=True):
    """Try again what the run waits for: a node, or all of it."""

    node: str | None
    actor: str
    reason: str
    left_out: tuple[int, ...] = ()
    """The numbers of posts without which it may go on, if they cannot be read."""


class CompletionPost(msgspec.Struct, frozen=True, kw_only=True, tag="completion"):
    """Say how a step ended that waits for somebody outside."""

    node: str
    number: int
    """Which of the step's tokens it was said with."""
    planned: int
    """The number by which the plan and its code know the step."""
    result: msgspec.Raw
    failure: Failure | None = None
    actor: str = ""


class LetterPost(msgspec.Struct, frozen=True, tag="letter"):
    """A message that the run waits for, or has waited for."""

    id: str
    message: str
    key: str
    value: msgspec.Raw
    until: Instant


class WaitRefusedPost(msgspec.Struct, frozen=True, tag="wait refused", omit_defaults=True):
    """A wait of the run's is for what another one waits for."""

    node: str
    message: str = ""


class PausePost(msgspec.Struct, frozen=True, tag="pause"):
    """Begin nothing more of the run."""

    actor: str
    reason: str


class ResumePost(msgspec.Struct, frozen=True, tag="resume"):
    """Go on with the paused run."""

    actor: str
    reason: str


class SkipPost(msgspec.Struct, frozen=True, tag="skip"):
    """Skip a node."""

    node: str
    actor: str
    reason: str


class RetryFromPost(msgspec.Struct, frozen=True, tag="retry_from"):
    """Do a node again, and all that comes after it."""

    node: str
    actor: str
    reason: str


class SetResultPost(msgspec.Struct, frozen=True, tag="set_result"):
    """Give a node its result, instead of its body."""

    node: str
    result: msgspec.Raw
    actor: str
    reason: str


Control = (
    CancelPost
    | UndoPost
    | SettlePost
    | RetryPost
    | PausePost
    | ResumePost
    | SkipPost
    | SetResultPost
    | RetryFromPost
)
"""What a person may ask of a run; each is answered."""

AnyPost = StartPost | ToldPost | CompletionPost | LetterPost | WaitRefusedPost | Control

write_post = msgspec.json.Encoder().encode
"""Return a post's body as JSON."""

_decoder: msgspec.json.Decoder[AnyPost] = msgspec.json.Decoder(AnyPost)


def as_fact(posted: Posted, plan: Plan, code: Code | None) -> Fact:
    """Return the fact that a post becomes when the run's holder takes it.

    Without the code it is not known whether a result that is given is one of the node's.
    """
    post = _decoder.decode(posted.body)
    match post:
        case StartPost():
            return post.started
        case CancelPost():
            return CancelRequested(posted.n, post.actor, post.reason, posted.at)
        case UndoPost():
            return UndoRequested(
                posted.n, post.actor, post.reason, posted.at, is_parents=post.is_parents
            )
        case ToldPost():
            return post.told
        case SettlePost():
            misfit = None
            if isinstance(post.settlement, ItHappened):
                misfit = misfit_of(post.node, post.settlement.result, plan, code)
            return SettleRequested(
                post=posted.n,
                node=post.node,
                settlement=post.settlement,
                actor=post.actor,
                reason=post.reason,
                at=posted.at,
                misfit=misfit,
            )
        case RetryPost():
            return RetryRequested(
                posted.n, post.node, post.actor, post.reason, posted.at, post.left_out
            )
        case CompletionPost():
            is_result = post.failure is None
            return CompletionGiven(
                post=posted.n,
                node=post.node,
                number=post.number,
                result=post.result,
                failure=post.failure,
                actor=post.actor,
                at=posted.at,
                misfit=misfit_in(code, post.planned, post.result) if is_result else None,
            )
        case PausePost() | ResumePost() | SkipPost() | SetResultPost() | RetryFromPost():
            return _holding(posted, post, plan, code)
        case LetterPost():
            return _message(post, posted, plan, code)
        case WaitRefusedPost():
            # Which message it is matters only where one node waits for several.
            message = post.message if plan.machine is not None else ""
            return WaitRefused(post.node, posted.at, message)
        case _:
            assert_never(post)


def _message(post: LetterPost, posted: Posted, plan: Plan, code: Code | None) -> MessageCame:
    """Return that a message came, and why it is not what the run waits for, if it is not."""
    if plan.machine is not None:
        misfit = _misfit_heard(post, code)
        return _came(post, posted, misfit)
    waits = (
        number
        for number, node in numbered_nodes(plan)
        if node.kind is Kind.WAIT and node.function == post.message
    )
    number = next(waits, None)
    return _came(post, posted, None if number is None else misfit_in(code, number, post.value))


def _misfit_heard(post: LetterPost, code: Code | None) -> str | None:
    """Say why a message is not what a lifecycle hears by this name; None when it may be."""
    codec = None if code is None or code.lifecycle is None else code.lifecycle.messages
    return None if codec is None else _unread(codec.get(post.message), post.value)


def _came(post: LetterPost, posted: Posted, misfit: str | None) -> MessageCame:
    return MessageCame(
        id=post.id,
        message=post.message,
        key=post.key,
        value=post.value,
        until=post.until,
        at=posted.at,
        misfit=misfit,
    )


def _holding(
    posted: Posted,
    post: PausePost | ResumePost | SkipPost | SetResultPost | RetryFromPost,
    plan: Plan,
    code: Code | None,
) -> Fact:
    match post:
        case PausePost():
            return PauseRequested(posted.n, post.actor, post.reason, posted.at)
        case ResumePost():
            return ResumeRequested(posted.n, post.actor, post.reason, posted.at)
        case SkipPost():
            return SkipRequested(posted.n, post.node, post.actor, post.reason, posted.at)
        case RetryFromPost():
            return RetryFromRequested(posted.n, post.node, post.actor, post.reason, posted.at)
        case SetResultPost():
            return SetResultRequested(
                post=posted.n,
                node=post.node,
                result=post.result,
                actor=post.actor,
                reason=post.reason,
                at=posted.at,
                misfit=misfit_of(post.node, post.result, plan, code),
            )
        case _:
            assert_never(post)


def misfit_of(node: str, result: msgspec.Raw, plan: Plan, code: Code | None) -> str | None:
    """Say why a result that is given is none of the node's; None when it may be."""
    number = plan.number_of(node)
    if number is None:
        return None
    size = len(bytes(result))
    if size > PAYLOAD_BYTES_MAX:
        return f"it has {size:,} bytes as JSON; at most {PAYLOAD_BYTES_MAX:,} are allowed"
    return misfit_in(code, number, result)


def misfit_in(code: Code | None, number: int, result: msgspec.Raw) -> str | None:
    """Say why a result is none of the node with this number; None when it may be."""
    return (
        None
        if code is None or number not in code.nodes
        else _unread(code.nodes[number].result, result)
    )


def _unread(codec: AnyCodec | None, result: msgspec.Raw) -> str | None:
    if codec is None:
        return None
    try:
        codec.read(result)
    except Exception as error:  # noqa: BLE001 - the user's type is made here, which may do anything
        return str(error)[:ERROR_TEXT_CHARACTERS_MAX].encode(errors="backslashreplace").decode()
    return None
