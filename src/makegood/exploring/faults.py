"""What can befall a run? Each fault by itself: what it does to whom, and how it is said."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, assert_never

import msgspec

from makegood.definition.plan import Kind
from makegood.values.verdict import Abort, Failure, FailureKind, RetryFresh, Undecided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.definition.plan import Node

__all__ = [
    "Befalls",
    "Cancelled",
    "Dies",
    "Direction",
    "Fault",
    "How",
    "Meanwhile",
    "Reversed",
    "Twice",
    "Way",
    "faults_of",
    "may_follow",
    "ways_of",
]

Direction = Literal["do", "undo", "compensate"]
"""Which function of a node: the step itself, its undo or its compensate."""

DECLINED = Failure(
    kind=FailureKind.DECLINED, type="makegood.errors.Declined", message="a definite no"
)
AWAY = Failure(
    kind=FailureKind.TRANSIENT, type="makegood.errors.Unavailable", message="out of reach"
)
LOST = Failure(
    kind=FailureKind.IN_DOUBT, type="makegood.errors.OutcomeUnknown", message="no reply came"
)
LATE = Failure(
    kind=FailureKind.IN_DOUBT, type="makegood.errors.StepTimeout", message="it took too long"
)
LATE_WITHOUT_EFFECT = msgspec.structs.replace(LATE, kind=FailureKind.TRANSIENT)
DEFECT = Failure(
    kind=FailureKind.PERMANENT, type="builtins.ValueError", message="it cannot be computed"
)
UNDECIDED = Undecided()
NOTHING_LEFT = Abort("it was looked up")
PROVEN = RetryFresh("it was looked up, and is barred")


class How(StrEnum):
    """What befalls a function, in the words of a sentence that begins with its name."""

    FAILS = "definitely fails"
    CANNOT = "cannot be computed"
    AWAY_ONCE = "is out of reach once"
    AWAY = "is out of reach for ever"
    LOST_BEFORE_ONCE = "is in doubt once, though nothing happens"
    LOST_AFTER_ONCE = "is in doubt once, though it happens"
    LOST_BEFORE = "is in doubt every time, though nothing happens"
    LOST_AFTER = "is in doubt every time, though it happens"
    LATE_ONCE = "times out once"
    LATE = "times out every time"
    LATE_BEFORE_ONCE = "times out once, though nothing happens"
    LATE_AFTER_ONCE = "times out once, though it happens"
    LATE_BEFORE = "times out every time, though nothing happens"
    LATE_AFTER = "times out every time, though it happens"
    CANNOT_TELL = "cannot tell what happened"
    FINDS_NOTHING = "finds that nothing happened, and gives it up"
    PARKS = "waits for a person"
    BARS = "finds that nothing happened, and has it done again under a new key"


class Way(msgspec.Struct, frozen=True):
    """What a fault does each time that it strikes."""

    failure: Failure | Undecided | Abort | RetryFresh
    is_once: bool = False
    """Whether it strikes the first time only."""
    has_effect: bool = False
    """Whether the effect takes place all the same."""
    takes_its_time: bool = False
    """Whether the timeout has to run out first."""
    is_parked: bool = False
    """Whether a child run comes to a stop at which only a person moves it on."""


WAYS: dict[How, Way] = {
    How.FAILS: Way(DECLINED),
    How.CANNOT: Way(DEFECT),
    How.AWAY_ONCE: Way(AWAY, is_once=True),
    How.AWAY: Way(AWAY),
    How.LOST_BEFORE_ONCE: Way(LOST, is_once=True),
    How.LOST_AFTER_ONCE: Way(LOST, is_once=True, has_effect=True),
    How.LOST_BEFORE: Way(LOST),
    How.LOST_AFTER: Way(LOST, has_effect=True),
    How.LATE_ONCE: Way(LATE_WITHOUT_EFFECT, is_once=True, takes_its_time=True),
    How.LATE: Way(LATE_WITHOUT_EFFECT, takes_its_time=True),
    How.LATE_BEFORE_ONCE: Way(LATE, is_once=True, takes_its_time=True),
    How.LATE_AFTER_ONCE: Way(LATE, is_once=True, has_effect=True, takes_its_time=True),
    How.LATE_BEFORE: Way(LATE, takes_its_time=True),
    How.LATE_AFTER: Way(LATE, has_effect=True, takes_its_time=True),
    How.PARKS: Way(LOST, is_parked=True),
    How.CANNOT_TELL: Way(UNDECIDED),
    How.FINDS_NOTHING: Way(NOTHING_LEFT),
    How.BARS: Way(PROVEN),
}

_SIMPLY = (How.FAILS, How.AWAY_ONCE, How.AWAY)
_IN_DOUBT = (How.LOST_BEFORE_ONCE, How.LOST_AFTER_ONCE, How.LOST_BEFORE, How.LOST_AFTER)
_LATE = (How.LATE_BEFORE_ONCE, How.LATE_AFTER_ONCE, How.LATE_BEFORE, How.LATE_AFTER)
_ASKED = (*_SIMPLY, How.CANNOT_TELL, How.FINDS_NOTHING, How.BARS)


class Befalls(msgspec.Struct, frozen=True, tag="befalls"):
    """Something befalls a function of a node."""

    node: str
    direction: Direction
    how: How


class Dies(msgspec.Struct, frozen=True, tag="dies"):
    """The worker dies: before it has recorded what has just happened, or right after."""

    append: int
    """Which of the run's appends, counted from 0."""
    is_lost: bool
    """Whether that append is lost with it."""


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    """A person cancels the run of a lifecycle while its record stands in a status and waits."""

    status: str


