"""When a circuit opens, is tried and closes: by its counts alone, without an engine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from makegood import Breaker, Failure, FailureKind
from makegood.decision import facts
from makegood.decision.facts import Fact
from makegood.journal.halting import Halt, HaltKind, Lifting
from makegood.runtime.protecting.circuit import BREAKER, TRIAL_WAIT, Circuit
from makegood.values.instants import Instant, after

T0 = Instant(1_700_000_000_000_000)
OPEN_FOR = timedelta(seconds=30)
LATER = after(T0, OPEN_FOR)
MUCH_LATER = after(LATER, OPEN_FOR)


def ended(kind: FailureKind | None) -> Fact:
    if kind is None:
        return facts.UndoDone("pay", T0)
    return facts.NodeFailed("pay", Failure(kind=kind, type="bank.Down"), T0)


ANSWER, NO = ended(None), ended(FailureKind.DECLINED)
DOWN, LOST, BUG = (
    ended(kind) for kind in (FailureKind.TRANSIENT, FailureKind.IN_DOUBT, FailureKind.PERMANENT)
)


NO_TURN = facts.NodeDelayed("pay", "do", 1, "Bank", T0, T0)


def circuit() -> Circuit:
    return Circuit(Breaker(failures=3, open_for=OPEN_FOR))


def halt(actor: str = BREAKER, *, at: Instant = T0, lifted: Lifting | None = None) -> Halt:
    return Halt(
        kind=HaltKind.SERVICE,
        name="Bank",
        actor=actor,
        reason="it is down",
        at=at,
        until=after(at, OPEN_FOR),
        lifted=lifted,
    )


@pytest.mark.parametrize(
    ("calls", "opens"),
    [
        ([DOWN, DOWN, DOWN], [False, False, True]),
        ([DOWN, LOST, DOWN], [False, False, True]),
        ([DOWN, DOWN, ANSWER, DOWN, DOWN, DOWN], [False] * 5 + [True]),
        ([DOWN, DOWN, NO, DOWN, DOWN], [False] * 5),
        ([DOWN, BUG, DOWN, BUG, DOWN], [False] * 4 + [True]),
        ([DOWN, DOWN, NO_TURN, DOWN], [False] * 3 + [True]),
    ],
)
def test_it_opens_after_so_many_failures_in_a_row(calls: list[Fact], opens: list[bool]) -> None:
    counted = circuit()

    assert [counted.ends(call, None, T0) for call in calls] == opens


def opened() -> Circuit:
    counted = circuit()
    for _ in range(3):
        counted.ends(DOWN, None, T0)
    return counted


def test_it_holds_back_before_the_journal_knows() -> None:
    counted = opened()

    assert counted.held_until(None, T0) == LATER
    assert counted.held_until(None, LATER) is None
    assert counted.held_until(halt(), T0) is None, "the halt itself says it now"


def test_what_had_begun_before_the_halt_tells_nothing_new() -> None:
    counted = opened()

    assert [counted.ends(DOWN, halt(), after(T0, timedelta(seconds=1))) for _ in range(9)] == [
        False
    ] * 9


def test_when_the_halt_is_over_one_call_is_the_trial() -> None:
    counted = circuit()
    assert counted.held_until(halt(), LATER) is None

    counted.begins(halt(), LATER)

    assert counted.held_until(halt(), LATER) == after(LATER, TRIAL_WAIT)
    assert counted.held_until(halt(), MUCH_LATER) is None, "a trial that never ends is over"


def test_a_trial_that_is_answered_closes_it() -> None:
    counted = circuit()
    counted.begins(halt(), LATER)

    assert counted.ends(ANSWER, halt(), LATER) is False

    counted.begins(halt(), LATER)
    assert counted.held_until(halt(), LATER) is None
    assert counted.ends(DOWN, halt(), LATER) is False, "it counts from the beginning"


def test_a_trial_that_fails_opens_it_at_once() -> None:
    counted = circuit()
    counted.begins(halt(), LATER)

    assert counted.ends(DOWN, halt(), LATER) is True
    assert counted.held_until(halt(), LATER) == MUCH_LATER


def test_a_trial_that_fails_by_a_mistake_of_ours_is_none() -> None:
    counted = circuit()
    counted.begins(halt(), LATER)

    assert counted.ends(BUG, halt(), LATER) is False
    assert counted.held_until(halt(), LATER) is None


@pytest.mark.parametrize(
    "over",
    [halt("eve"), halt(lifted=Lifting(actor="eve", reason="it is up", at=T0))],
)
def test_after_a_persons_word_nothing_is_tried_first(over: Halt) -> None:
    counted = circuit()
    counted.begins(over, LATER)

    assert counted.held_until(over, LATER) is None
    assert counted.ends(DOWN, over, LATER) is False
