"""Taking one record through the statuses of a lifecycle, in memory, with a clock that is turned."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import msgspec

from makegood.decision.evolve import fold
from makegood.decision.facts import ControlAnswered, HandlingBegan, Moved
from makegood.definition.lifecycle.builder import Lifecycle
from makegood.definition.plan import fingerprint_of
from makegood.errors import InvalidInput
from makegood.journal.lanes.shown import MessageFilter
from makegood.journal.memory import MemoryJournal
from makegood.runtime.asking.post import CancelPost, PausePost, ResumePost, UndoPost
from makegood.runtime.asking.reading import ask
from makegood.runtime.asking.refusals import unless_refused
from makegood.runtime.config import Config
from makegood.runtime.engine import Engine, parts_of
from makegood.runtime.operator import Operator
from makegood.testing.clock import TurnableClock
from makegood.testing.running import SELDOM, dues_of, settle
from makegood.testing.script import Script
from makegood.testing.sending import own_commands
from makegood.values.instants import as_datetime, as_instant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta

    from makegood.decision.facts import ControlAnswer
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState
    from makegood.definition.workflow import Workflow
    from makegood.extension import Extension
    from makegood.runtime.asking.post import Control
    from makegood.runtime.outcome import Outcome
    from makegood.runtime.run import Run
    from makegood.testing.script import Scripted
    from makegood.values.instants import Instant
    from makegood.values.schemas import Schema

__all__ = ["Passage", "lifecycle"]

SETTLED_MAX = 10_000
"""How often runs that are due are taken up without any time passing, until that is no rest."""

T = TypeVar("T")
S = TypeVar("S", bound=Enum)


class Passage(Generic[T, S]):
    """One record on its way, as a test looks at it; made by `testing.lifecycle`.

    Everything that can be looked at is as it was when the last call of a method had come to rest:
    no handler was at work, and only a time or a message would have moved the record on.
    """

    status: S
    """The status in which the record stands, or in which it has ended."""
    record: T
    """The record as the last handler has left it, decoded afresh."""
    run_status: str
    """What the engine does with it: `waiting`, `paused`, `undoing`, `parked`, `completed`, …"""
    moves: tuple[S, ...]
    """Every status that was entered, in order, the first one included."""
    called: tuple[str, ...]
    """Every handler that was called, in order, by name; repeated attempts are one call."""
    undone: tuple[str, ...]
    """The handlers whose calls were undone, in the order in which they were."""
    hears: frozenset[type]
    """The classes of the messages that the status listens for."""
    timers: dict[str, datetime]
    """When each timer of the status is due, by its handler."""
    repeats: dict[str, datetime]
    """When each handler is called again that has asked for it."""
    kept: tuple[type, ...]
    """The classes of the messages that were sent and not heard yet, the oldest first."""
    emitted: tuple[object, ...]
    """The messages that handlers, undos and called workflows have emitted, and the events that
    were announced, the oldest first."""
    outcome: Outcome[T] | None
    """How the run has ended or was parked; None while it goes on."""

    def __init__(
        self,
        engine: Engine,
        clock: TurnableClock,
        workflow: Workflow[[T], T],
        run: Run[T],
        *,
        key: str,
        called: Sequence[Workflow[..., Any]] = (),
    ) -> None:
        self.clock = clock
        self.run: Run[T] = run
        """The run; what it says of itself is awaited, and what it asks is offered here."""
        self.key = key
        """The record's key, under which messages find it."""
        self._engine = engine
        self._operator = Operator(engine)
        self._workflow = workflow
        self._answers: list[ControlAnswer] = []
        self._schemas = _emitted_by((workflow, *called))

    def __repr__(self) -> str:
        return f"<Passage of {self._workflow.name} {self.key} in {self.status.name}>"

    async def send(self, message: object, *, id: str | None = None) -> None:
        """Send a message to the record, and let come of it what comes at once.

        Sent again under the same `id`, it is the same message. Raises `UnknownMessage` for one
        that no status hears.
        """
        await self._engine.send(message, key=self.key, id=id)
        await self.rest()

    async def turn(self, by: timedelta) -> None:
        """Let time pass; whatever falls due happens at its time and in its order."""
        await self.turn_to(as_datetime(self.clock.now()) + by)

    async def turn_to(self, when: datetime) -> None:
        """Let time pass until a moment; whatever falls due happens at its time and in its order."""
        end = as_instant(when)
        while (due := await self._next_due()) is not None and due <= end:
            self.clock.turn_to(due)
            await self._settle()
        self.clock.turn_to(end)
        await self.rest()

    async def cancel(self, *, reason: str = "") -> None:
        """Have the run cancelled, as its caller may: what was done is undone.

        Raises what `Run.cancel` raises, as all that follow.
        """
        await self._ask(CancelPost("caller", reason))

    async def pause(self, *, reason: str = "") -> None:
        """Have the run paused, as its caller may."""
        await self._ask(PausePost("caller", reason))

    async def resume(self, *, reason: str = "") -> None:
        """Have the paused run go on."""
        await self._ask(ResumePost("caller", reason))

    async def undo(self, *, reason: str = "") -> None:
        """Have everything undone of a run that has completed."""
        await self._ask(UndoPost("caller", reason))

    async def rest(self) -> None:
        """Let everything happen that needs no time, and look at the record again."""
        await self._settle()
        history = await self._operator.history(self.run.id)
        state = fold(history.plan, history.facts)
        its, code = state.lifecycle, self._workflow.code.lifecycle
        assert its is not None, "it is a lifecycle that was started"
        assert code is not None, "a lifecycle has code of its own"
        statuses = cast("type[S]", code.statuses)
        if its.status is not None:
            self.status = statuses[its.status]
        # Any: the codec of the record reads what the lifecycle declares.
        record: Any = code.record.read(its.record, its.schema)
        self.record = record
        self.run_status = state.status
        self.moves = tuple(
            statuses[fact.status] for fact in history.facts if isinstance(fact, Moved)
        )
        self.called = tuple(
            fact.handler for fact in history.facts if isinstance(fact, HandlingBegan)
        )
        # Any: a message has the class that the lifecycle hears.
        known: dict[str, Any] = {name: codec.type for name, codec in code.messages.items()}
        self.hears = frozenset(known[message] for message, _key in its.open)
        messages = await self._operator.messages()
        self.kept = tuple(known[each.message] for each in messages.kept if each.message in known)
        self._answers = [fact.answer for fact in history.facts if isinstance(fact, ControlAnswered)]
        self._look(state, its)
        self.emitted = tuple([each async for each in self._heard()])
        self.outcome = await self.run.outcome() if state.is_settled else None

    def _look(self, state: RunState, its: LifecycleState) -> None:
        self.undone = tuple(
            state.graph[index].path.rpartition("]/")[2] for index in state.undone_order
        )
        self.timers = {name: as_datetime(due) for name, due in its.timers.items()}
        self.repeats = {name: as_datetime(due) for name, (due, _) in its.repeats.items()}

    async def _heard(self) -> AsyncGenerator[object, None]:
        """Give the messages that were emitted, as whoever receives them is given them."""
        shell, _codes = parts_of(self._engine)
        kept: list[int] = []
        after: int | None = None
        while True:
            page = await shell.journal.messages.messages(MessageFilter(after=after))
            kept += [row.seq for row in page.rows if row.message.type in self._schemas]
            after = page.next
            if after is None:
                break
        for seq in reversed(kept):
            found = await shell.journal.messages.message(seq)
            assert found is not None, "nothing is removed while a test looks"
            yield self._schemas[found.message.type].read(found.message)

    async def _ask(self, control: Control) -> None:
        """Ask something of the run, and let come of it what comes at once."""
        shell, _codes = parts_of(self._engine)
        await ask(shell, self.run.id, control, until=self.clock.now())
        await self.rest()
        answer = self._answers[-1]
        unless_refused(self.run.id, control, answer)

    async def _settle(self) -> None:
        """Let everything happen that needs no time, also of runs that nobody holds meanwhile."""
        shell, _codes = parts_of(self._engine)
        for _ in range(SETTLED_MAX):
            await settle(self._engine, self.clock)
            now = self.clock.now()
            if all(due > now for due in await dues_of(self._engine)):
                return
            shell.ring_worker()
        message = f"`{self._workflow.name}` does not come to rest: something is due again at once"
        raise AssertionError(message)

    async def _next_due(self) -> Instant | None:
        """Return when something happens next by itself."""
        dues = await dues_of(self._engine)
        if self.clock.next_due is not None:
            dues.append(self.clock.next_due)
        return min(dues, default=None)


