"""Verdicts and failures are values: they can be stored, read back and told apart."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from makegood.values.codec import codec_of
from makegood.values.injectable import injected
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    Proceed,
    RetryFresh,
    RetryNow,
    Undecided,
    Verdict,
)

VERDICTS: list[Verdict[int]] = [
    Proceed(3),
    RetryNow(),
    RetryNow(timedelta(seconds=5)),
    Abort("nothing there"),
    Undecided(timedelta(minutes=1)),
    RetryFresh("declined by the bank"),
]


@pytest.mark.parametrize("verdict", VERDICTS, ids=repr)
def test_a_verdict_survives_by_its_tag(verdict: Verdict[int]) -> None:
    stored = msgspec.json.encode(verdict)
    back = msgspec.json.decode(
        stored, type=Proceed[int] | RetryNow | Abort | Undecided | RetryFresh
    )

    assert back == verdict


def test_a_failure_survives_and_reads_well() -> None:
    failure = Failure(
        kind=FailureKind.TRANSIENT,
        type="shop.errors.BankAway",
        message="no answer",
        retry_after=timedelta(seconds=3),
    )
    codec = codec_of(Failure)

    assert codec.read(codec.write(failure)) == failure
    assert str(failure) == "BankAway: no answer"
    assert str(Failure(kind=FailureKind.PERMANENT, type="KeyError")) == "KeyError"


def test_injected_says_what_it_is() -> None:
    assert repr(injected) == "injected"
