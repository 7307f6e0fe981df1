"""What becomes of that which is on its way? The rules, written once for every store.

A delivery is a generator: it yields what a store is to do, is sent what that gave, and returns the
runs that were posted to. So the rules know no store, and a store no rule. All of it happens in one
transaction, and one delivers at a time, so what was looked up stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, assert_never

import msgspec

from makegood.journal.mail import (
    Claimant,
    Claiming,
    Exists,
    KeptLetter,
    Letter,
    LettingGo,
    NoLonger,
    Outgoing,
    Post,
    ToRun,
    ToStart,
    Undelivered,
    Waiter,
    Waiting,
)
from makegood.values.ids import RunId
from makegood.values.instants import Instant
from makegood.values.limits import LETTERS_KEPT_MAX

__all__ = [
    "Address",
    "Asked",
    "Change",
    "ChangeClaims",
    "CountKept",
    "Delivery",
    "FindClaims",
    "Found",
    "Look",
    "Posts",
    "Put",
    "as_told",
    "delivery",
    "driven",
    "noting_news",
]

Address = tuple[str, str]
"""A type of message, and a key."""

Put = int | Exists | None
"""What became of a post: its number, the run that has its id or its key already, or None where
there is no run to post to."""


class Look(msgspec.Struct, frozen=True, gc=False):
    """Find who waits at these addresses, what is kept for them, and letters by their ids."""

    addresses: tuple[Address, ...]
    ids: tuple[str, ...]
    now: Instant
    """What was to be kept until then, or less long, is not found at an address any more."""


class Found(msgspec.Struct, frozen=True, gc=False):
    """What is there."""

    waiters: Sequence[Waiter]
    letters: Sequence[KeptLetter]
    """Those that nobody has taken, the oldest of each address first, and those with the ids."""


class CountKept(msgspec.Struct, frozen=True, gc=False):
    """Count what is kept at this address for somebody who does not wait yet, up to a number."""

    address: Address
    now: Instant
    up_to: int


class Posts(msgspec.Struct, frozen=True, gc=False):
    """Make these posts, and say what became of each."""

    posts: Sequence[Post]


class Change(msgspec.Struct, frozen=True, gc=False):
    """Remember these letters as they are now, and who waits from now on and who does not."""

    letters: Sequence[KeptLetter]
    coming: Sequence[Waiter]
    gone: Sequence[Address]
    """Forgotten before those that are coming are remembered."""


class FindClaims(msgspec.Struct, frozen=True, gc=False):
    """Find who holds these keys and who waits for them."""

    keys: tuple[str, ...]


class ChangeClaims(msgspec.Struct, frozen=True, gc=False):
    """Forget these claims, remember others as they are now, and add new ones behind all."""

    gone: Sequence[Claimant]
    changed: Sequence[Claimant]
    coming: Sequence[Claimant]


Asked = Look | CountKept | Posts | Change | FindClaims | ChangeClaims
"""What a store is asked for: it gives `Found`, a number, a sequence of `Put`, claims in the order
in which they came, or nothing."""

# Any: what is sent depends on what was yielded, as `Asked` says.
Delivery = Generator[Asked, Any, tuple[RunId, ...]]


def delivery(waiting: Sequence[Undelivered], now: Instant) -> Delivery:
    """Deliver all of this, in its order."""
    box = _Box(now)
    addresses, ids = _named(waiting)
    if addresses:
        found: Found = yield Look(addresses, ids, now)
        box.fill(found)
    for each in waiting:
        if (flooded := _flooded_by(each, box)) is not None:
            kept: int = yield CountKept(flooded, now, LETTERS_KEPT_MAX)
            if kept >= LETTERS_KEPT_MAX:
                return ()
    queue = _Queue()
    keys = dict.fromkeys(
        each.entry.key for each in waiting if isinstance(each.entry, Claiming | LettingGo)
    )
    if keys:
        claims: Sequence[Claimant] = yield FindClaims(tuple(keys))
        queue.fill(claims)
    posted: dict[RunId, None] = {}
    pending = [sending for each in waiting for sending in _sendings(each, box, queue, now)]
    while pending:
        answers: Sequence[Put] = yield Posts([sending.post for sending in pending])
        following: list[_Sending] = []
        for sending, answer in zip(pending, answers, strict=True):
            if isinstance(answer, int):
                posted[sending.post.run] = None
            else:
                following += _instead(sending, answer, box, now)
        pending = following
    if box.has_changed:
        yield box.change()
    if queue.has_changed:
        yield queue.change()
    return tuple(posted)


def driven(delivering: Delivery, give: Callable[[Asked], object]) -> tuple[RunId, ...]:
    """Carry out a delivery in a store that gives at once what is asked for."""
    try:
        asked = next(delivering)
        while True:
            asked = delivering.send(give(asked))
    except StopIteration as end:
        posted: tuple[RunId, ...] = end.value
        return posted


def noting_news(delivering: Delivery, letter: Letter, news: list[str]) -> Delivery:
    """Carry out a delivery, and add the id of this letter to `news` where it was not known."""
    given: Any = None  # Any: as for a delivery.
    while True:
        try:
            asked = delivering.send(given)
        except StopIteration as end:
            posted: tuple[RunId, ...] = end.value
            return posted
        if isinstance(asked, Change) and any(each.id == letter.id for each in asked.letters):
            news.append(letter.id)
        given = yield asked


def as_told(kept: KeptLetter | None, news: Sequence[str]) -> KeptLetter | None:
    """Return a letter as whoever has sent it is told of it."""
    if kept is None or kept.id in news:
        return kept
    return msgspec.structs.replace(kept, was_known=True)


class _Sending(msgspec.Struct, frozen=True, gc=False):
    """A post that is made for something on its way."""

    waiting: Undelivered
    post: Post
    is_refusal: bool = False
    """It tells the sender that the first one could not be made, and is the last."""
    letter: KeptLetter | None = None
    """What it hands over."""


class _Box:
    """The letters and the waiters that a delivery is about."""

    def __init__(self, now: Instant) -> None:
        self._now = now
        self._waiters: dict[Address, Waiter] = {}
        self._letters: dict[str, KeptLetter] = {}
        self._changed: dict[str, KeptLetter] = {}
        self._coming: dict[Address, Waiter] = {}
        self._gone: dict[Address, None] = {}

    def fill(self, found: Found) -> None:
        self._waiters = {(each.message, each.key): each for each in found.waiters}
        self._letters = {each.id: each for each in found.letters}

    @property
    def has_changed(self) -> bool:
        return bool(self._changed or self._coming or self._gone)

    def change(self) -> Change:
        return Change(
            tuple(self._changed.values()), tuple(self._coming.values()), tuple(self._gone)
        )

    def letter(self, id: str) -> KeptLetter | None:
        return self._letters.get(id)

    def keep(self, letter: KeptLetter) -> None:
        self._letters[letter.id] = self._changed[letter.id] = letter

    def waiter_at(self, address: Address) -> Waiter | None:
        return self._waiters.get(address)

    def letter_at(self, address: Address) -> KeptLetter | None:
        """Return the oldest that is kept for those who wait here."""
        kept = (
            letter
            for letter in self._letters.values()
            if (letter.message, letter.key) == address
            and letter.taken_by is None
            and letter.until > self._now
        )
        return min(kept, key=lambda letter: (letter.at, letter.id), default=None)

    def add(self, waiter: Waiter) -> None:
        address = (waiter.message, waiter.key)
        self._waiters[address] = self._coming[address] = waiter

    def remove(self, address: Address) -> None:
        del self._waiters[address]
        if self._coming.pop(address, None) is None:
            self._gone[address] = None


class _Queue:
    """Who holds which key, and who waits for it, as far as a delivery is about them."""

    def __init__(self) -> None:
        self._before: dict[_Claim, Claimant] = {}
        self._now: dict[_Claim, Claimant] = {}

    def fill(self, claims: Sequence[Claimant]) -> None:
        self._before = {_claim_of(each): each for each in claims}
        self._now = dict(self._before)

    @property
    def has_changed(self) -> bool:
        return self._now != self._before

    def change(self) -> ChangeClaims:
        before, now = self._before, self._now
        return ChangeClaims(
            gone=[each for claim, each in before.items() if claim not in now],
            changed=[
                each for claim, each in now.items() if claim in before and before[claim] != each
            ],
            coming=[each for claim, each in now.items() if claim not in before],
        )

    def add(self, claimant: Claimant) -> list[Claimant]:
        """Let somebody stand in the queue of a key; return who is to be told of a turn."""
        self._now[_claim_of(claimant)] = claimant
        return self._granted(claimant.key)

    def remove(self, run: RunId, entry: LettingGo) -> list[Claimant]:
        """Let somebody leave it, or let the key go; return who is to be told of a turn."""
        for each in self._at(entry.key):
            if each.run == run and entry.id in {None, each.id}:
                del self._now[_claim_of(each)]
        return self._granted(entry.key)

    def _granted(self, key: str) -> list[Claimant]:
        """Let those hold a key whose turn it is, and return them as they have waited."""
        claims = self._at(key)
        first = next((each for each in claims if each.is_holder), claims[0] if claims else None)
        if first is None:
            return []
        told = [each for each in claims if each.root == first.root and not each.is_holder]
        for each in told:
            holds = msgspec.structs.replace(each, is_holder=True, body=b"")
            self._now[_claim_of(each)] = holds
        return told

    def _at(self, key: str) -> list[Claimant]:
        return [each for each in self._now.values() if each.key == key]


_Claim = tuple[str, RunId, str]
"""A key, who claims it, and the name of the claim."""


def _claim_of(claimant: Claimant) -> _Claim:
    return claimant.key, claimant.run, claimant.id


def _named(waiting: Sequence[Undelivered]) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Return the addresses and the ids of letters that are named, each once."""
    addresses: dict[Address, None] = {}
    ids: dict[str, None] = {}
    for each in waiting:
        entry = each.entry
        if isinstance(entry, Letter | Waiting | NoLonger):
            addresses[entry.message, entry.key] = None
        if isinstance(entry, Letter):
            ids[entry.id] = None
    return tuple(addresses), tuple(ids)


