"""What do people ask of a run, and what follows from it? Each fact of that in words."""

from __future__ import annotations

from typing import NamedTuple

from makegood.decision import facts
from makegood.picture import words
from makegood.picture.story import Happening

__all__ = ["Told", "of_people"]


_Said = (
    facts.Request
    | facts.CompletionGiven
    | facts.AttemptsGranted
    | facts.Unparked
    | facts.Paused
    | facts.Resumed
    | facts.SkipGranted
    | facts.ResultGranted
    | facts.RetraceBegan
    | facts.Retraced
    | facts.Erased
)
"""Everything about people but what they were answered, which is told with what they asked for."""


class Told(NamedTuple):
    """What a fact tells."""

    what: Happening
    text: str
    node: str | None = None
    actor: str | None = None
    reason: str | None = None


def of_people(fact: _Said) -> Told:  # noqa: PLR0911 - one for each kind
    """Say what a person has asked for, or what has followed from it."""
    match fact:
        case facts.CompletionGiven(node=node):
            said = words.completion(fact)
            return Told(Happening.COMPLETION_GIVEN, said, node, fact.actor or None)
        case facts.AttemptsGranted(node=node):
            again = "has all its attempts again"
            text = again if node else "its value is to be built again"
            return Told(Happening.GRANTED, text, node)
        case facts.Unparked():
            return Told(Happening.UNPARKED, "no longer parked")
        case facts.Paused():
            return _word(Happening.PAUSED, fact, "paused by")
        case facts.Resumed():
            return _word(Happening.RESUMED, fact, "resumed by")
        case facts.SkipGranted():
            return _word(Happening.SKIP_GRANTED, fact, "is skipped by")
        case facts.ResultGranted():
            return _word(Happening.RESULT_GRANTED, fact, "is given its result by")
        case facts.RetraceBegan(nodes=nodes):
            others = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
            said = f"goes back to do it{others} again, as was wanted by"
            return _word(Happening.RETRACE_BEGAN, fact, said)
        case facts.Retraced():
            return Told(Happening.RETRACED, "goes forward again")
        case facts.Erased(actor=actor, reason=reason):
            text = f"erased by {actor} ({reason}): no value is on record any more"
            return Told(Happening.ERASED, text, None, actor, reason)
        case _:
            return _request(fact)


def _request(fact: facts.Request) -> Told:
    what, wanted = words.wanted(fact)
    text = f"{fact.actor} asked to {wanted}{_because(fact.reason)}"
    # Some are about the whole run.
    return Told(what, text, getattr(fact, "node", None), fact.actor, fact.reason)


def _word(
    what: Happening,
    fact: facts.Paused
    | facts.Resumed
    | facts.SkipGranted
    | facts.ResultGranted
    | facts.RetraceBegan,
    said: str,
) -> Told:
    text = f"{said} {fact.actor}{_because(fact.reason)}"
    return Told(what, text, getattr(fact, "node", None), fact.actor, fact.reason)


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
