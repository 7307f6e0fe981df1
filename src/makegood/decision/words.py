"""The words in which facts say why and how: each the one word for its thing, everywhere."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Cause", "ControlAnswer", "EndStatus", "ParkReason", "Rollback", "SkipReason"]


class Cause(StrEnum):
    """Why a run is being rolled back, or was."""

    ERROR = "error"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    """A person had it undone after it had completed."""


class EndStatus(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ERASED = "erased"
    """However it had ended, what it held was taken out of it since."""


class Rollback(StrEnum):
    """What became of what had been done."""

    NONE = "none"
    """Nothing was undone: there was nothing to undo, or a person keeps what there was."""
    UNDONE = "undone"


class ParkReason(StrEnum):
    """Why only a person, or a later probe, may move a run on."""

    UNDO_GAVE_UP = "undo gave up"
    IN_DOUBT = "in doubt"
    UNRECORDED = "unrecorded effect"
    POISON = "poison"
    FORWARD_USED_UP = "forward retries used up after the pivot"
    CHILD_PARKED = "a child run is parked"
    DEFINITION = "definition error"
    """A handler of a lifecycle gave what it does not declare, or cannot be given its record."""
    PAUSED_TOO_OFTEN = "paused too often"
    """A lifecycle was paused, and resumed itself, as often as it may without success."""
    MOVED_TOO_OFTEN = "moved too often"
    """A lifecycle has entered as many statuses, or called a handler again as often, as it may."""


class SkipReason(StrEnum):
    """Why a node was skipped; its result is None."""

    GUARD = "guard"
    OPTIONAL = "optional"
    """It failed, and is optional."""
    IN_DOUBT = "in doubt"
    """It is optional and nobody can say whether it happened."""
    PERSON = "person"
    """A person had it skipped."""


class ControlAnswer(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    TOO_LATE = "too late"
    """The run had ended."""
    ALREADY_UNDOING = "already undoing"
    PAST_PIVOT = "past the pivot"
    NOT_COMPLETED = "not completed"
    """Only a completed run can be undone."""
    PARKED = "parked"
    """What is unresolved must be settled first."""
    NOT_PARKED = "not parked"
    """Nothing of the run waits for a person."""
    UNKNOWN_NODE = "no such node"
    NOT_WAITED_FOR = "not what it waits for"
    """The run is parked, but not for this node."""
    DOES_NOT_FIT = "does not fit"
    """What gave up undoing is not settled like what is in doubt, nor the other way round."""
    NOT_A_RESULT = "not a result of this node"
    """The result given cannot be read as the type that the node declares."""
    KEY_EXPIRED = "the key has expired"
    """It is in doubt, and the other side may not know its key any more: it can be settled."""
    ONLY_SETTLED = "it can only be settled"
    """It did happen, so running it again would double it."""
    IS_A_CHILD = "it is undone with its parent"
    """The run was called by another one, and is undone as a part of that."""
    SETTLE_THE_CHILD = "what waits is its child run"
    """The node waits for a child that is parked: that is what is to be moved on."""
    SAID_BEFORE = "said before"
    """The same was said with this token, and taken."""
    SAID_OTHERWISE = "said otherwise"
    """Something else was said with this token, and taken."""
    NOT_AWAITED = "not awaited"
    """The step does not wait for anybody outside."""
    ALREADY_PAUSED = "already paused"
    NOT_PAUSED = "not paused"
    """There is nothing to resume."""
    NO_BODY = "it has no body"
    """Only what has a body of its own is skipped or given a result."""
    NODE_ENDED = "the node has ended"
    AT_WORK = "at work"
    """The node's body is at work, and its outcome is on the way."""
    IN_DOUBT = "in doubt"
    """The node may have had its effect: that is settled first."""
    NOT_BEGUN = "not begun"
    """There is nothing to go back for."""
    NO_UNDO = "it declares no undo"
    """Something is done that would have to be undone first, and cannot be."""
    NESTED = "in a branch, a round or a child"
    """A run is not retraced into these, nor through a child or rounds that have begun."""
    NEEDED = "its result is needed"
    """Others are wired to what the node gives, and cannot do with None."""
