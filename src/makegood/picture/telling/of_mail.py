"""How is it said what a run sends and waits for? In sentences about one fact each."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.definition.plan import Constant, Node
from makegood.picture.story import Happening
from makegood.values.held import HELD
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Container

    from makegood.decision.happening.groups import OfMail
    from makegood.decision.state import RunState

__all__ = ["awaited", "of_mail", "sent", "told_of"]


def of_mail(fact: OfMail, *, is_wanted: bool) -> tuple[Happening, str]:
    """Say what happened to a message; one that is not wanted came too late."""
    match fact:
        case facts.WaitBegan(message=message) if message == HELD:
            until = "" if fact.due is None else f" until {as_datetime(fact.due):%Y-%m-%d %H:%M:%S}"
            return Happening.AWAITING, f"waits{until} to hold {fact.key}"
        case facts.MessageCame(message=message) if message == HELD:
            late = "" if is_wanted else ", too late, and lets it go"
            return Happening.MESSAGE, f"holds {fact.key}{late}"
        case facts.WaitBegan():
            until = "" if fact.due is None else f" until {as_datetime(fact.due):%Y-%m-%d %H:%M:%S}"
            return Happening.AWAITING, f"waits for {_named(fact.message)} {fact.key}{until}"
        case facts.WaitRefused():
            return Happening.FAILED, "another wait is for the same message"
        case facts.MessageCame() if not is_wanted:
            text = f"{_named(fact.message)} {fact.key} came too late and is given back"
            return Happening.MESSAGE, text
        case facts.MessageCame(misfit=None):
            return Happening.MESSAGE, f"was given {_named(fact.message)} {fact.key}"
        case facts.MessageCame():
            text = f"{_named(fact.message)} {fact.key} cannot be read: {fact.misfit}"
            return Happening.FAILED, text
        case facts.MessageSent():
            when = "" if fact.on == "now" else ", once the run has completed"
            return Happening.SENT, f"sends {_named(fact.message)} {fact.key}{when}"
        case _:
            assert_never(fact)


def told_of(fact: OfMail, state: RunState, ended: Container[str]) -> str | None:
    """Return the node that this is about; None for a message that came too late.

    `ended` has the nodes that ended before.
    """
    if not isinstance(fact, facts.MessageCame):
        return fact.node
    if fact.id in state.mailbox.unwanted:
        return None
    if fact.message == HELD:
        return fact.id.rpartition("@")[0]
    if state.lifecycle is not None:
        return state.graph[state.lifecycle.index].path
    waited = (
        state.graph[index].path
        for index, node in enumerate(state.nodes)
        if node.message == (fact.message, fact.key)
    )
    return next((path for path in waited if path not in ended), None)


def awaited(node: Node) -> str:
    """Say which message a node waits for, and whether for ever."""
    if node.function == HELD:
        return "to hold a key"
    within = next((item.source for item in node.arguments if item.name == "within"), None)
    is_forever = within is None or within == Constant("null")
    return f"for {_named(node.function)}{', for ever' if is_forever else ''}"


def sent(node: Node) -> str:
    """Say which message a node sends, and whether it is held back."""
    on = next((item.source for item in node.arguments if item.name == "on"), None)
    held = ", once the run has completed" if on == Constant('"success"') else ""
    return f"{_named(node.function)}{held}"


def _named(message: str) -> str:
    """Return the name of a message's class without its module."""
    return message.rpartition(".")[2]
