"""How durations, moments and what happened are said to people."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.facts import (
    Cause,
    ChildCancelled,
    ChildEnded,
    ChildMoved,
    ChildRefused,
    ChildStarted,
    CompletionGiven,
    Guarded,
    ItemsListed,
    NodeDelayed,
    ParkReason,
    Proceeded,
    Recorded,
    Rollback,
    RoundBegan,
    RoundDone,
    RoundFailed,
    RoundGaveUp,
    RunEnded,
    SkipReason,
)
from makegood.definition.plan import Kind
from makegood.picture.story import Attempted, Ending, Happening, Standing
from makegood.picture.typeset import shortened
from makegood.values.instants import as_datetime
from makegood.values.verdict import (
    Abort,
    ItDidNotHappen,
    ItHappened,
    Kept,
    RetryFresh,
    RetryNow,
    Undecided,
    UndoneByHand,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from msgspec import Raw

    from makegood.decision.facts import Request
    from makegood.decision.happening.groups import OfChildren, OfRounds
    from makegood.decision.state import RunState
    from makegood.definition.plan import Node, Plan
    from makegood.picture.story import Entry, NodeStory
    from makegood.values.instants import Instant
    from makegood.values.verdict import Settlement

__all__ = [
    "REQUESTS",
    "allowed",
    "became",
    "cause",
    "completion",
    "computed",
    "end",
    "kept_because",
    "lasted",
    "moment",
    "noted",
    "of_child",
    "of_rounds",
    "on_the_way",
    "park_reason",
    "put_in_words",
    "rounds",
    "settlement",
    "signature",
    "skipped_because",
    "slept",
    "start",
    "trouble",
    "uncomputed",
    "verdict",
    "wanted",
]

_UNITS = (("d", "days"), ("h", "hours"), ("min", "minutes"), ("s", "seconds"))
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_MANY = 10
"""From how many units on fewer decimals are of interest."""


def allowed(duration: timedelta) -> str:
    """Return a duration that a policy allows, in the largest unit it is a whole number of."""
    for name, unit in _UNITS:
        whole, rest = divmod(duration, timedelta(**{unit: 1}))
        if whole and not rest:
            return f"{whole} {name}"
    return f"{duration / timedelta(milliseconds=1):g} ms"


def lasted(duration: timedelta) -> str:
    """Return a measured duration, as exactly as a reader cares for.

    The clocks of two workers may differ, so what took less than nothing took nothing.
    """
    if duration < _SECOND:
        milliseconds = max(duration / timedelta(milliseconds=1), 0.0)
        return f"{round(milliseconds, 0 if milliseconds >= _MANY else 2):g} ms"
    if duration < _MINUTE:
        seconds = duration / _SECOND
        return f"{round(seconds, 1 if seconds >= _MANY else 2):g} s"
    # The two largest units, the second one cut and not rounded: 59 min 60 s is nobody's time.
    largest = next(at for at, (_, unit) in enumerate(_UNITS) if duration >= timedelta(**{unit: 1}))
    (name, unit), (lesser_name, lesser_unit) = _UNITS[largest : largest + 2]
    whole, rest = divmod(duration, timedelta(**{unit: 1}))
    return f"{whole} {name} {rest // timedelta(**{lesser_unit: 1})} {lesser_name}"


def slept(duration: timedelta) -> str:
    """Return how long a sleep took: a whole number of units where it is one within a second."""
    said = lasted(duration)
    whole, _, rest = said.rpartition(" 0 ")
    return whole if whole and rest.isalpha() else said


def on_the_way(fact: Guarded | NodeDelayed | Recorded) -> tuple[Happening, str]:
    """Return what happened to a node before its body, or in the middle of it."""
    match fact:
        case Guarded():
            return Happening.GUARD_HELD, "its guard holds"
        case Recorded():
            return Happening.RECORDED, "stored what its undo will need"
        case NodeDelayed():
            what = {"do": "it", "undo": "its undo", "compensate": "its compensate"}[fact.direction]
            if fact.due <= fact.at:
                said = f"{what} had no turn at {fact.service} before its engine closed"
                return Happening.DELAYED, said
            again = moment(as_datetime(fact.due), as_datetime(fact.at))
            said = f"{fact.service} is halted: {what} is not begun; looked at again at {again}"
            return Happening.DELAYED, said
        case _:
            assert_never(fact)


def rounds(many: int) -> str:
    """Return a number of rounds."""
    return "1 round" if many == 1 else f"{many:,} rounds"


def moment(when: datetime, seen_from: datetime) -> str:
    """Return a moment in UTC, with its date where that is another day than the one given."""
    precision = "milliseconds" if when.microsecond else "seconds"
    clock = when.time().isoformat(precision)
    return clock if when.date() == seen_from.date() else f"{when.date()} {clock}"


def noted(value: Raw | None) -> str:
    """Return what was noted, or as much of it as is shown."""
    return shortened("null" if value is None else bytes(value).decode(), _NOTE_CELLS_MAX)


_NOTE_CELLS_MAX = 120


def put_in_words(entry: Entry) -> Entry:
    """Return an entry of a story with its text, which can be known only once it is complete."""
    if isinstance(entry, Attempted):
        return replace(entry, text=_attempt(entry))
    if entry.what in REQUESTS:
        answer = "not answered yet" if entry.answer is None else entry.answer
        return replace(entry, text=f"{entry.text}: {answer}")
    return entry


REQUESTS = frozenset(
    {
        Happening.CANCEL_REQUESTED,
        Happening.UNDO_REQUESTED,
        Happening.SETTLE_REQUESTED,
        Happening.RETRY_REQUESTED,
        Happening.COMPLETION_GIVEN,
        Happening.PAUSE_REQUESTED,
        Happening.RESUME_REQUESTED,
        Happening.SKIP_REQUESTED,
        Happening.SET_RESULT_REQUESTED,
        Happening.RETRY_FROM_REQUESTED,
    }
)
"""What a person asks for, and is answered."""


def _attempt(entry: Attempted) -> str:
    """Say how one execution of a function went."""
    match entry.direction:
        case "do":
            parts = [f"attempt {entry.attempt} {_ending(entry)}"]
        case "undo":
            parts = [f"undo by {entry.function}, attempt {entry.attempt} {_ending(entry)}"]
        case "compensate":
            parts = [f"asked {entry.function}, time {entry.attempt}: {_answer(entry)}"]
        case _:
            assert_never(entry.direction)
    if entry.failure is not None:
        parts.append(f", {entry.failure}")
    if entry.again_at is not None:
        parts.append(f"; again at {moment(entry.again_at, entry.began)}")
    return "".join(parts)


def _ending(entry: Attempted) -> str:
    took = "" if entry.took is None else lasted(entry.took)
    match entry.ending:
        case Ending.AT_WORK:
            return "is at work"
        case Ending.DONE | Ending.ANSWERED:
            return f"done in {took}"
        case Ending.FAILED:
            return f"failed after {took}"
        case Ending.IN_DOUBT:
            return f"in doubt after {took}"
        case Ending.UNRECORDED:
            return f"had its effect after {took}, and its result cannot be recorded"
        case Ending.REFUSED:
            return f"over after {took}, with what it does not declare"
        case Ending.INTERRUPTED:
            return "interrupted: its worker died or gave up the run"
        case Ending.AWAITING:
            return f"over after {took}: its result is to come from outside"
        case Ending.STOPPED:
            return f"stopped after {took}: it is not wanted any more"
        case _:
            assert_never(entry.ending)


def _answer(entry: Attempted) -> str:
    return _ending(entry) if entry.verdict is None else entry.verdict


def became(node: Node, story: NodeStory, seen_from: datetime) -> Iterator[str]:
    """Say what became of a node, beyond its standing: attempts, times, and why."""
    if story.attempts > 1:
        yield f"{story.attempts} attempts"
    if story.took is not None:
        yield lasted(story.took)
    if story.undo_attempts and node.undo is not None:
        times = f", {story.undo_attempts} attempts" if story.undo_attempts > 1 else ""
        took = "" if story.undo_took is None else f", {lasted(story.undo_took)}"
        yield f"undo: {node.undo.function}{times}{took}"
    if story.is_in_doubt and story.standing is not Standing.IN_DOUBT:
        yield "in doubt"
    if story.due is not None:
        until = "until" if node.kind in {Kind.SLEEP, Kind.WAIT} else "again at"
        yield f"{until} {moment(story.due, seen_from)}"
    if story.child is not None:
        yield f"run {story.child}"
    if story.note:
        yield story.note


def trouble(story: NodeStory) -> str:
    """Say what went wrong with a node last, where it has not been made good since."""
    if story.standing in _WELL:
        return ""
    failure = story.failure if story.undo_failure is None else story.undo_failure
    return "" if failure is None else str(failure)


_WELL = frozenset({Standing.DONE, Standing.KEPT, Standing.UNDONE})


def verdict(given: Proceeded | RetryNow | Abort | Undecided | RetryFresh) -> str:
    """Say what a compensate answered."""
    match given:
        case Proceeded():
            return "it did happen"
        case RetryNow(after=wait):
            later = "" if wait is None else f", after {allowed(wait)}"
            return f"run it again under the same key{later}"
        case RetryFresh(proof):
            return f"it did not happen ({proof}): run it again under a new key"
        case Abort(reason):
            return f"nothing of it is left{f': {reason}' if reason else ''}"
        case Undecided(after=wait):
            later = "" if wait is None else f", ask again after {allowed(wait)}"
            return f"not known yet{later}"
        case _:
            assert_never(given)


def settlement(given: Settlement) -> str:
    """Say what a person found."""
    match given:
        case ItHappened():
            return "it happened"
        case ItDidNotHappen():
            return "it did not happen"
        case UndoneByHand():
            return "it was undone by hand"
        case Kept():
            return "it stays as it is"
        case _:
            assert_never(given)


def wanted(request: Request) -> tuple[Happening, str]:
    """Say what somebody asks for, after "asked to"."""
    match request:
        case facts.CancelRequested():
            return Happening.CANCEL_REQUESTED, "cancel it"
        case facts.UndoRequested():
            return Happening.UNDO_REQUESTED, "undo it"
        case facts.SettleRequested():
            found = settlement(request.settlement)
            return Happening.SETTLE_REQUESTED, f"settle it, {found}"
        case facts.RetryRequested():
            return Happening.RETRY_REQUESTED, f"try it again{_without(request.left_out)}"
        case facts.PauseRequested():
            return Happening.PAUSE_REQUESTED, "pause it"
        case facts.ResumeRequested():
            return Happening.RESUME_REQUESTED, "resume it"
        case facts.SkipRequested():
            return Happening.SKIP_REQUESTED, "skip it"
        case facts.SetResultRequested():
            return Happening.SET_RESULT_REQUESTED, "give it a result"
        case facts.RetryFromRequested():
            return Happening.RETRY_FROM_REQUESTED, "do it again, and all that comes after it"
        case _:
            assert_never(request)


def _without(posts: tuple[int, ...]) -> str:
    return f" without what could not be read (post {', '.join(map(str, posts))})" if posts else ""


def cause(why: Cause) -> str:
    """Say why a run goes back."""
    match why:
        case Cause.ERROR:
            return "a step definitely failed"
        case Cause.DEADLINE:
            return "the run's deadline passed"
        case Cause.CANCELLED:
            return "it was cancelled"
        case Cause.REVERSED:
            return "it was to be undone after it had completed"
        case _:
            assert_never(why)


def start(deadline: Instant | None) -> str:
    """Say that a run began, and until when it may take."""
    if deadline is None:
        return "started"
    return f"started, to end by {as_datetime(deadline):%Y-%m-%d %H:%M:%S}"


def end(ended: RunEnded) -> str:
    """Say how a run ended."""
    if ended.cause is None:
        return ended.status.value
    what = "what was done is undone" if ended.rollback is Rollback.UNDONE else "nothing was undone"
    return f"{ended.status.value}, {cause(ended.cause)}: {what}"


def park_reason(why: ParkReason) -> str:
    """Say what a parked run waits for."""
    match why:
        case ParkReason.UNDO_GAVE_UP:
            return "what it was to take back still stands"
        case ParkReason.IN_DOUBT:
            return "nobody can say whether something happened"
        case ParkReason.UNRECORDED:
            return "something happened whose result is not on record"
        case ParkReason.POISON:
            return "it ended or stopped every worker that took it, without any progress"
        case ParkReason.FORWARD_USED_UP:
            return "it is past its pivot, cannot go back, and has no attempt left to go on"
        case ParkReason.CHILD_PARKED:
            return "a run that it has called waits for a person"
        case ParkReason.DEFINITION:
            return "a handler gave what it does not declare, or cannot be called"
        case ParkReason.PAUSED_TOO_OFTEN:
            return "it was paused again and again, and does not go on by itself any more"
        case ParkReason.MOVED_TOO_OFTEN:
            return "it has gone from status to status, or called a handler, as often as it may"
        case _:
            assert_never(why)


def of_rounds(fact: OfRounds, state: RunState) -> str:
    """Say what happened to the rounds of a node, or nothing where their nodes say it."""
    match fact:
        case ItemsListed():
            return f"begins {rounds(len(fact.items))}"
        case RoundBegan():
            number = len(state.rounds[state.positions[fact.node]].given) - 1
            return f"begins round [{number}]"
        case RoundDone():
            return ""
        case RoundFailed():
            return f"what round [{fact.round}] gives cannot be computed: {fact.failure}"
        case RoundGaveUp():
            return f"gives up round [{fact.round}]: what it had done is made good"


def of_child(fact: OfChildren) -> str:
    """Say what a run knows of one that it has called."""
    match fact:
        case ChildStarted():
            return f"calls run {fact.run} of {fact.workflow}"
        case ChildEnded():
            why = "" if fact.cause is None else f", {cause(fact.cause)}"
            return f"its run {fact.run} has ended: {fact.status.value}{why}"
        case ChildMoved():
            how = "moves again" if fact.reason is None else f"is parked, {fact.reason.value}"
            return f"its run {fact.run} {how}"
        case ChildRefused():
            said = "nothing is remembered of it" if fact.answer is None else fact.answer.value
            return f"its run {fact.run} refuses: {said}"
        case ChildCancelled():
            return "its run is told to go back"
        case _:
            assert_never(fact)


def computed(node: Node, state: RunState) -> str:
    """Say what it means that a node has its result which no body at work has given."""
    index = state.positions[node.path]
    match node.kind:
        case Kind.EXPECT:
            return "holds"
        case Kind.SWITCH:
            return f"the branch of {state.nodes[index].case} is done"
        case Kind.EACH | Kind.REPEAT:
            its = state.rounds[index]
            failed = f", {len(its.failures):,} failed" if its.failures else ""
            return f"{rounds(its.done)} done{failed}"
        case Kind.STEP:
            return "completed from outside"
        case Kind.LIFECYCLE:
            return "is done"
        case _:
            return "computed"


def completion(given: CompletionGiven) -> str:
    """Say what somebody outside has said of a step."""
    who = given.actor or "somebody outside"
    how = "it is done" if given.failure is None else f"it failed, {given.failure}"
    return f"{who} said that {how}"


def uncomputed(node: Node) -> str:
    """Say what it means that something could not be computed, or did not hold."""
    match node.kind:
        case Kind.EXPECT:
            return "fails the run" if node.function == "fail" else "does not hold"
        case Kind.REPEAT | Kind.EACH:
            return "cannot go on"
        case Kind.STEP:
            return "not completed from outside"
        case Kind.WAIT:
            return "is given up"
        case Kind.LIFECYCLE:
            return "fails the run"
        case _:
            return "cannot be computed"


def skipped_because(why: SkipReason) -> str:
    """Say why a node was skipped."""
    match why:
        case SkipReason.GUARD:
            return "its guard does not hold"
        case SkipReason.OPTIONAL:
            return "it failed, and is optional"
        case SkipReason.IN_DOUBT:
            return "nobody can say whether it happened, and it is optional"
        case SkipReason.PERSON:
            return "a person had it skipped"
        case _:
            assert_never(why)


def kept_because(node: Node) -> str:
    """Say why a node stays done when the run goes back."""
    return "it declares no undo" if node.irreversible is None else node.irreversible


def signature(plan: Plan) -> str:
    """Return what the workflow takes and returns, as it would be written in Python."""
    inputs = ", ".join(f"{item.name}: {item.type}" for item in plan.inputs)
    return f"{plan.workflow}({inputs}) → {plan.returns_type}"
