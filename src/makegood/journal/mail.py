"""What is left for a run, and what is on its way from one run to another? Knows no store.

A run never writes into another run's row. What it has to say is remembered with its own append,
as `Outgoing`, and somebody delivers it later: so neither is kept waiting by the other, and what
was decided is said exactly once, whoever dies in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from makegood.values.ids import RunId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CLAIM_COLUMNS",
    "LETTERS_LOOKED_AT_MAX",
    "LETTER_COLUMNS",
    "WAITER_COLUMNS",
    "Claimant",
    "Claiming",
    "Delivered",
    "Exists",
    "JoinsTransactions",
    "KeepsLetters",
    "KeptLetter",
    "Letter",
    "LettingGo",
    "NewRun",
    "NoLonger",
    "Outgoing",
    "Post",
    "Posted",
    "ToRun",
    "ToStart",
    "Undelivered",
    "Waiter",
    "Waiting",
    "claimant_of",
    "kept_letter_of",
    "read_outgoing",
    "waiter_of",
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
    key_until_ended: bool = False
    """Whether the key is the run's only until it ends, and then free for another one."""
    correlation: str | None = None
    """What the run belongs to, where that is not known by its own id."""
    causation: str | None = None
    """What has started it, where that has an id."""

    @property
    def is_correlated(self) -> bool:
        """Whether there is more to say of what it belongs to than its own id does."""
        return self.correlation is not None or self.causation is not None


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


class Letter(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="letter", omit_defaults=True):
    """A message for whoever waits for it, now or later."""

    id: str
    """Names it: a second one with this id is the same one again, and is dropped."""
    message: str
    """The name of its type."""
    key: str
    """Which of those who wait for this type it is for."""
    body: bytes
    """JSON, as the body of a post."""
    until: Instant
    """Until when it is kept for somebody who does not wait yet."""
    is_returned: bool = False
    """The run that it was given to had no use for it any more, and gives it back."""
    subject: str | None = None
    """Whom it is about, so that it can be erased."""


class Waiting(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="waiting", omit_defaults=True
):
    """The sender waits for a message from now on."""

    message: str
    key: str
    node: str
    """Which wait of the sender's it is."""
    refused: bytes | None = None
    """What is posted back where somebody else waits for the same already; None: nothing."""


class NoLonger(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="no longer"):
    """The sender does not wait for a message any more."""

    message: str
    key: str
    node: str


class Claiming(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="claiming", omit_defaults=True
):
    """The sender is to hold a key."""

    key: str
    id: str
    """Names the claim within the sender, which makes no second one of this name."""
    root: RunId
    """The run with which the sender's tree began: within one tree a key is held together."""
    body: bytes
    """JSON, as the body of the post by which the sender learns that it holds the key."""


class LettingGo(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="letting go", omit_defaults=True
):
    """The sender neither holds a key any longer nor waits for it."""

    key: str
    id: str | None = None
    """The claim that is over; None: all that the sender has made on this key."""


Outgoing = ToRun | ToStart | Letter | Waiting | NoLonger | Claiming | LettingGo
"""Everything that an append may have remembered for others."""


class Undelivered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something on its way."""

    sender: RunId | None
    """The run that says it; None for a message from outside."""
    at: Instant
    """When it was decided."""
    entry: Outgoing
    subject: str | None = None
    """Whom the sender is about."""


class Waiter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run that waits for a message. There is one at most for each type and key."""

    message: str
    key: str
    run: RunId
    node: str
    since: Instant


class Claimant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A claim of a run on a key: it holds it, or waits for its turn."""

    key: str
    run: RunId
    id: str
    root: RunId
    since: Instant
    is_holder: bool
    body: bytes
    """Empty once it holds the key."""


class KeptLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A letter as it is remembered, until its time is over and it is pruned."""

    id: str
    message: str
    key: str
    body: bytes
    """Empty once it was given to a run."""
    at: Instant
    """When it was sent."""
    until: Instant
    taken_by: RunId | None = None
    """The run that it was given to; None while nobody has waited for it."""
    subject: str | None = None
    """Whom it is about."""
    was_known: bool = False
    """On what `send` returns: its id was known already, so nothing was delivered."""


LETTERS_LOOKED_AT_MAX = 100
"""How many letters of one address one delivery can give away, which takes no more at once."""

LETTER_COLUMNS = "id, message, key, body, at, until, taken_by, subject"
"""The columns that `kept_letter_of` takes, in its order."""

