"""One lane at work in this process: its messages are received one after the other.

    taken --> receiving <--(handled, and the next one is begun)--+
                  |                                              |
                  | (the last one, or it waits, or a while ago)  |
                  v                                              |
              finishing --(settled, and more is here)------------+
                  |  |
                  |  +--(fenced) dropped: another worker has it
                  v
              given back

What was handled is written in one transaction with all that came of it, and no message is begun
before the one in front of it was handled. Of several that are handled quickly the outcomes share
one: it costs a crash a few that are received again, under their keys, and in their order.
"""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, assert_never

from makegood.decision.messaging.giving_up import DeadReason
from makegood.errors import MakegoodError, StoreBusy, StoreFull
from makegood.journal.messages import Dead, Done, Finished, Later, Outcome, Settled
from makegood.journal.protocol import Fenced, Refused
from makegood.runtime.receiving.call import ReceptorCall
from makegood.runtime.receiving.local import LocalReceiving
from makegood.runtime.receiving.telling import tell
from makegood.runtime.telemetry import log
from makegood.values.instants import Instant, after, micros
from makegood.values.limits import LANE_DELIVERIES_MAX
from makegood.values.schemas import NewerSchema

if TYPE_CHECKING:
    from makegood.journal.mail import Post
    from makegood.journal.messages import Due, Handling, Held
    from makegood.journal.protocol import Statement
    from makegood.journal.reply import Pending
    from makegood.runtime.calling.arriving import Arrival
    from makegood.runtime.ports import Timer
    from makegood.runtime.receiving.receiver import Receiver
    from makegood.runtime.receiving.reception import Reception
    from makegood.values.envelope import Envelope

__all__ = ["HeldLane"]

TOGETHER_MAX = micros(timedelta(milliseconds=50))
"""How long what was handled may wait for what is handled next, in microseconds."""


