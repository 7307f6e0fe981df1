"""How is a world told to somebody who knows the business and not the engine? In short sentences.

The story is that of `picture`, which tells a run to whoever looks into it. Here what goes well is
drawn together, what is only of interest to a mechanic is left out, and what repeats itself is said
once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.exploring.faults import Befalls, Cancelled, Dies, Meanwhile, Reversed, Twice
from makegood.exploring.standing import short
from makegood.exploring.world import STARTS_AT
from makegood.journal.protocol import RunRow
from makegood.picture import timeline
from makegood.picture.story import Attempted, Ending, Happening
from makegood.values.ids import RunId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.definition.plan import Plan
    from makegood.exploring.faults import Fault
    from makegood.exploring.world import Played, World
    from makegood.picture import Timeline
    from makegood.picture.story import Entry, Happened

__all__ = ["causes_in_words", "story_of"]

REPEATED_MAX = 4
"""How many sentences are looked for together that repeat themselves."""

_TOLD = {
    Happening.CANCEL_REQUESTED: "A person asks for it to be cancelled.",
    Happening.PAUSED: "The run is paused: {text}.",
    Happening.CHOSEN: "{node} {text}.",
    Happening.ROUNDS: "{node} {text}.",
    Happening.MOVED: "{node}: {text}.",
    Happening.CALLED: "{node} {text}.",
    Happening.STAYED: "{node} {text}.",
    Happening.REFUSED: "{node} is refused: {text}.",
    Happening.ASLEEP: "{node} sleeps.",
    Happening.CHILD: "{node}: {text}.",
    Happening.AWAITING: "{node} {text}.",
    Happening.SENT: "{node} {text}.",
    Happening.FAILED: "{node} {text}.",
    Happening.SKIPPED: "{node} is {text}.",
    Happening.STUCK: "{node}: {text}.",
    Happening.CLAIMED: "Another worker takes the run up.",
    Happening.UNDO_REQUESTED: "A person has the completed run undone.",
    Happening.DEADLINE_PASSED: "The run's deadline passes.",
    Happening.ROLLBACK_BEGAN: "The run {text}.",
    Happening.KEPT: "{node} {text}.",
    Happening.LEFT: "{node}: {text}.",
    Happening.PARKED: "The run is {text}.",
    Happening.ENDED: "The run is {text}.",
}
"""What of all that happens is told, and how."""


def causes_in_words(world: World) -> tuple[str, ...]:
    """Say which way a run goes and what goes wrong in it, in the order in which it was added."""
    return (*(option.text for option in world.taken), *map(_fault, world.faults))


def story_of(plan: Plan, played: Played) -> tuple[str, ...]:
    """Tell what happens in a world."""
    return tuple(_without_repeats([*_sentences(_told(plan, played))]))


def _fault(fault: Fault) -> str:
    match fault:
        case Befalls(direction="do"):
            return f"{fault.node} {fault.how.value}"
        case Befalls():
            return f"the {fault.direction} of {fault.node} {fault.how.value}"
        case Dies(is_lost=True):
            return "the worker dies before it can record what has happened"
        case Dies():
            return "the worker dies right after it has recorded what is to happen"
        case Reversed():
            return "a person has the completed run undone"
        case Cancelled(status=status):
            return f"a person cancels it while it stands in {status}"
        case Twice(message=message):
            return f"the same {short(message)} comes a second time"
        case Meanwhile(node=node, message=message):
            return f"a {short(message)} comes while {node} is at work"
        case _:
            assert_never(fault)


def _told(plan: Plan, played: Played) -> Timeline:
    state = played.state
    row = RunRow(
        run=RunId("imagined"),
        workflow=plan.workflow,
        key=None,
        fingerprint=plan.fingerprint,
        input_hash="",
        status=state.status,
        cause=None if state.cause is None else state.cause.value,
        rollback=None if state.rollback is None else state.rollback.value,
        reason=None if state.parked is None else state.parked.value,
        seq=played.appends,
        inbox_head=0,
        epoch=0,
        claims=state.claims,
        owner=None,
        wake_at=None,
        created_at=STARTS_AT,
        ended_at=state.ended_at,
        pruned_at=None,
    )
    return timeline(row, plan, played.facts)


def _sentences(run: Timeline) -> Iterator[str]:
    """Give a sentence for what goes well one after the other, and for each thing that does not."""
    well: list[tuple[str, str]] = []
    for entry in run.story:
        good = _gone_well(entry)
        if good is not None:
            if well and well[-1][1] != good[1]:
                yield _together(well)
                well = []
            well.append(good)
            continue
        sentence = _sentence(entry)
        if sentence is None:
            continue
        if well:
            yield _together(well)
            well = []
        yield sentence
    if well:
        yield _together(well)


def _gone_well(entry: Entry) -> tuple[str, str] | None:
    """Return the node and what has become of it, when that is all there is to say."""
    if not isinstance(entry, Attempted) or entry.ending is not Ending.DONE:
        return None
    return entry.node, "undone" if entry.direction == "undo" else "done"


def _together(well: Sequence[tuple[str, str]]) -> str:
    names = [node for node, _ in well]
    how = well[0][1]
    if len(names) == 1:
        return f"{names[0]} is {how}."
    return f"{', '.join(names[:-1])} and {names[-1]} are {how}."


def _sentence(entry: Entry) -> str | None:
    """Say what did not simply go well; None for what is of no interest here."""
    return _attempt(entry) if isinstance(entry, Attempted) else _event(entry)


def _event(entry: Happened) -> str | None:
    form = _TOLD.get(entry.what)
    return None if form is None else form.format(node=entry.node, text=entry.text)


def _attempt(entry: Attempted) -> str:
    match entry.direction:
        case "do":
            who = entry.node
        case "undo":
            who = f"{entry.function}, which undoes {entry.node},"
        case "compensate":
            who = f"{entry.function}, asked about {entry.node},"
        case _:
            assert_never(entry.direction)
    why = "" if entry.failure is None else f": {entry.failure.message}"
    match entry.ending:
        case Ending.DONE:
            return f"{who} is done."
        case Ending.ANSWERED:
            return f"{who} answers: {entry.verdict}."
        case Ending.FAILED:
            return f"{who} fails{why}."
        case Ending.IN_DOUBT:
            return f"{who} is in doubt{why}."
        case Ending.UNRECORDED:
            return f"{who} happens, and its result cannot be recorded."
        case Ending.REFUSED:
            return f"{who} gives what it does not declare{why}."
        case Ending.INTERRUPTED:
            return f"{who} is interrupted: the worker dies."
        case Ending.STOPPED:
            return f"{who} is stopped: it is not wanted any more."
        case Ending.AT_WORK | Ending.AWAITING:
            return f"{who} is at work."
        case _:
            assert_never(entry.ending)


def _without_repeats(sentences: Sequence[str]) -> Iterator[str]:
    """Give sentences that repeat themselves in a row once, and how often they are said."""
    at = 0
    while at < len(sentences):
        length, times = max(
            ((length, _times(sentences, at, length)) for length in range(1, REPEATED_MAX + 1)),
            key=lambda found: (found[1] > 1, found[0] * (found[1] - 1), -found[0]),
        )
        if times == 1:
            yield sentences[at]
            at += 1
            continue
        *before, last = sentences[at : at + length]
        yield from before
        if length == 1:
            yield f"{last.removesuffix('.')}, {times} times."
        else:
            yield last
            yield f"The last {length} things happen {times} times in all."
        at += length * times


def _times(sentences: Sequence[str], at: int, length: int) -> int:
    """Return how often the sentences from here on are said again and again, at least once."""
    block, times = sentences[at : at + length], 1
    while (
        len(block) == length and block == sentences[at + times * length : at + (times + 1) * length]
    ):
        times += 1
    return times