class Twice(msgspec.Struct, frozen=True, tag="twice"):
    """What a record has heard comes a second time, as soon as it would be heard again."""

    message: str


class Meanwhile(msgspec.Struct, frozen=True, tag="meanwhile"):
    """A message comes while a handler is at work."""

    node: str
    message: str


class Reversed(msgspec.Struct, frozen=True, tag="reversed"):
    """A person has the run undone once it has completed."""


Fault = Befalls | Dies | Reversed | Cancelled | Twice | Meanwhile
"""Whatever can befall a run."""


def ways_of(node: Node, direction: Direction) -> Sequence[How]:
    """Return what can befall a function of a node."""
    match direction:
        case "compensate":
            return _ASKED
        case "undo":
            if node.undo is None:
                assert node.kind is Kind.CHILD, "what is undone declares an undo, or is a run"
                return (How.PARKS,)
            return _SIMPLY if node.undo.local else (*_SIMPLY, *_IN_DOUBT)
        case "do":
            return _ways_forward(node)
        case _:
            assert_never(direction)


def faults_of(node: Node, path: str, direction: Direction) -> list[Befalls]:
    """Return every fault that can befall a function of a node."""
    return [Befalls(path, direction, how) for how in ways_of(node, direction)]


def may_follow(first: Befalls, then: Befalls) -> bool:
    """Say whether a function can be befallen by one thing once and by another ever after.

    What has happened is not denied afterwards: the other side keeps its word.
    """
    once, ever = WAYS[first.how], WAYS[then.how]
    is_denied = once.has_effect and then.how is How.FAILS
    return once.is_once and not ever.is_once and not is_denied


def _ways_forward(node: Node) -> Sequence[How]:
    has_limit = node.timeout is not None
    match node.kind:
        case Kind.STEP:
            return (*_SIMPLY, *_IN_DOUBT, *(_LATE if has_limit else ()))
        case Kind.QUERY:
            return (*_SIMPLY, *((How.LATE_ONCE, How.LATE) if has_limit else ()))
        case Kind.LOCAL:
            return _SIMPLY
        case Kind.PURE:
            return (How.CANNOT,)
        case Kind.CHILD:
            # What goes wrong within it is explored with its own workflow.
            return How.FAILS, How.PARKS
        case Kind.NOTE:
            # What cannot be noted is noted as that.
            return ()
        case (
            Kind.EXPECT
            | Kind.SWITCH
            | Kind.SLEEP
            | Kind.WAIT
            | Kind.SEND
            | Kind.EACH
            | Kind.REPEAT
            | Kind.LIFECYCLE
        ):
            # What they come to is a choice, and each of its outcomes is explored by itself.
            return ()
        case _:
            assert_never(node.kind)
