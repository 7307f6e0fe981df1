"""When bodies are cancelled: thousands of timeouts on a handful of timers.

A timeout almost never happens, so setting one and taking it back must cost next to nothing.
Long ones share buckets of time, and only the soonest bucket has a timer; they fire up to one
bucket late, never early. Short ones get a timer of their own and are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.runtime.calling.body import Body
    from makegood.runtime.ports import Clock, Timer

__all__ = ["Timeouts"]

_BUCKET_MICROSECONDS = 100_000
_SHORT_MICROSECONDS = 5_000_000


class Timeouts:
    """Calls back with each job whose time is up."""

    def __init__(self, clock: Clock, expire: Callable[[Body], None]) -> None:
        self._clock = clock
        self._expire = expire
        self._buckets: dict[int, set[Body]] = {}
        self._timer: Timer | None = None
        self._armed_for: int | None = None

    def set(self, job: Body, until: Instant, now: Instant) -> None:
        """Let a job's time be up at an instant."""
        if until - now < _SHORT_MICROSECONDS:
            job.timer = self._clock.call_at(until, lambda: self._expire(job))
            return
        number = until // _BUCKET_MICROSECONDS
        job.bucket = number
        bucket = self._buckets.get(number)
        if bucket is None:
            self._buckets[number] = {job}
            self._arm()
        else:
            bucket.add(job)

    def clear(self, job: Body) -> None:
        """Take a job's timeout back."""
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None
        if job.bucket is not None:
            bucket = self._buckets.get(job.bucket)
            if bucket is not None:
                bucket.discard(job)
            job.bucket = None

    def close(self) -> None:
        """Take every timeout back."""
        self._buckets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        """Have a timer for the soonest bucket, and for no other."""
        soonest = min(self._buckets, default=None)
        if soonest == self._armed_for and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_for = soonest
        if soonest is not None:
            when = Instant((soonest + 1) * _BUCKET_MICROSECONDS)
            self._timer = self._clock.call_at(when, self._ring)

    def _ring(self) -> None:
        """Expire what is in the soonest bucket, which is mostly empty by now."""
        self._timer = None
        if self._armed_for is not None:
            for job in sorted(self._buckets.pop(self._armed_for, ()), key=lambda job: job.number):
                job.bucket = None
                self._expire(job)
        self._arm()
