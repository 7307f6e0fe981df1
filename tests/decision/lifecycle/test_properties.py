"""What is true of every lifecycle, whatever its handlers give, what comes, and who dies."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import read_facts, write_facts
from makegood.decision.mail import Await, AwaitNoMore, mail_of
from makegood.decision.people.control import waited_for
from makegood.exploring.witnessing.witness import Witness
from makegood.values.ids import RunId
from makegood.values.verdict import Abort, ItDidNotHappen, ItHappened, RetryNow
from tests.decision.driver import DECLINED, DONE, IN_DOUBT, PERMANENT, TRANSIENT, snapshot
from tests.decision.lifecycle.driving import (
    PATH,
    REARM,
    STAY,
    Course,
    Drawn,
    again,
    cancelling,
    entry,
    failing,
    goto,
    hear,
    pausing,
    plan_of_lifecycle,
    timer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.commands import Decision
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan
    from makegood.values.outcomes import StoredNext
    from tests.decision.plans import Policy

MINUTE = timedelta(minutes=1)
STATUSES = ("A", "B", "C", "D")
END = "Z"
FAILURES = (TRANSIENT, PERMANENT, IN_DOUBT, DECLINED)
ME = RunId("me")


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return {
        "undo": draw(st.booleans()),
        "compensate": draw(st.booleans()),
        "attempts": draw(st.sampled_from([1, 3])),
    }


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw statuses in which something may always come."""
    drawn: list[Drawn] = []
    for status in STATUSES:
        to = draw(st.sets(st.sampled_from((*STATUSES, END)), min_size=1, max_size=3))
        leads = " ".join(sorted({*to, END}))
        if draw(st.booleans()):
            drawn.append(entry(f"in{status}", status, to=leads, **draw(policies())))
        drawn.append(hear(f"on{status}", status, to=leads, **draw(policies())))
        if draw(st.booleans()):
            drawn.append(hear(f"call{status}", status, to=leads, message="Called"))
        if draw(st.booleans()):
            due = draw(st.sampled_from([MINUTE, timedelta(0)]))
            drawn.append(timer(f"at{status}", status, to=leads, due=due, **draw(policies())))
    return plan_of_lifecycle(
        *drawn,
        pivots=draw(st.sampled_from([(), (), ("C",)])),
        pauses=draw(st.booleans()),
        resume_after=draw(st.sampled_from([None, MINUTE])),
        resumes_max=2,
        visits_max=draw(st.sampled_from([3, 100])),
        repeats_max=3,
    )


moves = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("give", "give", "give", "give", "fail", "message", "message", "time"),
                *("wait", "crash", "pause", "resume", "retry", "settle", "refuse", "cancel"),
                *("misfit", "refused"),
            ]
        ),
        st.integers(0, 30),
    ),
    max_size=25,
)