class HeldLane:
    """One lane that this engine holds."""

    __slots__ = (
        "_call",
        "_desk",
        "_handled",
        "_is_finishing",
        "_is_given_back",
        "_is_gone",
        "_is_over",
        "_messages",
        "_since",
        "_starts",
        "_timer",
        "_waiting",
        "_writes",
        "_written",
        "claims",
        "epoch",
        "has_more",
        "id",
        "receiver",
    )

    def __init__(self, desk: Reception, receiver: Receiver, held: Held) -> None:
        self._desk = desk
        self.receiver = receiver
        self.id = held.id
        self.epoch = held.epoch
        self.claims = held.claims
        """How often it was taken without progress; 0 once there is some."""
        self.has_more = len(held.due) >= LANE_DELIVERIES_MAX
        """Whether there may be more in it than was taken."""
        self._waiting = deque(held.due)
        self._call: ReceptorCall | None = None
        self._handled: list[Handling] = []
        self._messages: list[Envelope] = []
        self._starts: list[Post] = []
        self._writes: tuple[Statement, ...] = ()
        self._since = Instant(0)
        """When the first of what is not yet written was handled."""
        self._is_over = False
        """Nothing more of this lane can be received now."""
        self._is_finishing = False
        self._is_gone = False
        self._is_given_back = False
        """It goes back as it was taken; nothing more happens here."""
        self._timer: Timer | None = None
        """Rings when a store that was busy is asked again."""
        self._written: Due | None = None
        """The last message that was handled, of which the statements are."""

    @property
    def name(self) -> str:
        """The receptor's whole name."""
        return self.receiver.name

    @property
    def is_at_work(self) -> bool:
        """Whether something is being written."""
        return self._is_finishing

    @property
    def is_at_rest(self) -> bool:
        """Whether only time moves it on, be it that the store may have room again."""
        return self._timer is not None or self._is_given_back

    @property
    def is_suspect(self) -> bool:
        """Whether those who took it before may have died of it."""
        return self.claims > 1

    def begin(self) -> None:
        """Receive what waits."""
        self._go_on()

    def look_up(self) -> None:
        """Learn that the engine is closing, or that something was halted."""
        if self._handled and not (self._is_finishing or self._is_gone):
            self._finish()

    def abandon(self) -> None:
        """Let the lane go without another word to the journal."""
        self._is_gone = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._call is not None:
            self._desk.performer.stop(self._call)
            self._call = None
        self._desk.let_go(self)

    # Receiving ----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Receive one message after the other, as far as they end at once."""
        while not self._is_gone:
            if self._desk.is_winding_down(self.name):
                self._is_over = True
            if self._is_over or not self._waiting:
                if self._handled:
                    self._finish()
                else:
                    self._is_given_back = True
                    self._desk.give_back(self)
                return
            if self._handled and self._is_time_to_write():
                self._finish()
                return
            handled = self._receive(self._waiting[0])
            if handled is None:
                return
            self._take_in(handled)

    def _is_time_to_write(self) -> bool:
        """Say whether what was handled is written before another message is begun."""
        if self.receiver.bound.writes or self.is_suspect or self.receiver.is_local:
            return True
        return self._desk.clock.now() - self._since >= TOGETHER_MAX

    def _receive(self, due: Due) -> Handling | None:
        """Begin to receive a message; or say what became of it where that is known at once."""
        desk, receiver = self._desk, self.receiver
        now = desk.clock.now()
        poisoned = desk.answering.poisoned(receiver, due, self.claims, now)
        if poisoned is not None:
            return poisoned
        schema = receiver.schemas.get(due.message.type)
        if schema is None:
            message = f"`{receiver.name}` receives no `{due.message.type}`"
            error = MakegoodError(message)
            return desk.answering.misfit(receiver, due, DeadReason.UNKNOWN, error, now)
        try:
            message = schema.read(due.message)
        except NewerSchema as error:
            return desk.answering.misfit(receiver, due, DeadReason.NEWER, error, now)
        except Exception as error:  # noqa: BLE001 - a user's class reads it, and may raise anything
            return desk.answering.misfit(receiver, due, DeadReason.UNREADABLE, error, now)
        unowned = desk.unowned.get(receiver.name)
        if unowned is not None:
            return desk.answering.misfit(receiver, due, DeadReason.UNOWNED, unowned, now)
        opens = desk.held_back(receiver, self.id)
        if opens is not None:
            return Later(seq=due.seq, due_at=opens, is_attempt=False)
        call = ReceptorCall(
            receiver,
            due.message,
            message,
            desk.surroundings,
            attempt=due.attempts + 1,
            until=after(now, receiver.receptor.timeout),
        )
        if receiver.is_local:
            self._finish_locally(due, call)
        else:
            self._call = call
            desk.begins(receiver)
            desk.performer.begin(call, self._arrived, now)
        return None

    def _arrived(self, arrival: Arrival) -> None:
        """Take the outcome of a receptor."""
        call, self._call = self._call, None
        assert call is not None, "what arrives was called"
        if self._is_gone:
            return
        due, now = self._waiting[0], self._desk.clock.now()
        handled = self._desk.answering.arrived(self.receiver, due, call, arrival, now)
        if handled is None:
            # It had no turn at a service, and the engine closes.
            self._is_over = True
        else:
            if isinstance(handled, Done):
                self._messages += call.outbox.messages
                self._starts += call.starts
                self._writes = arrival.writes
            self._take_in(handled)
        if not self._is_finishing:
            self._go_on()

    def _take_in(self, handled: Handling) -> None:
        """Remember what became of the first message that waits."""
        due = self._written = self._waiting.popleft()
        if not self._handled:
            self._since = self._desk.clock.now()
        self._handled.append(handled)
        tell(self.name, due, handled)
        if isinstance(handled, Later) or (isinstance(handled, Dead) and handled.blocks):
            self._is_over = True

    # Finishing ----------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Write what was handled, and what goes out because of it."""
        outcome = Outcome(
            handled=tuple(self._handled),
            messages=tuple(self._messages),
            starts=tuple(self._starts),
        )
        writes = self._writes
        self._handled, self._messages, self._starts, self._writes = [], [], [], ()
        release = self._is_over or not self._waiting
        self._send(self._finished(outcome, writes=writes, release=release))

    def _finish_locally(self, due: Due, call: ReceptorCall) -> None:
        """Have a message received within the transaction that writes what came of it."""
        self._written = self._waiting.popleft()
        # It may have to wait, and everything behind it with it: the lane is given back.
        self._is_over = True
        self.has_more = self.has_more or bool(self._waiting)
        work = LocalReceiving(self._desk, call, due)
        self._send(self._finished(Outcome(), local=work, release=True))

    def _finished(
        self,
        outcome: Outcome,
        *,
        release: bool,
        writes: tuple[Statement, ...] = (),
        local: LocalReceiving | None = None,
    ) -> Finished:
        return Finished(
            id=self.id,
            worker=self._desk.worker,
            epoch=self.epoch,
            at=self._desk.clock.now(),
            outcome=outcome,
            release=release,
            writes=writes,
            local=local,
        )

    def _send(self, finished: Finished) -> None:
        self._is_finishing = True
        self._timer = None
        pending = self._desk.messages.finish(finished)
        if pending.done():
            self._on_reply(finished, pending)
        else:
            pending.add_done_callback(partial(self._on_reply, finished))

    def _on_reply(self, finished: Finished, done: Pending[Settled | Fenced | Refused]) -> None:
        self._desk.replied()
        if self._is_gone:
            return
        error = done.exception()
        if error is None:
            self._take_verdict(finished, done.result())
        elif isinstance(error, StoreFull | StoreBusy):
            # Nothing was written: the very same is sent again when there may be room.
            self._desk.tell_outage(self.name, error)
            self._timer = self._desk.later(lambda: self._send(finished))
        else:
            self._desk.fail(error)

    def _take_verdict(self, finished: Finished, verdict: Settled | Fenced | Refused) -> None:
        match verdict:
            case Settled():
                self._settled(finished, verdict)
            case Refused():
                self._refused(finished, verdict)
            case Fenced():
                log.warning("the lane %r of %s is held by another worker", self.id.lane, self.name)
                self.abandon()
            case _:
                assert_never(verdict)

    def _settled(self, finished: Finished, settled: Settled) -> None:
        self._is_finishing = False
        self.claims = 0
        outcome = finished.outcome
        if finished.local is not None:
            outcome = settled.outcome
            assert self._written is not None
            for handled in outcome.handled:
                tell(self.name, self._written, handled)
        self._desk.settled(self, outcome)
        if finished.release:
            self._is_gone = True
            self._desk.let_go(self)
        elif self._call is None:
            self._go_on()

    def _refused(self, finished: Finished, refused: Refused) -> None:
        """Give up the one message whose statements the store does not take."""
        (done,) = finished.outcome.handled
        due, now = self._written, self._desk.clock.now()
        assert due is not None, "statements are written with the one message that they came of"
        assert due.seq == done.seq
        dead = self._desk.answering.unrecorded(self.receiver, due, refused.reason, now)
        tell(self.name, due, dead)
        self._is_over = self._is_over or dead.blocks
        release = finished.release or dead.blocks
        self._send(self._finished(Outcome(handled=(dead,)), release=release))