def _flooded_by(waiting: Undelivered, box: _Box) -> Address | None:
    """Return the address at which something from outside is going to be kept, if it is."""
    entry = waiting.entry
    if waiting.sender is not None or not isinstance(entry, Letter) or box.letter(entry.id):
        return None
    address = (entry.message, entry.key)
    return address if box.waiter_at(address) is None else None


def _sendings(waiting: Undelivered, box: _Box, queue: _Queue, now: Instant) -> list[_Sending]:
    """Return the post that something on its way becomes, if it becomes one."""
    entry = waiting.entry
    match entry:
        case ToRun():
            return [_Sending(waiting, Post(run=entry.run, body=entry.body, at=now))]
        case ToStart():
            post = Post(run=entry.run, body=entry.body, at=now, create=entry.create)
            return [_Sending(waiting, post)]
        case Letter():
            return _letter_came(waiting, entry, box, now)
        case Waiting():
            return _wait_began(waiting, entry, box, now)
        case NoLonger():
            there = box.waiter_at((entry.message, entry.key))
            if there is not None and (there.run, there.node) == (waiting.sender, entry.node):
                box.remove((entry.message, entry.key))
            return []
        case Claiming() | LettingGo():
            told = _claimed(waiting, entry, queue)
            posts = [Post(run=each.run, body=each.body, at=now) for each in told]
            return [_Sending(waiting, post) for post in posts]
        case _:
            assert_never(entry)


