"""What one run offers to whoever holds its handle."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from makegood.errors import StoreBusy
from makegood.runtime.asking.post import CancelPost, PausePost, ResumePost, UndoPost
from makegood.runtime.asking.reading import (
    ask,
    facts_of,
    history_of,
    read_again,
    required_plan,
    state_of,
)
from makegood.runtime.asking.refusals import unless_refused
from makegood.runtime.observing.following import follow
from makegood.runtime.observing.progress import Progress, progress_of
from makegood.runtime.observing.standing import standing_of, until_status
from makegood.runtime.outcome import Outcome, build_outcome, raise_for
from makegood.runtime.report import RunReport, report_on

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import timedelta

    from makegood.decision.facts import ControlAnswer
    from makegood.decision.state import RunState
    from makegood.definition.code import Code
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import History
    from makegood.runtime.asking.post import Control
    from makegood.runtime.observing.standing import Awaited, Standing
    from makegood.runtime.ports import Event
    from makegood.runtime.shell import Shell
    from makegood.runtime.turning.deciding import Errors
    from makegood.runtime.turning.turn import Turn
    from makegood.values.ids import RunId

__all__ = ["Run"]

R = TypeVar("R", covariant=True)
S = TypeVar("S", bound=Enum)


class Run(Generic[R]):
    """A handle on one run. It holds no part of the run: any number of handles are the same.

    A run of which nothing can be read, because another version wrote it or it is damaged, raises
    `UnreadableRun` wherever it is asked; its row is still listed, as parked for poison.
    """

    def __init__(
        self,
        shell: Shell,
        run_id: RunId,
        *,
        codes: dict[str, Code],
        turn: Turn | None = None,
        is_joined: bool = False,
    ) -> None:
        self.id: RunId = run_id
        self._shell = shell
        self._codes = codes
        self._turn = turn
        self._is_joined = is_joined
        """Whether it was started in a transaction that may not have committed yet."""
        self._errors: Errors = {} if turn is None else turn.errors

    def __repr__(self) -> str:
        return f"<Run {self.id}>"

    async def result(self) -> R:
        """Wait for the run and return its value.

        Raises `RunFailed` or `RunCancelled` when it was rolled back, `RunParked` when only a
        person may move it on, and `RunErased` when its values were erased. The cause is the
        original exception where it was raised in this process, and else a `RemoteError` with its
        class, message and traceback text.
        """
        outcome = await self.outcome()
        raise_for(outcome, workflow=await self._workflow() if not outcome.is_completed else "")
        return cast("R", outcome.value)

    async def outcome(self) -> Outcome[R]:
        """Wait until the run has ended or is parked and return how; a failed run raises nothing."""
        turn, self._turn = self._turn or self._shell.active.get(self.id), None
        if turn is not None:
            # Somebody may have moved the run on since a turn was left, so only the journal knows.
            is_held = self._shell.active.get(self.id) is turn
            await turn.left()
            self._errors = self._errors | turn.errors
            if is_held and turn.is_settled:
                plan = turn.served.plan
                return self._build(plan, turn.state)
        wait = self._shell.config.poll_min
        while True:
            await self._shell.waiting.until_settled(self.id)
            turn = self._shell.active.get(self.id)
            if turn is not None:
                await turn.left()
                self._errors = self._errors | turn.errors
                continue
            try:
                _history, plan, state = await self._read()
            except StoreBusy as error:
                self._shell.outage.tell(f"run {self.id}", error)
            else:
                if state.is_settled:
                    return self._build(plan, state)
            # Either the store is busy, or somebody has moved the run on since it had settled.
            wait = await read_again(self._shell, wait)

    async def describe(self) -> RunReport:
        """Return where the run stands now, node by node."""
        history, _plan, state = await self._read()
        return report_on(history.row, state)

    async def progress(self) -> Progress:
        """Return how far the run has come, counted in nodes."""
        history = await history_of(self._shell, self.id, is_joined=self._is_joined)
        plan = await required_plan(self._shell, history)
        appends = facts_of(history)
        return progress_of(history.row, state_of(history, plan, appends), appends)

    def events(self, *, after: int = 0) -> AsyncGenerator[Event, None]:
        """Iterate over what has been recorded of the run, and go on while more is.

        It begins behind the position `after`, that of the last event that you have dealt with, so
        that after a lost connection or a restart you miss nothing and see each event at least
        once. It ends with the run: when that has ended or is parked and nothing is asked of it;
        called again it shows what has come since. It works on every engine, the client-only ones
        too, and a slow loop over it holds nobody up.

        Raises `InvalidInput` for a position that the run does not have.
        """
        return follow(self._shell, self.id, after=after, is_joined=self._is_joined)

    async def record(self) -> Standing[R]:
        """Return the record of a lifecycle's run as it is now, and in which status it stands.

        Raises `InvalidInput` for a run of no lifecycle, and for a record that this program cannot
        read, and `RunErased` where nothing is left of it.
        """
        history = await history_of(self._shell, self.id, is_joined=self._is_joined)
        plan = await required_plan(self._shell, history)
        return standing_of(history, plan, self._codes.get(plan.fingerprint))

    async def await_status(
        self, *statuses: S, within: timedelta | None = None, after: int = 0
    ) -> Awaited[S]:
        """Wait until the record has come to one of these statuses, and say what has come of that.

        It counts that the record has been there, also if that was before and it has gone on
        since; with `after`, the version of the record with which you found it, only what came
        behind that. The waiting ends as well when the run ends elsewhere or is parked, and when it
        has taken `within`. It takes nothing from the run: any number may wait, on any engine.

        Raises `InvalidInput` for what is no status of the run, and for a run of no lifecycle.
        """
        history = await history_of(self._shell, self.id, is_joined=self._is_joined)
        plan = await required_plan(self._shell, history)
        return await until_status(
            self._shell,
            self.id,
            plan,
            statuses,
            after=after,
            within=within,
            is_joined=self._is_joined,
        )

    async def cancel(self, *, actor: str = "caller", reason: str = "") -> ControlAnswer:
        """Ask for the run to be cancelled, and return what became of that.

        `accepted` means that it is being rolled back now; `too late`, that it had ended;
        `already undoing`, that it was going back anyway. While the pivot is at work the answer
        waits for its outcome. Raises `PastPivot`, and `NotUndoable` for a parked run.
        """
        return await self._ask(CancelPost(actor, reason))

    async def pause(self, *, actor: str = "caller", reason: str = "") -> None:
        """Let nothing more be begun of the run, forward or back, until it is resumed.

        What is at work ends and is recorded. Retries and sleeps wait, and the deadline goes on
        counting: what has passed by the time of the resume is found then. A cancel resumes the
        run, for it can only go back when it goes on. Raises `ControlRefused` when it is paused
        already, is parked, or has ended.
        """
        await self._ask(PausePost(actor, reason))

    async def resume(self, *, actor: str = "caller", reason: str = "") -> None:
        """Let the paused run go on where it was; `ControlRefused` when it is not paused."""
        await self._ask(ResumePost(actor, reason))

    async def undo(self, *, actor: str = "caller", reason: str = "") -> Outcome[R]:
        """Undo the completed run, once, and return how that ended.

        Raises `PastPivot` when its pivot is done, and `NotUndoable` when it has not completed.
        """
        await self._ask(UndoPost(actor, reason))
        return await self.outcome()

    async def _ask(self, control: Control) -> ControlAnswer:
        """Ask something of the run, and wait for the answer as long as it takes."""
        self._turn = None
        answer = await ask(self._shell, self.id, control, is_joined=self._is_joined)
        assert answer is not None, "without a deadline there is an answer"
        return unless_refused(self.id, control, answer)

    async def _read(self) -> tuple[History, Plan, RunState]:
        history = await history_of(self._shell, self.id, is_joined=self._is_joined)
        plan = await required_plan(self._shell, history)
        return history, plan, state_of(history, plan, facts_of(history))

    async def _workflow(self) -> str:
        return (await self._shell.journal.read(self.id)).row.workflow

    # Any: the code knows the type of the value, the checker knows it by `R`.
    def _build(self, plan: Plan, state: RunState) -> Outcome[Any]:
        code = self._codes.get(plan.fingerprint)
        errors = self._shell.raised.of(self.id) | self._errors
        return build_outcome(self.id, plan, state, code=code, errors=errors)
