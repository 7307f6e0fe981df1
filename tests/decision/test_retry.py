"""When something is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.decision.retry import Chance, next_attempt
from makegood.definition.plan import Backoff
from makegood.values.instants import Instant, after, micros

NOW = Instant(1_700_000_000_000_000)
SECOND = timedelta(seconds=1)
STEADY = Backoff(attempts=10, delay=SECOND, factor=2.0, delay_max=60 * SECOND, jitter=False)

policies = st.builds(
    Backoff,
    attempts=st.integers(1, 1_000),
    delay=st.timedeltas(timedelta(0), timedelta(hours=1)),
    factor=st.floats(1, 100),
    linear=st.booleans(),
    delay_max=st.timedeltas(timedelta(hours=1), timedelta(days=7)),
    jitter=st.booleans(),
)


def due(policy: Backoff, attempt: int, **options: timedelta | None) -> Instant | None:
    return next_attempt(policy, attempt, NOW, chance=Chance("run"), name="pay", **options)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (9, 60)]
)
def test_the_delay_grows_up_to_its_cap(attempt: int, seconds: int) -> None:
    assert due(STEADY, attempt) == after(NOW, seconds * SECOND)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 8), (2, 16), (3, 24), (7, 56), (9, 60)])
def test_a_linear_delay_grows_by_itself_up_to_its_cap(attempt: int, seconds: int) -> None:
    policy = Backoff(attempts=10, delay=8 * SECOND, linear=True, jitter=False)
    assert due(policy, attempt) == after(NOW, seconds * SECOND)


@pytest.mark.parametrize("attempt", [1, 2, 9])
def test_a_delay_with_a_factor_of_one_stays_as_it_is(attempt: int) -> None:
    policy = Backoff(attempts=10, delay=8 * SECOND, factor=1.0, jitter=False)
    assert due(policy, attempt) == after(NOW, 8 * SECOND)


@pytest.mark.parametrize("attempt", [10, 11])
def test_a_policy_has_had_enough_after_its_attempts(attempt: int) -> None:
    assert due(STEADY, attempt) is None


@pytest.mark.parametrize(("asked", "waited"), [(5, 5), (90, 60), (-5, 0), (0, 0)])
def test_the_other_side_is_heard_up_to_the_cap(asked: int, waited: int) -> None:
    assert due(STEADY, 1, retry_after=asked * SECOND) == after(NOW, waited * SECOND)


@given(policies, st.integers(1, 1_000))
def test_every_delay_lies_between_none_and_the_cap(policy: Backoff, attempt: int) -> None:
    instant = due(policy, attempt)

    if attempt >= policy.attempts:
        assert instant is None
    else:
        assert instant is not None
        assert NOW <= instant <= after(NOW, policy.delay_max)


@given(st.text(), st.integers(1, 1_000))
def test_a_number_belongs_to_the_seed_the_name_and_the_attempt(name: str, attempt: int) -> None:
    fraction = Chance("run").fraction(name, attempt)

    assert 0 <= fraction < 1
    assert Chance("run").fraction(name, attempt) == fraction
    assert Chance("another").fraction(name, attempt) != fraction
    assert Chance("run").fraction(name, attempt + 1) != fraction
    assert Chance("run").fraction(name + "'", attempt) != fraction


def test_jitter_spreads_the_delay_evenly_from_nothing_to_all_of_it() -> None:
    policy = Backoff(attempts=2, delay=timedelta(seconds=10), jitter=True)
    tries = [next_attempt(policy, 1, NOW, chance=Chance(seed), name="pay") for seed in range(2_000)]
    waits = sorted(instant - NOW for instant in tries if instant is not None)

    assert waits[0] < micros(SECOND / 10)
    assert waits[-1] > micros(SECOND * 9.9)
    assert abs(sum(waits) / len(waits) - micros(5 * SECOND)) < micros(SECOND / 4)
