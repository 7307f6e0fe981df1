"""A process that reads all books when everybody has gone, and says whether they tell one story.

The books themselves are read without the engine. Only what is still to be received, and what was
given up, is the engine's to say.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec

from makegood import DeadLetter, Engine, MessageOperator
from makegood.cli.demo.services.day import Day
from makegood.commerce.services.accounts import Accounts, Places, reconcile

__all__ = ["Audit", "Letter", "Question", "main"]

MALFORMED = "malformed"
"""Why the store of a service has given up what was no message."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Where the books are, and what was ordered."""

    places: Places
    day: Day
    garbage: int
    """How many things were sent that are no messages."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter."""

    service: str
    receptor: str
    type: str
    key: str | None
    reason: str
    error: str | None
    is_explained: bool


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    accounts: Accounts
    given_up: tuple[Letter, ...]
    waiting: int
    """How many messages are still to be received or sent."""
    garbage_missing: int
    """How much of what was no message is not among the dead letters."""


def main() -> None:
    """Read a question, and write what was found, as JSON."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    letters, waiting = asyncio.run(_letters(asked))
    found = Audit(
        accounts=reconcile(asked.places, placed=frozenset(asked.day.placed())),
        given_up=tuple(letters),
        waiting=waiting,
        garbage_missing=max(0, asked.garbage - sum(each.is_explained for each in letters)),
    )
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


async def _letters(asked: Question) -> tuple[list[Letter], int]:
    """Return the dead letters of all stores, and how much is waiting in them."""
    found: list[Letter] = []
    waiting = 0
    names: dict[str, list[str]] = {}
    for service, store in asked.places.stores.items():
        names.setdefault(store, []).append(service)
    for store, services in names.items():
        async with Engine(store, work=False) as engine:
            operator = MessageOperator(engine)
            waiting += sum(lag.waiting for lag in await operator.lag())
            dead_letters = await operator.dead_letters()
            found += [_letter("+".join(services), each, asked) for each in dead_letters]
    return found, waiting


def _letter(service: str, dead: DeadLetter, asked: Question) -> Letter:
    return Letter(
        service=service,
        receptor=dead.receptor,
        type=dead.type,
        key=dead.key,
        reason=dead.reason,
        error=None if dead.failure is None else dead.failure.message,
        is_explained=dead.reason == MALFORMED and bool(asked.garbage),
    )


if __name__ == "__main__":
    main()
