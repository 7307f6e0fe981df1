"""Calling users' functions: with what they need, for as long as they may, to a recorded outcome.

Every call ends in exactly one arrival: a fact, the statements that are to be written with it,
and the exception behind it. Nothing here decides what follows from an outcome.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, cast

import msgspec

from makegood.decision import facts
from makegood.decision.facts import Fact, Proceeded
from makegood.definition.call import Call
from makegood.definition.plan import Kind
from makegood.errors import (
    Declined,
    InvalidInput,
    MakegoodError,
    OutcomeUnknown,
    StepTimeout,
    Unavailable,
)
from makegood.journal.protocol import Statement
from makegood.runtime.calling.failing import as_failure, classify, users_part
from makegood.runtime.calling.timeouts import Timeouts
from makegood.runtime.calling.writing import Collected
from makegood.runtime.telemetry import log
from makegood.values.instants import Instant, after
from makegood.values.later import Later
from makegood.values.verdict import Abort, FailureKind, Proceed, RetryFresh, RetryNow, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Context

    from makegood.runtime.calling.jobs import Job
    from makegood.runtime.config import Config
    from makegood.runtime.ports import Clock, Interceptor
    from makegood.runtime.protecting.gate import Gate

__all__ = ["Arrival", "Performer", "failed", "outcome_of"]


class Arrival(msgspec.Struct, frozen=True):
    """What comes of one call of a user's function: its outcome, or a value on the way there."""

    path: str
    """Of the node that it is about."""
    fact: Fact
    writes: tuple[Statement, ...] = ()
    error: BaseException | None = None
    stored: asyncio.Future[None] | None = None
    """Done when it is durable, where it is no outcome but a value that a body records."""


