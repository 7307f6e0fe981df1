"""What a person may do about runs from outside: look into them, and move on what is parked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from makegood.decision.facts import Request
from makegood.decision.people.foresight import ControlPreview, preview_request
from makegood.decision.people.preview import UndoPreview, preview_cancel, preview_undo
from makegood.errors import InvalidInput, UnknownRun
from makegood.journal.protocol import Posted
from makegood.runtime.asking.census import take_census
from makegood.runtime.asking.halting import halt, lift, preview_halt, standing
from makegood.runtime.asking.keeping import erase, prune
from makegood.runtime.asking.messages import Messages, messages_in
from makegood.runtime.asking.post import (
    CancelPost,
    PausePost,
    ResumePost,
    RetryFromPost,
    RetryPost,
    SetResultPost,
    SettlePost,
    SkipPost,
    UndoPost,
    as_fact,
    misfit_of,
    write_post,
)
from makegood.runtime.asking.reading import (
    RunHistory,
    ask,
    facts_of,
    history_of,
    plan_of,
    required_plan,
    state_of,
)
from makegood.runtime.asking.refusals import unless_refused
from makegood.runtime.asking.schedules import KeptSchedule, forget_schedule, kept_schedules
from makegood.runtime.asking.sticking import Stuck, stuck_runs
from makegood.runtime.asking.unread import has_begun, read_posts
from makegood.runtime.engine import parts_of
from makegood.runtime.moving.stranding import StrandedRun, stranded_by
from makegood.runtime.observing.holds import HeldKey, holds_in
from makegood.values.ids import RunId, parse_run_id, parse_subject
from makegood.values.instants import after
from makegood.values.limits import (
    ACTOR_CHARACTERS_MAX,
    MOVES_SHOWN_MAX,
    PATH_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
)
from makegood.values.verdict import ItHappened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from makegood.decision.facts import ControlAnswer
    from makegood.journal.halting import Halt, HaltKind
    from makegood.journal.staging import Move
    from makegood.runtime.asking.census import Census
    from makegood.runtime.asking.halting import HaltPreview
    from makegood.runtime.asking.keeping import ErasureReport
    from makegood.runtime.asking.post import Control
    from makegood.runtime.engine import Engine
    from makegood.runtime.moving.fitting import Declared
    from makegood.values.instants import Instant
    from makegood.values.verdict import Settlement

__all__ = ["Operator", "RunHistory"]

PRUNED_AT_ONCE = 100
"""How many runs are pruned in one transaction, unless somebody says otherwise."""

REST_BETWEEN_BATCHES = timedelta(milliseconds=50)
"""How long whoever works on the store has it to himself, between two batches."""


class Operator:
    """Looks into the runs of an engine, and asks for what only a person may ask.

    It works on an engine that does no work itself (`work=False`) as on any other: what it asks is
    posted to the run, durably, and taken by the worker that serves the run. A run is named by its
    id; `find` knows the other ways. Every request carries who asks and why, which become facts of
    the run; None is returned when nobody has answered within `wait`, and the request stands. What
    is refused raises `ControlRefused`, which says why and what to do.

    Every method raises `UnknownRun` for a run that is not there, and `UnreadableRun` for one whose
    facts cannot be read.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"<Operator of {self._engine!r}>"

    # Looking ------------------------------------------------------------------------------------

    async def find(self, run: str) -> RunId:
        """Return the id of a run that is named by its id, or as `workflow/key`."""
        shell, _codes = parts_of(self._engine)
        workflow, slash, key = run.partition("/")
        if slash:
            found = await shell.journal.find(workflow, key)
            if found is not None:
                return found
        else:
            try:
                return (await shell.journal.read(parse_run_id(run))).row.run
            except (InvalidInput, UnknownRun):
                # Either way it is not there; the message says how a run is named.
                pass
        message = (
            f"no run {run!r} is in the journal; name it by its id (0192f0c4-…), "
            "or as workflow/key (place_order/order-1)"
        )
        raise UnknownRun(message)

    async def history(self, run: str) -> RunHistory:
        """Return everything that is remembered of a run."""
        shell, codes = parts_of(self._engine)
        history = await history_of(shell, parse_run_id(run))
        plan = await required_plan(shell, history)
        appends = facts_of(history)
        # Whoever is given the facts may fold them: that they fit the plan is found out here.
        state_of(history, plan, appends)
        code = codes.get(plan.fingerprint)
        inbox, unread = read_posts(history.inbox, plan, code, has_begun=has_begun(appends))
        return RunHistory(
            row=history.row,
            plan=plan,
            appends=appends,
            inbox=inbox,
            unread=unread,
        )

    async def preview_undo(self, run: str) -> UndoPreview:
        """Say what an undo of the run would do, without doing it."""
        shell, _codes = parts_of(self._engine)
        remembered = await self.history(run)
        return preview_undo(remembered.plan, remembered.facts, shell.clock.now())

    async def preview_cancel(self, run: str) -> UndoPreview:
        """Say what a cancel of the run would do, without doing it."""
        shell, _codes = parts_of(self._engine)
        remembered = await self.history(run)
        return preview_cancel(remembered.plan, remembered.facts, shell.clock.now())

    async def preview_pause(self, run: str) -> ControlPreview:
        """Say what a pause of the run would come to, without asking for it."""
        return await self._preview(run, PausePost("", ""))

    async def preview_resume(self, run: str) -> ControlPreview:
        """Say what a resume of the run would come to, without asking for it."""
        return await self._preview(run, ResumePost("", ""))

    async def preview_skip(self, run: str, node: str) -> ControlPreview:
        """Say what skipping a node would come to, without asking for it."""
        return await self._preview(run, SkipPost(node, "", ""))

    async def preview_set_result(self, run: str, node: str, result: msgspec.Raw) -> ControlPreview:
        """Say what giving a node this result, as JSON, would come to, without asking for it.

        Raises `InvalidInput` for the result, as `set_result` does.
        """
        await self._check_result(run, node, result)
        return await self._preview(run, SetResultPost(node, result, "", ""))

    async def preview_retry_from(self, run: str, node: str) -> ControlPreview:
        """Say what would be undone and done again from a node on, without asking for it."""
        return await self._preview(run, RetryFromPost(node, "", ""))

    async def _preview(self, run: str, control: Control) -> ControlPreview:
        shell, codes = parts_of(self._engine)
        remembered = await self.history(run)
        posted = Posted(0, write_post(control), shell.clock.now())
        code = codes.get(remembered.plan.fingerprint)
        request = as_fact(posted, remembered.plan, code)
        assert isinstance(request, Request), "a control becomes a request"
        return preview_request(remembered.plan, remembered.facts, request)

    async def stuck(self, *, served: Collection[Declared] | None = None) -> Stuck:
        """Return the runs that do not get on by themselves, the newest first.

        `served` is what is served somewhere; without it a run is stranded only when the journal
        lacks its plan. It reads every unfinished run, page by page.
        """
        shell, _codes = parts_of(self._engine)
        return await stuck_runs(shell, served)

    async def messages(self) -> Messages:
        """Return which messages were given to nobody, and which runs wait for one."""
        shell, _codes = parts_of(self._engine)
        return await messages_in(shell)

    async def holds(self) -> tuple[HeldKey, ...]:
        """Return which keys are held by `hold(…)`, by whom, and who waits for them."""
        return await holds_in(parts_of(self._engine)[0])

    async def census(
        self, lifecycle: str | None = None, *, period: timedelta = timedelta(hours=1)
    ) -> tuple[Census, ...]:
        """Return where unfinished runs stand in their lifecycles, and how they moved of late.

        Of one lifecycle, by its name, or of all with runs that have not ended or with moves in the
        period. It reads no facts; `Engine.list(Filter(stage=…))` names the runs.
        """
        shell, _codes = parts_of(self._engine)
        return await take_census(shell, lifecycle, period=period)

    async def moves(
        self, run: str, *, after: int = 0, limit: int = MOVES_SHOWN_MAX
    ) -> tuple[Move, ...]:
        """Return how a run has moved between its stages, the oldest first.

        `after` is the version of the last one of the page before. Of a run that was pruned, or
        that has no lifecycle, there are none.
        """
        shell, _codes = parts_of(self._engine)
        if not 1 <= limit <= MOVES_SHOWN_MAX:
            message = f"a page of {limit} moves; ask for 1 to {MOVES_SHOWN_MAX}"
            raise InvalidInput(message)
        return await shell.journal.moves(parse_run_id(run), after=after, limit=limit)

    async def schedules(self) -> tuple[KeptSchedule, ...]:
        """Return how every schedule stands that was ever served on this store, by name."""
        shell, _ = parts_of(self._engine)
        return await kept_schedules(shell)

    async def forget_schedule(self, name: str) -> None:
        """Remove a schedule that is served no more, so that it is not listed as overdue.

        An engine that still serves it begins it anew. Raises `InvalidInput` where there is none.
        """
        shell, _ = parts_of(self._engine)
        await forget_schedule(shell, name)

    async def stranded(self, *workflows: Declared) -> tuple[StrandedRun, ...]:
        """Return the unfinished runs that these workflows, as they are declared, cannot carry on.

        Every unfinished run of their names is read, those of the same plan included: each value
        that is recorded must be readable by the type that is declared now.
        """
        shell, _codes = parts_of(self._engine)
        return tuple([each async for each in stranded_by(shell, workflows)])

    # Keeping ------------------------------------------------------------------------------------

    async def prune(
        self,
        *,
        ended_before: Instant | None = None,
        batch: int = PRUNED_AT_ONCE,
        rest: timedelta = REST_BETWEEN_BATCHES,
    ) -> int:
        """Remove what is recorded of the runs that ended before a moment; return how many.

        Those of a workflow that says how long they are kept (`Workflow.kept_for`) go when that is
        over, and not before; without a moment no others go. A run with a key keeps its row, so that
        the key stays taken; nothing else is left. It goes `batch` runs at a time, with a `rest`
        between, so that it takes long and slows down nobody.
        """
        shell, _codes = parts_of(self._engine)
        if batch < 1:
            message = f"a batch of {batch} runs; prune at least one at a time"
            raise InvalidInput(message)
        return await prune(shell, ended_before=ended_before, batch=batch, rest=rest)

    async def erase(self, *, subject: str, actor: str, reason: str) -> ErasureReport:
        """Take every value out of what is recorded of the runs that are about a subject.

        Inputs, results, what errors said and why people asked for something are gone; what
        happened, when, at which node and by whom stays, with the keys of the runs. Only runs that
        have ended are erased: the report names the others, and whoever erases again later gets
        those too. Raises `InvalidInput` for an empty subject, actor or reason.
        """
        shell, _codes = parts_of(self._engine)
        parse_subject(subject)
        _check_text("actor", actor, ACTOR_CHARACTERS_MAX)
        _check_text("reason", reason, REASON_CHARACTERS_MAX)
        return await erase(shell, subject, actor=actor, reason=reason)

    # Halting ------------------------------------------------------------------------------------

    async def halt(
        self,
        kind: HaltKind,
        name: str,
        *,
        actor: str,
        reason: str,
        lasting: timedelta | None = None,
    ) -> Halt:
        """Let nothing more be begun of a workflow, an engine or a service, and return the halt.

        Every worker on the store sees it within its longest poll. Runs that it holds are awaited
        until no body of theirs is at work, recorded, and given back; none is claimed. Runs may
        still be started, and requests to runs are kept: both wait, as do undos and timers, and
        deadlines go on counting. `*` names every engine. With `lasting` it ends by itself. A halt
        that stands already and ends no earlier stays, and is returned.

        Raises `InvalidInput` for an empty name, actor or reason.
        """
        shell, _codes = parts_of(self._engine)
        _check_text("actor", actor, ACTOR_CHARACTERS_MAX)
        _check_text("reason", reason, REASON_CHARACTERS_MAX)
        return await halt(shell, kind, name, actor=actor, reason=reason, lasting=lasting)

    async def lift(self, kind: HaltKind, name: str, *, actor: str, reason: str) -> Halt:
        """Let a halted workflow, engine or service go on; `NotPaused` where it is not halted."""
        shell, _codes = parts_of(self._engine)
        _check_text("actor", actor, ACTOR_CHARACTERS_MAX)
        _check_text("reason", reason, REASON_CHARACTERS_MAX)
        return await lift(shell, kind, name, actor=actor, reason=reason)

    async def preview_halt(self, kind: HaltKind, name: str) -> HaltPreview:
        """Say what a halt would come to, without wanting it; it counts the unfinished runs."""
        shell, _codes = parts_of(self._engine)
        return await preview_halt(shell, kind, name)

    async def halts(self) -> tuple[Halt, ...]:
        """Return what is halted on the store now."""
        shell, _codes = parts_of(self._engine)
        return await standing(shell)

    # Asking -------------------------------------------------------------------------------------

    async def cancel(
        self, run: str, *, actor: str, reason: str, wait: timedelta
    ) -> ControlAnswer | None:
        """Ask for the run to be cancelled, as `Run.cancel` does; that it had ended is an answer.

        Raises `InvalidInput` for an actor or a reason that is empty or too long, as all requests.
        """
        return await self._ask(run, CancelPost(actor, reason), wait)

    async def undo(
        self, run: str, *, actor: str, reason: str, wait: timedelta
    ) -> ControlAnswer | None:
        """Ask for the completed run to be undone; `accepted` means that the undo has begun.

        Raises `PastPivot` when its pivot is done, and `NotUndoable` when it has not completed.
        """
        return await self._ask(run, UndoPost(actor, reason), wait)

    async def settle(
        self,
        run: str,
        node: str,
        settlement: Settlement,
        *,
        actor: str,
        reason: str,
        wait: timedelta,
    ) -> ControlAnswer | None:
        """Say what became of a node that the parked run waits for.

        What is in doubt, or happened unrecorded: `ItHappened`, `ItDidNotHappen`. An undo that
        gave up: `UndoneByHand`, `Kept`. A node that gave up past the pivot, and was done by hand:
        `ItHappened`. Raises `InvalidInput` for a result that is no JSON, too large, or not of the
        type that the node declares, where this engine serves the workflow; else the worker that
        takes the request looks at it.
        """
        if isinstance(settlement, ItHappened):
            await self._check_result(run, node, settlement.result)
        return await self._ask(run, SettlePost(node, settlement, actor, reason), wait)

    async def retry(
        self,
        run: str,
        node: str | None = None,
        *,
        actor: str,
        reason: str,
        wait: timedelta,
        leave_out: Sequence[int] = (),
    ) -> ControlAnswer | None:
        """Ask for what the parked run waits for to be tried again; without a node, all of it.

        What is in doubt is asked about again, or run again under the same key while that is
        known; an undo that gave up is undone again; what gave up past the pivot is run again;
        a poisoned run is claimed again. Each has its whole policy again.

        What was posted and cannot be read is read again, and is lost only where its number is
        among `leave_out`: the run then goes on as if it had never been posted. Raises
        `InvalidInput` for a post that does not wait, and for what the run begins with.
        """
        return await self._ask(run, RetryPost(node, actor, reason, tuple(leave_out)), wait)

    async def pause(
        self, run: str, *, actor: str, reason: str, wait: timedelta
    ) -> ControlAnswer | None:
        """Ask that nothing more is begun of the run, as `Run.pause` does."""
        return await self._ask(run, PausePost(actor, reason), wait)

    async def resume(
        self, run: str, *, actor: str, reason: str, wait: timedelta
    ) -> ControlAnswer | None:
        """Ask the paused run to go on, as `Run.resume` does."""
        return await self._ask(run, ResumePost(actor, reason), wait)

    async def skip(
        self, run: str, node: str, *, actor: str, reason: str, wait: timedelta
    ) -> ControlAnswer | None:
        """Ask for a node to be skipped: its body is not begun, and it gives None.

        It must not be in doubt, nor at work, nor have ended; and nobody may need what it gives,
        unless it is declared `optional` or with `.when`, so that whoever is wired to it takes
        None. A node past the pivot that gave up is skipped too, and the run goes on.
        """
        return await self._ask(run, SkipPost(node, actor, reason), wait)

    async def set_result(
        self,
        run: str,
        node: str,
        result: msgspec.Raw,
        *,
        actor: str,
        reason: str,
        wait: timedelta,
    ) -> ControlAnswer | None:
        """Ask for a node to have this result, as JSON, instead of what its body would return.

        The same nodes as for `skip`, whoever needs what they give. When the run goes back the
        node is undone with this result, as if its body had returned it. What is in doubt is
        settled instead. Raises `InvalidInput` for a result that is no JSON, too large, or not of
        the type that the node declares, as `settle` does.
        """
        await self._check_result(run, node, result)
        return await self._ask(run, SetResultPost(node, result, actor, reason), wait)

    async def retry_from(
        self, run: str, node: str, *, actor: str, reason: str, wait: timedelta
    ) -> ControlAnswer | None:
        """Ask for a node to be done again, with everything that comes after it.

        What of that is done is undone first, the last completed first, and is done again under
        new keys; all else stays as it is. Everything that is to be undone must declare an undo;
        nothing may be in doubt; past the pivot only what failed and what has no effect is done
        again. A run that has ended is started anew instead, under another key.
        """
        return await self._ask(run, RetryFromPost(node, actor, reason), wait)

    async def _check_result(self, run: str, node: str, result: msgspec.Raw) -> None:
        """Refuse what is no JSON, or none of the node's where this engine knows its type."""
        shell, codes = parts_of(self._engine)
        _check_json(result)
        row = (await history_of(shell, parse_run_id(run))).row
        plan = await plan_of(shell, row.fingerprint)
        code = codes.get(row.fingerprint)
        misfit = None if plan is None else misfit_of(node, result, plan, code)
        if misfit is not None:
            message = f"the result given is none of `{node}`: {misfit}"
            raise InvalidInput(message)

    async def _ask(self, run: str, control: Control, wait: timedelta) -> ControlAnswer | None:
        shell, _codes = parts_of(self._engine)
        _check_text("actor", control.actor, ACTOR_CHARACTERS_MAX)
        _check_text("reason", control.reason, REASON_CHARACTERS_MAX)
        node: str | None = getattr(control, "node", None)
        if node is not None:
            _check_text("node", node, PATH_CHARACTERS_MAX)
        found = parse_run_id(run)
        answer = await ask(shell, found, control, until=after(shell.clock.now(), wait))
        return None if answer is None else unless_refused(found, control, answer)


def _check_json(result: msgspec.Raw) -> None:
    try:
        msgspec.json.decode(result)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f"the result given is no JSON: {error}"
        raise InvalidInput(message) from error


def _check_text(name: str, text: str, characters_max: int) -> None:
    """Refuse a text that says nothing, too much, or what cannot be written down."""
    if not text.strip():
        message = f"the {name} is empty; it is recorded with what is asked, so name one"
        raise InvalidInput(message)
    if len(text) > characters_max:
        message = f"the {name} has {len(text):,} characters; at most {characters_max:,} are allowed"
        raise InvalidInput(message)
    if any("\ud800" <= character <= "\udfff" for character in text):
        message = f"the {name} {text[:40]!r} is not text that can be written down"
        raise InvalidInput(message)
