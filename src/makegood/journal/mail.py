"""What is left for a run, and what is on its way from one run to another? Knows no store.

A run never writes into another run's row. What it has to say is remembered with its own append,
as `Outgoing`, and somebody delivers it later: so neither is kept waiting by the other, and what
was decided is said exactly once, whoever dies in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood.values.ids import RunId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

__all__ = [
    "Delivered",
    "Exists",
    "NewRun",
    "Outgoing",
    "Post",
    "Posted",
    "ToRun",
    "ToStart",
    "Undelivered",
    "delivery",
    "driven",
    "read_outgoing",
    "write_outgoing",
]


class NewRun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What makes a run row, in the append or the post that starts the run."""

    workflow: str
    key: str | None
    fingerprint: str
    input_hash: str
    created_at: Instant
    subject: str | None = None
    """Whom the run is about, so that what it holds of them can be erased."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller without a lease leaves for a run: a control, or the start itself."""

    run: RunId
    body: bytes
    """JSON. For a start, the first facts; the lease holder turns it into facts."""
    at: Instant
    create: NewRun | None = None
    """Set when the post starts the run."""
    status: str = "running"
    """The status of the row that `create` makes."""


class Posted(msgspec.Struct, frozen=True, gc=False):
    """A post in a run's inbox: `n` counts from 1 without gaps, in commit order."""

    n: int
    body: bytes
    at: Instant


class Exists(msgspec.Struct, frozen=True, gc=False):
    """A run of this workflow has this key already; nothing was written."""

    run: RunId
    input_hash: str


# What one run says to another ---------------------------------------------------------------------


class ToRun(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="to run", omit_defaults=True):
    """Something for the inbox of a run."""

    run: RunId
    body: bytes
    """JSON, as the body of a post."""
    refused: bytes | None = None
    """What is posted back to the sender when the run is not there; None: nothing."""


class ToStart(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="to start", omit_defaults=True
):
    """The start of another run."""

    run: RunId
    create: NewRun
    body: bytes
    """JSON, as the body of the post that starts it."""
    joined: bytes | None = None
    """What is posted, instead of the body, to a run that has the key and this very input already;
    None: nothing."""
    refused: bytes | None = None
    """What is posted back to the sender when the run that has the key has another input, or is no
    more than a tombstone; None: nothing."""


Outgoing = ToRun | ToStart
"""Everything that an append may have remembered for others."""


class Undelivered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something on its way."""

    sender: RunId
    at: Instant
    """When it was decided."""
    entry: Outgoing


class Delivered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one delivery came to."""

    count: int = 0
    """How much was taken."""
    posted: tuple[RunId, ...] = ()
    """The runs that have something new in their inbox."""
    has_more: bool = False
    """More may wait, or somebody else is delivering at this moment: ask again soon."""


write_outgoing = msgspec.json.Encoder().encode
"""Return one outgoing entry as JSON."""

_decoder: msgspec.json.Decoder[Outgoing] = msgspec.json.Decoder(Outgoing)

read_outgoing = _decoder.decode
"""Return the outgoing entry of a JSON text."""


def delivery(
    waiting: Sequence[Undelivered], now: Instant
) -> Generator[Sequence[Post], Sequence[int | Exists | None], tuple[RunId, ...]]:
    """Say what is to be posted so that all of this is delivered; return the runs posted to.

    It yields what is to be posted together, and is sent what became of each: the number of the
    post, the run that has its id or its key already, or None where there is no run to post to.
    """
    posted: dict[RunId, None] = {}
    pending = [_Sending(each, _first_post(each.entry, now)) for each in waiting]
    while pending:
        answers = yield [sending.post for sending in pending]
        following: list[_Sending] = []
        for sending, answer in zip(pending, answers, strict=True):
            if isinstance(answer, int):
                posted[sending.post.run] = None
            else:
                following += _instead(sending, answer, now)
        pending = following
    return tuple(posted)


def driven(
    posting: Generator[Sequence[Post], Sequence[int | Exists | None], tuple[RunId, ...]],
    post: Callable[[Post], int | Exists | None],
) -> tuple[RunId, ...]:
    """Carry out a delivery where a post can be made at once; return the runs posted to."""
    try:
        posts = next(posting)
        while True:
            posts = posting.send([post(each) for each in posts])
    except StopIteration as end:
        posted: tuple[RunId, ...] = end.value
        return posted


class _Sending(msgspec.Struct, frozen=True, gc=False):
    """A post that is made for something on its way."""

    waiting: Undelivered
    post: Post
    is_refusal: bool = False
    """It tells the sender that the first one could not be made, and is the last."""


def _first_post(entry: Outgoing, now: Instant) -> Post:
    match entry:
        case ToRun():
            return Post(run=entry.run, body=entry.body, at=now)
        case ToStart():
            return Post(run=entry.run, body=entry.body, at=now, create=entry.create)
        case _:
            assert_never(entry)


def _instead(sending: _Sending, answer: Exists | None, now: Instant) -> list[_Sending]:
    """Return what is posted instead of a post that could not be made."""
    waiting, entry = sending.waiting, sending.waiting.entry
    if isinstance(entry, ToStart) and isinstance(answer, Exists):
        is_same = answer.input_hash == entry.create.input_hash
        if is_same:
            return _posting(waiting, answer.run, entry.joined, now)
    if sending.is_refusal:
        return []
    return _posting(waiting, waiting.sender, entry.refused, now, is_refusal=True)


def _posting(
    waiting: Undelivered, run: RunId, body: bytes | None, now: Instant, *, is_refusal: bool = False
) -> list[_Sending]:
    if body is None:
        return []
    return [_Sending(waiting, Post(run=run, body=body, at=now), is_refusal)]