class Performer:
    """Runs jobs: as many at once as the engine allows, each within its time."""

    def __init__(
        self, clock: Clock, config: Config, interceptors: Sequence[Interceptor] = ()
    ) -> None:
        self._clock = clock
        self._config = config
        self._interceptors = tuple(interceptors)
        self._context = copy_context()
        self._at_work: dict[Job, None] = {}
        """In the order of their beginning, in which they are cancelled too."""
        self._queue: deque[tuple[Job, Instant]] = deque()
        """What waits for room, and since when."""
        self._gates: dict[Gate, str] = {}
        """Where something has waited, and the name of the service behind it."""
        self._stopping: set[asyncio.Task[None]] = set()
        """Bodies whose outcome is no longer wanted and that have not ended yet."""
        self._is_closed = False
        self._begun = 0
        self._timeouts = Timeouts(clock, self._expire)

    @property
    def at_work(self) -> int:
        """How many jobs are running or waiting to run."""
        return len(self._at_work) + len(self._queue)

    def fresh_context(self) -> Context:
        """Return a context for one body: the engine's, and nothing that another body has set."""
        return self._context.copy()

    def begin(self, job: Job, deliver: Callable[[Arrival], None]) -> None:
        """Run a job as soon as there is room for it, and deliver its arrival."""
        job.deliver = deliver
        if job.bound.guards or self._is_full:
            self._admit(job, self._clock.now())
        else:
            self._launch(job)

    def hand_back(self) -> None:
        """Report what waits for its turn at a service as not begun: it is in no doubt."""
        now = self._clock.now()
        for gate, service in self._gates.items():
            waiting, gate.waiting = gate.waiting, {}
            for job in waiting:
                wait = facts.NodeDelayed(job.path, job.direction, job.attempt, service, now, now)
                self._report(job, Arrival(job.path, wait))

    def stop(self, job: Job) -> None:
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
        self._is_closed = True
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
    def _is_full(self) -> bool:
        """Whether nothing more is begun, because of what is at work or because it ends."""
        return len(self._at_work) >= self._config.steps_at_once_max or self._is_closed

    def _admit(self, job: Job, since: Instant) -> None:
        """Run a job that waits since then, or let it wait on: in the engine or at a gate."""
        now = self._clock.now()
        if self._is_full:
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
        self._launch(job)

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

    def _launch(self, job: Job) -> None:
        self._at_work[job] = None
        if job.bound.writes:
            job.writes = Collected()
        self._begun += 1
        job.number = self._begun
        work = self._work(job)
        job.task = asyncio.get_running_loop().create_task(work, context=self.fresh_context())
        if job.until is not None:
            self._timeouts.set(job, job.until)

    def _leave(self, job: Job) -> None:
        """Make room for the next job, however this one ended."""
        if job not in self._at_work:
            return
        del self._at_work[job]
        self._timeouts.clear(job)
        for guard in job.bound.guards:
            if guard.gate is not None:
                guard.gate.leave()
                self._let_in(guard.gate)
        while self._queue and not self._is_full:
            waiting, since = self._queue.popleft()
            if not waiting.is_stopped:
                self._admit(waiting, since)

    async def _work(self, job: Job) -> None:
        try:
            value = await job.call(self._interceptors)
        except asyncio.CancelledError as error:
            if job.is_stopped or (self._is_closed and not job.timed_out):
                raise
            arrival = failed(job, self._cancelled(job, error), self._clock.now())
        except Later as said:
            arrival = _awaiting(job, said, self._clock.now())
        except (SystemExit, KeyboardInterrupt, GeneratorExit):
            # The process ends, or the loop: what became of the body is not known, and nothing that
            # waits for its room may begin.
            self._is_closed = True
            raise
        except BaseException as error:  # noqa: BLE001 - a user's function ends here
            # Our own frames would hold the arrival, which holds the error: a cycle to collect.
            error.__traceback__ = users_part(error.__traceback__)
            arrival = failed(job, self._told_apart(job, error), self._clock.now())
        else:
            arrival = outcome_of(job, value, self._clock.now())
        finally:
            self._leave(job)
        self._report(job, arrival)

    def _report(self, job: Job, arrival: Arrival) -> None:
        if not job.is_reported:
            job.is_reported = True
            assert job.deliver is not None
            for guard in job.bound.guards:
                guard.ends(arrival.fact)
            job.deliver(arrival)

    def _cancelled(self, job: Job, error: BaseException) -> Exception:
        """Return what a cancellation means: a timeout of ours, or the body's own doing."""
        path = job.path
        if job.timed_out:
            message = f"`{path}` was cancelled: it took longer than its timeout"
        else:
            message = f"`{path}` was cancelled from inside"
        is_step = _effect_of(job) is Kind.STEP
        meaning = OutcomeUnknown(message) if is_step else StepTimeout(message)
        return meaning.with_traceback(users_part(error.__traceback__))

    def _told_apart(self, job: Job, error: BaseException) -> BaseException:
        """Return what an error means: one that our cancellation set off says nothing definite."""
        if not job.timed_out or isinstance(error, _SAYS_WHAT_HAPPENED):
            return error
        meaning = self._cancelled(job, error)
        meaning.__cause__ = error
        return meaning

    def _expire(self, job: Job) -> None:
        assert job.task is not None, "what has not begun has no timeout yet"
        job.timed_out = True
        job.task.cancel()
        # A task that is cancelled before its first step never enters `_work`.
        job.task.add_done_callback(lambda _task: self._end_unentered(job))
        give_up_at = after(self._clock.now(), self._config.cancel_grace)
        job.timer = self._clock.call_at(give_up_at, lambda: self._abandon(job))

    def _end_unentered(self, job: Job) -> None:
        if job in self._at_work and not self._is_closed:
            self._leave(job)
            late = self._cancelled(job, asyncio.CancelledError())
            self._report(job, failed(job, late, self._clock.now()))

    def _abandon(self, job: Job) -> None:
        """Report a body that does not end though it was cancelled; its result is too late."""
        log.warning("%s of %s ignores its cancellation", job.path, job.run)
        late = self._cancelled(job, asyncio.CancelledError())
        self._report(job, failed(job, late, self._clock.now()))


_SAYS_WHAT_HAPPENED = (Unavailable, Declined, OutcomeUnknown)
"""Errors by which a user's function makes a statement about its effect."""


