"""One run driven by hand, as the engine drives it, with scripted outcomes and a clock to turn.

It performs nothing: a body is at work until the test, or `play`, ends it with what its script
says. What is durable is `history`; a crash throws everything else away.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from msgspec import Raw

from makegood.decision import facts
from makegood.decision.commands import Compensate, Evaluate, Local, Start, Stop, Undo
from makegood.decision.decide import decide
from makegood.decision.evolve import evolve, expects, fold
from makegood.decision.lifecycle.state import LifecycleState
from makegood.decision.retry import Chance
from makegood.decision.state import Family, Mailbox, NodeState, Rounds, RunState, Scope
from makegood.definition.plan import Kind
from makegood.values.codec import NULL
from makegood.values.ids import RunId
from makegood.values.instants import Instant, after
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    Proceed,
    RetryFresh,
    RetryNow,
    Undecided,
)
from tests.decision.flow.messaging import of_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.decision.commands import Decision
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan
    from makegood.values.verdict import Settlement

DONE = "done"
HOLDS = "holds"
LATER = "later"
"""The result of the body is to come from outside."""
WITHIN = timedelta(hours=1)
"""How long an answer from outside is waited for."""
SKIP = "skip"
INSTEAD = "instead"
"""Its guard does not hold, and says what its result is."""
CALLS = "calls"
AGAIN = "again"
"""A repeat is not over yet."""
GIVEN = Raw(b'"given"')
NAP = timedelta(minutes=3)
TRANSIENT = Failure(kind=FailureKind.TRANSIENT, type="makegood.errors.Unavailable")
DECLINED = Failure(kind=FailureKind.DECLINED, type="makegood.errors.Declined")
PERMANENT = Failure(kind=FailureKind.PERMANENT, type="builtins.ValueError")
IN_DOUBT = Failure(kind=FailureKind.IN_DOUBT, type="makegood.errors.OutcomeUnknown")
UNRECORDED = "unrecorded"
PROCEED = Proceed(result=None)

Given = RetryNow | Abort | Undecided | RetryFresh | Proceed[None]
Outcome = Failure | Given | str
Body = Start | Compensate | Undo
OfTheRun = (
    facts.CancelRequested | facts.UndoRequested | facts.PauseRequested | facts.ResumeRequested
)

START_AT = Instant(1_700_000_000_000_000)


class Run:
    """One run, its clock, and the bodies at work."""

    def __init__(
        self,
        plan: Plan,
        script: Mapping[str, Sequence[Outcome]] | None = None,
        *,
        deadline: timedelta | None = None,
        starts: bool = True,
        parent: facts.Parent | None = None,
    ) -> None:
        self.plan = plan
        self.script = script or {}
        self.now = START_AT
        self.state = RunState(plan)
        self.history: list[tuple[Fact, ...]] = []
        """What is durable, an append each."""
        self.work: list[Body] = []
        """Bodies at work, the first begun first."""
        self.begun: Counter[str] = Counter()
        self.claims = 0
        self.posts = 0
        self.chance = Chance("run")
        self.halts: dict[str, Instant] = {}
        """Until when services are halted."""
        if starts:
            ends = None if deadline is None else after(self.now, deadline)
            self.turn(
                facts.RunStarted(
                    workflow="shop",
                    fingerprint="0" * 16,
                    key=None,
                    inputs={"flag": Raw(b"true")},
                    deadline=ends,
                    at=self.now,
                    parent=parent,
                    depth=0 if parent is None else 1,
                )
            )

    # What a test reads ------------------------------------------------------------------------

    @property
    def recorded(self) -> list[Fact]:
        """Every durable fact, in order."""
        return [fact for append in self.history for fact in append]

    @property
    def at_work(self) -> list[str]:
        return [self.name_of(body) for body in self.work]

    @property
    def undone(self) -> list[str]:
        return [self.state.graph[index].path for index in self.state.undone_order]

    @property
    def waits(self) -> timedelta | None:
        """How long nothing happens, if only time does."""
        due = self.state.next_due(self.now)
        return None if due is None else timedelta(microseconds=due - self.now)

    def node(self, path: str) -> NodeState:
        return self.state.nodes[self.state.positions[path]]

    def names(self, *classes: type) -> list[str]:
        """Return the nodes that the facts of these classes are about, in order."""
        return [
            fact.node  # type: ignore[union-attr] # these classes are about a node
            for fact in self.recorded
            if isinstance(fact, classes)
        ]

    # What a test does --------------------------------------------------------------------------

    def play(self) -> Run:
        """End what is at work and turn the clock until nothing happens any more."""
        for _ in range(2_000):
            if self.work:
                self.end(self.work[0])
            elif not self.pass_time():
                return self
        message = f"the run does not come to rest: {self.state.status}"
        raise AssertionError(message)

    def end(self, *bodies: Body | str, outcome: Outcome | None = None) -> None:
        """End bodies at work in one turn, each as its script says, or as `outcome` says."""
        found = [self.find(body) if isinstance(body, str) else body for body in bodies]
        self.turn(*(self.outcome_of(body, outcome) for body in found))

    def pass_time(self) -> bool:
        """Turn the clock to what is due next; say whether there was anything."""
        due = self.state.next_due(self.now)
        if due is None:
            return False
        self.now = due
        self.turn()
        return True

    def halt(self, service: str, duration: timedelta) -> None:
        self.halts[service] = after(self.now, duration)

    def wait(self, duration: timedelta) -> None:
        self.now = after(self.now, duration)
        self.turn()

    def crash(self, *, down: timedelta = timedelta(0)) -> None:
        """Lose everything that is not durable; another worker takes the run after a while."""
        self.work = []
        self.state = fold(self.plan, self.recorded)
        self.claims += 1
        self.now = after(self.now, down)
        self.turn(facts.Claimed(self.claims, self.now))

    def cancel(self, *bodies: str) -> facts.ControlAnswer | None:
        return self.control(facts.CancelRequested, bodies)

    def undo(self, *bodies: str) -> facts.ControlAnswer | None:
        return self.control(facts.UndoRequested, bodies)

    def tell(
        self,
        path: str,
        said: Failure | bytes = b"1",
        *bodies: str,
        number: int = 0,
        misfit: str | None = None,
    ) -> facts.ControlAnswer | None:
        """Say from outside how a step ended, in the turn in which bodies end; return the answer."""
        self.posts += 1
        ended = [self.outcome_of(self.find(body)) for body in bodies]
        given = facts.CompletionGiven(
            post=self.posts,
            node=path,
            number=number,
            result=NULL if isinstance(said, Failure) else Raw(said),
            failure=said if isinstance(said, Failure) else None,
            at=self.now,
            misfit=misfit,
        )
        self.turn(given, *ended)
        return self.state.answers.get(self.posts)

    def settle(
        self, path: str, settlement: Settlement, *, misfit: str | None = None
    ) -> facts.ControlAnswer | None:
        """Say what became of a node; return the answer."""
        self.posts += 1
        asked = (self.posts, path, settlement, "eve", "asked the bank", self.now, misfit)
        self.turn(facts.SettleRequested(*asked))
        return self.state.answers.get(self.posts)

    def retry(self, path: str | None = None) -> facts.ControlAnswer | None:
        """Ask for a node, or for all that the run waits for, to be tried again."""
        self.posts += 1
        self.turn(facts.RetryRequested(self.posts, path, "eve", "it is up again", self.now))
        return self.state.answers.get(self.posts)

    def pause(self, *bodies: str) -> facts.ControlAnswer | None:
        return self.control(facts.PauseRequested, bodies)

    def resume(self, *bodies: str) -> facts.ControlAnswer | None:
        return self.control(facts.ResumeRequested, bodies)

    def skip(self, path: str) -> facts.ControlAnswer | None:
        self.posts += 1
        self.turn(facts.SkipRequested(self.posts, path, "eve", "by hand", self.now))
        return self.state.answers.get(self.posts)

    def set_result(self, path: str, misfit: str | None = None) -> facts.ControlAnswer | None:
        self.posts += 1
        asked = (self.posts, path, GIVEN, "eve", "by hand", self.now, misfit)
        self.turn(facts.SetResultRequested(*asked))
        return self.state.answers.get(self.posts)

    def control(
        self,
        request: type[OfTheRun],
        bodies: Sequence[str] = (),
    ) -> facts.ControlAnswer | None:
        self.posts += 1
        ended = [self.outcome_of(self.find(body)) for body in bodies]
        self.turn(*ended, request(self.posts, "eve", "why not", self.now))
        return self.state.answers.get(self.posts)

    # One turn ----------------------------------------------------------------------------------

    def turn(self, *arrivals: Fact) -> None:
        """Fold what arrived, decide, append, and begin what was decided."""
        recorded: list[Fact] = []
        for fact in arrivals:
            if expects(self.state, fact):
                self.fold(fact, recorded)
        commands = self.decide(recorded)
        local = next((command for command in commands if isinstance(command, Local)), None)
        if recorded:
            self.append(recorded)
        for command in commands:
            match command:
                case Start() | Compensate() | Undo():
                    self.work.append(command)
                case Stop(node=index):
                    self.work = [body for body in self.work if body.node != index]
                case Local():
                    assert command is commands[-1]
        if local is not None:
            self.append(self.run_local(local), fold_them=True)
            self.turn()

    def decide(self, recorded: list[Fact]) -> list[Body | Stop | Local]:
        commands: list[Body | Stop | Local] = []
        for _ in range(200 + 10 * len(self.plan.nodes)):
            decision = self.ask()
            for fact in decision.facts:
                self.fold(fact, recorded)
            evaluations = [each for each in decision.commands if isinstance(each, Evaluate)]
            for each in evaluations:
                self.fold(self.evaluate(each), recorded)
            commands += [each for each in decision.commands if not isinstance(each, Evaluate)]
            if decision.is_last:
                again = self.ask()
                assert not again.facts, "the decision said that it was the last"
                assert not again.commands, "the decision said that it was the last"
                return commands
            if not decision.facts and not evaluations:
                return commands
        message = f"the turn does not end: {recorded[-5:]}"
        raise AssertionError(message)

    def ask(self) -> Decision:
        self.state.halted = {name: end for name, end in self.halts.items() if end > self.now}
        return decide(self.plan, self.state, self.now, self.chance)

    def fold(self, fact: Fact, recorded: list[Fact]) -> None:
        evolve(self.state, fact)
        recorded.append(fact)

    def append(self, recorded: list[Fact], *, fold_them: bool = False) -> None:
        if fold_them:
            for fact in recorded:
                evolve(self.state, fact)
        self.history.append(tuple(recorded))
        if not facts.PROGRESS.isdisjoint(map(type, recorded)):
            self.claims = 0

    # What comes of a command -----------------------------------------------------------------

    def find(self, name: str) -> Body:
        return next(body for body in self.work if self.name_of(body) == name)

    def name_of(self, body: Body | Local) -> str:
        """Return how the script names a body: `pay`, `pay ask`, `pay undo`."""
        path = self.state.graph[body.node].path
        match body:
            case Start() | Local(direction="do"):
                return path
            case Compensate():
                return f"{path} ask"
            case _:
                return f"{path} undo"

    def scripted(self, name: str, otherwise: Outcome) -> Outcome:
        """Return the next outcome of the script; the last one is repeated."""
        outcomes = self.script.get(name, ())
        number = self.begun[name]
        self.begun[name] += 1
        return outcomes[min(number, len(outcomes) - 1)] if outcomes else otherwise

    def outcome_of(self, body: Body, outcome: Outcome | None = None) -> Fact:
        if body in self.work:
            self.work.remove(body)
        path, name = self.state.graph[body.node].path, self.name_of(body)
        match body:
            case Start():
                return self.body_ended(path, outcome or self.scripted(name, DONE))
            case Compensate():
                return self.answered(path, outcome or self.scripted(name, Abort()))
            case Undo():
                return self.undo_ended(path, outcome or self.scripted(name, DONE))
            case _:
                assert_never(body)

    def run_local(self, local: Local) -> list[Fact]:
        path, name = self.state.graph[local.node].path, self.name_of(local)
        outcome = self.scripted(name, DONE)
        if local.direction == "do":
            started = facts.NodeStarted(path, local.attempt, self.now)
            return [started, self.body_ended(path, outcome)]
        return [facts.UndoStarted(path, local.attempt, self.now), self.undo_ended(path, outcome)]

    def body_ended(self, path: str, outcome: Outcome) -> Fact:
        match outcome:
            case Failure():
                return facts.NodeFailed(path, outcome, self.now)
            case "later" if self.state.graph[self.state.positions[path]].kind is Kind.STEP:
                return facts.CompletionAwaited(path, after(self.now, WITHIN), self.now)
            case "unrecorded" if self.state.graph[self.state.positions[path]].kind is Kind.STEP:
                return facts.EffectUnrecorded(path, PERMANENT, self.now)
            case "unrecorded":
                return facts.NodeFailed(path, PERMANENT, self.now)
            case "calls":
                return self.calls(path)
            case _:
                return facts.NodeDone(path, Raw(b"1"), self.now)

    def calls(self, path: str) -> Fact:
        """Return that a node calls a child, which is named by the node and how often it did."""
        name = f"{path}.{self.node(path).children + 1}"
        return facts.ChildStarted(
            node=path,
            run=RunId(name),
            workflow="inner",
            fingerprint="1" * 16,
            key=f"key of {name}",
            input_hash="2" * 16,
            inputs={"amount": Raw(b"7")},
            at=self.now,
        )

    def hear(self, *told: facts.ChildEnded | facts.ChildMoved | facts.ChildRefused) -> None:
        """Take what children say, in one turn."""
        self.turn(*told)

    def answered(self, path: str, outcome: Outcome) -> Fact:
        match outcome:
            case Failure():
                return facts.CompensateFailed(path, outcome, self.now)
            case Proceed():
                return facts.VerdictGiven(path, facts.Proceeded(Raw(b"2")), self.now)
            case RetryNow() | Abort() | Undecided() | RetryFresh():
                return facts.VerdictGiven(path, outcome, self.now)
            case _:
                raise AssertionError(outcome)

    def undo_ended(self, path: str, outcome: Outcome) -> Fact:
        if isinstance(outcome, Failure):
            return facts.UndoFailed(path, outcome, self.now)
        return facts.UndoDone(path, self.now)

    def evaluate(self, command: Evaluate) -> Fact:
        """Return what a guard, a flag, a value or the run's result comes to."""
        if command.node < 0:
            outcome = self.scripted("result", DONE)
            if isinstance(outcome, Failure):
                return facts.Returned(failure=outcome)
            return facts.Returned(value=Raw(b"3"))
        path = self.state.graph[command.node].path
        match command.what:
            case "guard":
                outcome = self.scripted(f"{path} guard", HOLDS)
                if outcome in {SKIP, INSTEAD}:
                    instead = NULL if outcome == SKIP else Raw(b"7")
                    return facts.NodeSkipped(path, facts.SkipReason.GUARD, self.now, instead)
                return facts.Guarded(path) if outcome == HOLDS else self.body_ended(path, outcome)
            case "expect" | "value" | "note":
                return self.body_ended(path, self.scripted(path, DONE))
            case _:
                outcome = self.scripted(f"{path} {command.what}", DONE)
                if isinstance(outcome, Failure):
                    return self.uncomputed(command, path, outcome)
                return self.evaluate_flow(command, path, str(outcome))

    def evaluate_flow(self, command: Evaluate, path: str, outcome: str) -> Fact:
        """Return what is computed of a switch, a sleep, an each or a repeat."""
        node = self.state.graph[command.node]
        match command.what:
            case "case":
                case = node.cases[0].label if outcome == DONE else outcome
                return facts.Chosen(path, case)
            case "due":
                return facts.SleepBegan(path, after(self.now, NAP))
            case "wait" | "letter":
                return of_message(node, command.what, path, outcome, self.now)
            case "call":
                return self.calls(path)
            case "items":
                number = 2 if outcome == DONE else int(outcome)
                return facts.ItemsListed(path, (Raw(b"5"),) * number)
            case "start":
                return facts.RoundBegan(path, Raw(b"5"))
            case "round":
                return facts.RoundDone(path, command.round, Raw(b"4"))
            case "list" if not self.is_enough(command.node):
                return facts.NodeFailed(path, PERMANENT, self.now)
            case "until" if outcome == AGAIN:
                return facts.RoundBegan(path, Raw(b"5"))
            case _:
                return facts.NodeDone(path, Raw(b"6"), self.now)

    def uncomputed(self, command: Evaluate, path: str, failure: Failure) -> Fact:
        block = self.state.graph[command.node].block
        if command.what == "round" and block is not None and block.keeps_failures:
            return facts.RoundFailed(path, command.round, failure, self.now)
        return facts.NodeFailed(path, failure, self.now)

    def is_enough(self, index: int) -> bool:
        block = self.state.graph[index].block
        return block is None or self.state.rounds[index].done >= block.done_min


def snapshot(state: RunState) -> dict[str, object]:
    """Return everything that a state holds, as a value that can be compared and kept."""
    whole = {name: _copied(getattr(state, name)) for name in RunState.__slots__}
    whole["nodes"] = [
        {name: _copied(getattr(node, name)) for name in NodeState.__slots__} for node in state.nodes
    ]
    return whole


def _copied(value: object) -> object:
    match value:
        case Rounds() | Scope() | Family() | Mailbox() | LifecycleState():
            return {
                name: _copied(getattr(value, name))
                for name in getattr(value, "__struct_fields__", type(value).__slots__)
                # A round knows the rounds around it, which stand in the same list.
                if name not in {"scopes", "outer"}
            }
        case list():
            return [_copied(each) for each in value]
        case dict():
            return {key: _copied(each) for key, each in value.items()}
        case _:
            return bytes(value) if isinstance(value, Raw) else value
