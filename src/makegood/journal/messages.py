"""What is remembered of messages: who wants them, who has had them, and whose turn it is.

A message goes to every recipient that subscribes to its type: to receptors, and to transports,
which carry it to others. So there is one table for what came in and for what goes out. A
*delivery* is one message for one recipient. A *lane* is what one recipient is to be given of one
key, in the order in which it was stored; lanes, not deliveries, are leased, so that a key is in
one hand at a time and no key waits for another. The journal knows neither what a message means
nor what becomes of one that failed: whoever holds its lane says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.journal.lanes.shown import (
    Deliveries,
    Delivery,
    DeliveryFilter,
    DeliveryState,
    Erased,
    Kept,
    Lag,
    Lane,
    MessageFilter,
    Messages,
    Moved,
    Order,
    Pruned,
)
from makegood.journal.lanes.stored import (
    DeliveryId,
    Duplicate,
    LaneId,
    Malformed,
    Receipt,
    Stored,
    Subscription,
)
from makegood.journal.mail import Exists, Post
from makegood.values.envelope import Envelope
from makegood.values.ids import WorkerId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.journal.beside.models import KeepsModels

    # What has them imports this module, and they are never read from text.
    from makegood.journal.protocol import Fenced, Refused, Statement  # noqa: TC004
    from makegood.journal.reply import Pending
    from makegood.values.injectable import Transaction

__all__ = [
    "Dead",
    "Deliveries",
    "Delivery",
    "DeliveryFilter",
    "DeliveryId",
    "DeliveryState",
    "Done",
    "Due",
    "Duplicate",
    "Erased",
    "Finished",
    "Handling",
    "Held",
    "KeepsMessages",
    "Kept",
    "Lag",
    "Lane",
    "LaneId",
    "Later",
    "LocalHandling",
    "Malformed",
    "MessageFilter",
    "Messages",
    "Moved",
    "Order",
    "Outcome",
    "Pruned",
    "Receipt",
    "Settled",
    "Stored",
    "Subscription",
]


class Due(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message that is to be handled now."""

    seq: int
    attempts: int
    """How often it was handled before, without success."""
    sending: int
    """How often a person has sent it again; whoever takes it outside can tell by `seq` and this
    that it is the same one once more."""
    message: Envelope


