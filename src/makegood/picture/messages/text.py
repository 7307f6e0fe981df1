"""What receptors look like in a terminal: a paragraph for each group, what it hears and says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.picture.marks import Style
from makegood.picture.typeset import visible, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.picture.marks import Ink
    from makegood.picture.messages.figure import MessageFlow, Party, Said

__all__ = ["lines_of"]

_INDENT = 4


def lines_of(flow: MessageFlow, ink: Ink, width: int) -> Iterator[str]:
    """Give the groups of receptors, and for each what it is told and by whom, and what it says."""
    for number, party in enumerate(flow.parties):
        if number:
            yield ""
        yield from _party(flow, party, ink, width)
    yield ""
    yield from wrapped("▸ a command, which one receives   • an event, for whoever wants it", width)


def _party(flow: MessageFlow, party: Party, ink: Ink, width: int) -> Iterator[str]:
    yield ink(visible(party.name), Style.STRONG)
    yield from _listed("by", [visible(name) for name in party.receptors], width)
    for each in flow.exchanges:
        if each.receiver == party.name:
            whom = "outside" if each.sender is None else each.sender
            yield from _listed(f"from {whom}", _names(each.messages), width)
    if party.to_itself:
        yield from _listed("to itself", _names(party.to_itself), width)
    for each in flow.exchanges:
        if each.sender == party.name:
            whom = "whoever wants it" if each.receiver is None else each.receiver
            yield from _listed(f"to {whom}", _names(each.messages), width)


def _listed(what: str, names: Sequence[str], width: int) -> Iterator[str]:
    for number, line in enumerate(wrapped(f"{what}: {', '.join(names)}", width - _INDENT)):
        yield f"{'  ' if number == 0 else '    '}{line}"


def _names(messages: Sequence[Said]) -> list[str]:
    return [f"{each.mark}{visible(each.name)}" for each in messages]
