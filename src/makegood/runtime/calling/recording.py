"""How a body stores what its undo will need, while it is at work: durable before it goes on.

A value takes the way of an outcome, through the mailbox of the run's turn and into its next
append, so the order of what is recorded is the order of what was done, and a worker that has lost
the run records nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.decision.facts import Recorded
from makegood.errors import InvalidInput, OutcomeUnknown
from makegood.runtime.calling.arriving import Arrival
from makegood.values.limits import RECORDS_MAX

if TYPE_CHECKING:
    from makegood.runtime.calling.jobs import Job
    from makegood.runtime.ports import Clock

__all__ = ["Recording", "acknowledge"]


class Recording:
    """Implements `Record` for one call of a user's function."""

    __slots__ = ("_clock", "_count", "_job")

    def __init__(self, job: Job, clock: Clock) -> None:
        self._job = job
        self._clock = clock
        self._count = 0

    async def __call__(self, value: object, /) -> None:
        """Store a value, and return when it is durable."""
        job, record = self._job, self._job.code.record
        assert record is not None
        assert job.deliver is not None
        if job.is_reported:
            raise _too_late(job.path)
        self._count += 1
        # What a value is about may have happened, and its undo would not know of it: in doubt.
        if self._count > RECORDS_MAX:
            message = f"`{job.path}` has recorded {RECORDS_MAX:,} values, the most of one attempt"
            raise OutcomeUnknown(message)
        try:
            raw = record.write(value)
        except InvalidInput as error:
            message = f"`{job.path}` cannot record a value: {error}"
            raise OutcomeUnknown(message) from error
        fact = Recorded(job.path, raw, self._clock.now())
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        job.deliver(Arrival(job.path, fact, stored=stored))
        await stored


def acknowledge(arrival: Arrival, *, is_durable: bool) -> None:
    """Let the body go on that has stored a value, or tell it that it came too late."""
    assert arrival.stored is not None
    if arrival.stored.done():
        # The body was cancelled while it waited.
        return
    if is_durable:
        arrival.stored.set_result(None)
    else:
        arrival.stored.set_exception(_too_late(arrival.path))


def _too_late(path: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"`{path}` cannot record a value: its attempt is over")
