"""What the decision core wants done. Commands are performed, never stored: the facts are."""

from __future__ import annotations

from typing import Literal

import msgspec

from makegood.decision.facts import Fact
from makegood.values.instants import Instant

__all__ = [
    "NOTHING",
    "Command",
    "Compensate",
    "Decision",
    "Evaluate",
    "Local",
    "Start",
    "Stop",
    "Undo",
]


class Start(msgspec.Struct, frozen=True, gc=False):
    """Run the node's body."""

    node: int
    attempt: int
    generation: int
    until: Instant | None
    """When the attempt is cancelled at the latest."""


class Stop(msgspec.Struct, frozen=True, gc=False):
    """Cancel the node's body, which has no effect; its outcome is no longer wanted."""

    node: int


class Compensate(msgspec.Struct, frozen=True, gc=False):
    """Ask the node's compensate about its last failure."""

    node: int
    attempt: int
    generation: int


class Undo(msgspec.Struct, frozen=True, gc=False):
    """Run the node's undo."""

    node: int
    attempt: int


class Local(msgspec.Struct, frozen=True, gc=False):
    """Run a body that writes only in the journal's database, inside an append of its own.

    That append carries the start and the outcome, so no fact precedes this command, and it is
    given again by every decision until the outcome is there.
    """

    node: int
    attempt: int
    direction: Literal["do", "undo"]


class Evaluate(msgspec.Struct, frozen=True, gc=False):
    """Compute something from recorded values, at once, before the append.

    `result` is about the run, and its node is -1; all others are about a node. Of a switch it is
    first the `case`, and when the chosen branch has ended its `branch`; of a sleep, when it is
    `due`. Of an each it is its `items`, then what a `round` gives, then the `list` of that; of a
    repeat the value to `start` with, and after every round whether to go on (`until`). Of a child
    it is the `call` of it, with its inputs; of a `wait` what it waits for, and until when; and of
    what is sent the `letter`. Of a lifecycle it is what a status is to `listen` for, and the record
    as the `final` value, where that is to be written anew.
    """

    node: int
    what: Literal[
        "guard",
        "expect",
        "value",
        "note",
        "case",
        "branch",
        "due",
        "items",
        "round",
        "list",
        "start",
        "until",
        "call",
        "wait",
        "letter",
        "listen",
        "final",
        "result",
    ]
    round: int = 0
    """Which one, where it is what a round gives."""


Command = Start | Stop | Compensate | Undo | Local | Evaluate
"""Everything that can be wanted."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Facts to append, and commands to perform once they are durable."""

    facts: tuple[Fact, ...] = ()
    commands: tuple[Command, ...] = ()
    is_last: bool = False
    """Asking again at once would add nothing. It saves a question in the common case."""


NOTHING = Decision()
"""There is nothing to do."""