@overload
def lifecycle(
    declared: Lifecycle[T, S],
    record: T,
    *,
    status: S | None = None,
    services: Mapping[type, object] | None = None,
    fail: Mapping[str, Scripted | Sequence[Scripted]] | None = None,
    workflows: Sequence[Workflow[..., Any]] = (),
    extensions: Sequence[Extension] = (),
    clock: TurnableClock | None = None,
) -> AbstractAsyncContextManager[Passage[T, S]]: ...
@overload
def lifecycle(
    declared: Workflow[[T], T],
    record: T,
    *,
    status: Enum | None = None,
    services: Mapping[type, object] | None = None,
    fail: Mapping[str, Scripted | Sequence[Scripted]] | None = None,
    workflows: Sequence[Workflow[..., Any]] = (),
    extensions: Sequence[Extension] = (),
    clock: TurnableClock | None = None,
) -> AbstractAsyncContextManager[Passage[T, Enum]]: ...
# Any: the record and the statuses are those of the overloads.
@asynccontextmanager
async def lifecycle(
    declared: Lifecycle[Any, Any] | Workflow[[Any], Any],
    record: object,
    *,
    status: Enum | None = None,
    services: Mapping[type, object] | None = None,
    fail: Mapping[str, Scripted | Sequence[Scripted]] | None = None,
    workflows: Sequence[Workflow[..., Any]] = (),
    extensions: Sequence[Extension] = (),
    clock: TurnableClock | None = None,
) -> AsyncGenerator[Passage[Any, Any]]:
    """Start a record in a lifecycle, in memory, and take it through its statuses step by step.

        async with testing.lifecycle(orders, Order("o-1"), services={Bank: bank}) as order:
            await order.send(Paid(999))
            assert order.status is Status.PAID

    It begins in `status`, where one is given, and else where the lifecycle begins. Nothing passes
    the time but `turn`: a timer, a delay and a retry wait for it. `fail` scripts handlers by their
    names, and their undos and compensates with `.undo` and `.compensate` behind; else it is that of
    `run`. `workflows` are those that the lifecycle calls. Commands that are sent need no owner
    here.

    Raises `InvalidInput` for a workflow that is no lifecycle, a status that is none of it, and a
    script that names what there is not.
    """
    clock = clock or TurnableClock()
    workflow = _beginning(declared, status)
    engine = Engine(
        MemoryJournal(),
        services=services,
        extensions=extensions,
        interceptors=[Script(fail, workflow, *workflows)] if fail else (),
        config=Config(release_after=None, poll_min=SELDOM, poll_max=SELDOM),
        clock=clock,
    )
    call = workflow(record)
    assert call.key is not None, "the run of a lifecycle has a key"
    async with engine:
        engine.serve(workflow, *workflows)
        own_commands(engine)
        run = await engine.start(call)
        passage: Passage[Any, Any] = Passage(
            engine, clock, workflow, run, key=call.key, called=workflows
        )
        await passage.rest()
        yield passage