class WatchedCourse(Course):
    """A run whose every decision is made twice, and whose every append is read by a witness."""

    def __init__(self, plan: Plan) -> None:
        self.witness = Witness(plan)
        self.waiting: set[tuple[str, str]] = set()
        """What it has said that it waits for."""
        super().__init__(plan)

    def ask(self) -> Decision:
        before = snapshot(self.state)
        decision = super().ask()
        assert super().ask() == decision
        assert snapshot(self.state) == before
        return decision

    def append(self, recorded: list[Fact], *, fold_them: bool = False) -> None:
        super().append(recorded, fold_them=fold_them)
        for fact in recorded:
            self.witness.read(fact)
        stored = [fact for each in self.history for fact in read_facts(write_facts(each))]
        assert stored == self.recorded
        assert snapshot(fold(self.plan, stored)) == snapshot(self.state)
        self.says(recorded)

    def says(self, recorded: Sequence[Fact]) -> None:
        """Check that whoever delivers messages knows what the run waits for."""
        came = {
            (fact.message, fact.key) for fact in recorded if isinstance(fact, facts.MessageCame)
        }
        refused = {(fact.message, KEY) for fact in recorded if isinstance(fact, facts.WaitRefused)}
        self.waiting -= came | refused
        for mail in mail_of(self.state, ME, recorded):
            match mail:
                case Await():
                    assert (mail.message, mail.key) not in self.waiting, "it waits already"
                    self.waiting.add((mail.message, mail.key))
                case AwaitNoMore():
                    self.waiting.remove((mail.message, mail.key))
                case _:
                    pass
        assert self.waiting == {*self.lifecycle.open}

    def turn(self, *arrivals: Fact) -> None:
        super().turn(*arrivals)
        assert len(self.work) == self.state.in_flight <= 1, "one handler is at work at a time"

    def do(self, move: str, number: int) -> None:
        match move:
            case "give" if self.work and self.at_work[0].endswith(("undo", "ask")):
                self.end(self.at_work[0])
            case "give" if self.work:
                self.give(self.busy[0], self.outcome(number))
            case "fail" if self.work:
                self.end(self.at_work[0], outcome=FAILURES[number % len(FAILURES)])
            case "refuse" if self.work and not self.at_work[0].endswith(("undo", "ask")):
                self.refuse(self.busy[0])
            case "message" | "misfit":
                message = ("Paid", "Called")[number % 2]
                if (message, KEY) in self.waiting:
                    self.message(message, misfit="no" if move == "misfit" else None)
            case "refused" if self.waiting:
                message, _key = min(self.waiting)
                self.turn(facts.WaitRefused(PATH, self.now, message))
            case "time":
                self.pass_time()
            case "wait":
                self.wait(number * timedelta(seconds=10))
            case "crash":
                self.crash(down=number * timedelta(seconds=10))
            case _:
                self.do_as_person(move, number)

    def do_as_person(self, move: str, number: int) -> None:
        waited = waited_for(self.plan, self.state)
        path = self.state.graph[waited[0]].path if waited else "nowhere"
        match move:
            case "pause":
                self.pause()
            case "resume":
                self.resume()
            case "retry":
                self.retry(path if number % 2 else None)
            case "settle" if number % 3:
                self.settle(path, ItHappened(Raw(b'{"outcome":"goto","status":"Z"}')))
            case "settle":
                self.settle(path, ItDidNotHappen())
            case "cancel" if number % 5 == 0:
                self.cancel()
            case _:
                pass

    def outcome(self, number: int) -> StoredNext:
        """Return what the handler at work gives: mostly that it goes somewhere."""
        to = self.lifecycle.handler.to
        others = (STAY, REARM, again(20), pausing(), cancelling(), failing())
        every = (*(goto(status, b'"new"') for status in to * 2), *others)
        return every[number % len(every)]

    def answered(self, path: str, outcome: object) -> Fact:
        """Let a compensate find that it did happen, or say what else is to be done."""
        if outcome != DONE and not isinstance(outcome, Abort | RetryNow):
            return super().answered(path, outcome)  # type: ignore[arg-type] # a failure
        found = facts.Proceeded(Raw(b'{"outcome":"stay"}'))
        return facts.VerdictGiven(path, found, self.now)


KEY = "order-1"


def come_to_rest(run: WatchedCourse) -> None:
    """Let everything that goes on by itself go on, to an end where a handler may lead there."""
    for _ in range(100):
        if run.work and run.at_work[0].endswith(("undo", "ask")):
            run.end(run.at_work[0])
        elif run.work:
            run.give(run.busy[0], goto(END))
        elif run.state.status in {"undoing", "running"}:
            if not run.pass_time():
                return
        else:
            return


@settings(max_examples=3 * settings().max_examples)
@given(plans(), moves)
def test_every_promise_holds_of_a_lifecycle_whatever_happens(
    plan: Plan, what_happens: list[tuple[str, int]]
) -> None:
    run = WatchedCourse(plan)

    for move, number in what_happens:
        run.do(move, number)
    come_to_rest(run)

    assert run.undone == run.witness.undone
    assert run.state.ended is None or not run.waiting
    assert run.lifecycle.visits == len(run.moves)


@settings(max_examples=3 * settings().max_examples)
@given(plans(), moves)
def test_what_was_done_before_the_pivot_is_taken_back_in_exact_reverse_order(
    plan: Plan, what_happens: list[tuple[str, int]]
) -> None:
    run = WatchedCourse(plan)
    for move, number in what_happens:
        run.do(move, number)
    if run.state.is_paused:
        run.resume()
    done = [run.state.graph[index].path for index in run.state.done_order]
    before = len(run.undone)

    accepted = run.cancel()
    while run.state.status == "undoing" and run.work and run.at_work[0].endswith("undo"):
        run.end(run.work[0])

    if accepted is facts.ControlAnswer.ACCEPTED and run.state.ended is not None:
        undone = run.undone[before:]
        assert undone == [
            path for path in reversed(done) if run.state.graph[run.state.positions[path]].undo
        ]
