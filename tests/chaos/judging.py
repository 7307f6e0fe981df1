"""What must be true of any store in which the shop's orders were placed, whatever was done to it.

It knows rows, facts and the gateway's entries as they were read, and no store, process or engine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "SETTLED",
    "Entry",
    "Money",
    "RunLine",
    "Story",
    "problems_of_acknowledgements",
    "problems_of_money",
    "problems_of_stories",
]

SETTLED = ("completed", "failed", "cancelled")

INTENTS = {
    "authorize": {("node_started", "authorize_payment")},
    "decline": {("node_started", "authorize_payment")},
    "capture": {("node_started", "capture_payment")},
    "void": {("undo_started", "authorize_payment")},
    "refund": {("undo_started", "capture_payment"), ("undo_started", "authorize_payment")},
}
"""Which fact must stand in the journal before the gateway can have been asked for an operation."""

ONCE = {
    "node_done": "done",
    "proceed": "done",
    "undo_done": "undone",
}
"""The facts of which there is one for each node at most, and what they say of it."""


class RunLine(msgspec.Struct, frozen=True):
    """One run as its row stands."""

    run: str
    workflow: str
    key: str
    status: str
    rollback: str | None
    reason: str | None
    seq: int

    @property
    def is_order(self) -> bool:
        return self.workflow.endswith("_order")


class Entry(msgspec.Struct, frozen=True):
    """One thing that the gateway did, for the order in `reference`."""

    reference: str
    kind: str
    payment: str
    op_id: str


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway did, in its order, and how the copies and the shipments stand by order."""

    entries: tuple[Entry, ...]
    reservations: dict[str, str]
    shipments: dict[str, str]


class _Fact(msgspec.Struct, frozen=True):
    """What is read of a fact, of whatever kind it is."""

    type: str
    node: str = ""
    failure: _Failure | None = None


class _Failure(msgspec.Struct, frozen=True):
    message: str


_facts = msgspec.json.Decoder(tuple[_Fact, ...])


class Story:
    """What the facts of one run have told so far."""

    def __init__(self) -> None:
        self.intents: set[tuple[str, str]] = set()
        self.once: Counter[tuple[str, str]] = Counter()
        self.timeouts = 0
        """How many attempts at steps timed out, and are therefore in doubt."""

    def read(self, body: bytes) -> None:
        """Take in one append more."""
        for fact in _facts.decode(body):
            if fact.type in {"node_started", "undo_started"}:
                self.intents.add((fact.type, fact.node))
            if fact.type in ONCE:
                self.once[fact.node, ONCE[fact.type]] += 1
            if fact.type == "node_failed" and fact.failure is not None:
                self.timeouts += "took longer than" in fact.failure.message


def problems_of_stories(stories: Mapping[str, Story]) -> Iterator[str]:
    """Name what was done or undone more than once."""
    for run, story in stories.items():
        for (node, what), times in story.once.items():
            if times > 1:
                yield f"`{node}` of run {run} was {what} {times} times"


def problems_of_acknowledgements(
    rows: Mapping[str, RunLine],
    *,
    starts: Mapping[str, str],
    ends: Mapping[str, tuple[str, str | None]],
    is_finished: bool,
) -> Iterator[str]:
    """Hold the runs to what was told of them: `starts` and `ends` by order."""
    for order, run in starts.items():
        row = rows.get(run)
        if row is None or row.key != order:
            yield f"the acknowledged start of {order} as run {run} is lost"
            continue
        ended = (row.status, row.rollback)
        if order in ends and ended != ends[order]:
            yield f"{order} was told to have ended {ends[order]} and stands at {ended}"
    for row in rows.values():
        if row.status == "parked" and not row.reason:
            yield f"run {row.run} is parked without a reason"
        if is_finished and row.status not in (*SETTLED, "parked"):
            yield f"run {row.run} of {row.key} is still {row.status}"


def problems_of_money(
    money: Money, rows: Iterable[RunLine], stories: Mapping[str, Story]
) -> Iterator[str]:
    """Hold the gateway's books, order by order, to what the journal says."""
    orders = {row.key: row for row in rows if row.is_order}
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    payments: defaultdict[str, set[str]] = defaultdict(set)
    for entry in money.entries:
        order, kind = entry.reference, entry.kind
        kinds[order].append(kind)
        payments[order].add(entry.payment)
        row = orders.get(order)
        if row is None or stories[row.run].intents.isdisjoint(INTENTS[kind]):
            yield f"{entry.op_id} did `{kind}` for {order}, and no intent of it is on record"
    for order, ids in payments.items():
        if len(ids) > 1:
            yield f"{order} has {len(ids)} payments: {', '.join(sorted(ids))}"
    for order, row in orders.items():
        if row.status in SETTLED:
            found = (tuple(kinds[order]), money.reservations.get(order), money.shipments.get(order))
            if found not in _RIGHT[row.status == "completed"]:
                yield f"{order} is {row.status}, and in the books it is {found}"


_RIGHT: Mapping[bool, set[tuple[tuple[str, ...], str | None, str | None]]] = {
    True: {(("authorize", "capture"), "committed", "shipped")},
    False: {
        ((), None, None),
        ((), "released", None),
        (("decline",), "released", None),
        (("authorize", "void"), "released", None),
        (("authorize", "capture", "refund"), "released", None),
        (("authorize", "capture", "refund"), "returned", "recalled"),
    },
}
"""What the gateway did, and how the copies and the shipment stand, for orders that completed and
for those that were rolled back: each thing once, and each undone once."""
