"""What a run's facts add up to: everything that `decide` may look at, and nothing else.

The state is owned by one turn at a time and changed in place by `evolve`; it can always be
built again from the facts. It keeps worklists beside the nodes, so that a decision costs what
has changed and not what the plan holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from makegood.decision.lifecycle.state import LifecycleState
from makegood.decision.standing.phases import (
    AT_WORK,
    DECIDED,
    DONE,
    IDLE,
    IN_FLIGHT,
    LEFT_TO_A_PERSON,
    READY,
    RUNNING,
    TIMED,
    TO_COME,
    WITH_CHILD,
    Phase,
)
from makegood.decision.standing.speaking import Family, Mailbox
from makegood.definition.plan import BLOCK_SPAN, Block
from makegood.values.verdict import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from makegood.decision.facts import (
        Cause,
        CompletionGiven,
        ControlAnswer,
        EndStatus,
        NodeSettled,
        ParkReason,
        Request,
        ResultGranted,
        Rollback,
        SkipGranted,
    )
    from makegood.definition.plan import Node, Plan
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant
    from makegood.values.verdict import Abort, RetryFresh, RetryNow, Undecided

__all__ = [
    "AT_WORK",
    "DECIDED",
    "DONE",
    "IDLE",
    "IN_FLIGHT",
    "LEFT_TO_A_PERSON",
    "READY",
    "RUNNING",
    "TIMED",
    "TO_COME",
    "WITH_CHILD",
    "Family",
    "Mailbox",
    "NodeState",
    "Phase",
    "Results",
    "Rounds",
    "RunState",
    "Scope",
]


class NodeState:
    """Where one node stands."""

    __slots__ = (
        "answered_at",
        "asked",
        "attempt",
        "awaits",
        "began_at",
        "case",
        "child",
        "child_failures",
        "child_is_cancelled",
        "child_is_undone",
        "children",
        "doubt",
        "failure",
        "first_at",
        "forgiven",
        "generation",
        "granted",
        "granted_at",
        "guarded",
        "message",
        "next_attempt",
        "phase",
        "place",
        "recorded",
        "told",
        "undo_attempt",
        "undo_doubt",
        "undo_failure",
        "undo_first_at",
        "undo_forgiven",
        "unmet",
        "verdict",
    )

    def __init__(self, unmet: int) -> None:
        self.phase: Phase = IDLE if unmet else READY
        self.unmet: int = unmet
        """How many of the nodes that it needs have not ended."""
        self.guarded: bool = False
        """Its guard was evaluated and holds."""
        self.case: str | None = None
        """Which branch a switch has chosen."""
        self.child: RunId | None = None
        """The child that it called last."""
        self.children: int = 0
        """How many it has called: each after the one before came to nothing."""
        self.child_is_cancelled: bool = False
        """It was told to go back, because this run does."""
        self.child_is_undone: bool = False
        self.child_failures: tuple[Failure, ...] = ()
        """What failed in its child besides the first failure, which is the node's own."""
        self.message: tuple[str, str] | None = None
        """The class and the key of the message that it waits for, or has waited for."""
        self.place: int = 0
        """After how many facts it was completed, which gives nodes with an effect their order."""
        self.told: tuple[CompletionGiven, ...] = ()
        """What was said from outside, and taken."""
        self.attempt: int = 0
        self.forgiven: int = 0
        """How many attempts its policy no longer counts: a person has granted fresh ones since."""
        self.granted_at: Instant | None = None
        """When a person has granted fresh attempts."""
        self.granted: SkipGranted | ResultGranted | None = None
        """What a person has said becomes of it instead of its body."""
        self.generation: int = 0
        self.began_at: Instant | None = None
        """The first intent."""
        self.first_at: Instant | None = None
        """The first intent under the present key."""
        self.doubt: bool = False
        """An attempt under the present key may have had its effect. Only an answer that is about
        the effect itself clears it: a result, a definite no, or a verdict."""
        self.failure: Failure | None = None
        """The last failure of its body, or that its worker died."""
        self.next_attempt: int | None = None
        """Which attempt of its body, undo or compensate is begun next, where one was delayed."""
        self.awaits: str | None = None
        """The service for whose halt it was delayed."""
        self.recorded: Raw | None = None
        """What its `Record` stored last, under the present key."""
        self.asked: int = 0
        """How often its compensate was asked about the last failure."""
        self.verdict: RetryNow | Abort | Undecided | RetryFresh | Failure | None = None
        """What its compensate answered last, or how it failed."""
        self.answered_at: Instant | None = None
        """When its compensate answered last."""
        self.undo_attempt: int = 0
        self.undo_forgiven: int = 0
        self.undo_first_at: Instant | None = None
        self.undo_doubt: bool = False
        """An attempt to undo may have had its effect."""
        self.undo_failure: Failure | None = None

    @property
    def timed_from(self) -> Instant | None:
        """From when the time of all attempts together is counted; None before the first."""
        return self.began_at if self.granted_at is None else self.granted_at