class Held(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A lane that this worker has just taken, and the oldest of what is due in it."""

    id: LaneId
    epoch: int
    """The lease: no other was or will ever be given under this number."""
    claims: int
    """How often it has been taken since its last progress, this time included."""
    due: tuple[Due, ...]
    """To be handled in this order, one after the other; there is at least one."""


class Done(msgspec.Struct, frozen=True, gc=False):
    """It was handled."""

    seq: int


class Later(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """It is to be handled again; what is behind it in its lane waits for it."""

    seq: int
    due_at: Instant
    error: bytes = b""
    """What went wrong, as JSON."""
    is_attempt: bool = True
    """Whether it was handled at all, so that this counts."""


class Dead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """It is given up, and kept for a person."""

    seq: int
    reason: str
    error: bytes = b""
    """What went wrong, as JSON, with whatever is known of who handled it."""
    fault: str = ""
    """What this fault has in common with others of its kind: a fingerprint."""
    blocks: bool = False
    """Whether its lane waits until a person has sent it again or discarded it."""
    is_attempt: bool = True


Handling = Done | Later | Dead
"""What came of handling one delivery."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that came of handling some deliveries of one lane: all of it is written, or nothing."""

    handled: tuple[Handling, ...] = ()
    """At most one a delivery. Nothing follows what keeps the lane waiting, a `Later` or a `Dead`
    that blocks, and with such a one the lane is given back."""
    messages: tuple[Envelope, ...] = ()
    """What is sent on, stored as `publish` does it. There is some only if something was handled,
    and so it is with `starts`."""
    starts: tuple[Post, ...] = ()
    """Runs that are started: posts with `create`."""


class LocalHandling(Protocol):
    """A local receptor's body, to be run inside the transaction that finishes."""

    timeout_seconds: float
    seq: int
    """The delivery that it handles."""

    async def run(self, transaction: Transaction) -> Outcome:
        """Run the body and return what came of it.

        It awaits nothing but the transaction. It raises what the body raises, after which the
        body's writes are taken back and `failed` is asked for the outcome instead.
        """
        ...

    def failed(self, error: Exception) -> Outcome:
        """Return what comes of the failure."""
        ...


class Finished(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a worker wants remembered of a lane that it holds."""

    id: LaneId
    worker: WorkerId
    epoch: int
    at: Instant
    outcome: Outcome = Outcome()
    """Empty when `local` provides it."""
    release: bool = True
    """Give the lane back, so that what is left in it is anybody's. Otherwise the lease stays."""
    writes: tuple[Statement, ...] = ()
    """Statements of a receptor, applied in the same transaction."""
    local: LocalHandling | None = None


class Settled(msgspec.Struct, frozen=True, gc=False):
    """It is durable."""

    outcome: Outcome = Outcome()
    """What was written: what was given, or what `local` has made."""
    started: tuple[int | Exists, ...] = ()
    """For every start what `post` would have answered; a key that was taken starts nothing."""


class KeepsMessages(Protocol):
    """What every journal also keeps: messages, and who is to be given them.

    **Storing**
    1. `publish` stores messages in the order given, and one delivery of each for every recipient
       that subscribes to its type: all of it is durable before a receipt is returned, or nothing
       is written. Calls that wait at the same moment share one commit.
    2. A message whose id is known from its source and tenant is `Duplicate`: nothing is stored, and
       nobody is given it again. It may be published again when an answer was lost, and by others
       at the same moment: what two publish in one order stands in that order in its lanes.
    3. What nobody subscribes to is stored too, and shown as unheard.
    4. What an append, a local step or an outcome brings as `messages` is stored so in its
       transaction, once.
    5. What is `Malformed` is stored as it came, with one dead delivery; what was published beside
       it is stored as ever.
    6. `subscribe` is durable before it returns; who subscribes is given what is stored from then
       on. A subscription ends only by `unsubscribe`; what is due already stays due.

    **Taking**
    7. `take` leases lanes that are due and that nobody holds, as many of each recipient as there is
       room for and `limit` in all, under a new epoch and with claims + 1. Each comes with its
       oldest deliveries, `per_lane` at most. They are dealt out fairly, as `claiming.deal` says.
    8. Within a lane deliveries are handed out in the order in which they were stored. One that is
       to be handled later keeps all behind it waiting, and no other lane.
    9. The lane that has been due the longest has the first turn, and one that is given back stands
       behind those that are due then: many small lanes wait for a huge one no longer than for one
       another, and the huge one goes on.
    10. A lane that was taken `CLAIMS_TOGETHER_MAX` times without progress is taken alone.
    11. A message with `not_before` has no place in its lanes before that, and then stands where its
       number places it.
    12. The lanes of a dead worker can be taken without anyone's help; those of a live one never.
       `release` gives lanes back unchanged, due at once, without counting as a claim.

    **Finishing**
    13. `finish` compares worker and epoch in the transaction that writes. All of it is durable
       before `Settled` is returned; otherwise it is `Fenced`, and nothing is written. It is
       `Fenced` too where one of its deliveries is not due any more.
    14. One that was written before and is sent again, because its answer was lost, is `Settled`
       again and written once. Then nothing is said of what was started, and of a local outcome.
    15. Those that wait at the same moment share one commit; one that fails leaves the others
       untouched. One that brings `writes` or `local` may have a commit of its own.
    16. `writes` that the store refuses make the whole of it `Refused`. `local` is run inside the
       transaction, after the comparison, as a local step is.
    17. Anything handled is progress, which sets the claims back to 0. Each attempt is counted.
    18. Where nothing more is due in a lane that is given back, the lane is gone. A dead letter that
       blocks its lane keeps it from being taken until it was sent again or discarded.

    **Operating**
    19. `resend` makes dead letters due again where their numbers place them, with no attempt and
       one sending more; `discard` puts them away. Either keeps who did so and why, moves no
       delivery twice, and with `dry_run` only says what it would move.
    20. `deliveries`, `messages` and `lanes` page through what there is; a page never repeats or
       skips what was there all along. `message` gives one with its body, and all its deliveries.
    21. `lag` says of every recipient how much is due and since when, and how much is dead.
    22. `prune` forgets messages that were stored before a moment and that nobody is still to be
       given, with their deliveries; one with a dead letter only where that has failed before a
       moment of its own and blocks no lane. What is forgotten is no duplicate any more. With
       `dry_run` it only says how many that would be.
    23. `erase` takes the bodies, headers and errors of everything about a subject, or of a key, out
       of the store; dead letters of these are discarded. What is still to be handled stays whole
       and is counted as waiting.

    **One alone**
    24. `claim_listening` says whether this worker is the one that listens under a name: it was, or
       nobody was, or whoever was is dead. While it lives no other one is told so, until it has said
       `release_listening`.
    25. `own` subscribes as `subscribe` does, and to no type to which somebody else has subscribed,
       other than those whose names begin with one of `beside`: then it gives one who has, and
       nothing is written. Of two who own a type at the same moment one does.
    """

    @property
    def models(self) -> KeepsModels:
        """What is kept of read models, which are made of messages."""
        ...

    async def subscribe(self, subscriptions: Sequence[Subscription], *, now: Instant) -> None:
        """Let recipients be given every message of their types from now on (6)."""
        ...

    async def own(
        self, subscriptions: Sequence[Subscription], *, beside: tuple[str, ...], now: Instant
    ) -> Subscription | None:
        """Be given every message of these types as nobody else is; return who is already (25)."""
        ...

    async def unsubscribe(self, recipient: str, types: Sequence[str]) -> int:
        """End subscriptions of a recipient; return how many there were (6)."""
        ...

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Return who wants what, sorted by recipient and type (6)."""
        ...

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        """Store messages, and return a receipt for each, in their order (1-5).

        Returns at once; it raises nothing itself, as `append` does not.
        """
        ...

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        """Lease lanes that are due (7-12).

        `room` says by recipient how many more lanes may be taken; the first has the first turn.
        """
        ...

    def finish(self, finished: Finished) -> Pending[Settled | Fenced | Refused]:
        """Remember what came of a lane's deliveries (13-18). Returns at once, as `append` does."""
        ...

    async def release(self, worker: WorkerId, lanes: Sequence[LaneId], *, now: Instant) -> None:
        """Give lanes back that were not worked on (12)."""
        ...

    async def claim_listening(self, name: str, worker: WorkerId, *, now: Instant) -> bool:
        """Become the one that listens under a name, or stay it; say whether that was done (24)."""
        ...

    async def release_listening(self, name: str, worker: WorkerId, *, now: Instant) -> None:
        """Let others listen under a name, if it is this worker that does (24)."""
        ...

    async def resend(self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False) -> Moved:
        """Make dead letters due again, at most `chosen.limit` of them (19)."""
        ...

    async def discard(
        self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False
    ) -> Moved:
        """Put dead letters away, at most `chosen.limit` of them (19)."""
        ...

    async def deliveries(self, filter: DeliveryFilter) -> Deliveries:
        """Return one page of deliveries (20)."""
        ...

    async def messages(self, filter: MessageFilter) -> Messages:
        """Return one page of messages and what became of them (20)."""
        ...

    async def message(self, seq: int) -> Kept | None:
        """Return a message as it was stored, with its body, or None (20)."""
        ...

    async def lanes(
        self, recipient: str, *, after: LaneId | None = None, limit: int
    ) -> tuple[Lane, ...]:
        """Return lanes of a recipient, sorted by their names (20)."""
        ...

    async def lag(self) -> tuple[Lag, ...]:
        """Return how far every recipient is behind, sorted by their names (21)."""
        ...

    async def prune(
        self,
        *,
        before: Instant,
        dead_before: Instant,
        limit: int,
        after: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Forget old messages, looking at `limit` of them at most (22)."""
        ...

    async def erase(
        self,
        *,
        subject: str | None = None,
        tenant: str = "",
        key: str | None = None,
        limit: int,
        now: Instant,
    ) -> Erased:
        """Take what is about a subject, or of a key, out of the store (23).

        At most `limit` messages are erased: where there were so many, ask again.
        """
        ...
