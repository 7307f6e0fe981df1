"""Which function each command calls, with which arguments, and what it is told about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, assert_never

from makegood.decision.commands import Compensate, Local, Start, Undo
from makegood.runtime.failing import interrupted
from makegood.runtime.perform import Job
from makegood.runtime.served import Context
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.decision.state import RunState
    from makegood.runtime.served import Bound, Served
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["Jobs"]

# Any: the arguments have the types that the user's functions declare.
Arguments = tuple[tuple[object, ...], dict[str, Any]]


class Jobs:
    """Makes the jobs of one run. It does not know the turn, which would be a cycle to collect."""

    __slots__ = ("_run", "_served", "_shell")

    def __init__(self, shell: Shell, served: Served, run: RunId) -> None:
        self._shell = shell
        self._served = served
        self._run = run

    def make(self, state: RunState, command: Start | Compensate | Undo | Local) -> Job:
        """Return the job of a command; say where its arrival goes before it is begun."""
        match command:
            case Start():
                return self._do(state, command.node, command.attempt, command.until)
            case Compensate():
                return self._compensate(state, command)
            case Undo():
                return self._undo(state, command.node, command.attempt)
            case Local(direction="do"):
                timeout = self._served.plan.nodes[command.node].timeout
                now = self._shell.clock.now()
                until = None if timeout is None else after(now, timeout)
                return self._do(state, command.node, command.attempt, until)
            case Local():
                return self._undo(state, command.node, command.attempt)
            case _:
                assert_never(command)

    def _do(self, state: RunState, index: int, attempt: int, until: Instant | None) -> Job:
        code = self._served.code.nodes[index]

        def arguments() -> Arguments:
            return (), code.arguments(state.inputs, state.results)

        bound = self._served.bodies[index]
        return self._job(state, index, bound, arguments, ("do", attempt, until))

    def _compensate(self, state: RunState, command: Compensate) -> Job:
        index = command.node
        code = self._served.code.nodes[index]
        bound = self._served.compensates[index]
        policy = self._served.plan.nodes[index].compensate
        assert code.compensate is not None
        assert bound is not None
        assert policy is not None
        wanted = code.compensate.parameters
        failure = state.nodes[index].failure or interrupted()

        def arguments() -> Arguments:
            if not wanted:
                return (failure,), {}
            given = code.arguments(state.inputs, state.results)
            return (failure,), {name: given[name] for name in wanted}

        until = after(self._shell.clock.now(), policy.timeout)
        return self._job(state, index, bound, arguments, ("compensate", command.attempt, until))

    def _undo(self, state: RunState, index: int, attempt: int) -> Job:
        code = self._served.code.nodes[index]
        bound = self._served.undos[index]
        policy = self._served.plan.nodes[index].undo
        result = state.nodes[index].result
        assert bound is not None
        assert policy is not None
        assert result is not None

        def arguments() -> Arguments:
            return (code.result.read(result),), {}

        until = after(self._shell.clock.now(), policy.timeout)
        return self._job(state, index, bound, arguments, ("undo", attempt, until))

    def _job(
        self,
        state: RunState,
        index: int,
        bound: Bound,
        arguments: Callable[[], Arguments],
        what: tuple[Literal["do", "compensate", "undo"], int, Instant | None],
    ) -> Job:
        direction, attempt, until = what
        context = Context(
            run=self._run,
            workflow=self._served.name,
            key=state.key,
            path=self._served.plan.nodes[index].path,
            direction=direction,
            attempt=attempt,
            generation=state.nodes[index].generation,
            until=until,
            worker=self._shell.worker,
        )
        return Job(
            served=self._served,
            index=index,
            bound=bound,
            context=context,
            arguments=arguments,
        )
