"""What is there to draw of receptors? Their groups, and what each of them says to which other.

All of it is read from what the receptors declare: what one sends and another receives.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import TYPE_CHECKING

import msgspec

from makegood.definition.receiving.receptors import Receptors
from makegood.errors import InvalidInput
from makegood.values.schemas import MessageKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from makegood.definition.receiving.receptor import Receptor

__all__ = ["Exchange", "MessageFlow", "Party", "Said", "message_flow"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A message, as it is drawn."""

    name: str
    """The last part of its name, or all of it where two messages end alike."""
    kind: MessageKind

    @property
    def mark(self) -> str:
        """The character that stands for its kind; beside it there is always a word."""
        return "▸" if self.kind == "command" else "•"


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A group of receptors."""

    name: str
    receptors: tuple[str, ...]
    """Their names within the group, in their order."""
    to_itself: tuple[Said, ...]
    """What its receptors say to each other."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What one group says to another one."""

    sender: str | None
    """None: whoever is none of those that are drawn."""
    receiver: str | None
    messages: tuple[Said, ...]


class MessageFlow(msgspec.Struct, frozen=True, kw_only=True):
    """Which groups there are, and what goes between them."""

    title: str
    parties: tuple[Party, ...]
    exchanges: tuple[Exchange, ...]
    """Those from outside first, then by who speaks, in the order of the groups."""


def message_flow(
    groups: Receptors | Iterable[Receptors], *, title: str = "Messages"
) -> MessageFlow:
    """Return who says what to whom, to be drawn by `text`, `mermaid` and `svg`.

    What somebody receives and nobody here sends comes from outside; what is sent and nobody here
    receives goes there. Raises `InvalidInput` for no receptors at all.
    """
    found = [groups] if isinstance(groups, Receptors) else [*groups]
    if not any(group.receptors for group in found):
        message = "there are no receptors to draw; name a group that has some"
        raise InvalidInput(message)
    words = _words(found)
    sends = {group.name: _named(group, words, sent=True) for group in found}
    hears = {group.name: _named(group, words, sent=False) for group in found}
    names = [*sends]
    return MessageFlow(
        title=title,
        parties=tuple(_party(group, sends, hears) for group in found),
        exchanges=(
            *(
                Exchange(sender=None, receiver=name, messages=messages)
                for name, messages in _unmatched(names, hears, sends)
            ),
            *_between(names, sends, hears),
            *(
                Exchange(sender=name, receiver=None, messages=messages)
                for name, messages in _unmatched(names, sends, hears)
            ),
        ),
    )


Named = dict[str, Said]
"""Messages as they are drawn, by their whole names."""


def _words(groups: Sequence[Receptors]) -> Mapping[str, str]:
    """Return how each message is named in the picture."""
    whole = {
        schema.name
        for group in groups
        for receptor in group.receptors
        for schema in (*receptor.receives.values(), *receptor.sends.values())
    }
    ends = Counter(end for name in whole for end in _ends(name))
    return {name: next((end for end in _ends(name) if ends[end] == 1), name) for name in whole}


def _ends(name: str) -> Iterator[str]:
    """Return the ends of a name from one of its points on, the shortest first."""
    parts = name.split(".")
    return (".".join(parts[first:]) for first in reversed(range(len(parts))))


def _named(group: Receptors, words: Mapping[str, str], *, sent: bool) -> Named:
    def of(receptor: Receptor) -> Iterator[tuple[str, Said]]:
        for schema in (receptor.sends if sent else receptor.receives).values():
            yield schema.name, Said(name=words[schema.name], kind=schema.kind)

    return {name: said for receptor in group.receptors for name, said in of(receptor)}


def _party(group: Receptors, sends: Mapping[str, Named], hears: Mapping[str, Named]) -> Party:
    within = sends[group.name].keys() & hears[group.name].keys()
    return Party(
        name=group.name,
        receptors=tuple(each.name.rpartition("/")[2] for each in group.receptors),
        to_itself=_sorted(hears[group.name], within),
    )


def _between(
    names: Sequence[str], sends: Mapping[str, Named], hears: Mapping[str, Named]
) -> Iterator[Exchange]:
    for sender, receiver in product(names, names):
        both = sends[sender].keys() & hears[receiver].keys()
        if sender != receiver and both:
            messages = _sorted(hears[receiver], both)
            yield Exchange(sender=sender, receiver=receiver, messages=messages)


def _unmatched(
    names: Sequence[str], own: Mapping[str, Named], others: Mapping[str, Named]
) -> Iterator[tuple[str, tuple[Said, ...]]]:
    """Return for each group what it says that nobody hears, or hears that nobody says."""
    known = {name for each in others.values() for name in each}
    for group in names:
        strange = own[group].keys() - known
        if strange:
            yield group, _sorted(own[group], strange)


def _sorted(said: Named, names: Iterable[str]) -> tuple[Said, ...]:
    """Return messages, the commands first, by their names."""
    chosen = (said[name] for name in names)
    return tuple(sorted(chosen, key=lambda each: (each.kind != "command", each.name)))
