"""What is true of every run, whatever its plan, its outcomes, its crashes and its controls."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.commands import Compensate, Start, Undo
from makegood.decision.evolve import fold
from makegood.decision.facts import ControlAnswer, read_facts, write_facts
from makegood.decision.people.control import waited_for
from makegood.decision.people.preview import preview_undo
from makegood.decision.state import Phase
from makegood.definition.plan import Kind
from makegood.exploring.witnessing.witness import Witness
from makegood.values.verdict import (
    Abort,
    ItDidNotHappen,
    ItHappened,
    Kept,
    RetryFresh,
    RetryNow,
    Undecided,
    UndoneByHand,
)
from tests.decision.driver import (
    DECLINED,
    DONE,
    HOLDS,
    IN_DOUBT,
    INSTEAD,
    PERMANENT,
    PROCEED,
    SKIP,
    TRANSIENT,
    UNRECORDED,
    Run,
    snapshot,
)
from tests.decision.plans import DAY, FLAG, Policy, plan_of, sketch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from makegood.decision.commands import Decision
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan
    from tests.decision.driver import Body, Outcome
    from tests.decision.plans import Sketch

    Script = st.SearchStrategy[Sequence[Outcome]]

MINUTE = timedelta(minutes=1)
NAMES = ("a", "b", "c", "d", "e", "f")

bodies: Script = st.one_of(
    st.just([DONE]),
    st.lists(st.sampled_from([DONE, IN_DOUBT, TRANSIENT]), min_size=2, max_size=4),
    st.lists(
        st.sampled_from([IN_DOUBT, TRANSIENT, DONE, PERMANENT, DECLINED, UNRECORDED]),
        min_size=1,
        max_size=4,
    ),
)
guards: Script = st.sampled_from([[HOLDS], [SKIP], [INSTEAD], [HOLDS], [PERMANENT]])
answers: Script = st.lists(
    st.sampled_from(
        [
            RetryFresh("looked it up"),
            RetryNow(),
            Undecided(),
            PROCEED,
            Abort(),
            TRANSIENT,
            PERMANENT,
            IN_DOUBT,
            RetryNow(MINUTE),
            Undecided(MINUTE),
        ]
    ),
    min_size=1,
    max_size=4,
)
undos: Script = st.lists(
    st.sampled_from([DONE, DONE, IN_DOUBT, TRANSIENT, PERMANENT]), min_size=1, max_size=4
)
kinds = st.sampled_from(
    [Kind.STEP, Kind.STEP, Kind.STEP, Kind.STEP, Kind.LOCAL, Kind.QUERY, Kind.PURE, Kind.EXPECT]
)


@st.composite
def policies(draw: st.DrawFn, kind: Kind) -> Policy:
    policy: Policy = {"guard": draw(st.booleans()) and draw(st.booleans())}
    policy["optional"] = kind is not Kind.EXPECT and draw(st.integers(0, 4)) == 0
    if kind in {Kind.PURE, Kind.EXPECT}:
        return policy
    policy["attempts"] = draw(st.sampled_from([3, 2, 4, 1]))
    policy["timeout_total"] = draw(st.sampled_from([None, None, timedelta(seconds=2)]))
    if kind in {Kind.STEP, Kind.LOCAL}:
        policy["undo"] = draw(st.booleans())
        policy["undo_local"] = policy["undo"] and draw(st.integers(0, 3)) == 0
    if kind is Kind.STEP:
        policy["compensate"] = draw(st.booleans())
        policy["key_valid_for"] = draw(st.sampled_from([DAY, timedelta(minutes=5), None]))
    return policy


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    size = draw(st.integers(2, len(NAMES)))
    pivot = draw(st.integers(0, 2 * len(NAMES)))
    sketches: list[Sketch] = []
    for index, name in enumerate(NAMES[:size]):
        kind = draw(kinds)
        after = draw(st.sets(st.sampled_from(NAMES[:index]), max_size=2)) if index else set()
        policy = draw(policies(kind))
        if index == pivot and kind is Kind.STEP:
            policy |= {"pivot": True, "optional": False}
        sketches.append(sketch(kind, name, tuple(sorted(after)), policy))
    return plan_of(*sketches, returns=draw(st.sampled_from([None, FLAG])))


@st.composite
def scripts(draw: st.DrawFn) -> dict[str, Sequence[Outcome]]:
    script: dict[str, Sequence[Outcome]] = {"result": draw(st.sampled_from([[DONE], [PERMANENT]]))}
    for name in NAMES:
        script[name] = draw(bodies)
        script[f"{name} guard"] = draw(guards)
        script[f"{name} ask"] = draw(answers)
        script[f"{name} undo"] = draw(undos)
    return script


moves = st.lists(
    st.one_of(
        st.tuples(st.just("end"), st.permutations(range(3)), st.integers(1, 3)),
        st.tuples(st.just("end"), st.permutations(range(3)), st.integers(1, 3)),
        st.tuples(st.just("time"), st.just([]), st.just(0)),
        st.tuples(st.just("crash"), st.just([]), st.sampled_from([0, 1, 10, 60 * 30])),
        st.tuples(st.just("crashes"), st.just([]), st.integers(5, 6)),
        st.tuples(st.just("cancel"), st.just([]), st.integers(0, 1)),
        st.tuples(st.just("undo"), st.just([]), st.integers(0, 1)),
        st.tuples(st.just("settle"), st.permutations(range(6)), st.integers(0, 5)),
        st.tuples(st.just("retry"), st.permutations(range(6)), st.integers(0, 5)),
        st.tuples(st.just("pause"), st.just([]), st.integers(0, 1)),
        st.tuples(st.just("resume"), st.just([]), st.integers(0, 1)),
        st.tuples(st.just("skip"), st.permutations(range(6)), st.just(0)),
        st.tuples(st.just("set result"), st.permutations(range(6)), st.integers(0, 5)),
    ),
    max_size=12,
)
people = st.lists(
    st.one_of(
        st.tuples(st.just("settle"), st.permutations(range(6)), st.integers(0, 5)),
        st.tuples(st.just("retry"), st.permutations(range(6)), st.integers(0, 5)),
        st.tuples(st.just("undo"), st.just([]), st.just(0)),
        st.tuples(st.just("skip"), st.permutations(range(6)), st.just(0)),
        st.tuples(st.just("set result"), st.permutations(range(6)), st.just(0)),
        st.tuples(st.just("end"), st.permutations(range(3)), st.integers(1, 3)),
        st.tuples(st.just("time"), st.just([]), st.just(0)),
        st.tuples(st.just("late"), st.just([]), st.sampled_from([1, 10, 60 * 24])),
        st.tuples(st.just("crash"), st.just([]), st.sampled_from([0, 1])),
    ),
    max_size=10,
)
SETTLEMENTS = (
    ItHappened(Raw(b"7")),
    ItDidNotHappen(),
    UndoneByHand(),
    Kept(),
    ItHappened(Raw(b"8")),
    ItDidNotHappen(),
)
MISFITS = (None, None, None, None, "it is a number", None)
deadlines = st.sampled_from([None, None, timedelta(seconds=1), MINUTE])


class WatchedRun(Run):
    """A run whose every decision is made twice, and whose every append is read by a witness."""

    def __init__(
        self,
        plan: Plan,
        script: Mapping[str, Sequence[Outcome]],
        *,
        deadline: timedelta | None = None,
    ) -> None:
        self.witness = Witness(plan)
        super().__init__(plan, script, deadline=deadline)

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

    def play(self) -> WatchedRun:
        """Play it to its rest, and let it go on where somebody has paused it."""
        super().play()
        if self.state.is_paused:
            assert self.resume() is ControlAnswer.ACCEPTED
            super().play()
        return self

    def turn(self, *arrivals: Fact) -> None:
        before = len(self.work)
        super().turn(*arrivals)
        for body in self.work[before:]:
            self.has_its_intent(body)
        started = len(self.witness.running | self.witness.asking | self.witness.undoing)
        assert started == len(self.work) == self.state.in_flight

    def has_its_intent(self, body: Body) -> None:
        path = self.plan.nodes[body.node].path
        match body:
            case Start(attempt=attempt, generation=generation):
                intent: Fact = facts.NodeStarted(path, attempt, self.now)
                assert generation == self.witness.generations[path]
            case Compensate(attempt=attempt, generation=generation):
                assert generation == self.witness.generations[path]
                intent = facts.CompensateStarted(path, attempt, self.now)
            case Undo(attempt=attempt):
                intent = facts.UndoStarted(path, attempt, self.now)
            case _:
                assert_never(body)
        assert intent in self.recorded

    def somewhere(self, order: Sequence[int]) -> str:
        """Return a node that waits for a person, if there is one, or else any."""
        waited = waited_for(self.plan, self.state)
        places = [place for place in order if place in waited] or order
        place = places[0]
        return self.plan.nodes[place].path if place < len(self.plan.nodes) else "nowhere"

    def do(self, move: str, order: Sequence[int], number: int) -> None:
        ending = [self.work[place] for place in order[:number] if place < len(self.work)]
        match move:
            case "end" if ending:
                self.end(*ending)
            case "time":
                self.pass_time()
            case "crash":
                self.crash(down=number * MINUTE)
            case "crashes":
                for _ in range(number):
                    self.crash()
            case "cancel":
                self.cancel(*self.at_work[:number])
            case "undo":
                self.undo(*self.at_work[:number])
            case "late":
                self.wait(number * MINUTE)
            case _:
                self.do_as_person(move, order, number)

    def do_as_person(self, move: str, order: Sequence[int], number: int) -> None:
        match move:
            case "settle":
                self.settle(self.somewhere(order), SETTLEMENTS[number], misfit=MISFITS[number])
            case "retry":
                self.retry(self.somewhere(order) if number % 3 else None)
            case "pause":
                self.pause(*self.at_work[:number])
            case "resume":
                self.resume(*self.at_work[:number])
            case "skip":
                self.skip(self.somewhere(order))
            case "set result":
                self.set_result(self.somewhere(order), misfit=MISFITS[number])
            case _:
                pass


@settings(max_examples=3 * settings().max_examples)
@given(plans(), scripts(), moves, deadlines)
def test_every_promise_holds_whatever_happens(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, list[int], int]],
    deadline: timedelta | None,
) -> None:
    run = WatchedRun(plan, script, deadline=deadline)

    for move, order, number in what_happens:
        run.do(move, order, number)
    run.play()

    assert run.state.is_settled, run.state.status
    assert not run.work
    assert not run.state.requests, "everybody is answered"
    assert run.undone == run.witness.undone
    assert len(set(run.undone)) == len(run.undone)


@settings(max_examples=3 * settings().max_examples)
@given(plans(), scripts(), moves, people, deadlines)
def test_every_promise_holds_whatever_people_do_about_a_parked_run(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, list[int], int]],
    what_people_do: list[tuple[str, list[int], int]],
    deadline: timedelta | None,
) -> None:
    run = WatchedRun(plan, script, deadline=deadline)
    for move, order, number in what_happens:
        run.do(move, order, number)
    run.play()

    for move, order, number in what_people_do:
        run.do(move, order, number)
    run.play()

    assert run.state.is_settled, run.state.status
    assert not run.state.requests, "everybody is answered"
    assert run.undone == run.witness.undone
    assert len(set(run.undone)) == len(run.undone)


@given(plans(), scripts(), moves, deadlines)
def test_every_parked_run_can_be_settled_to_its_end(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, list[int], int]],
    deadline: timedelta | None,
) -> None:
    run = WatchedRun(plan, script, deadline=deadline)
    for move, order, number in what_happens:
        run.do(move, order, number)
    run.play()

    for _ in range(3 * len(plan.nodes)):
        if run.state.parked is None:
            break
        run.script = {}
        waited = waited_for(plan, run.state)
        for place in waited[:1]:
            is_left = run.state.nodes[place].phase is Phase.LEFT
            settlement = UndoneByHand() if is_left else ItHappened(Raw(b"7"))
            assert run.settle(plan.nodes[place].path, settlement) is ControlAnswer.ACCEPTED
        if not waited:
            assert run.retry() is ControlAnswer.ACCEPTED
        run.play()

    assert run.state.ended is not None
    assert run.undone == run.witness.undone


undos_that_give_up: Script = st.sampled_from(
    [[DONE], [PERMANENT, DONE], [PERMANENT, PERMANENT, DONE], [IN_DOUBT, DONE]]
)


@given(
    st.lists(undos_that_give_up, min_size=2, max_size=4),
    st.permutations(range(4)),
    people,
)
def test_what_is_left_of_a_rollback_is_undone_in_exact_reverse_order_whatever_people_do(
    scripted: list[Sequence[Outcome]],
    order: list[int],
    what_people_do: list[tuple[str, list[int], int]],
) -> None:
    names = NAMES[: len(scripted)]
    steps = [sketch(Kind.STEP, name, (), {"undo": True, "undo_attempts": 1}) for name in names]
    plan = plan_of(*steps, sketch(Kind.STEP, "last", names, {"attempts": 1}))
    script = {f"{name} undo": outcomes for name, outcomes in zip(names, scripted, strict=True)}
    run = WatchedRun(plan, {**script, "last": [DECLINED]})
    for place in order:
        if place < len(names):
            run.end(names[place])
    run.play()

    for move, places, number in what_people_do:
        run.do(move, places, number)
    run.play()
    for _ in range(4):
        answer = run.retry()
        run.play()

    settled = {fact.node for fact in run.state.settled}
    assert run.state.ended is not None or answer is ControlAnswer.KEY_EXPIRED
    assert set(names) == {*run.undone, *run.witness.kept, *run.witness.left} | settled


@given(plans(), scripts(), moves, deadlines)
def test_what_an_undo_is_foreseen_to_do_is_what_it_does(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: list[tuple[str, list[int], int]],
    deadline: timedelta | None,
) -> None:
    surely = {name: [DONE] for name in script if name.endswith("undo")}
    run = WatchedRun(plan, {**script, **surely}, deadline=deadline)
    for move, order, number in what_happens:
        run.do(move, order, number)
    run.play()
    foreseen = preview_undo(plan, run.recorded, run.now)
    before = len(run.recorded)

    answer = run.undo()
    run.play()

    assert answer is foreseen.answer
    if foreseen.is_possible:
        assert foreseen.parks is run.state.parked
        assert [each.node for each in foreseen.undos] == run.undone
        kept = [fact for fact in run.recorded[before:] if isinstance(fact, facts.NodeKept)]
        assert [each.node for each in foreseen.kept] == [fact.node for fact in kept]


@given(plans(), scripts(), deadlines, st.randoms(use_true_random=False))
def test_the_order_of_completions_in_one_turn_decides_nothing(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    deadline: timedelta | None,
    random: Random,
) -> None:
    one = Run(plan, script, deadline=deadline)
    other = Run(plan, script, deadline=deadline)

    for run, shuffles in ((one, False), (other, True)):
        for _ in range(300):
            if run.work:
                bodies = list(run.work)
                if shuffles:
                    random.shuffle(bodies)
                run.end(*bodies)
            elif not run.pass_time():
                break

    assert other.state.status == one.state.status
    assert other.state.cause == one.state.cause
    assert other.state.parked == one.state.parked
    assert set(other.undone) == set(one.undone)
    assert [node.phase for node in other.state.nodes] == [node.phase for node in one.state.nodes]


@given(plans(), scripts(), st.integers(1, 40), st.integers(0, 3))
def test_a_crash_anywhere_neither_loses_nor_doubles_an_undo(
    plan: Plan, script: Mapping[str, Sequence[Outcome]], when: int, crashes: int
) -> None:
    surely = {name: [DONE] for name in script if name.endswith("undo")}
    run = WatchedRun(plan, {**script, **surely})

    for _ in range(when):
        if run.work:
            run.end(run.work[-1])
        elif not run.pass_time():
            break
    for _ in range(crashes):
        if not run.state.is_settled:
            run.crash()
    run.play()

    done = run.witness.undone + run.witness.kept + run.witness.done
    assert len(set(done)) == len(done)
    if run.state.rollback is not None and run.state.cause is not None:
        assert not run.witness.done


@given(plans(), scripts(), st.integers(0, 20))
def test_cancel_wins_or_loses_and_the_caller_learns_which(
    plan: Plan, script: Mapping[str, Sequence[Outcome]], when: int
) -> None:
    run = WatchedRun(plan, script)
    for _ in range(when):
        if run.work:
            run.end(run.work[0])

    run.cancel()
    run.play()

    answer = run.state.answers[run.posts]
    was_accepted = answer is facts.ControlAnswer.ACCEPTED
    assert was_accepted == (run.state.rolling_back is facts.Cause.CANCELLED)
