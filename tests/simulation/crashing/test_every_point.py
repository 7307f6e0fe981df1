"""Every place where a process can die, every pair of them, and every way a zombie can wake."""

from __future__ import annotations

import pytest

from makegood.decision import facts
from makegood.definition.plan import Kind
from makegood.testing.simulation import Fate
from makegood.values.verdict import Abort, RetryFresh, RetryNow, Undecided
from tests.simulation.crashing.__main__ import main
from tests.simulation.crashing.campaign import crash_everywhere, kind_of, stand_still_everywhere
from tests.simulation.crashing.cases import CASES, Case
from tests.simulation.crashing.points import FATES_OF, Mishap, points
from tests.simulation.crashing.world import play

ONE_IN = 8
"""Every first mishap is played here, and one in so many second ones: `make prove` plays all."""

LONG_ONE_IN = 24
"""The same for a lifecycle, whose stories are so long that most of the time would be theirs."""

MAIL = {"deliver", "send"}

LONG = {"send_gift", "guarded_travel"}
"""These have so many calls that half as many second ones meet all that is looked for."""

KINDS = {(call, fate) for call in ("append", "lease", "request") for fate in FATES_OF[call]}
"""What must be among the second deaths of every case."""


def one_in_of(case: Case) -> int:
    return ONE_IN if case.call.workflow.plan.machine is None else LONG_ONE_IN


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_run_ends_well_wherever_its_process_dies_and_dies_again(case: Case) -> None:
    one_in = one_in_of(case)
    tally = crash_everywhere(case, one_in=one_in)
    assert tally.violations == []
    # Far more than one second death for each first one, or something is not looked at.
    assert tally.pairs * one_in > 4 * tally.singles.total() > 0
    assert tally.seconds >= KINDS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_run_ends_well_wherever_its_process_stands_still_and_goes_on(case: Case) -> None:
    one_in = one_in_of(case)
    tally = stand_still_everywhere(case, one_in=one_in)
    assert tally.violations == []
    assert tally.pairs * one_in > 4 * tally.singles.total() > 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_kind_of_call_is_died_of_in_every_way(case: Case) -> None:
    smooth = play(case)
    once = play(case, (Mishap(len(smooth.calls) // 2, Fate.KILL_AFTER),))
    kinds = {kind_of(point, once.calls) for point in points(once.calls)}
    # Not every saga has something to say to others, or is told something.
    mail = {call.operation for call in once.calls} & MAIL
    called = {each for each in FATES_OF if each not in MAIL} | mail
    assert kinds == {(operation, fate) for operation in called for fate in FATES_OF[operation]}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_first_story_reaches_the_end_that_the_case_names(case: Case) -> None:
    end = play(case).end
    ends = {"completed": ("completed", "none"), "undone": ("failed", "undone")}
    assert (end.status, end.rollback) == ends[case.ends]


def test_the_sagas_have_what_an_order_has_not() -> None:
    seen = {type(fact) for case in CASES for fact in play(case).facts}
    assert seen >= {
        facts.ChildEnded,
        facts.Guarded,
        facts.MessageCame,
        facts.NodeDelayed,
        facts.Recorded,
        facts.RetryScheduled,
        facts.UndoRetryScheduled,
    }
    handled = [
        fact for case in CASES for fact in play(case).facts if isinstance(fact, facts.HandlingBegan)
    ]
    assert {fact.cause for fact in handled} == {"entry", "message", "timer", "again"}
    verdicts = {
        type(fact.verdict)
        for case in CASES
        for fact in play(case).facts
        if isinstance(fact, facts.VerdictGiven)
    }
    assert verdicts == {facts.Proceeded, RetryNow, RetryFresh, Abort, Undecided}
    plans = [case.call.workflow.plan for case in CASES]
    assert {node.kind for plan in plans for node in plan.nodes} >= set(Kind) - {Kind.EXPECT}
    assert any(node.pivot for plan in plans for node in plan.nodes)


def test_one_story_is_told_again_from_its_mishaps(capsys: pytest.CaptureFixture[str]) -> None:
    mishaps = (Mishap(7, Fate.KILL_AFTER), Mishap(11, Fate.KILL_BEFORE))
    told = ["--story", "travel undone", *map(str, mishaps)]
    assert main(told) == 0
    first = capsys.readouterr().out
    assert first.count("shop is killed") == len(mishaps)
    assert main(told) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    "mishap",
    [Mishap(0, Fate.KILL_AFTER), Mishap(12, Fate.PAUSE, 12_000_001)],
)
def test_a_mishap_is_read_as_it_is_spelled(mishap: Mishap) -> None:
    assert Mishap.read(str(mishap)) == mishap
