"""One call of a receptor: with one message, told what it asks, to an arrival.

Where a step's arrival is a fact that is recorded, a receptor's is not: it says how the call ended,
in the same words, and what it sends is in its outbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_origin

from makegood.decision import facts
from makegood.decision.messaging.giving_up import DeadReason
from makegood.definition.plan import Kind
from makegood.errors import DefinitionError, InvalidInput, MakegoodError
from makegood.runtime.calling.arriving import Arrival
from makegood.runtime.calling.failing import as_failure, classify
from makegood.runtime.ports import Invocation
from makegood.runtime.receiving.context import carried_by, with_context
from makegood.runtime.receiving.outbox import Outbox
from makegood.values.codec import NULL
from makegood.values.ids import message_id, receipt_key
from makegood.values.injectable import (
    Attempt,
    Deadline,
    Emit,
    IdempotencyKey,
    MessageInfo,
    Once,
    Transaction,
    Writes,
)
from makegood.values.instants import as_datetime
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.definition.call import Call
    from makegood.journal.mail import Post
    from makegood.runtime.calling.writing import Collected
    from makegood.runtime.observing.carrying import Carriers
    from makegood.runtime.ports import Clock, Interceptor, Timer
    from makegood.runtime.receiving.receiver import Receiver
    from makegood.values.envelope import Envelope, Origin
    from makegood.values.instants import Instant
    from makegood.values.later import Later

__all__ = ["ReceptorCall", "Surroundings"]


class Surroundings:
    """What every call of a receptor stands on, in one engine or in a test."""

    __slots__ = ("carriers", "clock", "once", "source", "start")

    def __init__(
        self,
        clock: Clock,
        carriers: Carriers,
        *,
        source: str,
        once: Callable[[str, ReceptorCall], Awaitable[bool]],
        start: Callable[[Call[object], str, ReceptorCall], Post] | None = None,
    ) -> None:
        self.clock = clock
        self.carriers = carriers
        self.source = source
        """The name under which this service gives ids to messages."""
        self.once = once
        """Says whether a key belongs to a message."""
        self.start = start
        """Makes the post that starts a run under a key; None: nothing is started."""


class ReceptorCall:
    """One call of a receptor, from its beginning to its arrival."""

    __slots__ = (
        "_message",
        "_surroundings",
        "attempt",
        "bound",
        "bucket",
        "captured",
        "deliver",
        "envelope",
        "is_reported",
        "is_stopped",
        "key",
        "number",
        "outbox",
        "receiver",
        "starts",
        "task",
        "timed_out",
        "timer",
        "transaction",
        "trouble",
        "until",
        "writes",
    )

    def __init__(
        self,
        receiver: Receiver,
        envelope: Envelope,
        message: object,
        surroundings: Surroundings,
        *,
        attempt: int,
        until: Instant | None,
    ) -> None:
        self.receiver = receiver
        self.envelope = envelope
        self._message = message
        self._surroundings = surroundings
        self.attempt = attempt
        self.until = until
        self.bound = receiver.bound
        self.key = receipt_key(receiver.name, envelope.tenant, envelope.source, envelope.id)
        """The idempotency key of its effect."""
        self.outbox = self._empty_outbox()
        self.starts: list[Post] = []
        """What starts the runs that it has called, once it has returned."""
        self.captured: dict[str, str] | None = None
        """What goes along with what it returns and starts, once it has returned."""
        self.trouble: DeadReason | None = None
        """Set where it is no failure of the receptor that the message is given up for."""
        self.deliver: Callable[[Arrival], None] | None = None
        self.writes: Collected | None = None
        self.transaction: Transaction | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: Timer | None = None
        self.bucket: int | None = None
        self.number = 0
        self.timed_out = False
        self.is_stopped = False
        self.is_reported = False

    @property
    def path(self) -> str:
        """The receptor's whole name."""
        return self.receiver.name

    @property
    def owner(self) -> str:
        """The message, as the log names it."""
        return f"message {self.envelope.id}"

    @property
    def has_effect(self) -> bool:
        """Whether it may have done something outside when it is cancelled in the middle."""
        return not self.receiver.is_local

    def begin_within(self, transaction: Transaction) -> None:
        """Have the transaction that it is run in; what an earlier run has sent is forgotten."""
        self.transaction = transaction
        self.outbox = self._empty_outbox()
        self.starts = []
        self.captured = None
        self.trouble = None

    # Calling ------------------------------------------------------------------------------------

    def call(self, interceptors: Sequence[Interceptor]) -> Awaitable[object]:
        """Call the function, within the context that the message carries."""
        carried = carried_by(self.envelope)
        if carried:
            self._surroundings.carriers.restore(carried)
        if not interceptors:
            return self._innermost()
        group, _slash, name = self.path.partition("/")
        invocation = Invocation(
            run=None,
            message=self.envelope.id,
            workflow=group,
            path=name,
            direction="receive",
            attempt=self.attempt,
            is_resumed=self.attempt > 1,
        )
        proceed = self._innermost
        for interceptor in reversed(interceptors):
            proceed = _wrapped(interceptor, invocation, proceed)
        return proceed()

    def _innermost(self) -> Awaitable[object]:
        bound = self.bound
        named = {name: self._tell(wants) for name, wants in bound.told}
        returning = bound.function(self._message, **bound.services, **named)
        return self._observed(returning) if self._surroundings.carriers else returning

    async def _observed(self, returning: Awaitable[object]) -> object:
        """Take what goes along with what is returned, before whatever is around the call ends."""
        returned = await returning
        self.captured = self._surroundings.carriers.capture()
        return returned

    def _tell(self, wants: object) -> object:
        """Return what the runtime itself fills in for an annotation."""
        if wants is IdempotencyKey:
            return self.key
        if wants is MessageInfo:
            return self._info()
        if wants is Attempt:
            return self.attempt
        if wants is Deadline:
            return None if self.until is None else as_datetime(self.until)
        if wants is Writes:
            return self.writes
        if wants is Transaction:
            return self.transaction
        if wants is Once:
            return self._once
        assert get_origin(wants) is Emit, "everything else was refused when it was declared"
        return self.outbox

    def _info(self) -> MessageInfo:
        envelope = self.envelope
        return MessageInfo(
            id=envelope.id,
            source=envelope.source,
            type=envelope.type,
            version=envelope.version,
            key=envelope.key,
            tenant=envelope.tenant,
            correlation=envelope.correlation,
            causation=envelope.causation,
            receptor=self.path,
        )

    async def _once(self, key: str, /) -> bool:
        return await self._surroundings.once(key, self)

    def _empty_outbox(self) -> Outbox:
        receptor = self.receiver.receptor
        return Outbox(
            receptor.name,
            receptor.sends,
            calls=receptor.calls,
            key=self.key,
            source=self._surroundings.source,
            origin=self._origin,
            now=self._surroundings.clock.now,
        )

    def _origin(self) -> Origin:
        captured = self.captured
        if captured is None:
            captured = self._surroundings.carriers.capture()
        return with_context(self.envelope.origin, captured)

    # Arriving -----------------------------------------------------------------------------------

    def returned(self, value: object, now: Instant) -> Arrival:
        """Return its arrival when it returned: what it sends is taken, or it is in trouble."""
        try:
            self.outbox.take(value)
            self._start_runs()
        except DefinitionError as error:
            self.trouble = DeadReason.UNDECLARED
            return self._failed(error, now)
        except MakegoodError as error:
            self.trouble = DeadReason.UNRECORDED
            return self._failed(error, now)
        writes = () if self.writes is None else tuple(self.writes.statements)
        return Arrival(self.path, facts.NodeDone(self.path, NULL, now), writes)

    def _start_runs(self) -> None:
        start = self._surroundings.start
        if start is not None:
            for number, call in enumerate(self.outbox.calls, start=1):
                self.starts.append(start(call, message_id(self.key, number), self))

    def failed(self, error: BaseException, now: Instant) -> Arrival:
        """Return its arrival when it raised."""
        if isinstance(error, DefinitionError):
            self.trouble = DeadReason.UNDECLARED
        return self._failed(error, now)

    def postponed(self, said: Later, now: Instant) -> Arrival:
        """Return its arrival when it ended by `later(…)`, which no receptor may."""
        message = (
            f"`{self.path}` calls later(…), by which a step waits for somebody outside; return a "
            "call of a workflow with such a step"
        )
        self.trouble = DeadReason.UNDECLARED
        error = InvalidInput(message)
        error.__cause__ = said
        return self._failed(error, now)

    def kept_back(self, service: str, now: Instant) -> Arrival:
        """Return its arrival when it was not begun."""
        wait = facts.NodeDelayed(self.path, "do", self.attempt, service, now, now)
        return Arrival(self.path, wait)

    def _failed(self, error: BaseException, now: Instant) -> Arrival:
        if self.trouble is not None:
            kind = FailureKind.PERMANENT
        else:
            effect = Kind.STEP if self.has_effect else Kind.LOCAL
            kind = classify(error, effect, self.bound.retry_on)
        failure = as_failure(error, kind)
        return Arrival(self.path, facts.NodeFailed(self.path, failure, now), error=error)


def _wrapped(
    interceptor: Interceptor, invocation: Invocation, proceed: Callable[[], Awaitable[object]]
) -> Callable[[], Awaitable[object]]:
    return lambda: interceptor(invocation, proceed)
