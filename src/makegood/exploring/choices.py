"""Where can a run go one way or another by itself? A guard, a demand, a case, items and rounds.

Nobody knows what the values will be, so each of these is a choice, and every option of it is a
world of its own. What reads the same value at the same place agrees on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.definition.plan import BLOCK_SPAN, Constant, FromNode, FromRound, Kind

if TYPE_CHECKING:
    from makegood.definition.plan import Node, Source

__all__ = [
    "LAST_FIRST",
    "Choice",
    "Option",
    "case_of",
    "guard_of",
    "items_of",
    "message_of",
    "rounds_of",
]

ITEMS = ("1", "0", "2")
"""How many items an each goes over; the first is how it goes where nothing else is said."""

ROUNDS = ("1", "2", "never")
"""After how many rounds a repeat is over."""


class Option(msgspec.Struct, frozen=True):
    """One option of a choice, and how it is said."""

    key: str
    taken: str
    text: str


class Choice(msgspec.Struct, frozen=True):
    """A place at which a run goes one way or another."""

    key: str
    """The same for everything that reads the same value."""
    options: tuple[Option, ...]
    """The first is how it goes where nothing else is said."""


LAST_FIRST = Option("order", "last first", "of what is at work at once the last begun ends first")
"""How what is at work at once ends, where it does not end in the order in which it began."""


def guard_of(node: Node, path: str) -> Choice:
    """Return the choice of a guard, or of the flag of an expect."""
    is_demand = node.kind is Kind.EXPECT
    source = node.arguments[0].source if is_demand else node.when
    key = _key(source, path)
    texts = (
        (f"what {path} demands holds", f"what {path} demands does not hold")
        if is_demand
        else (f"the guard of {path} holds", f"the guard of {path} does not hold")
    )
    return Choice(key, (Option(key, "true", texts[0]), Option(key, "false", texts[1])))


def case_of(node: Node, path: str) -> Choice:
    """Return the choice of a switch."""
    key = _key(node.arguments[0].source, path)
    return Choice(
        key,
        tuple(
            Option(key, each.label, f"{path} takes the case {each.label}") for each in node.cases
        ),
    )


def items_of(path: str) -> Choice:
    """Return the choice of an each."""
    key = f"{path} items"
    said = {"0": "no item", "1": "1 item"}
    return Choice(
        key,
        tuple(
            Option(key, many, f"{path} goes over {said.get(many, f'{many} items')}")
            for many in ITEMS
        ),
    )


def rounds_of(node: Node, path: str) -> Choice:
    """Return the choice of a repeat."""
    key = f"{path} rounds"
    assert node.block is not None, "a repeat has a block"
    texts = {
        "1": f"{path} is over after 1 round",
        "2": f"{path} is over after 2 rounds",
        "never": f"{path} does not come to its end",
    }
    several = ROUNDS if node.block.rounds_max > 1 else ("1", "never")
    return Choice(key, tuple(Option(key, each, texts[each]) for each in several))


def message_of(node: Node, path: str) -> Choice:
    """Return the choice of a wait; one that is never given up has only one way to end."""
    key = f"{path} message"
    comes = Option(key, "comes", f"the message for {path} comes")
    within = next(item.source for item in node.arguments if item.name == "within")
    if within == Constant("null"):
        return Choice(key, (comes,))
    never = Option(key, "never", f"the message for {path} never comes")
    return Choice(key, (comes, never))


def _key(source: Source | None, path: str) -> str:
    """Return what is the same for all that read this value; in a round it is that round's."""
    match source:
        case FromRound():
            is_inside = True
        case FromNode(node=number):
            is_inside = number >= BLOCK_SPAN
        case _:
            is_inside = False
    rounds, found, _ = path.rpartition("]/")
    return f"{rounds}{found}{source!r}" if is_inside else repr(source)
