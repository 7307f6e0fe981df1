"""What became of a run, told so that somebody who was not there understands it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given

from makegood.decision import facts
from makegood.decision.people.control import waited_for
from makegood.decision.state import Phase
from makegood.definition.plan import FromInput
from makegood.errors import Declined
from makegood.picture import Attempted, Ending, Happened, Happening, NodeStory, Standing, Timeline
from makegood.picture import timeline as timeline_of
from makegood.values.instants import Instant, as_datetime
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    RetryFresh,
    RetryNow,
    Undecided,
)
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    PERMANENT,
    PROCEED,
    SKIP,
    START_AT,
    TRANSIENT,
    Run,
)
from tests.decision.plans import expect, plan_of, pure, query, step
from tests.decision.test_properties import WatchedRun, deadlines, moves, people, plans, scripts
from tests.picture.told import lines, story_of, take, told
from tests.runtime.trips import book
from tests.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.definition.plan import Plan
    from tests.decision.driver import Outcome

    Moves = list[tuple[str, list[int], int]]

BUSY = Failure(kind=FailureKind.TRANSIENT, type="shop.errors.Busy", message="try later")
SHOP = plan_of(
    query("order"),
    step("reserve", "order", undo=True),
    step("pay", "reserve", undo=True, compensate=True),
    step("mail", "pay", optional=True, attempts=1),
    step("ship", "pay"),
)


def test_a_run_that_fails_is_told_from_its_first_attempt_to_its_last_undo() -> None:
    run = Run(SHOP, {"pay ask": [PROCEED], "pay undo": [TRANSIENT, DONE]})
    take(run, 0.25, "order")
    take(run, 1, "reserve", outcome=BUSY)
    run.pass_time()
    take(run, 0.5, "reserve")
    take(run, 30, "pay", outcome=IN_DOUBT)
    take(run, 2, "pay ask")
    take(run, 0.1, "mail")
    take(run, 3, "ship", outcome=DECLINED)
    take(run, 0.2, "pay undo")
    run.play()

    timeline = told(run)

    assert lines(timeline) == [
        "+0 started",
        "+0 order: attempt 1 done in 250 ms",
        "+0.25 reserve: attempt 1 failed after 1 s, Busy: try later; again at 22:13:22.250",
        "+2.25 reserve: attempt 2 done in 500 ms",
        "+2.75 pay: attempt 1 in doubt after 30 s, OutcomeUnknown",
        "+32.75 pay: in doubt: it may or may not have happened",
        "+32.75 pay: asked find_pay, time 1: it did happen",
        "+34.75 pay: no longer in doubt: it did happen",
        "+34.75 mail: attempt 1 done in 100 ms",
        "+34.75 ship: attempt 1 failed after 3.1 s, Declined",
        "+37.85 ship: definitely failed: nothing of it is left",
        "+37.85 goes back: a step definitely failed",
        "+37.85 mail: stays done: it declares no undo",
        "+37.85 pay: undo by undo_pay, attempt 1 failed after 200 ms, Unavailable; "
        "again at 22:13:59.050",
        "+39.05 pay: undo by undo_pay, attempt 2 done in 0 ms",
        "+39.05 reserve: undo by undo_reserve, attempt 1 done in 0 ms",
        "+39.05 failed, a step definitely failed: what was done is undone",
    ]
    assert (timeline.status, timeline.cause, timeline.rollback) == ("failed", "error", "undone")
    assert timeline.took == timedelta(seconds=39.05)
    assert (timeline.undone, timeline.kept, timeline.left) == (("pay", "reserve"), ("mail",), ())


def test_a_node_has_its_attempts_and_times_in_both_directions() -> None:
    run = Run(plan_of(step("hold", undo=True), step("pay", "hold")))
    take(run, 1, "hold", outcome=BUSY)
    run.pass_time()
    take(run, 2, "hold")
    take(run, 1, "pay", outcome=DECLINED)
    take(run, 3, "hold undo")

    held = story_of(told(run), "hold")

    began = as_datetime(START_AT)
    assert held == NodeStory(
        path="hold",
        standing=Standing.UNDONE,
        state="undone",
        attempts=2,
        undo_attempts=1,
        is_in_doubt=False,
        began=began,
        ended=began + timedelta(seconds=4),
        took=timedelta(seconds=4),
        undo_began=began + timedelta(seconds=5),
        undo_ended=began + timedelta(seconds=8),
        undo_took=timedelta(seconds=3),
        due=None,
        failure=BUSY,
        undo_failure=None,
        note="",
    )


def test_a_node_that_waits_says_until_when() -> None:
    run = Run(plan_of(step("pay")), {"pay": [TRANSIENT]})
    take(run, 1, "pay")

    paid = story_of(told(run), "pay")

    assert (paid.standing, paid.state, paid.ended) == (Standing.WAITING, "retrying", None)
    assert paid.due == as_datetime(START_AT) + timedelta(seconds=2)


def test_what_a_worker_left_unfinished_is_told_as_interrupted() -> None:
    run = Run(plan_of(query("look"), step("pay", "look"), step("mail")))
    run.end("look")
    run.crash(down=timedelta(seconds=20))

    timeline = told(run)

    assert lines(timeline)[2:5] == [
        "+0 mail: attempt 1 interrupted: its worker died or gave up the run",
        "+0 pay: attempt 1 interrupted: its worker died or gave up the run",
        "+20 taken up by another worker, claim 1 since there was progress",
    ]
    interrupted = next(e for e in timeline.story if isinstance(e, Attempted) and e.node == "pay")
    assert (interrupted.ending, interrupted.ended) == (Ending.INTERRUPTED, None)


def test_what_was_interrupted_and_is_not_begun_again_is_told_apart_from_what_is_stopped() -> None:
    run = Run(plan_of(query("look")))
    at = Instant(START_AT + 1_000_000)
    run.append([facts.Claimed(1, at), facts.NodeStopped("look", at)], fold_them=True)

    assert lines(told(run)) == [
        "+0 started",
        "+0 look: attempt 1 interrupted: its worker died or gave up the run",
        "+1 taken up by another worker, claim 1 since there was progress",
        "+1 look: not tried again: the run goes back",
    ]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (PROCEED, "it did happen"),
        (RetryNow(), "run it again under the same key"),
        (RetryNow(timedelta(minutes=2)), "run it again under the same key, after 2 min"),
        (
            RetryFresh("no such charge"),
            "it did not happen (no such charge): run it again under a new key",
        ),
        (Abort(), "nothing of it is left"),
        (Abort("it was declined"), "nothing of it is left: it was declined"),
        (Undecided(), "not known yet"),
        (Undecided(timedelta(hours=36)), "not known yet, ask again after 36 h"),
    ],
)
def test_every_verdict_is_said_in_words(verdict: Outcome, said: str) -> None:
    run = Run(plan_of(step("pay", compensate=True)), {"pay": [IN_DOUBT], "pay ask": [verdict]})
    run.end("pay")
    run.end("pay ask")

    asked = [e for e in told(run).story if isinstance(e, Attempted) and e.verdict is not None]

    assert [(each.verdict, each.function, each.ending) for each in asked] == [
        (said, "find_pay", Ending.ANSWERED)
    ]


def test_a_proof_that_nothing_happened_gives_a_new_key_and_resolves_the_doubt() -> None:
    run = Run(
        plan_of(step("pay", compensate=True)),
        {"pay": [IN_DOUBT, DONE], "pay ask": [RetryFresh("none there")]},
    ).play()

    timeline = told(run)

    attempts = [e for e in timeline.story if isinstance(e, Attempted)]
    assert [(e.direction, e.generation) for e in attempts] == [
        ("do", 0),
        ("compensate", 0),
        ("do", 1),
    ]
    first, asked, second = (each.key for each in attempts)
    assert first == asked != second
    assert "no longer in doubt: nothing of it is left" in [e.text for e in timeline.story]


def test_only_what_reaches_outside_has_a_key() -> None:
    run = Run(plan_of(query("look"), step("pay", "look", undo_local=True), step("ship", "pay")))
    run.script = {"ship": [DECLINED]}
    run.play()

    attempts = [e for e in told(run).story if isinstance(e, Attempted)]

    assert [(e.node, e.direction, e.key is not None) for e in attempts] == [
        ("look", "do", False),
        ("pay", "do", True),
        ("ship", "do", True),
        ("pay", "undo", False),
    ]


@pytest.mark.parametrize("key", ["order-17", None])
async def test_the_keys_are_those_that_the_functions_were_given(key: str | None) -> None:
    async with World() as world:
        journal = world.journal()
        engine = await world.engine(book, journal=journal)
        world.outside.planned["send"] = [Declined("no such seat")]
        started = await engine.start(book("Oslo"), key=key)
        await world.finish(engine, started.outcome())
        history = await journal.read(started.id)
    recorded = [fact for append in history.appends for fact in facts.read_facts(append)]

    timeline = timeline_of(history.row, book.plan, recorded)

    told_keys = [(e.function, e.key) for e in timeline.story if isinstance(e, Attempted)]
    given_keys = world.outside.keys
    assert told_keys == [
        ("hold_seat", given_keys["hold"][0]),
        ("charge_card", given_keys["charge"][0]),
        ("send_ticket", given_keys["send"][0]),
        ("refund_card", given_keys["refund"][0]),
        ("free_seat", given_keys["free"][0]),
    ]


def test_what_is_computed_and_what_is_skipped_is_told() -> None:
    plan = plan_of(
        pure("total"),
        expect("is_open", "total"),
        step("pay", "is_open", guard=True),
        step("mail", "pay", guard=True),
        returns=FromInput("flag", (".x",)),
    )
    run = Run(plan, {"mail guard": [SKIP], "result": [PERMANENT]}).play()

    assert lines(told(run)) == [
        "+0 started",
        "+0 total: computed",
        "+0 is_open: holds",
        "+0 pay: its guard holds",
        "+0 pay: attempt 1 done in 0 ms",
        "+0 mail: skipped: its guard does not hold",
        "+0 its value cannot be built: ValueError",
        "+0 goes back: a step definitely failed",
        "+0 pay: stays done: it declares no undo",
        "+0 failed, a step definitely failed: nothing was undone",
    ]


def test_a_value_that_can_be_built_is_nothing_to_tell() -> None:
    plan = plan_of(step("pay"), returns=FromInput("flag", (".x",)))

    assert lines(told(Run(plan).play())) == [
        "+0 started",
        "+0 pay: attempt 1 done in 0 ms",
        "+0 completed",
    ]


def test_a_flag_that_does_not_hold_and_an_optional_step_that_fails_are_told() -> None:
    plan = plan_of(
        step("mail", optional=True, attempts=1), expect("is_open", "mail"), query("look")
    )
    run = Run(plan, {"mail": [DECLINED], "is_open": [PERMANENT]})
    take(run, 1, "mail")
    run.play()

    timeline = told(run)

    assert lines(timeline) == [
        "+0 started",
        "+0 mail: attempt 1 failed after 1 s, Declined",
        "+0 look: attempt 1 stopped after 1 s: it is not wanted any more",
        "+1 mail: skipped: it failed, and is optional",
        "+1 is_open: does not hold: ValueError",
        "+1 is_open: definitely failed: nothing of it is left",
        "+1 goes back: a step definitely failed",
        "+1 failed, a step definitely failed: nothing was undone",
    ]
    assert [node.standing for node in timeline.nodes] == [
        Standing.SKIPPED,
        Standing.FAILED,
        Standing.STOPPED,
    ]


def test_an_optional_step_in_doubt_is_skipped_and_stays_in_doubt() -> None:
    run = Run(
        plan_of(step("mail", optional=True, attempts=1, key_valid_for=None)), {"mail": [IN_DOUBT]}
    ).play()

    mailed = story_of(told(run), "mail")

    assert (mailed.standing, mailed.is_in_doubt) == (Standing.SKIPPED, True)
    assert mailed.note == "nobody can say whether it happened, and it is optional"


def test_a_deadline_that_passes_is_told_and_so_is_the_retry_that_it_ends() -> None:
    run = Run(
        plan_of(step("pay", attempts=4)), {"pay": [TRANSIENT] * 4}, deadline=timedelta(seconds=2)
    ).play()

    assert lines(told(run)) == [
        "+0 started, to end by 2023-11-14 22:13:22",
        "+0 pay: attempt 1 failed after 0 ms, Unavailable; again at 22:13:21",
        "+1 pay: attempt 2 failed after 0 ms, Unavailable; again at 22:13:23",
        "+2 the run's deadline passed",
        "+2 goes back: the run's deadline passed",
        "+2 pay: not tried again: the run goes back",
        "+2 failed, the run's deadline passed: nothing was undone",
    ]


def test_a_run_of_which_nothing_is_recorded_has_not_begun() -> None:
    timeline = told(Run(SHOP, starts=False))

    assert timeline.story == ()
    assert {node.standing for node in timeline.nodes} == {Standing.IDLE}
    assert timeline.began == as_datetime(START_AT)


def test_every_phase_has_a_standing() -> None:
    run = Run(plan_of(step("pay")))

    for phase in Phase:
        run.state.nodes[0].phase = phase
        assert isinstance(told(run).nodes[0].standing, Standing)


@given(plans(), scripts(), moves, people, deadlines)
def test_a_story_is_complete_ordered_and_agrees_with_the_state(
    plan: Plan,
    script: Mapping[str, Sequence[Outcome]],
    what_happens: Moves,
    what_people_do: Moves,
    deadline: timedelta | None,
) -> None:
    run = WatchedRun(plan, script, deadline=deadline)
    for move, order, number in [*what_happens, *what_people_do]:
        run.do(move, order, number)

    timeline = told(run)

    begun = (facts.NodeStarted, facts.CompensateStarted, facts.UndoStarted)
    attempts = [entry for entry in timeline.story if isinstance(entry, Attempted)]
    assert len(attempts) == sum(isinstance(fact, begun) for fact in run.recorded)
    assert sum(each.ending is Ending.AT_WORK for each in attempts) == run.state.in_flight
    moments = [e.began if isinstance(e, Attempted) else e.at for e in timeline.story]
    assert moments == sorted(moments)
    assert all(entry.text for entry in timeline.story)
    assert list(timeline.undone) == run.undone
    assert timeline.left == tuple(plan.nodes[i].path for i in waited_for(plan, run.state))
    assert doubts_left_open(timeline) == sum(
        (node.doubt and node.phase is not Phase.UNRECORDED)
        + (node.undo_doubt and node.phase is not Phase.UNDONE)
        for node in run.state.nodes
    )
    assert msgspec.json.decode(msgspec.json.encode(timeline), type=Timeline) == timeline


def doubts_left_open(timeline: Timeline) -> int:
    whats = [entry.what for entry in timeline.story if isinstance(entry, Happened)]
    return whats.count(Happening.DOUBT_OPENED) - whats.count(Happening.DOUBT_RESOLVED)
