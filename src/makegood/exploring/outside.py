"""What is on the other side of an imagined run? Effects under keys, and whatever befalls them.

The other side keeps its word: under one idempotency key an effect happens once and its answer is
always the same, an undo takes back what stands, and a compensate is told the truth. So whatever is
wrong in the end, the workflow or the engine has done. It is the only place that says how something
ends that a run waits for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.commands import Compensate, Start, Undo
from makegood.decision.facts import Cause, EndStatus, ParkReason, SkipReason
from makegood.decision.state import Phase
from makegood.definition.plan import Kind
from makegood.errors import InvalidInput
from makegood.exploring.choices import case_of, guard_of, items_of, message_of, rounds_of
from makegood.exploring.faults import WAYS, Befalls
from makegood.exploring.standing import Standing
from makegood.runtime.calling.evaluate import evaluate
from makegood.runtime.calling.failing import as_failure
from makegood.values.codec import NULL
from makegood.values.ids import RunId
from makegood.values.instants import after
from makegood.values.verdict import Abort, Failure, FailureKind, RetryFresh, RetryNow, Undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from msgspec import Raw

    from makegood.decision.commands import Evaluate, Local
    from makegood.decision.facts import Fact
    from makegood.decision.imagined import Body, ImaginedRun
    from makegood.decision.state import RunState
    from makegood.definition.plan import Node
    from makegood.exploring.choices import Choice
    from makegood.exploring.faults import Direction, Way
    from makegood.exploring.setting import Setting
    from makegood.values.instants import Instant

__all__ = ["Outside"]

NAP = timedelta(minutes=1)
"""How long a sleep lasts whose end cannot be computed from examples."""

ANSWERED_WITHIN = timedelta(hours=1)
"""How long a step waits for somebody outside to say how it ended."""

ROUNDS_SHOWN = 2
"""After how many rounds a repeat is said not to come to its end: more would show no more."""


_FAILS_RIGHTLY = frozenset({"expect", "list"})
"""What may fail whatever the values are: a demand for nothing, and too few rounds that are done."""


class Outside:
    """The other side of one run."""

    def __init__(
        self, setting: Setting, taken: Mapping[str, str], befalls: Iterable[Befalls]
    ) -> None:
        self._setting = setting
        self._taken = dict(taken)
        self._ways: dict[tuple[str, Direction], list[Way]] = {}
        for each in befalls:
            self._ways.setdefault((each.node, each.direction), []).append(WAYS[each.how])
        machine = setting.plan.machine
        self._standing: Standing | None = None
        if machine is not None:
            self._standing = Standing(
                machine,
                {name: codec.kinds for name, codec in setting.outcomes.items()},
                setting.messages,
                choose=self._choose,
                wait=NAP,
            )
        self._is_answered: dict[str, bool] = {}
        """Whether anybody answers, for each step that has handed out a token."""
        self.met: dict[tuple[str, Direction], None] = {}
        """The functions that were called, in the order of their first call."""
        self.choices: dict[str, Choice] = {}
        """The choices that the run has met."""
        self.stands: dict[str, set[int]] = {}
        """What has happened and was not taken back: the generations of the keys, by node."""

    # What is at work ----------------------------------------------------------------------------

    def is_slow(self, run: ImaginedRun, body: Body) -> bool:
        """Say whether a body takes its time, so that others beside it end first."""
        way = self._next(run.state.graph[body.node].path, direction_of(body))
        return way is not None and way.takes_its_time

    def ends(self, run: ImaginedRun, body: Body) -> Fact:
        """Let a body end, and return how."""
        node = run.state.graph[body.node]
        path, direction = node.path, direction_of(body)
        way = self._strikes(path, direction)
        is_handed_out = self._setting.is_answered_outside(run.state, body.node)
        if way is not None and way.takes_its_time and not is_handed_out:
            assert node.timeout is not None, "what has no timeout does not run into it"
            run.now = after(run.now, node.timeout)
        match body:
            case Start():
                return self._body_ends(run, body, way)
            case Compensate():
                return self._answers(run, body, way)
            case Undo():
                return self._undo_ends(run, path, way)
            case _:
                assert_never(body)

    def _strikes(self, path: str, direction: Direction) -> Way | None:
        """Return what befalls this call."""
        way = self._next(path, direction)
        self.met[path, direction] = None
        return way

    def _next(self, path: str, direction: Direction) -> Way | None:
        """Return what befalls the next call: what strikes once strikes the first time."""
        ways = self._ways.get((path, direction))
        if ways is None:
            return None
        is_first = (path, direction) not in self.met
        return next((way for way in ways if is_first or not way.is_once), None)

    def _body_ends(self, run: ImaginedRun, body: Start, way: Way | None) -> Fact:
        node = run.state.graph[body.node]
        if node.kind is Kind.STEP and (way is None or way.has_effect):
            self.stands.setdefault(node.path, set()).add(body.generation)
        if self._setting.is_answered_outside(run.state, body.node) and (
            way is None or way.takes_its_time
        ):
            # What is late is never answered; all else is, once nothing is at work any more.
            self._is_answered[node.path] = way is None
            return facts.CompletionAwaited(node.path, after(run.now, ANSWERED_WITHIN), run.now)
        if way is None:
            return facts.NodeDone(node.path, self._result(run.state, body.node), run.now)
        return facts.NodeFailed(node.path, _failure_of(way), run.now)

    def _answers(self, run: ImaginedRun, body: Compensate, way: Way | None) -> Fact:
        """Let a compensate answer truly what it finds under the present key."""
        node, current = run.state.graph[body.node], run.state.nodes[body.node]
        path, now = node.path, run.now
        has_happened = body.generation in self.stands.get(path, ())
        match None if way is None else way.failure:
            case Failure() as failure:
                return facts.CompensateFailed(path, failure, now)
            case Undecided() as undecided:
                return facts.VerdictGiven(path, undecided, now)
            case _ if has_happened:
                proceeded = facts.Proceeded(self._result(run.state, body.node))
                return facts.VerdictGiven(path, proceeded, now)
            case Abort() | RetryFresh() as verdict:
                return facts.VerdictGiven(path, verdict, now)
            case _:
                return facts.VerdictGiven(path, RetryNow() if current.doubt else Abort(), now)

    def _undo_ends(self, run: ImaginedRun, path: str, way: Way | None) -> Fact:
        if way is None or way.has_effect:
            self.stands.pop(path, None)
        if way is None:
            return facts.UndoDone(path, run.now)
        return facts.UndoFailed(path, _failure_of(way), run.now)

    def answer(self, run: ImaginedRun) -> Fact | None:
        """Return what somebody outside says of a step that waits for it, if anybody does."""
        for path, is_answered in self._is_answered.items():
            index = run.state.positions[path]
            current = run.state.nodes[index]
            if is_answered and current.phase is Phase.AWAITING:
                return facts.CompletionGiven(
                    post=-1,
                    node=path,
                    number=len(current.told),
                    result=self._result(run.state, index),
                    at=run.now,
                )
        return None

    def _result(self, state: RunState, index: int) -> Raw:
        """Return what a body gives: an example, or one of the outcomes of a handler."""
        if not self._setting.is_handler(state, index):
            return self._setting.result(state, index)
        assert state.lifecycle is not None, "only a lifecycle has handlers"
        return self.standing.outcome(state.lifecycle, state.graph[index].path)

    @property
    def standing(self) -> Standing:
        """What becomes of the record of a lifecycle."""
        assert self._standing is not None, "only a lifecycle has a record"
        return self._standing

    # What other runs say ------------------------------------------------------------------------

    def child_says(self, run: ImaginedRun, index: int) -> Fact:
        """Let the run that a node has called, and that is waited for, say how it stands."""
        node, current = run.state.graph[index], run.state.nodes[index]
        child = current.child
        assert child is not None, "a node that waits for a child has called it"
        is_undone = current.phase is Phase.CHILD_UNDOING
        way = self._strikes(node.path, "undo" if is_undone else "do")
        if way is not None and way.is_parked:
            reason = ParkReason.UNDO_GAVE_UP if is_undone else ParkReason.IN_DOUBT
            return facts.ChildMoved(node=node.path, run=child, reason=reason, at=run.now)
        status, cause = EndStatus.COMPLETED, None
        if is_undone:
            status, cause = EndStatus.CANCELLED, Cause.REVERSED
        elif current.child_is_cancelled:
            status, cause = EndStatus.CANCELLED, Cause.CANCELLED
        elif way is not None:
            status, cause = EndStatus.FAILED, Cause.ERROR
        return facts.ChildEnded(
            node=node.path,
            run=child,
            status=status,
            cause=cause,
            result=self._setting.result(run.state, index),
            failures=() if way is None else (_failure_of(way),),
            at=run.now,
        )

    # What is done within an append ---------------------------------------------------------------

    def local(self, run: ImaginedRun, command: Local, /) -> Sequence[Fact]:
        """Run a local body: what it does and its record are one."""
        path, now = run.state.graph[command.node].path, run.now
        way = self._strikes(path, command.direction)
        if command.direction == "do":
            started: Fact = facts.NodeStarted(path, command.attempt, now)
            done: Fact = facts.NodeDone(path, self._result(run.state, command.node), now)
        else:
            started = facts.UndoStarted(path, command.attempt, now)
            done = facts.UndoDone(path, now)
        if way is None:
            return started, done
        failed = facts.NodeFailed if command.direction == "do" else facts.UndoFailed
        return started, failed(path, _failure_of(way), now)

    # What is computed ---------------------------------------------------------------------------

    def computed(self, run: ImaginedRun, command: Evaluate, /) -> Fact:
        """Return what is computed: a choice where the run branches, else from the examples."""
        if command.node < 0:
            return self._from_examples(run, command)
        node = run.state.graph[command.node]
        path, now = node.path, run.now
        match command.what:
            case "guard":
                return self._guarded(run, command.node)
            case "expect" if node.function == "expect":
                return self._demanded(run, command.node)
            case "case":
                return facts.Chosen(path, self._choose(case_of(node, path)))
            case "items":
                many = int(self._choose(items_of(path)))
                item = self._setting.given(run.state, command.node)
                return facts.ItemsListed(path, (item,) * many)
            case "until":
                return self._after_round(run, command)
            case "call" | "listen":
                return self._awaited(run, command)
            case "value":
                way = self._strikes(path, "do")
                if way is not None:
                    return facts.NodeFailed(path, _failure_of(way), now)
                return self._from_examples(run, command)
            case _:
                return self._from_examples(run, command)

    def _awaited(self, run: ImaginedRun, command: Evaluate) -> Fact:
        """Return which run is called, or what a status listens for."""
        node = run.state.graph[command.node]
        if command.what == "call":
            return _called(node, run.now)
        assert run.state.lifecycle is not None, "only a record listens"
        return self.standing.listened(run.state.lifecycle, node.path, run)

    def _guarded(self, run: ImaginedRun, index: int) -> Fact:
        node = run.state.graph[index]
        if self._choose(guard_of(node, node.path)) == "true":
            return facts.Guarded(node.path)
        instead = NULL if node.otherwise is None else self._setting.result(run.state, index)
        return facts.NodeSkipped(node.path, SkipReason.GUARD, run.now, instead)

    def _demanded(self, run: ImaginedRun, index: int) -> Fact:
        node = run.state.graph[index]
        if self._choose(guard_of(node, node.path)) == "true":
            return facts.NodeDone(node.path, NULL, run.now)
        error = self._setting.code(run.state, index).error
        assert error is not None, "a demand has an error"
        return facts.NodeFailed(node.path, as_failure(error, FailureKind.PERMANENT), run.now)

    def taken(self, key: str) -> str:
        """Return what was taken at a choice that the run has met."""
        return self._taken[key]

    def _choose(self, choice: Choice) -> str:
        self.choices.setdefault(choice.key, choice)
        taken = self._taken.get(choice.key)
        if taken not in {option.taken for option in choice.options}:
            taken = choice.options[0].taken
        assert taken is not None, "a choice has an option"
        self._taken.setdefault(choice.key, taken)
        return taken

    def _after_round(self, run: ImaginedRun, command: Evaluate) -> Fact:
        """Say whether a repeat goes round again."""
        node = run.state.graph[command.node]
        assert node.block is not None, "a repeat has a block"
        if not node.block.is_judged:
            # It goes round so many times, whatever comes of it.
            return self._from_examples(run, command)
        values = run.state.rounds[command.node].values
        last = values[-1] or NULL
        choice = self._choose(rounds_of(node, node.path))
        if choice == str(len(values)):
            return facts.NodeDone(node.path, last, run.now)
        if len(values) < min(ROUNDS_SHOWN, node.block.rounds_max):
            return facts.RoundBegan(node.path, last)
        message = f"`{node.path}` has not come to its end; raise times_max"
        endless = as_failure(InvalidInput(message), FailureKind.PERMANENT)
        return facts.NodeFailed(node.path, endless, run.now)

    def _from_examples(self, run: ImaginedRun, command: Evaluate) -> Fact:
        """Compute with the user's own functions; what fails on examples gives an example."""
        if command.what == "wait":
            node = run.state.graph[command.node]
            if self._choose(message_of(node, node.path)) == "comes":
                result = self._setting.result(run.state, command.node)
                return facts.NodeDone(node.path, result, run.now)
        fact, error = evaluate(self._setting.workflow.code, run.state, command, run.now)
        if error is None or command.what in _FAILS_RIGHTLY:
            return fact
        return self._example(run, command)

    def _example(self, run: ImaginedRun, command: Evaluate) -> Fact:
        setting, now = self._setting, run.now
        if command.node < 0:
            return facts.Returned(value=setting.value())
        node = run.state.graph[command.node]
        path = node.path
        match command.what:
            case "start":
                return facts.RoundBegan(path, setting.given(run.state, command.node))
            case "round":
                value = setting.round_value(run.state, command.node)
                return facts.RoundDone(path, command.round, value)
            case "due":
                return facts.SleepBegan(path, after(now, NAP))
            case "wait":
                return facts.WaitBegan(path, node.function, path, after(now, NAP), now)
            case _:
                return facts.NodeDone(path, setting.result(run.state, command.node), now)


def _called(node: Node, now: Instant) -> Fact:
    """Return that a node calls another run, of which nothing but its end is imagined."""
    return facts.ChildStarted(
        node=node.path,
        run=RunId("imagined"),
        workflow=node.function,
        fingerprint="",
        key=node.path,
        input_hash="",
        inputs={},
        at=now,
    )


def _failure_of(way: Way) -> Failure:
    assert isinstance(way.failure, Failure), "a compensate alone gives a verdict"
    return way.failure


def direction_of(body: Body) -> Direction:
    """Return which function of its node a body is."""
    match body:
        case Start():
            return "do"
        case Compensate():
            return "compensate"
        case Undo():
            return "undo"
        case _:
            assert_never(body)
