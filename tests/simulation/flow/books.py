"""What has really been done and taken back: the outside's books, and what must never be in them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from makegood.errors import Declined
from tests.simulation.flow.histories import open_intents
from tests.simulation.flow.shop import REST, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from makegood.journal.memory_store import MemoryStore

__all__ = ["Books", "Entry"]

SECOND = 1_000_000


class Entry(msgspec.Struct, frozen=True):
    """Something that was done, or taken back, at a time in microseconds."""

    at: int
    request: Request


class Books:
    """All that happened outside, in order; the same request under the same key happens once."""

    def __init__(
        self, declined: Collection[str], now: Callable[[], int], store: MemoryStore
    ) -> None:
        self.entries: list[Entry] = []
        self.wrong: list[str] = []
        """What broke a rule at once."""
        self.seen: Counter[str] = Counter()
        self._declined = declined
        self._now = now
        self._store = store
        self._by_key: dict[str, Entry] = {}
        self._done: dict[str, Entry] = {}
        self._taken_back: set[str] = set()

    def ask(self, request: Request) -> None:
        """Do what is asked, unless it is done already; raise `Declined` where it never is."""
        known = self._by_key.get(request.key)
        if known is not None:
            self.seen["asked again under its key"] += 1
            if msgspec.structs.replace(known.request, run=request.run) != request:
                self.wrong.append(f"one key for {known.request} and {request}")
            return
        if request.is_undo:
            self._take_back(request)
        elif request.thing in self._declined:
            message = f"{request.thing} is declined"
            raise Declined(message)
        else:
            self._do(request)
        entry = Entry(self._now(), request)
        self.entries.append(entry)
        self._by_key[request.key] = entry
        if not request.is_undo:
            self._done[request.thing] = entry

    def net(self, order: str) -> set[str]:
        """Return what is done for an order, and not taken back."""
        return {
            thing
            for thing in self._done
            if thing.startswith(f"{order}/") and thing not in self._taken_back
        }

    def done_since(self, at: int, run: str) -> list[str]:
        """Return what was done for a run after a time in microseconds."""
        return [
            entry.request.thing
            for entry in self._done.values()
            if entry.at > at and entry.request.run == run
        ]

    def taken_back(self, order: str) -> list[Entry]:
        """Return what was taken back for an order, in order."""
        return [
            entry
            for entry in self.entries
            if entry.request.is_undo and entry.request.thing.startswith(f"{order}/")
        ]

    def _do(self, request: Request) -> None:
        if request.thing in self._done:
            self.wrong.append(f"{request.thing} was done twice")
        thing, _, count = request.thing.rpartition("-")
        before = self._done.get(f"{thing}-{int(count) - 1}") if _is_rested(request.thing) else None
        if before is not None and self._now() - before.at < REST.total_seconds() * SECOND:
            self.wrong.append(f"{request.thing} was done without a rest before it")

    def _take_back(self, request: Request) -> None:
        if request.thing not in self._done or request.thing in self._taken_back:
            self.wrong.append(f"{request.thing} was taken back, and was not there")
        self._taken_back.add(request.thing)
        intents = open_intents(self._store, request.run)
        if intents:
            self.wrong.append(f"{request.thing} was taken back while {intents} are in doubt")


def _is_rested(thing: str) -> bool:
    return "/ring/" in thing or "/polish/" in thing
