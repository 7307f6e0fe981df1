"""What is ordered in the worlds of the flow: rounds, branches, sleeps and children in each other.

Every effect is a thing with a name of its own, so that the books can tell one from another.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from makegood import (
    Collect,
    IdempotencyKey,
    Quorum,
    Retry,
    RunInfo,
    each,
    injected,
    pure,
    repeat,
    sleep,
    step,
    switch,
    workflow,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AT_ONCE",
    "ENOUGH",
    "POLISHES",
    "REST",
    "RINGS",
    "WORKFLOWS",
    "Clerk",
    "Item",
    "Request",
    "Way",
    "Wish",
]

AT_ONCE = 2
ENOUGH = 2
"""How many rounds of `ask_around` are enough."""
REST = timedelta(seconds=20)
"""How long is slept before each ring and each polish: longer than a lease."""
RINGS = 3
POLISHES = 2


class Way(Enum):
    HAND = "hand"
    CHILD = "child"


class Item(msgspec.Struct, frozen=True):
    """One line of an order."""

    order: str
    name: str
    way: Way


class Wish(msgspec.Struct, frozen=True):
    """An order."""

    order: str
    items: list[Item]


class Mark(msgspec.Struct, frozen=True):
    """What a step has done; `thing` is empty before the first round."""

    order: str
    name: str
    count: int
    thing: str


class Request(msgspec.Struct, frozen=True):
    """What a step asks for: that a thing be done, or taken back."""

    thing: str
    key: str
    run: str
    is_undo: bool = False


class Clerk(Protocol):
    """What a process asks the outside through."""

    async def ask(self, request: Request) -> None:
        """Have something done."""
        ...


def doing(operation: str) -> Callable[..., Any]:  # Any: as `step` takes it.
    """Return a function that does something for an item."""

    async def do(
        item: Item,
        *,
        clerk: Clerk = injected,
        key: IdempotencyKey = injected,
        info: RunInfo = injected,
    ) -> Mark:
        thing = f"{item.order}/{operation}/{item.name}"
        await clerk.ask(Request(thing, key, info.id))
        return Mark(item.order, item.name, 0, thing)

    return do


def going_on(operation: str) -> Callable[..., Any]:  # Any: as above.
    """Return a function that does something again, once more than before."""

    async def do(
        mark: Mark,
        *,
        clerk: Clerk = injected,
        key: IdempotencyKey = injected,
        info: RunInfo = injected,
    ) -> Mark:
        count = mark.count + 1
        thing = f"{mark.order}/{operation}/{mark.name}-{count}"
        await clerk.ask(Request(thing, key, info.id))
        return Mark(mark.order, mark.name, count, thing)

    return do


async def take_back(
    mark: Mark, *, clerk: Clerk = injected, key: IdempotencyKey = injected, info: RunInfo = injected
) -> None:
    """Take back what a step has done."""
    await clerk.ask(Request(mark.thing, key, info.id, is_undo=True))


AGAIN = Retry(attempts=40, delay=timedelta(seconds=1), delay_max=timedelta(seconds=4))
"""So often that only what is declined fails."""


def _step(function: Callable[..., Any], name: str) -> Any:  # Any: as `step` takes and returns.
    return step(
        function,
        name=name,
        undo=take_back,
        retry=AGAIN,
        undo_retry=AGAIN,
        timeout=timedelta(seconds=6),
        undo_timeout=timedelta(seconds=6),
    )


pick = _step(doing("pick"), "pick")
wrap = _step(doing("wrap"), "wrap")
box = _step(doing("box"), "box")
label = _step(doing("label"), "label")
shelve = _step(doing("shelve"), "shelve")
polish = _step(going_on("polish"), "polish")
ring = _step(going_on("ring"), "ring")
bill = _step(doing("bill"), "bill")
sign = _step(doing("sign"), "sign")


def of_item(item: Item) -> Mark:
    """Return what the first round for an item is given."""
    return Mark(item.order, item.name, 0, "")


def of_order(wish: Wish) -> Item:
    """Return the order itself as the subject of a step."""
    return Item(wish.order, "all", Way.HAND)


def rung_enough(mark: Mark) -> bool:
    """Say whether it was rung often enough."""
    return mark.count >= RINGS


@workflow
def pack(item: Item) -> Mark:
    """Put an item into a box, and label it."""
    return label.after(box(item))(item)


@workflow
def fill(wish: Wish) -> Mark:
    """Fill an order, of which everything must succeed, ring until somebody comes, and bill it."""

    def line(item: Item) -> Mark:
        picked = pick(item)
        packed = switch(
            item.way,
            {
                Way.HAND: lambda: wrap.after(picked)(item),
                Way.CHILD: lambda: step(pack).after(picked)(item),
            },
        )
        return shelve.after(packed)(item)

    lines = each(wish.items, line, at_once=AT_ONCE, name="lines")
    whole = pure(of_order)(wish)

    def knock(mark: Mark) -> Mark:
        rested = sleep(REST)
        return ring.after(rested)(mark)

    begun = pure(of_item).after(lines)(whole)
    rung = repeat(knock, begun, until=rung_enough, times_max=5)
    return bill.after(rung)(whole)


@workflow
def gather(wish: Wish) -> Mark:
    """Do what can be done of an order, polish every item twice, and bill it."""

    def line(item: Item) -> Mark:
        picked = pick(item)

        def rub(mark: Mark) -> Mark:
            rested = sleep(REST)
            return polish.after(rested)(mark)

        polished = repeat(rub, pure(of_item).after(picked)(item), times_max=POLISHES)
        return shelve.after(polished)(item)

    lines = each(wish.items, line, at_once=AT_ONCE, policy=Collect(), name="lines")
    return bill.after(lines)(pure(of_order)(wish))


@workflow
def ask_around(wish: Wish) -> Mark:
    """Do two of the items, whichever succeed, and bill them."""

    def line(item: Item) -> Mark:
        picked = pick(item)
        packed = switch(
            item.way,
            {
                Way.HAND: lambda: wrap.after(picked)(item),
                Way.CHILD: lambda: step(pack).after(picked)(item),
            },
        )
        return shelve.after(packed)(item)

    lines = each(wish.items, line, at_once=AT_ONCE, policy=Quorum(ENOUGH), name="lines")
    return bill.after(lines)(pure(of_order)(wish))


@workflow
def deliver(wish: Wish) -> Mark:
    """Let an order be filled by a child, which has children in its rounds, and have it signed."""
    filled = step(fill)(wish)
    return sign.after(filled)(pure(of_order)(wish))


WORKFLOWS = {each.name: each for each in (fill, gather, ask_around, deliver)}
"""What can be ordered; `pack` is only called."""