WAITER_COLUMNS = "message, key, run, node, since"
"""The columns that `waiter_of` takes, in its order."""

CLAIM_COLUMNS = "key, run, id, root, since, is_holder, body"
"""The columns that `claimant_of` takes, in its order."""


# Any, here and below: a value of whatever type its column has.
def kept_letter_of(values: Iterable[Any]) -> KeptLetter:
    """Return the letter of a row."""
    id, message, key, body, at, until, taken_by, subject = values
    return KeptLetter(
        id=id,
        message=message,
        key=key,
        body=body,
        at=at,
        until=until,
        taken_by=taken_by,
        subject=subject,
    )


def waiter_of(values: Iterable[Any]) -> Waiter:
    """Return the waiter of a row."""
    message, key, run, node, since = values
    return Waiter(message=message, key=key, run=run, node=node, since=since)


def claimant_of(values: Iterable[Any]) -> Claimant:
    """Return the claimant of a row."""
    key, run, id, root, since, is_holder, body = values
    return Claimant(
        key=key, run=run, id=id, root=root, since=since, is_holder=bool(is_holder), body=body
    )


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


class KeepsLetters(Protocol):
    """What every journal also keeps: messages, and who waits for them.

    1. A `Letter` that is delivered is posted to the run that waits for its type and key, which
       then waits no longer. Where none does, it is kept.
    2. A `Waiting` that is delivered is given the oldest letter that is kept for it and whose time
       is not over. Where there is none, its sender waits from then on; where somebody waits there
       already, it is answered with `refused`.
    3. A `NoLonger` that is delivered ends the waiting of this node of its sender, and of no other.
    4. A letter whose id is known is dropped, also when the one before was taken, unless it is
       returned: then it is delivered anew, and stands among those that are kept where it stood.
    5. `send` delivers a letter at once, in a transaction of its own, and returns it as it is kept,
       and whether its id `was_known`. It may be asked again when an answer was lost, and is then
       told that it was. Where `LETTERS_KEPT_MAX` are kept for its
       type and key already it is refused, which is None; what a run sends is never refused.
    6. `letters` lists what is kept, and `waiters` who waits, the oldest first.
    7. A `Claiming` that is delivered holds its key at once where nobody does, or where a run of
       the same tree does; else it waits, behind all that came before it. A `LettingGo` ends claims
       of its sender. When no claim holds a key any more, the oldest that waits is posted its body
       and holds it, and with it all that wait for the key in the same tree.
    8. `claims` lists who holds a key and who waits for one, in the order in which they came.
    9. A letter whose time was over before the moment given is forgotten by `prune`.
    10. A letter is about the subject that it names, or else about its sender's. `erase_letters`
        takes the bodies of all that are about a subject, and the subject: what nobody has taken
        is over then, and only their ids are known until they are forgotten.
    """

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter | None:
        """Deliver a letter from outside and return it as it is kept (1, 4, 5)."""
        ...

    async def erase_letters(self, *, subject: str, now: Instant) -> int:
        """Take what is about a subject out of the letters; return how many there were (10)."""
        ...

    async def claims(self, *, limit: int) -> tuple[Claimant, ...]:
        """Return who holds a key and who waits for one, in the order of arrival (7, 8)."""
        ...

    async def letters(self, *, limit: int) -> tuple[KeptLetter, ...]:
        """Return what was sent and is remembered, the oldest first (6)."""
        ...

    async def waiters(self, *, limit: int) -> tuple[Waiter, ...]:
        """Return who waits for a message, the longest first (6)."""
        ...


@runtime_checkable
class JoinsTransactions(Protocol):
    """A journal that can start a run in a transaction of the caller's own.

    1. `post_within` is a `post` with `create` (10), written on the connection given, inside the
       transaction that is open there. Nobody else sees any of it before that commits, and nothing
       is left of it when that is rolled back, be it only to a savepoint.
    2. While another transaction that has not ended has made a run with this key, it waits.
    3. A connection to another store, or of a kind that the journal does not know, or one without
       an open transaction, is `InvalidInput`; nothing was written.
    4. The transaction stays the caller's. It is neither ended nor given settings, what its driver
       raises is raised as it is, and how long its answer may take is for the caller to say.
    """

    async def post_within(self, post: Post, connection: object) -> int | Exists:
        """Start a run in the transaction that is open on a connection (1-4)."""
        ...
