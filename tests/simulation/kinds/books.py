"""What was really done outside, and taken back: each thing once, under a key of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.errors import Declined, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from makegood.testing.simulation import Line

__all__ = ["Books", "Clerk", "Deed", "Entry", "Telephone"]


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: that a thing be done, or taken back."""

    thing: str
    """It has a name of its own: the same name is the same thing."""
    key: str
    of: str
    """The run, or the message, for which it is done."""
    about: str = ""
    """By which it may be declined."""
    is_undo: bool = False


class Entry(msgspec.Struct, frozen=True):
    """Something that was done, or taken back, at a time in microseconds."""

    at: int
    deed: Deed


class Clerk(Protocol):
    """What a process asks the outside through."""

    async def ask(self, deed: Deed) -> None:
        """Have something done."""
        ...

    async def knows(self, key: str, *, bars: bool = False) -> bool:
        """Say whether something was done under a key; see `Books.knows`."""
        ...


class Books:
    """All that happened outside, in order; the same deed under the same key happens once."""

    def __init__(
        self,
        declined: Collection[str],
        now: Callable[[], int],
        *,
        closed: Mapping[str, int] | None = None,
        may_return: bool = False,
    ) -> None:
        """Open the books; with `may_return` what was taken back may be done again."""
        self.entries: list[Entry] = []
        self.wrong: list[str] = []
        """What broke a rule at once."""
        self.seen: Counter[str] = Counter()
        self._declined = declined
        self._closed = closed or {}
        """Until when something cannot be done, in microseconds."""
        self._now = now
        self._by_key: dict[str, Deed] = {}
        self._barred: set[str] = set()
        """The keys under which nothing is done any more."""
        self._may_return = may_return
        self._there: dict[str, str] = {}
        """What is done and not taken back, and for which run, or message."""
        self._ever: set[str] = set()

    def ask(self, deed: Deed) -> None:
        """Do what is asked, unless it is done already; raise `Declined` where it never is."""
        known = self._by_key.get(deed.key)
        if known is not None:
            self.seen["asked again under its key"] += 1
            if known != deed:
                self.wrong.append(f"one key for {known} and {deed}")
            return
        if deed.key in self._barred:
            self.seen["came after it was asked about"] += 1
            message = f"{deed.thing} comes too late"
            raise Declined(message)
        if deed.is_undo:
            self._take_back(deed)
        elif deed.about in self._declined:
            self.seen["declined"] += 1
            message = f"{deed.about} is declined"
            raise Declined(message)
        elif self._now() < self._closed.get(deed.about, 0):
            self.seen["closed"] += 1
            message = f"{deed.about} is closed"
            raise Unavailable(message)
        elif deed.thing in (self._there if self._may_return else self._ever):
            self.wrong.append(f"{deed.thing} was done twice")
        self._by_key[deed.key] = deed
        self.entries.append(Entry(self._now(), deed))
        if not deed.is_undo:
            self._there[deed.thing] = deed.of
            self._ever.add(deed.thing)

    def knows(self, key: str, *, bars: bool = False) -> bool:
        """Say whether something was done, or taken back, under a key.

        With `bars` nothing is done under it later, if nothing was: a request may be on its way.
        """
        if bars and key not in self._by_key:
            self._barred.add(key)
        return key in self._by_key

    def net(self, of: str) -> set[str]:
        """Return what is done for a run, and not taken back."""
        return {thing for thing, whose in self._there.items() if whose == of}

    def taken_back(self, of: str) -> list[str]:
        """Return what was taken back for a run, in order."""
        return [
            entry.deed.thing for entry in self.entries if entry.deed.of == of and entry.deed.is_undo
        ]

    def _take_back(self, deed: Deed) -> None:
        if self._there.pop(deed.thing, None) is None:
            self.wrong.append(f"{deed.thing} was taken back, and was not there")


class Telephone:
    """How a process asks the outside."""

    def __init__(self, line: Line, books: Books) -> None:
        self._line = line
        self._books = books

    async def ask(self, deed: Deed) -> None:
        """Have something done outside."""
        await self._line.ask(deed.thing, lambda: self._books.ask(deed))

    async def knows(self, key: str, *, bars: bool = False) -> bool:
        """Ask outside whether something was done under a key."""
        return await self._line.ask(key, lambda: self._books.knows(key, bars=bars))
