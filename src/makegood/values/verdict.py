"""What a failure is as data, and what a compensate, or a person, may answer about it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from makegood.values.codec import writes_json

__all__ = [
    "Abort",
    "Failure",
    "FailureKind",
    "ItDidNotHappen",
    "ItHappened",
    "Kept",
    "Proceed",
    "RetryFresh",
    "RetryNow",
    "Settlement",
    "Undecided",
    "UndoneByHand",
    "Verdict",
]

R = TypeVar("R")


class FailureKind(StrEnum):
    """How definite a failure is."""

    TRANSIENT = "transient"
    """Nothing happened, and trying again may help: `Unavailable`, or what `Retry(on=)` names."""
    DECLINED = "declined"
    """A definite no from the other side (`Declined`): it also settles an earlier doubt."""
    PERMANENT = "permanent"
    """Any other error: trying again will not help."""
    IN_DOUBT = "in_doubt"
    """The effect may or may not have happened."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A failure as it was recorded: what a compensate is given, and what a run's report shows."""

    kind: FailureKind
    type: str
    """The qualified name of the exception's class, such as `shop.errors.CardDeclined`."""
    message: str = ""
    traceback: str = ""
    retry_after: timedelta | None = None
    """What the other side asked to wait."""

    def __str__(self) -> str:
        """Return the class's own name and its message."""
        name = self.type.rpartition(".")[2]
        return f"{name}: {self.message}" if self.message else name


class Proceed(msgspec.Struct, Generic[R], frozen=True, tag="proceed"):
    """It did happen: the step is done, with this result."""

    result: R


class RetryNow(msgspec.Struct, frozen=True, tag="retry_now"):
    """Run the step again under the same key, after a while if given."""

    after: timedelta | None = None


class Abort(msgspec.Struct, frozen=True, tag="abort"):
    """Nothing is left of it: a definite failure."""

    reason: str = ""


class Undecided(msgspec.Struct, frozen=True, tag="undecided"):
    """Not known yet: ask again, after a while if given."""

    after: timedelta | None = None


class RetryFresh(msgspec.Struct, frozen=True, tag="retry_fresh"):
    """Run the step again under a new key; `proof` says how it is known that nothing happened.

    That nothing is found is no proof: the first request may still be on its way, from a process
    that stood still. The other side must refuse it when it comes, as one that bars a key does.
    """

    proof: str


Verdict = Proceed[R] | RetryNow | Abort | Undecided | RetryFresh
"""What a compensate returns."""


class ItHappened(msgspec.Struct, frozen=True, tag="happened"):
    """A person has found that it happened, or has done it by hand: the node is done.

    `ItHappened(Raw(b'{"id": "ch_1"}'))` takes JSON; `ItHappened.with_result(value)` writes it.
    """

    result: msgspec.Raw
    """The node's result, as JSON."""

    @classmethod
    def with_result(cls, result: object) -> ItHappened:
        """Return the settlement with a value, which is written as JSON."""
        return cls(msgspec.Raw(writes_json(result)))


class ItDidNotHappen(msgspec.Struct, frozen=True, tag="did_not_happen"):
    """A person has found that it did not happen and nothing is left of it: a definite failure."""


class UndoneByHand(msgspec.Struct, frozen=True, tag="undone_by_hand"):
    """A person has taken back by hand what the undo could not."""


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """A person accepts that what the undo could not take back stays as it is."""


Settlement = ItHappened | ItDidNotHappen | UndoneByHand | Kept
"""How a person may settle what a run waits for: the first two for an effect, the others for an
undo that gave up."""
