"""A run of a lifecycle driven by hand: its plan in a few words, and what its handlers give."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from makegood.decision import facts
from makegood.definition.lifecycle.machine import Handler, Machine, Trigger
from makegood.definition.plan import (
    BLOCK_SPAN,
    Backoff,
    Block,
    FromNode,
    Kind,
    Node,
    Plan,
    fingerprint_of,
)
from makegood.values.instants import Instant, after
from makegood.values.outcomes import (
    UNSAID,
    StoredAgain,
    StoredCancel,
    StoredFail,
    StoredGoto,
    StoredNext,
    StoredPause,
    StoredRearm,
    StoredStay,
    write_next,
)
from makegood.values.verdict import Failure, FailureKind
from tests.decision.driver import Run
from tests.decision.plans import step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from makegood.decision.commands import Evaluate
    from makegood.decision.facts import Fact
    from makegood.decision.lifecycle.state import LifecycleState
    from tests.decision.driver import Outcome
    from tests.decision.plans import Policy, Sketch

KEY = "order-1"
STAY = StoredStay()
REARM = StoredRearm()
PATH = "order"
REFUSAL = Failure(kind=FailureKind.PERMANENT, type="makegood.errors.DefinitionError", message="no")


class Drawn(msgspec.Struct, frozen=True):
    """A handler, and the nodes of its block before they have a number."""

    handler: Handler
    nodes: tuple[Node, ...]


def entry(name: str, *statuses: str, to: str = "", **policy: Unpack[Policy]) -> Drawn:
    """Return a handler for the entry of statuses."""
    return _drawn(Trigger.ENTRY, name, statuses, to, step(name, **policy))


def hear(
    name: str, *statuses: str, to: str = "", message: str = "Paid", **policy: Unpack[Policy]
) -> Drawn:
    """Return a handler for a message."""
    return _drawn(Trigger.MESSAGE, name, statuses, to, step(name, **policy), message=message)


def timer(
    name: str,
    *statuses: str,
    to: str = "",
    due: timedelta | None = None,
    **policy: Unpack[Policy],
) -> Drawn:
    """Return a handler for a time; without a duration the record says when it is due."""
    return _drawn(Trigger.TIMER, name, statuses, to, step(name, **policy), due=due)


def calls(name: str, *statuses: str, to: str = "", **policy: Unpack[Policy]) -> Drawn:
    """Return a handler for the end of a workflow that is started on entry."""
    drawn = _drawn(Trigger.CALL, name, statuses, to, step(name, **policy))
    child = Node(
        path=f"{name}-run",
        kind=Kind.CHILD,
        function="inner",
        feeds=(1,),
        retry=Backoff(attempts=1),
        timeout=None,
        keeps_failure=True,
    )
    [node] = drawn.nodes
    return Drawn(drawn.handler, (child, msgspec.structs.replace(node, needs=(0,))))


def _drawn(
    trigger: Trigger,
    name: str,
    statuses: Sequence[str],
    to: str,
    sketch: Sketch,
    *,
    message: str | None = None,
    due: timedelta | None = None,
) -> Drawn:
    handler = Handler(
        name=name,
        trigger=trigger,
        statuses=tuple(statuses),
        to=tuple(to.split()),
        message=message,
        after=due,
    )
    return Drawn(handler, (sketch.node,))


# Any: the options of a machine.
def plan_of_lifecycle(*drawn: Drawn, **options: object) -> Plan:
    """Return the plan of a lifecycle whose statuses are named A, B, C… and which begins in A."""
    statuses = tuple(
        sorted({status for each in drawn for status in (*each.handler.statuses, *each.handler.to)})
    )
    called = {status for each in drawn for status in each.handler.statuses}
    machine = Machine(
        **{  # type: ignore[arg-type] # as they are given
            "statuses": statuses,
            "start": "A",
            "terminal": tuple(status for status in statuses if status not in called),
            "handlers": tuple(each.handler for each in drawn),
            "visits_max": 100,
            "repeats_max": 100,
            **options,
        }
    )
    blocks = tuple(
        Block(
            number=number,
            nodes=each.nodes,
            returns=FromNode(number * BLOCK_SPAN + len(each.nodes) - 1),
            rounds_max=200,
        )
        for number, each in enumerate(drawn, 1)
    )
    node = Node(
        path=PATH,
        kind=Kind.LIFECYCLE,
        function=PATH,
        retry=Backoff(attempts=1),
        timeout=None,
        machine=machine,
        blocks=blocks,
    )
    plan = Plan(workflow=PATH, fingerprint="", nodes=(node,), returns=FromNode(0))
    return msgspec.structs.replace(plan, fingerprint=fingerprint_of(plan))


def goto(status: str, record: bytes | None = None, schema: int = 1) -> StoredGoto:
    """Return that a handler goes to a status, with its record as JSON."""
    return StoredGoto(status, UNSAID if record is None else Raw(record), schema)


def again(seconds: float = 60) -> StoredAgain:
    return StoredAgain(timedelta(seconds=seconds))


def pausing(reason: str = "closed") -> StoredPause:
    return StoredPause(reason)


def cancelling(reason: str = "no") -> StoredCancel:
    return StoredCancel(reason)


def failing(message: str = "lost") -> StoredFail:
    return StoredFail("shop.Lost", message)


class Course(Run):
    """The run of a lifecycle."""

    def __init__(
        self,
        plan: Plan,
        script: Mapping[str, Sequence[Outcome]] | None = None,
        *,
        deadline: timedelta | None = None,
        schema: int = 1,
        due: Mapping[str, timedelta] | None = None,
        parent: facts.Parent | None = None,
        beside: Sequence[Fact] = (),
    ) -> None:
        """Begin; `beside` is what is taken in the very turn of its beginning."""
        super().__init__(plan, script, starts=False)
        self.due = due or {}
        """When those timers are due that the record says, from when they are set."""
        self.refuses = False
        """Whether nobody can say what is to be listened for, or bring the record up."""
        self.messages = 0
        self.turn(
            facts.RunStarted(
                workflow=PATH,
                fingerprint=plan.fingerprint,
                key=KEY,
                inputs={"record": Raw(b'"new"')},
                deadline=None if deadline is None else after(self.now, deadline),
                at=self.now,
                schema=schema,
                parent=parent,
                depth=0 if parent is None else 1,
            ),
            *beside,
        )

    @property
    def lifecycle(self) -> LifecycleState:
        assert self.state.lifecycle is not None
        return self.state.lifecycle

    @property
    def status(self) -> str | None:
        return self.lifecycle.status

    @property
    def moves(self) -> list[str]:
        """The statuses that were entered, in order."""
        return [fact.status for fact in self.recorded if isinstance(fact, facts.Moved)]

    @property
    def called(self) -> list[str]:
        """The handlers that were called, in order."""
        return [fact.handler for fact in self.recorded if isinstance(fact, facts.HandlingBegan)]

    @property
    def busy(self) -> list[str]:
        """The handlers at work."""
        return [path.rpartition("/")[2] for path in self.at_work]

    def path(self, name: str) -> str:
        """Return the path of the last call of a handler."""
        paths = [path for path in self.state.positions if path.rpartition("/")[2] == name]
        return paths[-1]

    def give(self, name: str, outcome: StoredNext) -> None:
        """End the handler at work with this outcome."""
        body = self.find(self.path(name))
        self.work.remove(body)
        raw = Raw(write_next(outcome))
        self.turn(facts.NodeDone(self.path(name), raw, self.now))

    def refuse(self, name: str) -> None:
        """End the handler at work with what is none of its outcomes."""
        self.work.remove(self.find(self.path(name)))
        self.turn(facts.NodeRefused(self.path(name), REFUSAL, self.now))

    def message(self, message: str = "Paid", *, misfit: str | None = None) -> str:
        """Let a message come, and return its id."""
        came = self.letter(message, misfit=misfit)
        self.turn(came)
        return came.id

    def letter(self, message: str = "Paid", *, misfit: str | None = None) -> facts.MessageCame:
        self.messages += 1
        return facts.MessageCame(
            id=f"m{self.messages}",
            message=message,
            key=KEY,
            value=Raw(b'"money"'),
            until=Instant(self.now + 1_000),
            at=self.now,
            misfit=misfit,
        )

    def evaluate(self, command: Evaluate) -> Fact:
        lifecycle = self.lifecycle
        match command.what:
            case "listen" | "final" if self.refuses:
                return facts.NodeRefused(PATH, REFUSAL, self.now)
            case "listen":
                return facts.Listened(PATH, KEY, self.now, lifecycle.unheard, self.timers())
            case "final":
                return facts.NodeDone(PATH, Raw(b'"brought up"'), self.now)
            case _:
                return super().evaluate(command)

    def timers(self) -> dict[str, Instant]:
        start = self.now if self.lifecycle.armed_at is None else self.lifecycle.armed_at
        found: dict[str, Instant] = {}
        for handler in self.lifecycle.unset:
            if handler.after is not None:
                found[handler.name] = after(start, handler.after)
            elif handler.name in self.due:
                found[handler.name] = after(self.now, self.due[handler.name])
        return found
