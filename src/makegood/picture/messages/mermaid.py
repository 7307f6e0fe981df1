"""What receptors look like as a Mermaid flowchart: the same text for the same ones.

A group is a box with its receptors. What goes between two groups stands upon an arrow, commands
with `▸` and events with `•`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from makegood.picture.typeset import plain, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from makegood.picture.messages.figure import MessageFlow, Party, Said

__all__ = ["mermaid_of"]

_MEANT = re.compile(r'["#%&<>\\`|{}\[\]]')


def mermaid_of(flow: MessageFlow) -> str:
    """Return receptors as a Mermaid flowchart, which ends in a line break."""
    lines = ["flowchart LR", *(_party(party) for party in flow.parties)]
    if any(each.sender is None for each in flow.exchanges):
        lines.append('from_outside(("from outside"))')
    if any(each.receiver is None for each in flow.exchanges):
        lines.append('to_outside(("to whoever wants it"))')
    for each in flow.exchanges:
        sender = "from_outside" if each.sender is None else _id(each.sender)
        receiver = "to_outside" if each.receiver is None else _id(each.receiver)
        lines.append(f'{sender} -->|"{"<br/>".join(_said(each.messages))}"| {receiver}')
    return f"---\ntitle: {visible(flow.title)}\n---\n" + "\n    ".join(lines) + "\n"


def _party(party: Party) -> str:
    lines = [f"<b>{_escaped(party.name)}</b>", *(_escaped(name) for name in party.receptors)]
    if party.to_itself:
        lines += ["to itself:", *_said(party.to_itself)]
    return f'{_id(party.name)}["{"<br/>".join(lines)}"]'


def _said(messages: Iterable[Said]) -> Iterator[str]:
    return (f"{each.mark} {_escaped(each.name)}" for each in messages)


def _id(name: str) -> str:
    return "g_" + plain(name)


def _escaped(text: str) -> str:
    return _MEANT.sub(lambda found: f"#{ord(found[0])};", visible(text))
