"""Calling users' functions: as many at once as there is room for, for as long as they may.

Every call ends in exactly one arrival. Nothing here knows what it is about, nor decides what
follows from it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING

from makegood.errors import Declined, OutcomeUnknown, StepTimeout, Unavailable
from makegood.runtime.calling.failing import users_part
from makegood.runtime.calling.timeouts import Timeouts
from makegood.runtime.calling.writing import Collected
from makegood.runtime.telemetry import log
from makegood.values.instants import Instant, after
from makegood.values.later import Later

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.runtime.calling.arriving import Arrival
    from makegood.runtime.calling.body import Body
    from makegood.runtime.config import Config
    from makegood.runtime.ports import Clock, Interceptor
    from makegood.runtime.protecting.gate import Gate

__all__ = ["Performer"]


class Performer:
    """Runs jobs: as many at once as the engine allows, each within its time."""

    def __init__(
        self, clock: Clock, config: Config, interceptors: Sequence[Interceptor] = ()
    ) -> None:
        self._clock = clock
        self._config = config
        self._interceptors = tuple(interceptors)
        self.context = copy_context()
        """What each body begins with a copy of, so that none sees what another one has set."""
        self._at_work: dict[Body, None] = {}
        """In the order of their beginning, in which they are cancelled too."""
        self._queue: deque[tuple[Body, Instant]] = deque()
        """What waits for room, and since when."""
        self._gates: dict[Gate, str] = {}
        """Where something has waited, and the name of the service behind it."""
        self._stopping: set[asyncio.Task[None]] = set()
        """Bodies whose outcome is no longer wanted and that have not ended yet."""
        self._at_once_max = config.steps_at_once_max
        """How many jobs may be at work at once: none any more when all is to end."""
        self._begun = 0
        self._timeouts = Timeouts(clock, self._expire)

    @property
    def at_work(self) -> int:
        """How many jobs are running or waiting to run."""
        return len(self._at_work) + len(self._queue)

    def begin(self, job: Body, deliver: Callable[[Arrival], None], now: Instant) -> None:
        """Run a job as soon as there is room for it, and deliver its arrival."""
        job.deliver = deliver
        if job.bound.guards or len(self._at_work) >= self._at_once_max:
            self._admit(job, now)
        else:
            self._launch(job, now)

    def hand_back(self) -> None:
        """Report what waits for its turn at a service as not begun: it is in no doubt."""
        now = self._clock.now()
        for gate, service in self._gates.items():
            waiting, gate.waiting = gate.waiting, {}
            for job in waiting:
                self._report(job, job.kept_back(service, now))

    def stop(self, job: Body) -> None:
        """Cancel a job whose outcome is no longer wanted."""
        job.is_stopped = job.is_reported = True
        for guard in job.bound.guards:
            if guard.gate is not None:
                guard.gate.waiting.pop(job, None)
        if job.task is not None:
            job.task.cancel()
            self._stopping.add(job.task)
            job.task.add_done_callback(self._stopping.discard)
            # A task that is cancelled before its first step never runs its `finally`.
            self._leave(job)

    async def close(self) -> None:
        """Begin nothing more, cancel what is still at work, and wait until that has ended."""
        self._at_once_max = 0
        self._queue.clear()
        for gate in self._gates:
            gate.close()
        begun = [job.task for job in self._at_work if job.task is not None]
        for task in begun:
            task.cancel()
        late = {*begun, *self._stopping}
        if late:
            grace = self._config.cancel_grace.total_seconds()
            _done, deaf = await asyncio.wait(late, timeout=grace)
            if deaf:
                log.warning("%d bodies ignore their cancellation and are left behind", len(deaf))
        self._timeouts.close()

    @property
    def _is_closed(self) -> bool:
        return self._at_once_max == 0

    def _admit(self, job: Body, since: Instant) -> None:
        """Run a job that waits since then, or let it wait on: in the engine or at a gate."""
        now = self._clock.now()
        if len(self._at_work) >= self._at_once_max:
            self._queue.append((job, since))
            return
        gates = [(guard.gate, guard) for guard in job.bound.guards if guard.gate is not None]
        for gate, guard in gates:
            if not gate.is_open(now):
                self._gates[gate] = guard.names[0]
                gate.waiting[job] = since
                self._arm(gate, now)
                return
        for gate, _guard in gates:
            gate.enter(now)
        if job.until is not None:
            # Time spent waiting is not the body's: it would be cancelled at once.
            job.until = Instant(job.until + now - since)
        self._launch(job, now)

    def _arm(self, gate: Gate, now: Instant) -> None:
        """See to it that somebody looks when a gate's rate lets the next one in."""
        opens = gate.opens_at(now)
        if opens is not None and gate.timer is None:
            gate.timer = self._clock.call_at(opens, lambda: self._ring(gate))

    def _ring(self, gate: Gate) -> None:
        gate.timer = None
        self._let_in(gate)

    def _let_in(self, gate: Gate) -> None:
        """Let those in that wait at a gate, in order, as far as it is open."""
        now = self._clock.now()
        while gate.waiting and gate.is_open(now):
            job = next(iter(gate.waiting))
            self._admit(job, gate.waiting.pop(job))
        if gate.waiting:
            self._arm(gate, now)

    def _launch(self, job: Body, now: Instant) -> None:
        self._at_work[job] = None
        if job.bound.writes:
            job.writes = Collected()
        self._begun += 1
        job.number = self._begun
        work = self._work(job)
        job.task = asyncio.get_running_loop().create_task(work, context=self.context.copy())
        if job.until is not None:
            self._timeouts.set(job, job.until, now)

    def _leave(self, job: Body) -> None:
        """Make room for the next job, however this one ended."""
        if job not in self._at_work:
            return
        del self._at_work[job]
        self._timeouts.clear(job)
        for guard in job.bound.guards:
            if guard.gate is not None:
                guard.gate.leave()
                self._let_in(guard.gate)
        while self._queue and len(self._at_work) < self._at_once_max:
            waiting, since = self._queue.popleft()
            if not waiting.is_stopped:
                self._admit(waiting, since)

    async def _work(self, job: Body) -> None:
        try:
            value = await job.call(self._interceptors)
        except asyncio.CancelledError as error:
            if job.is_stopped or (self._is_closed and not job.timed_out):
                raise
            arrival = job.failed(self._cancelled(job, error), self._clock.now())
        except Later as said:
            arrival = job.postponed(said, self._clock.now())
        except (SystemExit, KeyboardInterrupt, GeneratorExit):
            # The process ends, or the loop: what became of the body is not known, and nothing that
            # waits for its room may begin.
            self._at_once_max = 0
            raise
        except BaseException as error:  # noqa: BLE001 - a user's function ends here
            # Our own frames would hold the arrival, which holds the error: a cycle to collect.
            error.__traceback__ = users_part(error.__traceback__)
            arrival = job.failed(self._told_apart(job, error), self._clock.now())
        else:
            arrival = job.returned(value, self._clock.now())
        finally:
            self._leave(job)
        self._report(job, arrival)

    def _report(self, job: Body, arrival: Arrival) -> None:
        if not job.is_reported:
            job.is_reported = True
            assert job.deliver is not None
            for guard in job.bound.guards:
                guard.ends(arrival.fact)
            job.deliver(arrival)

    def _cancelled(self, job: Body, error: BaseException) -> Exception:
        """Return what a cancellation means: a timeout of ours, or the body's own doing."""
        path = job.path
        if job.timed_out:
            message = f"`{path}` was cancelled: it took longer than its timeout"
        else:
            message = f"`{path}` was cancelled from inside"
        meaning = OutcomeUnknown(message) if job.has_effect else StepTimeout(message)
        return meaning.with_traceback(users_part(error.__traceback__))

    def _told_apart(self, job: Body, error: BaseException) -> BaseException:
        """Return what an error means: one that our cancellation set off says nothing definite."""
        if not job.timed_out or isinstance(error, _SAYS_WHAT_HAPPENED):
            return error
        meaning = self._cancelled(job, error)
        meaning.__cause__ = error
        return meaning

    def _expire(self, job: Body) -> None:
        assert job.task is not None, "what has not begun has no timeout yet"
        job.timed_out = True
        job.task.cancel()
        # A task that is cancelled before its first step never enters `_work`.
        job.task.add_done_callback(lambda _task: self._end_unentered(job))
        give_up_at = after(self._clock.now(), self._config.cancel_grace)
        job.timer = self._clock.call_at(give_up_at, lambda: self._abandon(job))

    def _end_unentered(self, job: Body) -> None:
        if job in self._at_work and not self._is_closed:
            self._leave(job)
            late = self._cancelled(job, asyncio.CancelledError())
            self._report(job, job.failed(late, self._clock.now()))

    def _abandon(self, job: Body) -> None:
        """Report a body that does not end though it was cancelled; its result is too late."""
        log.warning("%s of %s ignores its cancellation", job.path, job.owner)
        late = self._cancelled(job, asyncio.CancelledError())
        self._report(job, job.failed(late, self._clock.now()))


_SAYS_WHAT_HAPPENED = (Unavailable, Declined, OutcomeUnknown)
"""Errors by which a user's function makes a statement about its effect."""