def _claimed(
    waiting: Undelivered, entry: Claiming | LettingGo, queue: _Queue
) -> Sequence[Claimant]:
    """Return who holds the key from now on and is to learn it."""
    assert waiting.sender is not None, "only a run holds a key"
    if isinstance(entry, LettingGo):
        return queue.remove(waiting.sender, entry)
    claimant = Claimant(
        key=entry.key,
        run=waiting.sender,
        id=entry.id,
        root=entry.root,
        since=waiting.at,
        is_holder=False,
        body=entry.body,
    )
    return queue.add(claimant)


def _letter_came(waiting: Undelivered, entry: Letter, box: _Box, now: Instant) -> list[_Sending]:
    before = box.letter(entry.id)
    if before is not None and not entry.is_returned:
        return []
    letter = KeptLetter(
        id=entry.id,
        message=entry.message,
        key=entry.key,
        body=entry.body,
        at=waiting.at if before is None else before.at,
        until=entry.until,
        subject=(entry.subject or waiting.subject) if before is None else before.subject,
    )
    waiter = box.waiter_at((entry.message, entry.key))
    if waiter is None:
        box.keep(letter)
        return []
    box.remove((entry.message, entry.key))
    return _hand_over(waiting, letter, waiter.run, box, now)


def _wait_began(waiting: Undelivered, entry: Waiting, box: _Box, now: Instant) -> list[_Sending]:
    address = (entry.message, entry.key)
    assert waiting.sender is not None, "only a run waits"
    if box.waiter_at(address) is not None:
        return _posting(waiting, waiting.sender, entry.refused, now, is_refusal=True)
    letter = box.letter_at(address)
    if letter is not None:
        return _hand_over(waiting, letter, waiting.sender, box, now)
    waiter = Waiter(
        message=entry.message,
        key=entry.key,
        run=waiting.sender,
        node=entry.node,
        since=waiting.at,
    )
    box.add(waiter)
    return []


def _hand_over(
    waiting: Undelivered, letter: KeptLetter, run: RunId, box: _Box, now: Instant
) -> list[_Sending]:
    box.keep(msgspec.structs.replace(letter, taken_by=run, body=b""))
    return [_Sending(waiting, Post(run=run, body=letter.body, at=now), letter=letter)]


def _instead(sending: _Sending, answer: Exists | None, box: _Box, now: Instant) -> list[_Sending]:
    """Return what is posted instead of a post that could not be made."""
    waiting, entry = sending.waiting, sending.waiting.entry
    if sending.letter is not None:
        # Whoever was to have it is not there any more, so that it is for the next one.
        box.keep(sending.letter)
        return []
    if isinstance(entry, ToStart) and isinstance(answer, Exists):
        is_same = answer.input_hash == entry.create.input_hash
        if is_same:
            return _posting(waiting, answer.run, entry.joined, now)
    if sending.is_refusal or waiting.sender is None:
        return []
    return _posting(waiting, waiting.sender, _refused(entry), now, is_refusal=True)


def _refused(entry: Outgoing) -> bytes | None:
    return entry.refused if isinstance(entry, ToRun | ToStart) else None


def _posting(
    waiting: Undelivered, run: RunId, body: bytes | None, now: Instant, *, is_refusal: bool = False
) -> list[_Sending]:
    if body is None:
        return []
    return [_Sending(waiting, Post(run=run, body=body, at=now), is_refusal)]
