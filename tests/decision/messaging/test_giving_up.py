"""After a failure a message is tried again or given up, by a table, and never for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.decision.messaging.giving_up import (
    CLAIMS_MAX,
    Again,
    DeadReason,
    GivenUp,
    Next,
    after_claims,
    after_failure,
    after_misfit,
)
from makegood.decision.retry import Chance
from makegood.definition.plan import Backoff
from makegood.values.instants import Instant, after, micros
from makegood.values.verdict import Failure, FailureKind

NOW = Instant(1_000_000_000)
STEADY = Backoff(attempts=3, delay=timedelta(seconds=2), factor=1.0, jitter=False)


def failed(kind: FailureKind, retry_after: timedelta | None = None) -> Failure:
    return Failure(kind=kind, type="shop.Error", retry_after=retry_after)


def next_after(failure: Failure, attempts: int, policy: Backoff = STEADY) -> Next:
    return after_failure(policy, attempts, failure, NOW, chance=Chance(0), name="payments/charge")


@pytest.mark.parametrize(
    ("kind", "attempts", "then"),
    [
        (FailureKind.TRANSIENT, 1, Again(after(NOW, timedelta(seconds=2)))),
        (FailureKind.TRANSIENT, 2, Again(after(NOW, timedelta(seconds=2)))),
        (FailureKind.TRANSIENT, 3, GivenUp(DeadReason.USED_UP)),
        (FailureKind.IN_DOUBT, 2, Again(after(NOW, timedelta(seconds=2)))),
        (FailureKind.IN_DOUBT, 3, GivenUp(DeadReason.IN_DOUBT)),
        (FailureKind.DECLINED, 1, GivenUp(DeadReason.DECLINED)),
        (FailureKind.PERMANENT, 1, GivenUp(DeadReason.FAILED)),
    ],
)
def test_a_failure_is_tried_again_while_that_may_help(
    kind: FailureKind, attempts: int, then: Next
) -> None:
    assert next_after(failed(kind), attempts) == then


def test_what_the_other_side_asks_to_wait_is_waited() -> None:
    wait = timedelta(seconds=30)
    assert next_after(failed(FailureKind.TRANSIENT, wait), 1) == Again(after(NOW, wait))


@pytest.mark.parametrize(
    ("reason", "attempts", "then"),
    [
        (DeadReason.NEWER, 1, Again(after(NOW, timedelta(minutes=1)))),
        (DeadReason.NEWER, 15, GivenUp(DeadReason.NEWER)),
        (DeadReason.UNKNOWN, 14, Again(after(NOW, timedelta(minutes=1)))),
        (DeadReason.UNKNOWN, 15, GivenUp(DeadReason.UNKNOWN)),
        (DeadReason.UNOWNED, 14, Again(after(NOW, timedelta(minutes=1)))),
        (DeadReason.UNOWNED, 15, GivenUp(DeadReason.UNOWNED)),
        (DeadReason.UNREADABLE, 1, GivenUp(DeadReason.UNREADABLE)),
        (DeadReason.UNDECLARED, 1, GivenUp(DeadReason.UNDECLARED)),
        (DeadReason.UNRECORDED, 1, GivenUp(DeadReason.UNRECORDED)),
    ],
)
def test_a_misfit_is_tried_again_only_where_a_newer_program_may_know_it(
    reason: DeadReason, attempts: int, then: Next
) -> None:
    assert after_misfit(attempts, reason, NOW) == then


def test_a_message_that_kills_whoever_begins_it_is_given_up() -> None:
    assert [after_claims(claims) for claims in (1, CLAIMS_MAX)] == [None, None]
    assert after_claims(CLAIMS_MAX + 1) == GivenUp(DeadReason.POISON)


policies = st.builds(
    Backoff,
    attempts=st.integers(1, 20),
    delay=st.timedeltas(timedelta(0), timedelta(seconds=60)),
    factor=st.floats(1, 5),
    delay_max=st.timedeltas(timedelta(seconds=60), timedelta(hours=1)),
    jitter=st.booleans(),
)
failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    type=st.just("shop.Error"),
    retry_after=st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=2)),
)


@given(policies, failures, st.integers(1, 30), st.integers(0, 9))
def test_every_message_is_given_up_at_last_and_never_waits_longer_than_the_policy_says(
    policy: Backoff, failure: Failure, attempts: int, seed: int
) -> None:
    then = after_failure(policy, attempts, failure, NOW, chance=Chance(seed), name="a/b")
    if attempts >= policy.attempts:
        assert isinstance(then, GivenUp)
    if isinstance(then, Again):
        assert failure.kind in {FailureKind.TRANSIENT, FailureKind.IN_DOUBT}
        assert 0 <= then.due_at - NOW <= micros(policy.delay_max)
