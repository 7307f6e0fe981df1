"""One call of a user's function: which one, with which arguments, told what about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, assert_never, get_origin

from makegood.decision import facts
from makegood.decision.commands import Compensate, Local, Start, Undo
from makegood.definition.plan import Kind
from makegood.definition.reading.fit import NONE, fits, type_name
from makegood.definition.reading.place import place_of
from makegood.errors import DefinitionError, InvalidInput
from makegood.runtime.calling.arriving import Arrival, awaiting, effect_of, failed, outcome_of
from makegood.runtime.calling.children import child_called, own_key
from makegood.runtime.calling.failing import interrupted
from makegood.runtime.calling.recording import Recording
from makegood.runtime.emitting.emission import Emission
from makegood.runtime.ports import Invocation
from makegood.values.codec import NotCarried
from makegood.values.ids import completion_token, effect_key
from makegood.values.injectable import (
    Attempt,
    CompletionToken,
    Deadline,
    Emit,
    IdempotencyKey,
    RunInfo,
    Transaction,
    Writes,
)
from makegood.values.instants import Instant, after, as_datetime
from makegood.values.outcomes import Goto, read_next

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import timedelta

    from msgspec import Raw

    from makegood.decision.facts import ChildStarted
    from makegood.decision.state import RunState
    from makegood.definition.call import Call
    from makegood.definition.code import Injection, Inputs, NodeCode, Results
    from makegood.definition.plan import Node
    from makegood.runtime.calling.served import Bound, Served
    from makegood.runtime.calling.writing import Collected
    from makegood.runtime.ports import Interceptor, Timer
    from makegood.runtime.receiving.publishing import Publisher
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId
    from makegood.values.later import Later

__all__ = ["Direction", "Job", "Jobs"]

Direction = Literal["do", "compensate", "undo"]
"""What a call is for."""


class Jobs:
    """Makes the jobs of one run. It does not know the turn, which would be a cycle to collect."""

    __slots__ = ("is_resumed", "run", "served", "shell")

    def __init__(self, shell: Shell, served: Served, run: RunId, *, is_resumed: bool) -> None:
        self.shell = shell
        self.served = served
        self.run = run
        self.is_resumed = is_resumed
        """Whether another engine held the run before, or this one at another time."""

    def make(
        self, state: RunState, command: Start | Compensate | Undo | Local, late: int = 0
    ) -> Job:
        """Return the job of a command; say where its arrival goes before it is begun.

        It begins `late` microseconds after it was decided. That time was the store's and is not
        the body's, which would be cancelled at once.
        """
        index = command.node
        number, served = state.number_of(index) if state.scopes else index, self.served
        code = served.code.nodes[number]
        if isinstance(command, Start):
            job = Job(self, state, served.bodies[number], code, command)
            if command.until is not None:
                job.until = Instant(command.until + late)
            return job
        node = state.graph[index]
        timeout: timedelta | None
        match command:
            case Compensate():
                assert node.compensate is not None
                job = Job(self, state, served.compensates[number], code, command)
                job.direction, timeout = "compensate", node.compensate.timeout
            case Undo() | Local(direction="undo"):
                assert node.undo is not None
                job = Job(self, state, served.undos[number], code, command)
                job.direction, timeout = "undo", node.undo.timeout
            case Local():
                job = Job(self, state, served.bodies[number], code, command)
                timeout = node.timeout
            case _:
                assert_never(command)
        job.until = self._until(timeout)
        return job

    def _until(self, timeout: timedelta | None) -> Instant | None:
        return None if timeout is None else after(self.shell.clock.now(), timeout)


class Job:
    """One call of a user's function, from its command to its arrival."""

    __slots__ = (
        "_makes",
        "_state",
        "attempt",
        "bound",
        "bucket",
        "code",
        "deliver",
        "direction",
        "emission",
        "index",
        "is_reported",
        "is_stopped",
        "node",
        "number",
        "task",
        "timed_out",
        "timer",
        "transaction",
        "until",
        "writes",
    )

    def __init__(
        self,
        makes: Jobs,
        state: RunState,
        bound: Bound,
        code: NodeCode,
        command: Start | Compensate | Undo | Local,
    ) -> None:
        self._makes = makes
        self._state = state
        self.index = command.node
        self.node: Node = state.graph[command.node]
        """What it is about."""
        self.code = code
        self.bound = bound
        self.direction: Direction = "do"
        self.attempt = command.attempt
        self.until: Instant | None = None
        self.deliver: Callable[[Arrival], None] | None = None
        """Where its arrival goes; a local body's goes to the journal instead."""
        self.writes: Collected | None = None
        self.transaction: Transaction | None = None
        self.emission: Emission | None = None
        """What it sends, where it may."""
        self.task: asyncio.Task[None] | None = None
        self.timer: Timer | None = None
        self.bucket: int | None = None
        """Where its timeout is kept: see `Timeouts`."""
        self.number = 0
        """The order in which jobs were begun."""
        self.timed_out = False
        self.is_stopped = False
        self.is_reported = False

    @property
    def run(self) -> RunId:
        """The run that it is part of."""
        return self._makes.run

    @property
    def served(self) -> Served:
        """The workflow that it is part of."""
        return self._makes.served

    @property
    def path(self) -> str:
        """The node that it is about."""
        return self.node.path

    @property
    def owner(self) -> str:
        """The run, as the log names it."""
        return self.run

    @property
    def has_effect(self) -> bool:
        """Whether it may have done something outside when it is cancelled in the middle."""
        return effect_of(self) is Kind.STEP

    @property
    def _publisher(self) -> Publisher:
        return self._makes.shell.publisher

    @property
    def is_handler(self) -> bool:
        """Whether it is a handler of a lifecycle, which gives an outcome."""
        return self._state.lifecycle is not None

    def require_way_on(self, value: object, result: Raw) -> None:
        """Refuse an outcome of a handler after which nothing could ever happen any more."""
        lifecycle = self._state.lifecycle
        if lifecycle is None or isinstance(value, Goto):
            return
        outcome = read_next(result)
        if outcome is None or not lifecycle.stands_still_after(outcome):
            return
        message = (
            f"{place_of(self.bound.function)}: `{lifecycle.handler.name}` stays in "
            f"{lifecycle.status}, where nothing is waited for any more; let the status hear or "
            "expire, or return Goto(…), Rearm() or Again(after=…)"
        )
        raise DefinitionError(message)

    def returned(self, value: object, now: Instant) -> Arrival:
        """Return its arrival when it returned."""
        return outcome_of(self, value, now)

    def failed(self, error: BaseException, now: Instant) -> Arrival:
        """Return its arrival when it raised."""
        return failed(self, error, now)

    def postponed(self, said: Later, now: Instant) -> Arrival:
        """Return its arrival when its result comes from outside."""
        return awaiting(self, said, now)

    def kept_back(self, service: str, now: Instant) -> Arrival:
        """Return its arrival when it was not begun, and so is in no doubt."""
        wait = facts.NodeDelayed(self.path, self.direction, self.attempt, service, now, now)
        return Arrival(self.path, wait)

    def call(self, interceptors: Sequence[Interceptor]) -> Awaitable[object]:
        """Call the function, through the interceptors where there are any.

        It is called within the body's own context, into which goes what the run carries.
        """
        if self._state.context:
            self._makes.shell.carriers.restore(self._state.context)
        if not interceptors:
            return self._innermost()
        invocation = Invocation(
            run=self.run,
            workflow=self.served.name,
            path=self.path,
            direction=self.direction,
            attempt=self.attempt,
            is_resumed=self._makes.is_resumed or self._state.has_waited,
        )
        proceed = self._innermost
        for interceptor in reversed(interceptors):
            proceed = _wrapped(interceptor, invocation, proceed)
        return proceed()

    def _innermost(self) -> Awaitable[object]:
        given, named = self._arguments()
        bound = self.bound
        if bound.services:
            named.update(bound.services)
        for name, wants in bound.told:
            named[name] = self._tell(wants)
        if bound.record is not None:
            named[bound.record] = Recording(self, self._makes.shell.clock)
        if bound.recorded is not None:
            named[bound.recorded.name] = self._recorded(bound.recorded)
        if bound.sends and self.has_effect and not self._publisher.is_ready(bound.sends):
            return self._prepared(given, named)
        return bound.function(*given, **named)

    # Any: the arguments have the types that the user's function declares.
    async def _prepared(self, given: tuple[object, ...], named: dict[str, Any]) -> object:
        """Call the function once what it may send will be received, or is refused."""
        await self._publisher.prepare(self.bound.sends)
        return await self.bound.function(*given, **named)

    # Any: a call gives whatever its workflow declares.
    def calls(self, call: Call[Any], now: Instant) -> ChildStarted:
        """Return the fact that a run is called in the place of this one's result."""
        return child_called(call, self.served, self._state, self.index, run=self.run, now=now)

    # Any: the arguments have the types that the user's functions declare.
    def _arguments(self) -> tuple[tuple[object, ...], dict[str, Any]]:
        state, code = self._state, self.code
        inputs, results = state.inputs_of(self.index), state.results_of(self.index)
        if self.direction == "do":
            return (), self._given(inputs, results)
        node = state.nodes[self.index]
        if self.direction == "undo":
            result = state.results[self.index]
            assert result is not None
            left = code.result.read(result) if code.left is None else code.left(result, inputs)
            return (left,), {}
        assert code.compensate is not None
        failure = node.failure or interrupted()
        wanted = code.compensate.parameters
        if not wanted:
            return (failure,), {}
        arguments = code.arguments(inputs, results)
        return (failure,), {name: arguments[name] for name in wanted}

    def _given(self, inputs: Inputs, results: Results) -> dict[str, Any]:
        if not self.is_handler:
            return self.code.arguments(inputs, results)
        try:
            return self.code.arguments(inputs, results)
        except NotCarried as error:
            # That is no failure of the handler, which was not called.
            raise DefinitionError(str(error)) from error

    def _recorded(self, wanted: Injection) -> object:
        """Return a fresh copy of what was stored last; None where nothing was, if that will do."""
        record, stored = self.code.record, self._state.nodes[self.index].recorded
        assert record is not None
        if stored is not None:
            return record.read(stored)
        if not fits(NONE, wanted.wants):
            kind = type_name(wanted.wants)
            message = (
                f"`{wanted.name}: {kind}` of `{self.path}` cannot be given: nothing was recorded; "
                f"annotate it as `{kind} | None`"
            )
            raise InvalidInput(message)
        return None

    def _tell(self, wants: object) -> object:
        """Return what the runtime itself fills in for an annotation."""
        if wants is IdempotencyKey:
            return self._effect_key()
        if wants is CompletionToken:
            number = len(self._state.nodes[self.index].told)
            return completion_token(self.run, self._effect_key(), number)
        if wants is Attempt:
            return self.attempt
        if wants is Deadline:
            return None if self.until is None else as_datetime(self.until)
        if wants is RunInfo:
            return RunInfo(
                id=self.run,
                workflow=self.served.name,
                key=self._state.key,
                path=self.path,
                worker=self._makes.shell.worker,
                correlation=self._state.family.correlation_of(self.run),
            )
        if wants is Writes:
            return self.writes
        if wants is Transaction:
            return self.transaction
        assert get_origin(wants) is Emit, "everything else was refused when it was declared"
        key = self._effect_key()
        self.emission = Emission(self, self._state, self._makes.shell, key=key)
        return self.emission

    def _effect_key(self) -> str:
        # A compensate asks about the effect of the body, so it is given the body's key.
        return effect_key(
            self.served.name,
            own_key(self._state, self.run),
            self.path,
            "undo" if self.direction == "undo" else "do",
            generation=self._state.nodes[self.index].generation,
        )


def _wrapped(
    interceptor: Interceptor, invocation: Invocation, proceed: Callable[[], Awaitable[object]]
) -> Callable[[], Awaitable[object]]:
    return lambda: interceptor(invocation, proceed)