class Scope(msgspec.Struct, eq=False):
    """One round of a block: where its nodes are, and what it was given."""

    block: Block
    node: int
    """The each or the repeat whose round it is."""
    number: int
    base: int
    """Where the first of its nodes stands in the graph."""
    outer: Scope | None
    """The round that it is within, or None."""
    inputs: dict[str, Raw]
    """The run's inputs, and what the rounds around it were given, by `@` and the block."""
    unended: int
    """How many of its nodes have neither a result nor been skipped."""
    failed: tuple[str, Failure] | None = None
    """Which of its nodes failed it, and how, where its failure is kept: it turns back."""


class Rounds:
    """How far an each or a repeat has come."""

    __slots__ = ("ended", "failures", "given", "scopes", "unbuilt", "values")

    def __init__(self, given: Sequence[Raw]) -> None:
        self.given: list[Raw] = [*given]
        """What each round is given: all items, or the values so far."""
        self.scopes: list[Scope] = []
        """The rounds that have begun."""
        self.ended = 0
        """How many of them are over, and have a value or a failure that is kept."""
        self.failures: dict[int, tuple[str, Failure]] = {}
        """Which nodes failed rounds, and how; all that these had done is undone."""
        self.values: list[Raw | None] = [None] * len(self.given)
        """What each round has given."""
        self.unbuilt: list[int] = []
        """Rounds that have ended, and whose value is to be computed."""

    @property
    def done(self) -> int:
        """How many rounds have a value."""
        return self.ended - len(self.failures)


class Results:
    """The results that a node of a round can see: by the numbers that its block gives them."""

    __slots__ = ("_scope", "_state")

    def __init__(self, state: RunState, scope: Scope) -> None:
        self._state = state
        self._scope = scope

    def __getitem__(self, number: int) -> Raw | None:
        block, place = divmod(number, BLOCK_SPAN)
        scope: Scope | None = self._scope
        while block and scope is not None and scope.block.number != block:
            scope = scope.outer
        assert not block or scope is not None, "a node sees the rounds that it is within"
        return self._state.results[place if scope is None or not block else scope.base + place]


