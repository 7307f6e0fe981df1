"""The engine: what a user enters to have workflows carried out."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from makegood.decision.decide import decide
from makegood.definition.schedule import Schedule
from makegood.definition.workflow import Workflow
from makegood.errors import EngineClosed, InvalidInput, StoreBusy
from makegood.journal.address import open_journal
from makegood.journal.protocol import Exists, Fenced, Filter
from makegood.runtime.asking.completing import complete, fail
from makegood.runtime.asking.messages import SentMessage, send_message
from makegood.runtime.asking.starting import (
    asked_record,
    find_run,
    post_start,
    require_joins,
    require_same_input,
)
from makegood.runtime.calling.served import Served, require_apart, serve_all
from makegood.runtime.clock import RandomIds, SystemClock
from makegood.runtime.config import Config
from makegood.runtime.looking.relay import relay_of
from makegood.runtime.looking.retaining import Retainer
from makegood.runtime.moving.adopting import Adopter
from makegood.runtime.receiving.publishing import Publisher
from makegood.runtime.receiving.reception import Reception
from makegood.runtime.run import Run
from makegood.runtime.scheduler import Scheduler
from makegood.runtime.shell import Shell, stored
from makegood.runtime.transporting.exchange import Exchange
from makegood.runtime.transporting.route import Route
from makegood.runtime.turning.turn import Turn
from makegood.runtime.worker import Worker
from makegood.values.ids import RunId, parse_engine, parse_run_id
from makegood.values.limits import PAGE_RUNS_MAX
from makegood.values.messages import KEEP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from makegood.decision.facts import ControlAnswer
    from makegood.definition.code import Code
    from makegood.definition.receiving.projection import Projection
    from makegood.definition.receiving.receptors import Receptors
    from makegood.definition.workflow import Call
    from makegood.extension import Extension
    from makegood.journal.protocol import Journal, Page, Verdict
    from makegood.runtime.moving.fitting import Declared
    from makegood.runtime.ports import (
        CallersConnection,
        Carrier,
        Clock,
        Decide,
        Ids,
        Interceptor,
        Observer,
    )
    from makegood.runtime.receiving.publishing import Receipt
    from makegood.values.injectable import Sql

__all__ = ["Engine", "declared_by", "parts_of"]

R = TypeVar("R")

ANSWERED_WITHIN = timedelta(seconds=10)
"""How long an answer of the run's worker is waited for, unless somebody says otherwise."""