# Any: whatever the workflows take and return.
def _emitted_by(workflows: Sequence[Workflow[..., Any]]) -> Mapping[str, Schema[Any]]:
    """Return what may be emitted or announced in these, by the names of the messages."""
    found: dict[str, Schema[Any]] = {}
    for code in (workflow.code for workflow in workflows):
        for node in code.nodes.values():
            for its in (node.body, node.undo, node.compensate):
                found |= {} if its is None else {each.name: each for each in its.sends.values()}
        announced = () if code.lifecycle is None else code.lifecycle.announcements
        found |= {each.schema.name: each.schema for each in announced}
    return found


# Any: as above.
def _beginning(
    declared: Lifecycle[Any, Any] | Workflow[[Any], Any], status: Enum | None
) -> Workflow[[Any], Any]:
    """Return the workflow of a lifecycle that begins in this status."""
    workflow = declared.workflow() if isinstance(declared, Lifecycle) else declared
    plan, code = workflow.plan, workflow.code.lifecycle
    if plan.machine is None or code is None:
        message = f"`{workflow.name}` is no lifecycle; carry it out with testing.run"
        raise InvalidInput(message)
    if status is None:
        return workflow
    if not isinstance(status, code.statuses):
        message = f"{status!r:.80} is no status of `{workflow.name}`"
        raise InvalidInput(message)
    machine = msgspec.structs.replace(plan.machine, start=status.name)
    [node] = plan.nodes
    plan = msgspec.structs.replace(plan, nodes=(msgspec.structs.replace(node, machine=machine),))
    plan = msgspec.structs.replace(plan, fingerprint=fingerprint_of(plan))
    return replace(workflow, plan=plan)
