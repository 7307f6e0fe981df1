"""A local receptor's body as the journal runs it: in the transaction that marks its message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.messages import Done, Outcome
from makegood.runtime.calling.local import Within
from makegood.values.later import Later

if TYPE_CHECKING:
    from makegood.journal.messages import Due, Handling
    from makegood.runtime.calling.arriving import Arrival
    from makegood.runtime.receiving.call import ReceptorCall
    from makegood.runtime.receiving.reception import Reception
    from makegood.values.injectable import Transaction

__all__ = ["LocalReceiving"]


class LocalReceiving:
    """Implements `LocalHandling`. It may be run more than once: the last run counts."""

    def __init__(self, desk: Reception, call: ReceptorCall, due: Due) -> None:
        self._desk = desk
        self._call = call
        self._due = due
        self.seq: int = due.seq
        self.timeout_seconds: float = call.receiver.receptor.timeout.total_seconds()

    async def run(self, transaction: Transaction) -> Outcome:
        """Run the body, and return what came of it."""
        call = self._call
        call.begin_within(transaction)
        context = self._desk.performer.context.copy()
        value = await Within(context, self._called())
        arrival = context.run(call.returned, value, self._desk.clock.now())
        if arrival.error is not None:
            # What it sends cannot be written: raised, so that what it wrote is taken back.
            raise arrival.error
        return Outcome(
            handled=(Done(self.seq),),
            messages=tuple(call.outbox.messages),
            starts=tuple(call.starts),
        )

    def failed(self, error: Exception) -> Outcome:
        """Return what comes of the failure."""
        now = self._desk.clock.now()
        handled = self._handled(self._call.failed(error, now))
        return Outcome(handled=(handled,))

    def _handled(self, arrival: Arrival) -> Handling:
        call, now = self._call, self._desk.clock.now()
        handled = self._desk.answering.arrived(call.receiver, self._due, call, arrival, now)
        assert handled is not None, "it was begun"
        return handled

    async def _called(self) -> object:
        try:
            return await self._call.call(self._desk.interceptors)
        except Later as said:
            error = self._call.postponed(said, self._desk.clock.now()).error
            assert error is not None, "no receptor may say so"
            raise error from said