class RunState:
    """What a run's facts add up to."""

    __slots__ = (
        "answers",
        "branches",
        "cause",
        "claims",
        "context",
        "deadline",
        "deadline_passed",
        "done_order",
        "ended",
        "ended_at",
        "fact_count",
        "failing",
        "family",
        "fingerprint",
        "given",
        "graph",
        "halted",
        "has_waited",
        "in_flight",
        "inputs",
        "is_paused",
        "key",
        "lifecycle",
        "mailbox",
        "nodes",
        "parked",
        "positions",
        "queries",
        "ready",
        "requests",
        "results",
        "retracing",
        "returned",
        "rollback",
        "rolling_back",
        "rounds",
        "scopes",
        "settled",
        "skipped_in_doubt",
        "stuck",
        "timers",
        "todo",
        "undone_order",
        "unended",
        "unwilling",
    )

    def __init__(self, plan: Plan) -> None:
        self.graph: Sequence[Node] = plan.nodes
        """What is to happen in this run: the plan's nodes, and those that it has grown."""
        self.positions: Mapping[str, int] = plan.positions
        """Where each path stands in `graph`."""
        self.branches: Mapping[tuple[int, str], Sequence[int]] = plan.branches
        """The nodes that stand in each branch of a switch itself."""
        self.halted: Mapping[str, Instant] = {}
        """Halted services, and when each is looked at again: told with every question, no fact."""
        self.rounds: dict[int, Rounds] = {}
        """How far each each and each repeat has come that has begun."""
        self.scopes: dict[int, Scope] = {}
        """In which round each node is that the graph has grown."""
        self.failing: list[Scope] = []
        """Rounds that have failed by themselves, and turn back while the run goes forward."""
        self.nodes: list[NodeState] = [NodeState(len(node.needs)) for node in plan.nodes]
        """Where each node of `graph` stands."""
        self.fact_count: int = 0
        """How many facts have been folded: the position of the last one in its run."""
        self.inputs: dict[str, Raw] = {}
        self.context: Mapping[str, str] = {}
        """What is carried into its bodies, by the name of the carrier."""
        self.has_waited: bool = False
        """Whether it has stood still and gone on since it began."""
        self.results: list[Raw | None] = [None] * len(plan.nodes)
        """Each node's result as JSON, in the order of the plan; None where there is none."""
        self.key: str | None = None
        self.family = Family()
        self.lifecycle = None if plan.machine is None else LifecycleState(plan.machine, 0)
        self.fingerprint: str = plan.fingerprint
        self.deadline: Instant | None = None
        self.deadline_passed: bool = False
        self.claims: int = 0
        self.ready: list[int] = list(plan.roots)
        """Nodes that may start."""
        self.todo: list[int] = []
        """Nodes about whose last outcome something must be decided."""
        self.timers: dict[int, Instant] = {}
        """Nodes that wait for a due time."""
        self.mailbox = Mailbox()
        self.in_flight: int = 0
        """How many bodies are at work."""
        self.queries: list[int] = []  # Those of them that only ask: a rollback stops them.
        self.unended: int = len(plan.nodes)
        """How many nodes have neither a result nor been skipped."""
        self.done_order: list[int] = []
        """Nodes with an effect, in the order of their recorded completion, less those undone."""
        self.undone_order: list[int] = []
        self.unwilling: list[int] = []
        """Nodes that have definitely failed, the first one first."""
        self.stuck: list[int] = []
        """Nodes that only a person can settle."""
        self.skipped_in_doubt: list[int] = []
        self.settled: list[NodeSettled] = []
        """What people have settled, in order."""
        self.requests: list[Request] = []
        """What people have asked for and not been answered."""
        self.given: list[CompletionGiven] = []
        """What was said from outside, and not been answered."""
        self.answers: dict[int, ControlAnswer] = {}
        self.is_paused: bool = False
        self.retracing: dict[int, None] = {}
        """Nodes that are undone, as far as they are done, to be done again."""
        self.rolling_back: Cause | None = None
        self.returned: Raw | Failure | None = None
        self.parked: ParkReason | None = None
        self.ended: EndStatus | None = None
        self.ended_at: Instant | None = None
        self.cause: Cause | None = None
        self.rollback: Rollback | None = None

    def due_at(self, now: Instant) -> list[int]:
        """Return the nodes whose time has come, and those whose service is halted no more."""
        return [
            index
            for index, instant in self.timers.items()
            if instant <= now or self._is_let_go(self.nodes[index].awaits)
        ]

    def _is_let_go(self, awaited: str | None) -> bool:
        return awaited is not None and awaited not in self.halted

    def inputs_of(self, index: int) -> Mapping[str, Raw]:
        """Return the inputs that a node can see: the run's, and those of its rounds."""
        scope = self.scopes.get(index)
        return self.inputs if scope is None else scope.inputs

    def results_of(self, index: int) -> Sequence[Raw | None] | Results:
        """Return the results that a node can see, by the numbers of the plan."""
        scope = self.scopes.get(index)
        return self.results if scope is None else Results(self, scope)

    def nodes_within(self, scope: Scope) -> Iterator[int]:
        """Give the nodes of a round, and of all rounds that have begun within it."""
        for index in range(scope.base, scope.base + len(scope.block.nodes)):
            yield index
            if index in self.rounds:
                for inner in self.rounds[index].scopes:
                    yield from self.nodes_within(inner)

    def is_in_failing_round(self, index: int) -> bool:
        """Say whether a round that the node is in turns back."""
        scope = self.scopes.get(index)
        while scope is not None and scope.failed is None:
            scope = scope.outer
        return scope is not None

    def number_of(self, index: int) -> int:
        """Return the number by which the plan and its code know a node of the graph."""
        scope = self.scopes.get(index)
        if scope is None:
            return index
        return scope.block.number * BLOCK_SPAN + index - scope.base

    @property
    def status(self) -> str:
        """The run's status, in the one word that everything else shows."""
        if self.ended is not None:
            return self.ended.value
        if self.parked is not None:
            return "parked"
        if self.is_paused:
            return "paused"
        if self.rolling_back is not None or self.retracing:
            return "undoing"
        if self.in_flight == 0 and (self.awaits_time or self.mailbox.waits or self.family.children):
            return "waiting"
        return "running"

    @property
    def awaits_time(self) -> bool:
        """Whether a node, or a status of a lifecycle, waits for its time to come.

        A status waits for none while its handler has not ended, however that stands.
        """
        if self.timers or self.lifecycle is None:
            return bool(self.timers)
        return self.lifecycle.busy is None and bool(self.lifecycle.dues)

    @property
    def is_settled(self) -> bool:
        """Whether nothing happens any more unless somebody asks."""
        return self.ended is not None or self.parked is not None

    def next_due(self, now: Instant) -> Instant | None:
        """Return the next instant after `now` at which something falls due, or None.

        What fell due before and was not begun waits for something else than time.
        """
        lifecycle = self.lifecycle
        is_timed = self.timers or (lifecycle is not None and lifecycle.is_timed)
        if not is_timed and self.deadline is None:
            # Mostly nothing is awaited but what is at work.
            return None
        if self.is_settled or self.is_paused:
            return None if lifecycle is None else lifecycle.paused_until
        due = [instant for instant in self.timers.values() if instant > now]
        if lifecycle is not None:
            due += [instant for instant in lifecycle.dues if instant > now]
        if self.deadline is not None and self.rolling_back is None and self.deadline > now:
            due.append(self.deadline)
        return min(due) if due else None
