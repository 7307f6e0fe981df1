"""What an exception means, and what is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Declined,
    FailureKind,
    OutcomeUnknown,
    RunFailed,
    StepTimeout,
    Unavailable,
    step,
    workflow,
)
from makegood.definition.plan import Kind
from makegood.runtime.calling.failing import as_failure, as_remote, classify, is_record_of
from makegood.values.limits import ERROR_TEXT_CHARACTERS_MAX

if TYPE_CHECKING:
    from tests.runtime.world import World

TRANSIENT, DECLINED = FailureKind.TRANSIENT, FailureKind.DECLINED
PERMANENT, IN_DOUBT = FailureKind.PERMANENT, FailureKind.IN_DOUBT


class GatewayDown(Unavailable):
    """An adapter's own."""


@pytest.mark.parametrize(
    ("error", "retry_on", "of_a_step", "of_a_query"),
    [
        (Unavailable("busy"), (), TRANSIENT, TRANSIENT),
        (GatewayDown("busy"), (), TRANSIENT, TRANSIENT),
        (StepTimeout("slow"), (), TRANSIENT, TRANSIENT),
        (ConnectionError("reset"), (), PERMANENT, PERMANENT),
        (ConnectionError("reset"), (ConnectionError,), TRANSIENT, TRANSIENT),
        (ConnectionResetError("reset"), (OSError,), TRANSIENT, TRANSIENT),
        (Declined("card expired"), (), DECLINED, DECLINED),
        (OutcomeUnknown("no answer"), (), IN_DOUBT, TRANSIENT),
        (OutcomeUnknown("no answer"), (OutcomeUnknown,), IN_DOUBT, TRANSIENT),
        (TimeoutError("slow"), (), IN_DOUBT, TRANSIENT),
        (TimeoutError("slow"), (TimeoutError,), IN_DOUBT, TRANSIENT),
        (TimeoutError("slow"), (Exception,), IN_DOUBT, TRANSIENT),
        (OutcomeUnknown("no answer"), (Exception,), IN_DOUBT, TRANSIENT),
        (ValueError("wrong"), (), PERMANENT, PERMANENT),
        (ValueError("wrong"), (Exception,), TRANSIENT, TRANSIENT),
    ],
    ids=repr,
)
def test_only_a_step_is_in_doubt_and_no_retry_makes_doubt_definite(
    error: Exception,
    retry_on: tuple[type[Exception], ...],
    of_a_step: FailureKind,
    of_a_query: FailureKind,
) -> None:
    """G4: a timeout is never a failure, whatever `Retry(on=)` names."""
    assert classify(error, Kind.STEP, retry_on) is of_a_step
    assert classify(error, Kind.QUERY, retry_on) is of_a_query
    assert classify(error, Kind.LOCAL, retry_on) is of_a_query


def test_a_record_keeps_class_message_place_and_what_was_asked_to_wait() -> None:
    with pytest.raises(Unavailable) as raised:
        raise Unavailable("busy", retry_after=timedelta(seconds=7))
    failure = as_failure(raised.value, TRANSIENT)

    assert (failure.type, failure.message) == ("makegood.errors.Unavailable", "busy")
    assert failure.retry_after == timedelta(seconds=7)
    assert f"{__file__}:" in failure.traceback
    assert str(failure) == "Unavailable: busy"


class Unspeakable(Exception):
    """F68: its message cannot be made."""

    def __str__(self) -> str:
        message = "no words"
        raise RuntimeError(message)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Unspeakable(), "(its message cannot be shown)"),
        (ValueError("\ud800"), "\\ud800"),
        (ValueError("x" * 10_000), "x" * ERROR_TEXT_CHARACTERS_MAX),
        (ValueError(), ""),
    ],
    ids=["raises", "lone surrogate", "very long", "empty"],
)
def test_any_exception_can_be_put_on_record(error: Exception, message: str) -> None:
    """F68: an error's own error never stops its record."""
    assert as_failure(error, PERMANENT).message == message


async def test_an_error_whose_message_cannot_be_made_is_shown_all_the_same(world: World) -> None:
    async def fail(n: int) -> int:
        raise Unspeakable

    @workflow
    def failing(n: int) -> int:
        return step(fail, irreversible="test")(n)

    engine = await world.engine(failing)
    started = await engine.start(failing(1))
    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    shown = "Unspeakable: (its message cannot be shown)"
    assert shown in str(raised.value)
    assert shown in str(await started.describe())
    assert isinstance(raised.value.__cause__, Unspeakable)


def test_an_exception_is_told_from_another_of_its_step() -> None:
    failure = as_failure(Declined("card expired"), DECLINED)

    assert is_record_of(failure, Declined("card expired"))
    assert not is_record_of(failure, Declined("card stolen"))
    assert not is_record_of(failure, ValueError("card expired"))


def test_a_record_comes_back_as_an_error_with_its_class_and_text() -> None:
    remote = as_remote(as_failure(Declined("card expired"), DECLINED))

    assert str(remote) == "makegood.errors.Declined: card expired"
    assert (remote.type_name, remote.message) == ("makegood.errors.Declined", "card expired")
