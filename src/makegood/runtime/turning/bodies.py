"""The bodies of one run that are at work in this process: begun, stopped, and let go."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision.commands import Compensate, Evaluate, Local, Start, Stop, Undo
from makegood.runtime.calling.jobs import Jobs
from makegood.runtime.calling.recording import acknowledge

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.decision.commands import Command
    from makegood.decision.state import RunState
    from makegood.runtime.calling.arriving import Arrival
    from makegood.runtime.calling.jobs import Job
    from makegood.runtime.calling.served import Served
    from makegood.runtime.shell import Shell
    from makegood.runtime.turning.deciding import Errors
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["Bodies"]


class Bodies:
    """The bodies of one run. It does not know the turn, which would be a cycle to collect."""

    __slots__ = ("_errors", "_makes", "_performer", "at_work")

    def __init__(
        self, shell: Shell, served: Served, run: RunId, errors: Errors, *, is_resumed: bool
    ) -> None:
        self._performer = shell.performer
        self._makes = Jobs(shell, served, run, is_resumed=is_resumed)
        self.at_work: dict[int, Job] = {}
        """By the node that each is about."""
        self._errors = errors
        """What they have raised, and what else was raised in this process on the run's way."""

    def make(self, state: RunState, command: Local) -> Job:
        """Return the job of a local body, which an append runs."""
        return self._makes.make(state, command)

    def perform(
        self,
        state: RunState,
        command: Command,
        deliver: Callable[[Arrival], None],
        now: Instant,
        late: int,
    ) -> None:
        """Do what is durable now, `late` microseconds after it was decided."""
        match command:
            case Start() | Compensate() | Undo():
                job = self._makes.make(state, command, late)
                self.at_work[command.node] = job
                self._performer.begin(job, deliver, now)
            case Stop():
                if command.node in self.at_work:
                    self._performer.stop(self.at_work.pop(command.node))
            case Local() | Evaluate():
                # A local body has an append of its own, in the next turn; what is evaluated
                # was evaluated before this append.
                return
            case _:
                assert_never(command)

    def drop(self, state: RunState, arrival: Arrival) -> None:
        """Let go of a body whose outcome is wanted no more; of a value, tell its body."""
        if arrival.stored is not None:
            acknowledge(arrival, is_durable=False)
        else:
            self.let_go(state, arrival)

    def let_go(self, state: RunState, arrival: Arrival) -> None:
        """Let go of a body whose outcome is durable, and keep the exception.

        Of a value that is durable tell its body.
        """
        if arrival.stored is not None:
            acknowledge(arrival, is_durable=True)
            return
        job = self.at_work.get(state.positions[arrival.path])
        if job is None or not job.is_reported:
            return
        del self.at_work[job.index]
        if arrival.error is not None:
            self._errors[arrival.path, job.direction] = arrival.error

    def stop_all(self) -> None:
        """Cancel all of them: nobody wants their outcomes any more."""
        for job in list(self.at_work.values()):
            self._performer.stop(job)
        self.at_work.clear()
