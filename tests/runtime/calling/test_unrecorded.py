"""A result that cannot be put on record: the effect has happened, and nothing is repeated."""

from __future__ import annotations

import pytest

from makegood import (
    Abort,
    Failure,
    OutcomeUnknown,
    Proceed,
    Verdict,
    query,
    step,
    workflow,
)
from makegood.testing import run


class Unwritable:
    """F66: nothing can be done with it, not even show it."""

    def __repr__(self) -> str:
        message = "no words"
        raise RuntimeError(message)


@pytest.mark.parametrize(
    "value",
    [Unwritable(), object(), 7, "x" * 2_000_000, "\ud800"],
    ids=["unshowable", "object", "wrong type", "too large", "lone surrogate"],
)
async def test_a_result_that_cannot_be_recorded_parks_the_run_and_nothing_is_repeated(
    value: object,
) -> None:
    """F66: the effect has happened: neither compensate nor a re-run is tried, nor an undo."""
    calls: list[str] = []

    async def hold(n: int) -> int:
        return n

    async def free(n: int) -> None:
        calls.append("free")

    async def act(n: int) -> str:
        calls.append("act")
        return value  # type: ignore[return-value] # a mistake of the user's

    async def find(failure: Failure) -> Verdict[str]:
        calls.append("find")
        return Abort()

    @workflow
    def acting(n: int) -> str:
        return step(act, compensate=find, irreversible="test")(step(hold, undo=free)(n))

    outcome = await run(acting(1))
    assert (outcome.status, outcome.reason) == ("parked", "unrecorded effect")
    assert (outcome.left, outcome.in_doubt, outcome.done) == (["act"], ["act"], ["hold"])
    assert calls == ["act"]


async def test_the_message_says_which_result_was_not_of_its_type() -> None:
    async def act(n: int) -> int:
        return "seven"  # type: ignore[return-value] # a mistake of the user's

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test")(n)

    outcome = await run(acting(1))
    assert "'seven' is not carried as int" in str(outcome.error)


async def test_a_query_whose_result_cannot_be_recorded_fails_the_run() -> None:
    async def ask(n: int) -> int:
        return "seven"  # type: ignore[return-value] # a mistake of the user's

    @workflow
    def asking(n: int) -> int:
        return query(ask)(n)

    assert (await run(asking(1))).status == "failed"


async def test_what_a_compensate_found_and_cannot_be_recorded_stays_in_doubt() -> None:
    """G4: it happened, so the step is not taken for a definite failure that leaves nothing."""

    async def act(n: int) -> int:
        message = "broken after the call"
        raise ValueError(message)

    async def find(failure: Failure) -> Verdict[int]:
        return Proceed("seven")  # type: ignore[arg-type] # a mistake of the user's

    @workflow
    def acting(n: int) -> int:
        return step(act, compensate=find, irreversible="test")(n)

    outcome = await run(acting(1))
    assert (outcome.status, outcome.reason, outcome.left) == ("parked", "in doubt", ["act"])


@pytest.mark.parametrize(
    "answer", [None, True, "proceed", Unwritable()], ids=lambda answer: type(answer).__name__
)
async def test_a_compensate_without_a_verdict_leaves_doubt_as_doubt(answer: object) -> None:
    """G4: what it returned is no answer."""

    async def act(n: int) -> int:
        raise OutcomeUnknown

    async def find(failure: Failure) -> Verdict[int]:
        return answer  # type: ignore[return-value] # a mistake of the user's

    @workflow
    def acting(n: int) -> int:
        return step(act, compensate=find, irreversible="test")(n)

    outcome = await run(acting(1))
    assert (outcome.status, outcome.reason) == ("parked", "in doubt")