def outcome_of(job: Job, value: object, now: Instant) -> Arrival:
    """Return the arrival of a call that returned."""
    match job.direction:
        case "do":
            return _done(job, value, now)
        case "undo":
            return Arrival(job.path, facts.UndoDone(job.path, now), _writes(job))
        case "compensate":
            return _answered(job, value, now)


def _done(job: Job, value: object, now: Instant) -> Arrival:
    path = job.path
    if job.node.calls and isinstance(value, Call):
        return _called(job, cast("Call[object]", value), now)
    try:
        result = job.code.result.write(value)
    except Exception as error:  # noqa: BLE001 - a user's value may do anything when it is asked
        if job.node.kind is not Kind.STEP:
            return failed(job, error, now)
        # The effect has happened and cannot be put on record: neither failed nor repeated.
        failure = as_failure(error, FailureKind.IN_DOUBT)
        return Arrival(path, facts.EffectUnrecorded(path, failure, now), error=error)
    return Arrival(path, facts.NodeDone(path, result, now), _writes(job))


def _called(job: Job, call: Call[object], now: Instant) -> Arrival:
    """Return the arrival of a body that returned a call: what it calls is its outcome."""
    try:
        return Arrival(job.path, job.calls(call, now), _writes(job))
    except MakegoodError as error:
        failure = as_failure(error, FailureKind.PERMANENT)
        return Arrival(job.path, facts.NodeFailed(job.path, failure, now), error=error)


def _awaiting(job: Job, said: Later, now: Instant) -> Arrival:
    """Return the arrival of a body whose result comes from outside."""
    if job.direction == "do" and job.node.kind is Kind.STEP:
        awaited = facts.CompletionAwaited(job.path, after(now, said.within), now)
        return Arrival(job.path, awaited, _writes(job))
    message = f"the {job.direction} of `{job.path}` calls later(…), which only a step's body may"
    is_step = _effect_of(job) is Kind.STEP
    return failed(job, OutcomeUnknown(message) if is_step else InvalidInput(message), now)


def _writes(job: Job) -> tuple[Statement, ...]:
    return () if job.writes is None else tuple(job.writes.statements)


def _answered(job: Job, value: object, now: Instant) -> Arrival:
    path = job.path
    match value:
        case Proceed():
            try:
                result = job.code.result.write(cast("Proceed[object]", value).result)
            except Exception as error:  # noqa: BLE001 - as above
                # It happened, so it must not end as a definite failure: it stays in doubt.
                log.error("the compensate of %s found a result that cannot be recorded", path)
                return Arrival(path, facts.VerdictGiven(path, Undecided(), now), error=error)
            verdict = facts.VerdictGiven(path, Proceeded(result), now)
        case RetryNow() | Abort() | Undecided() | RetryFresh():
            verdict = facts.VerdictGiven(path, value, now)
        case _:
            message = (
                f"the compensate of `{path}` returned a `{type(value).__qualname__}`; return "
                "Proceed(result), RetryNow(), Abort(), Undecided() or RetryFresh(proof)"
            )
            return failed(job, InvalidInput(message), now)
    return Arrival(path, verdict, _writes(job))


def failed(job: Job, error: BaseException, now: Instant) -> Arrival:
    """Return the arrival of a call that raised."""
    path = job.path
    kind = _effect_of(job)
    failure = as_failure(error, classify(error, kind, job.bound.retry_on))
    match job.direction:
        case "do":
            return Arrival(path, facts.NodeFailed(path, failure, now), error=error)
        case "undo":
            return Arrival(path, facts.UndoFailed(path, failure, now), error=error)
        case "compensate":
            return Arrival(path, facts.CompensateFailed(path, failure, now), error=error)


def _effect_of(job: Job) -> Kind:
    """Return what the effect is like: an undo may reach outside where its step did not."""
    undo = job.node.undo
    if job.direction == "undo" and undo is not None:
        return Kind.LOCAL if undo.local else Kind.STEP
    return job.node.kind
