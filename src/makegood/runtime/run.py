"""What one run offers to whoever holds its handle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec

from makegood.decision.evolve import fold_appends
from makegood.decision.facts import ControlAnswer
from makegood.definition.plan import Plan
from makegood.errors import NotUndoable, PastPivot, UnknownRun
from makegood.journal.protocol import Exists, Post
from makegood.runtime.clock import pause
from makegood.runtime.outcome import Outcome, build_outcome, raise_for
from makegood.runtime.post import CancelPost, UndoPost, write_post
from makegood.runtime.report import RunReport, report_on
from makegood.values.instants import after

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.decision.state import RunState
    from makegood.definition.code import Code
    from makegood.journal.protocol import History
    from makegood.runtime.deciding import Errors
    from makegood.runtime.shell import Shell
    from makegood.runtime.turn import Turn
    from makegood.values.ids import RunId

__all__ = ["Run"]

R = TypeVar("R", covariant=True)


class Run(Generic[R]):
    """A handle on one run. It holds no part of the run: any number of handles are the same."""

    def __init__(
        self,
        shell: Shell,
        run_id: RunId,
        *,
        codes: dict[str, Code],
        turn: Turn | None = None,
    ) -> None:
        self.id: RunId = run_id
        self._shell = shell
        self._codes = codes
        self._turn = turn
        self._errors: Errors = {} if turn is None else turn.errors

    def __repr__(self) -> str:
        return f"<Run {self.id}>"

    async def result(self) -> R:
        """Wait for the run and return its value.

        Raises `RunFailed` or `RunCancelled` when it was rolled back, and `RunParked` when only
        a person may move it on. The cause is the original exception where it was raised in this
        process, and else a `RemoteError` with its class, message and traceback text.
        """
        outcome = await self.outcome()
        raise_for(outcome, workflow=await self._workflow() if not outcome.is_completed else "")
        return cast("R", outcome.value)

    async def outcome(self) -> Outcome[R]:
        """Wait until the run has ended or is parked and return how; a failed run raises nothing."""
        turn, self._turn = self._turn or self._shell.active.get(self.id), None
        if turn is not None:
            await turn.left()
            self._errors = self._errors | turn.errors
            if turn.is_settled:
                plan = turn.served.plan
                return self._build(plan, turn.state)
        wait = self._shell.config.poll_min
        while True:
            _history, plan, state = await self._read()
            if state.is_settled:
                return self._build(plan, state)
            turn = self._shell.active.get(self.id)
            if turn is not None:
                await turn.left()
                self._errors = self._errors | turn.errors
                continue
            wait = await self._pause(wait)

    async def describe(self) -> RunReport:
        """Return where the run stands now, node by node."""
        history, plan, state = await self._read()
        return report_on(history.row, plan, state)

    async def cancel(self, *, actor: str = "caller", reason: str = "") -> ControlAnswer:
        """Ask for the run to be cancelled, and return what became of that.

        `accepted` means that it is being rolled back now; `too late`, that it had ended;
        `already undoing`, that it was going back anyway. While the pivot is at work the answer
        waits for its outcome. Raises `PastPivot`, and `NotUndoable` for a parked run.
        """
        answer = await self._ask(CancelPost(actor, reason))
        if answer is ControlAnswer.PARKED:
            message = f"run {self.id} is parked; what is left must be settled before it can go back"
            raise NotUndoable(message)
        return answer

    async def undo(self, *, actor: str = "caller", reason: str = "") -> Outcome[R]:
        """Undo the completed run, once, and return how that ended.

        Raises `PastPivot` when its pivot is done, and `NotUndoable` when it has not completed.
        """
        answer = await self._ask(UndoPost(actor, reason))
        if answer is not ControlAnswer.ACCEPTED:
            message = f"run {self.id} cannot be undone: {answer.value}"
            raise NotUndoable(message)
        return await self.outcome()

    async def _ask(self, post: CancelPost | UndoPost) -> ControlAnswer:
        """Post a request and wait for its answer, which is a fact of the run."""
        self._turn = None
        at = self._shell.clock.now()
        number = await self._shell.journal.post(Post(run=self.id, body=write_post(post), at=at))
        assert not isinstance(number, Exists)
        wait = self._shell.config.poll_min
        self._shell.ring(self.id)
        while True:
            _history, _plan, state = await self._read()
            answer = state.answers.get(number)
            if answer is ControlAnswer.PAST_PIVOT:
                message = f"run {self.id} has passed its pivot and only goes forward"
                raise PastPivot(message)
            if answer is not None:
                return answer
            wait = await self._pause(wait)

    async def _pause(self, wait: timedelta) -> timedelta:
        """Wait before asking again, and return how long to wait the next time."""
        clock = self._shell.clock
        await pause(clock, after(clock.now(), wait))
        return min(wait * 2, self._shell.config.poll_max)

    async def _read(self) -> tuple[History, Plan, RunState]:
        history = await self._shell.journal.read(self.id)
        if history.row.pruned_at is not None:
            message = f"what run {self.id} did was pruned; only its key is still known"
            raise UnknownRun(message)
        plan = await self._plan_of(history)
        return history, plan, fold_appends(plan, history.appends)

    async def _plan_of(self, history: History) -> Plan:
        fingerprint = history.row.fingerprint
        plan = self._shell.plans.get(fingerprint)
        if plan is None:
            stored = await self._shell.journal.plan(fingerprint)
            if stored is None:
                message = f"run {self.id} has the plan {fingerprint}, which the journal lacks"
                raise UnknownRun(message)
            plan = msgspec.json.decode(stored.json, type=Plan)
            self._shell.plans[fingerprint] = plan
        return plan

    async def _workflow(self) -> str:
        return (await self._shell.journal.read(self.id)).row.workflow

    # Any: the code knows the type of the value, the checker knows it by `R`.
    def _build(self, plan: Plan, state: RunState) -> Outcome[Any]:
        code = self._codes.get(plan.fingerprint)
        return build_outcome(self.id, plan, state, code=code, errors=self._errors)