class Engine:
    """Carries out workflows: durably, on the journal given.

    Enter it with `async with`. Unfinished runs of what is served are taken up again by
    themselves. On leaving, bodies at work may end within the grace, and all runs are handed
    back, so that the next engine goes on where this one stopped.

    `journal` is an address (`sqlite:///orders.journal`, `memory://`) or a journal. `services`
    are found by the annotated type of `injected` parameters; a `Service` around one of them says
    how it is protected. With `work=False` the engine only
    starts, asks and reads; another process does the work. `name` is what people call the engine
    when they halt it; several engines may share one.

    `observers` see every recorded fact, `interceptors` wrap every call of a function, the first one
    outermost, and `carriers` take something of the starter's context into every call of the run.

    `clock`, `ids` and `decide` are what the engine stands on. Tests give it a clock that they
    turn, and a simulation gives it a decision core that lacks a rule, to show that it is needed.
    """

    def __init__(
        self,
        journal: str | Journal,
        *,
        name: str = "",
        services: Mapping[type, object] | None = None,
        extensions: Sequence[Extension] = (),
        observers: Sequence[Observer] = (),
        interceptors: Sequence[Interceptor] = (),
        carriers: Sequence[Carrier] = (),
        config: Config | None = None,
        work: bool = True,
        clock: Clock | None = None,
        ids: Ids | None = None,
        decide: Decide = decide,
    ) -> None:
        self._extensions = tuple(extensions)
        self._works = work
        self._served: dict[str, Served] = {}
        self._codes: dict[str, Code] = {}
        self._is_open = False
        self._shell = Shell(
            name=parse_engine(name) if name else name,
            journal=open_journal(journal) if isinstance(journal, str) else journal,
            clock=clock or SystemClock(),
            ids=ids or RandomIds(),
            config=config or Config(),
            observers=observers,
            interceptors=interceptors,
            carriers=carriers,
            decide=decide,
            services=services or {},
        )
        self._worker = Worker(self._shell, self._served)
        self._shell.on_ring(self._worker.ring)
        self._shell.on_room(self._worker.make_use_of_room)
        ring = self._worker.ring
        self._retainer = Retainer(self._shell)
        adopter = Adopter(self._shell, self._served, self._retainer, keep=self._keep, ring=ring)
        self._adopting = adopter.lookout
        self._scheduler = Scheduler(self._shell, keep=self._keep)
        self._relay = relay_of(self._shell)
        self._shell.on_mail(self._relay.ring)
        self._reception = Reception(self._shell, take_note=self._worker.take_note_of)
        self._shell.on_reception(self._reception.ring)
        self._lookouts = (self._adopting, self._scheduler.lookout, *self._reception.lookouts)
        self._exchange = Exchange(self._shell, self._reception)
        self._reception.on_stored(self._exchange.ring)
        self._shell.publisher = Publisher(self._shell, self._reception)

    def __repr__(self) -> str:
        names = ", ".join(self.served) or "nothing"
        state = "open" if self._is_open else "closed"
        return f"<Engine {state}, serving {names}, {self.active} runs at work>"

    @property
    def works(self) -> bool:
        """Whether this engine carries out runs, and not only starts and reads them."""
        return self._works

    @property
    def served(self) -> tuple[str, ...]:
        """The names of the workflows that this engine carries out, and of its receptors."""
        names = {served.name for served in self._served.values()}
        return tuple(sorted(names)) + self._reception.names

    @property
    def active(self) -> int:
        """How many runs this engine holds at the moment."""
        return len(self._shell.active)

    @property
    def is_at_rest(self) -> bool:
        """Whether no body is at work here and no append is in flight: only time moves on."""
        looking = (self._worker, self._relay, self._exchange, *self._lookouts)
        return self._shell.is_at_rest and not any(each.is_asking for each in looking)

    async def __aenter__(self) -> Self:
        """Open the journal and begin to work; `StoreRefused` says why it cannot be opened."""
        if self._is_open or self._shell.is_draining:
            message = "an engine is entered once; make another one to go on"
            raise EngineClosed(message)
        migrations = [step for extension in self._extensions for step in extension.migrations]
        await self._shell.journal.open(work=self._works, migrations=migrations, ring=self._knock)
        self._is_open = True
        if self._works:
            # A store that is busy is asked again before anything is claimed.
            with contextlib.suppress(StoreBusy):
                await self._shell.halts.look_now()
            self._worker.start()
            self._relay.start()
            for lookout in (*self._lookouts, self._exchange):
                lookout.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop claiming, let bodies at work end, hand all runs back, close the journal."""
        self._is_open = False
        shell = self._shell
        try:
            for part in (self._exchange, self._scheduler, self._adopting):
                await part.stop()
            await self._worker.stop()
            await self._reception.stop()
            shell.is_draining = True
            shell.look_up()
            shell.performer.hand_back()
            await shell.settle()
            await shell.performer.close()
            await shell.settle()
            await self._relay.stop()
            await self._reception.close()
            await shell.hand_back()
        finally:
            await shell.guards.close()
            await shell.waiting.close()
            await shell.journal.close()

    # What is served --------------------------------------------------------------------------

    def serve(
        self,
        *declared: Workflow[..., Any] | Receptors | Projection[Any] | Schedule | Route,  # Any: all
        runs_active_max: int | None = None,
    ) -> None:
        """Carry out these workflows: new runs, and the unfinished ones in the journal.

        A schedule is looked after from now on; what it starts is to be served too, if elsewhere.

        Of receptors it receives the messages that are sent from now on, by any process on the
        store, and whatever was left; they are kept for them while nobody serves them. Read models
        are built of all that is stored.

        Workflows that are steps are carried out too. What a step may return as a call is not known
        here: serve that as well, unless it is the workflow itself.

        A run that began under another definition goes on under the one that is served, as soon as
        all that is recorded of it fits there; else it stays unclaimed, and `Operator.stranded`
        says why. Definitions of one name are served side by side when their versions differ.

        With `runs_active_max` this engine holds at most so many runs of each at once; more wait in
        the journal, for any engine, and keep no other workflow from its turn. Serving a workflow
        again replaces its limit.

        Raises `ServiceError` when a service that they need is missing or ambiguous, and
        `DefinitionError` for two definitions of one name and version, or two owners of a command.
        The engine stops with `StoreRefused` where another receptor on the store owns the command.
        """
        workflows = [each for each in declared if isinstance(each, Workflow)]
        services = self._shell.guards.services
        served = serve_all(workflows, services, runs_active_max=runs_active_max)
        require_apart(item.plan for item in (*self._served.values(), *served))
        self._reception.serve(declared)
        self._scheduler.serve(each for each in declared if isinstance(each, Schedule))
        self._retainer.serve(served)
        self._exchange.serve(each for each in declared if isinstance(each, Route))
        for item in served:
            fingerprint = item.plan.fingerprint
            self._served[fingerprint] = item
            self._codes[fingerprint] = item.code
            self._shell.plans[fingerprint] = item.plan
        self._worker.ring()
        self._adopting.ring()

    # Runs --------------------------------------------------------------------------------------

    async def start(
        self,
        call: Call[R],
        *,
        key: str | None = None,
        subject: str | None = None,
        correlation: str | None = None,
        within: CallersConnection | None = None,
    ) -> Run[R]:
        """Start a run, durably, and return its handle.

        With a `key` there is one run per workflow and key for ever: the same input finds it
        again, running or ended; another input raises `KeyConflict` and nothing is written.
        A lifecycle has the key of its record unless one is given, and only until its run has ended.
        `subject` is whom the run is about, by which `Operator.erase` finds it; `correlation` is
        shared by all that comes of it, and is the run's id if you have none. Both stay as they were
        at the first start.

        With `within`, a connection of your own to the journal's database, the run is a part of
        the transaction that is open there: it begins, within a second or so, when that commits,
        and never was when that is rolled back. Before the commit its handle raises `UnknownRun`.
        What your driver raises passes through; `InvalidInput` says what cannot be used.
        """
        self._check_open()
        require_joins(self._shell.journal, within)
        await self._keep(call.workflow)
        shell = self._shell
        run_id = shell.ids.run()
        started, new = asked_record(shell, call, key=key, subject=subject, correlation=correlation)
        served = self._served.get(new.fingerprint)
        turn = None
        verdict: Verdict = Fenced()
        if within is None and served is not None and self._may_hold(served):
            turn = Turn(shell, served, run_id, epoch=1)
            verdict = await turn.begin(started, new)
        if isinstance(verdict, Fenced):
            # It cannot be held here, or no longer: whoever leads the journal takes it up.
            turn = None
            verdict = await post_start(shell, run_id, started, new, within=within)
            if within is None:
                self._worker.take_note_of(new.fingerprint)
        is_joined = within is not None
        if not isinstance(verdict, Exists):
            return Run(shell, run_id, codes=self._codes, turn=turn, is_joined=is_joined)
        require_same_input(new, verdict)
        return Run(shell, verdict.run, codes=self._codes, is_joined=is_joined)

    async def send(
        self,
        message: object,
        *,
        key: str,
        keep: timedelta = KEEP,
        id: str | None = None,
        subject: str | None = None,
    ) -> SentMessage:
        """Send a message, durably, to the run that waits for its class and this key, now or later.

        It is given to one run, once. Where none waits yet it is kept for `keep`, at most 366 days.
        Sent again under the same `id` it is dropped: a `duplicate`. `subject` is whom it is about.

        Raises `UnknownMessage` when workflows are served here and none of them waits for its class,
        `MailboxFull` when too many wait already, `InvalidInput` for a value that is no message.
        """
        self._check_open()
        plans, shell = [each.plan for each in self._served.values()], self._shell
        return await send_message(shell, plans, message, key=key, keep=keep, id=id, subject=subject)

    async def publish(
        self,
        message: object,
        *,
        id: str | None = None,
        key: str | None = None,
        source: str | None = None,
        correlation: str | None = None,
        tenant: str = "",
        subject: str | None = None,
        after: timedelta | None = None,
    ) -> Receipt:
        """Send a message, durably, to every receptor that has subscribed to its class.

        Sent again under the same `id` from the same `source`, as a webhook may be, it is the same
        message and is dropped; without one it has an id of its own. Messages of one `key`, or
        `message_key` of the class, are received in order. `correlation` is shared by everything
        that comes of it; it is the message's own id, if you have none from before. `subject` is
        whom it is about, by which it is erased; ids and keys of one `tenant` are not those of
        another. Nobody receives it before `after` is over. One that nobody has subscribed to is
        kept, and shown as unheard.

        Raises `InvalidInput` for a value that is no message, or is too large, and `UnknownMessage`
        for a command that no receptor owns; who does is looked at every `Config.poll_max`.
        """
        self._check_open()
        return await self._shell.publisher.publish(
            message,
            id=id,
            key=key,
            source=source,
            correlation=correlation,
            tenant=tenant,
            subject=subject,
            after=after,
        )

    def run(self, run_id: RunId | str) -> Run[object]:
        """Return a handle on a run by its id; whether it exists shows when it is used."""
        self._check_open()
        return Run(self._shell, parse_run_id(run_id), codes=self._codes)

    async def find(
        self, workflow: Workflow[..., R], key: str, *, within: timedelta | None = None
    ) -> Run[R]:
        """Return a handle on the run of a workflow that has this key, whoever has started it.

        Of a lifecycle, whose key is free again at the end, it is the run that has the key now, or
        else the newest that had it. With `within` it waits so long for one to be started.

        Raises `UnknownRun` where no run has the key or had it, as far as that is still known.
        """
        self._check_open()
        run_id = await find_run(self._shell, workflow.plan.workflow, key, within=within)
        return Run(self._shell, run_id, codes=self._codes)

    async def list(self, filter: Filter | None = None) -> Page:
        """Return one page of runs, the newest first; `Filter` says which, and where to begin."""
        self._check_open()
        wanted = filter or Filter()
        if not 1 <= wanted.limit <= PAGE_RUNS_MAX:
            message = f"a page of {wanted.limit} runs; ask for 1 to {PAGE_RUNS_MAX}"
            raise InvalidInput(message)
        return await self._shell.journal.list(wanted)

    async def read(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Query the application's own tables in the journal's database; it cannot write."""
        self._check_open()
        return await self._shell.journal.query(sql, *parameters)

    async def crashes(self) -> int:
        """Return how many unclean ends of this store were found so far."""
        self._check_open()
        return await self._shell.journal.crashes()

    async def serve_forever(self) -> NoReturn:
        """Wait while this engine works; only being cancelled, or a broken store, ends it.

        Raises `StoreFailed` when nothing can be written any more: leave the engine then, and enter
        a new one.
        """
        self._check_open()
        await self._shell.broke.wait()
        assert self._shell.failure is not None, "what broke has its reason"
        raise self._shell.failure

    async def complete(
        self,
        token: str,
        result: object,
        *,
        actor: str = "",
        wait: timedelta = ANSWERED_WITHIN,
    ) -> ControlAnswer | None:
        """Say that the step which was given this token is done, with its result.

        `accepted` means that it is recorded; `said before`, that the same was said with this token
        already. None is returned when nobody has answered within `wait`, because the body has not
        ended or no worker is there: what was said stands, and is taken later.

        Raises `InvalidInput` for what is no token, or no result of the step, `UnknownToken` for
        one that no step has, and `NotAwaited`, with the state of the step, when it was completed
        otherwise or does not wait. Whoever may call this is for you to decide: check who asks.
        """
        shell, codes = self._parts()
        return await complete(shell, codes, token, result, actor=actor, wait=wait)

    async def fail(
        self,
        token: str,
        error: Exception,
        *,
        actor: str = "",
        wait: timedelta = ANSWERED_WITHIN,
    ) -> ControlAnswer | None:
        """Say that the step which was given this token failed; see `complete`.

        The class of the error says how definite that is, as if the body had raised it: `Declined`
        is a definite no, `Unavailable` is retried under the step's policy, with a new token,
        `OutcomeUnknown` leaves it in doubt, and anything else has failed for good.
        """
        shell, codes = self._parts()
        return await fail(shell, codes, token, error, actor=actor, wait=wait)

    # Inside --------------------------------------------------------------------------------------

    def _knock(self) -> None:
        self._worker.knock()
        self._reception.knock()

    def _check_open(self) -> None:
        if self._shell.failure is not None:
            raise self._shell.failure
        if not self._is_open:
            message = "the engine is closed; use it inside `async with Engine(…) as engine:`"
            raise EngineClosed(message)

    def _parts(self) -> tuple[Shell, dict[str, Code]]:
        self._check_open()
        return self._shell, self._codes

    def _may_hold(self, served: Served) -> bool:
        """Say whether a new run can be held here from its first append on."""
        return self._works and self._shell.journal.leads and self._worker.has_room_for(served)

    async def _keep(self, workflow: Declared) -> None:
        """Store the plan before its first run."""
        plan = workflow.plan
        self._codes.setdefault(plan.fingerprint, workflow.code)
        if plan.fingerprint in self._shell.kept:
            return
        await self._shell.journal.keep_plan(stored(plan))
        self._shell.kept.add(plan.fingerprint)


def parts_of(engine: Engine) -> tuple[Shell, dict[str, Code]]:
    """Return what an operator works with: the parts that are shared, and code by fingerprint.

    Raises what every method of an engine raises that is closed or broken.
    """
    # Users shall not see these parts of an engine, and an operator is as good as a part of it.
    return engine._parts()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def declared_by(engine: Engine) -> tuple[Declared, ...]:
    """Return what an engine serves, or is going to serve once it is entered."""
    return tuple(engine._served.values())  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
