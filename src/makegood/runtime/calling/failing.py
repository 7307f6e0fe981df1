"""What an exception means: how definite it is, and how it is put on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.definition.plan import Kind
from makegood.errors import (
    Declined,
    HoldTimedOut,
    KeyConflict,
    MakegoodError,
    OutcomeUnknown,
    RemoteError,
    Unavailable,
    WaitTimedOut,
)
from makegood.values.limits import ERROR_TEXT_CHARACTERS_MAX
from makegood.values.verdict import Failure, FailureKind

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["as_failure", "as_remote", "classify", "interrupted", "is_record_of", "users_part"]

_FRAMES_MAX = 30
_OURS = ("makegood.runtime.", "makegood.testing.", "makegood.journal.")


def classify(
    error: BaseException, kind: Kind, retry_on: tuple[type[BaseException], ...]
) -> FailureKind:
    """Say how definite the failure of a body is, once and for all: it is recorded.

    Only a step can be in doubt. What would be doubt about a step is worth another attempt for
    what has no effect outside. No `Retry(on=)` makes doubt definite: `on=Exception` would else
    roll a run back over a charge that may have happened. Doubt is tried again in any case.
    """
    if isinstance(error, OutcomeUnknown | TimeoutError):
        return FailureKind.IN_DOUBT if kind is Kind.STEP else FailureKind.TRANSIENT
    if isinstance(error, (Unavailable, *retry_on)):
        return FailureKind.TRANSIENT
    if isinstance(error, Declined):
        return FailureKind.DECLINED
    return FailureKind.PERMANENT


def as_failure(error: BaseException, kind: FailureKind) -> Failure:
    """Return the record of an exception: its class, its message and where it was raised."""
    cls = type(error)
    retry_after = error.retry_after if isinstance(error, Unavailable) else None
    return Failure(
        kind=kind,
        type=f"{cls.__module__}.{cls.__qualname__}",
        message=_message_of(error),
        traceback=_places_of(error.__traceback__),
        retry_after=retry_after,
    )


_DECIDED: dict[str, type[MakegoodError]] = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (HoldTimedOut, KeyConflict, WaitTimedOut)
}
"""Errors that nobody has raised: the decision core has come to them."""


def as_remote(failure: Failure) -> MakegoodError:
    """Return an exception that stands for one raised elsewhere, from its record."""
    decided = _DECIDED.get(failure.type)
    if decided is not None and not failure.traceback:
        return decided(failure.message)
    return RemoteError(failure.type, failure.message, failure.traceback)


def is_record_of(failure: Failure, error: BaseException) -> bool:
    """Say whether an exception is the one that was recorded, and none of before."""
    cls = type(error)
    is_same_class = failure.type == f"{cls.__module__}.{cls.__qualname__}"
    return is_same_class and failure.message == _message_of(error)


def interrupted() -> Failure:
    """Return what a compensate is told about a step whose worker ended in the middle of it."""
    return Failure(
        kind=FailureKind.IN_DOUBT,
        type=f"{OutcomeUnknown.__module__}.{OutcomeUnknown.__qualname__}",
        message="the worker ended while the step was at work",
    )


def _message_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        return "(its message cannot be shown)"
    # What cannot be encoded would make the fact itself impossible to record.
    return text[:ERROR_TEXT_CHARACTERS_MAX].encode(errors="backslashreplace").decode()


def users_part(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame on that is not ours."""
    while traceback is not None and _is_ours(traceback):
        traceback = traceback.tb_next
    return traceback


def _places_of(traceback: TracebackType | None) -> str:
    """Return one line for each frame of the user's. Source lines would cost ten times as much."""
    places: list[str] = []
    while traceback is not None and len(places) < _FRAMES_MAX:
        if not _is_ours(traceback):
            code = traceback.tb_frame.f_code
            places.append(f"{code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}")
        traceback = traceback.tb_next
    return "\n".join(places)[:ERROR_TEXT_CHARACTERS_MAX]


def _is_ours(traceback: TracebackType) -> bool:
    return str(traceback.tb_frame.f_globals.get("__name__", "")).startswith(_OURS)
