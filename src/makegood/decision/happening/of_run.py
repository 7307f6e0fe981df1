"""What happens to a run as a whole."""

from __future__ import annotations

import msgspec

from makegood.decision.happening.of_children import Parent
from makegood.decision.words import Cause, EndStatus, ParkReason, Rollback
from makegood.values.ids import RunId
from makegood.values.instants import Instant
from makegood.values.verdict import Failure

__all__ = [
    "Beginning",
    "Claimed",
    "DeadlinePassed",
    "Erased",
    "MovedOn",
    "Parked",
    "Returned",
    "RollbackBegan",
    "RunEnded",
    "RunStarted",
]


class Beginning(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a run came of, and what it belongs to, where the run itself is not all of that."""

    correlation: str | None = None
    """What it shares with everything that came of one beginning; None: the id of the run from
    outside with which its tree began."""
    causation: str | None = None
    """The message, or the slot of a schedule, that has started it; None: the run that has called
    it, or nothing that has a name here."""
    tenant: str = ""
    """Whose messages it sends."""


class RunStarted(
    msgspec.Struct,
    frozen=True,
    tag="run_started",
    kw_only=True,
    gc=False,
    omit_defaults=True,
):
    """The run exists: what it runs, and its inputs as JSON."""

    workflow: str
    fingerprint: str
    key: str | None
    inputs: dict[str, msgspec.Raw]
    deadline: Instant | None
    at: Instant
    context: dict[str, str] = {}
    """What is carried from whoever started it into its bodies, by the name of the carrier."""
    subject: str | None = None
    """Whom it is about, and so whom its children are about."""
    parent: Parent | None = None
    """The run that called it; None for one that was started from outside."""
    depth: int = 0
    """In how many runs it stands."""
    root: RunId | None = None
    """The run from outside with which its whole tree began; None: itself."""
    schema: int = 1
    """Which form of the record of a lifecycle its input has."""
    beginning: Beginning | None = None
    """What it came of; None where it was started from outside, or called by such a run."""


class Claimed(msgspec.Struct, frozen=True, tag="claimed", gc=False):
    """Another worker holds the run now; what was in flight was interrupted."""

    claims: int
    """How often it has been claimed since its last progress."""
    at: Instant


class MovedOn(msgspec.Struct, frozen=True, tag="moved_on", gc=False):
    """From here on the run goes by another plan, which all that is recorded of it fits."""

    fingerprint: str
    at: Instant


class DeadlinePassed(msgspec.Struct, frozen=True, tag="deadline_passed", gc=False):
    """The run took longer than it may."""

    at: Instant


class RollbackBegan(msgspec.Struct, frozen=True, tag="rollback_began", gc=False):
    """The run goes back from here: no step starts any more, and what is done is undone."""

    cause: Cause
    at: Instant


class Returned(msgspec.Struct, frozen=True, tag="returned", gc=False):
    """The run's value, or why it could not be built from the results."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    failure: Failure | None = None
    """Set where there is no value."""


class Parked(msgspec.Struct, frozen=True, tag="parked", gc=False):
    """Only a person may move the run on."""

    reason: ParkReason
    at: Instant


class RunEnded(msgspec.Struct, frozen=True, tag="run_ended", gc=False):
    """The run is final."""

    status: EndStatus
    cause: Cause | None
    rollback: Rollback
    at: Instant


class Erased(msgspec.Struct, frozen=True, tag="erased", gc=False):
    """Every value was taken out of the run's facts, after it had ended; see `erasure`."""

    actor: str
    reason: str
    at: Instant
