"""How an order may end, said from its destiny and its troubles alone.

It knows the five workflows by hand, and nothing of plans, facts or decisions. What it is told of
an order was seen outside: what awaited it, how often a request was refused or went astray, what
its customers were promised. From that it says which ends are allowed, and what the books must say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.simulation.orders.destiny import Destiny

__all__ = ["SHAPES", "Case", "Shape", "complaints"]

SECOND = 1_000_000
ATTEMPTS = 3
"""How often a step, a query or a look-up is tried."""
UNDO_ATTEMPTS = 4
CLAIMS_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one workflow does."""

    steps: tuple[str, ...]
    """Everything that must be done for it to complete."""
    undos: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    """What may be skipped: nothing else depends on it, and it cannot be taken back."""
    is_letter_certain: bool = False
    """A letter is written to whoever does not want one too."""
    looked_up: frozenset[str] = frozenset()
    """What the outside can be asked about."""
    local: frozenset[str] = frozenset()
    """What is done in the journal's own database: never in doubt, and never left."""
    query: str | None = None
    pivot: str | None = None
    behind_pivot: frozenset[str] = frozenset()
    deadline_micros: int | None = None
    forgotten: Mapping[str, int] = field(default_factory=dict)
    """How long a key may be used again after a doubt, in microseconds, where it is not for long."""


_UNDOS = {
    "reserve": "release",
    "authorize": "void",
    "capture": "refund",
    "ship": "recall",
    "wrap": "unwrap",
    "insure": "withdraw",
}
SHAPES = {
    "place_order": Shape(
        steps=("reserve", "authorize", "capture", "ship"),
        undos=_UNDOS,
        optional=frozenset({"letter"}),
        looked_up=frozenset({"authorize", "capture"}),
    ),
    "gift_order": Shape(
        steps=("reserve", "wrap", "insure", "capture", "ship"),
        undos=_UNDOS,
        looked_up=frozenset({"insure", "capture"}),
    ),
    "gift_order with a letter": Shape(
        steps=("reserve", "wrap", "capture", "ship"),
        undos=_UNDOS,
        optional=frozenset({"letter"}),
        is_letter_certain=True,
        looked_up=frozenset({"capture"}),
    ),
    "quick_order": Shape(
        steps=("reserve", "charge", "ship"),
        undos={**_UNDOS, "charge": "repay"},
        query="credit",
        deadline_micros=20 * SECOND,
        forgotten={"charge": 90 * SECOND},
    ),
    "counter_order": Shape(
        steps=("take", "capture", "ship"),
        undos={**_UNDOS, "take": "put back"},
        looked_up=frozenset({"capture"}),
        local=frozenset({"take"}),
    ),
    "ticket_order": Shape(
        steps=("seat", "authorize", "issue", "capture"),
        undos={"seat": "free", "authorize": "void"},
        optional=frozenset({"letter"}),
        looked_up=frozenset({"authorize", "issue", "capture"}),
        pivot="issue",
        behind_pivot=frozenset({"capture"}),
    ),
}
"""The workflows, as they are meant."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was seen of one order, from outside."""

    shape: Shape
    destiny: Destiny
    refused: Mapping[str, int]
    """How often each operation, undo or look-up was told to come again later."""
    astray: Mapping[str, int]
    """How often each one got no answer in time, or none that says anything."""
    claims: int
    """How often a process took it up that had not begun it, mostly from one that was lost."""
    beside: int
    """How many processes other orders have killed."""
    stalls: int
    """How often a process stood still or had its clock put, so that time was up unseen."""
    is_clock_wrong: bool
    wants_letter: bool
    micros: int
    """How long it took, by the time of the world."""
    cancel_accepted: bool
    undo_accepted: bool
    status: str
    cause: str | None = None
    rollback: str | None = None
    reason: str | None = None
    left: tuple[str, ...] = ()
    """What the run says only a person can settle."""
    net: Mapping[str, int]
    """How often each step's effect stands in the books."""


def complaints(case: Case) -> Iterator[str]:
    """Say everything about the end of an order that may not be."""
    match case.status:
        case "completed":
            yield from _of_completed(case)
        case "failed":
            yield from _of_failed(case)
        case "cancelled":
            yield from _of_cancelled(case)
        case "parked":
            yield from _of_parked(case)
        case _:
            yield f"it is {case.status}"
    end = (case.status, case.cause)
    has_stopped_short = case.reason in {"undo gave up", "poison"}
    if case.undo_accepted and end != ("cancelled", "reversed") and not has_stopped_short:
        yield "an undo was accepted, and it was not undone"
    is_parked = case.status == "parked"
    if case.cancel_accepted and end != ("cancelled", "cancelled") and not is_parked:
        yield f"a cancel was accepted, and it is {case.status}"


# The ends -------------------------------------------------------------------------------------


def _of_completed(case: Case) -> Iterator[str]:
    needed = {*case.shape.steps, case.shape.query}
    for operation in sorted(case.destiny.declined & needed):
        yield f"{operation} is declined for good, and it completed"
    for operation in case.shape.steps:
        if case.net[operation] != 1:
            yield f"it completed, and {operation} was done {case.net[operation]} times"
    yield from _of_optional(case)


def _of_optional(case: Case) -> Iterator[str]:
    for operation in sorted(case.shape.optional):
        count = case.net[operation]
        is_wanted = case.wants_letter or case.shape.is_letter_certain
        if count > is_wanted or (count and operation in case.destiny.declined):
            yield f"{operation} was done {count} times"
        may_lack = operation in case.destiny.declined or _spoiled(case, operation) >= ATTEMPTS
        if is_wanted and not count and not may_lack:
            yield f"{operation} was wanted, and nothing kept it from being done"


def _of_failed(case: Case) -> Iterator[str]:
    if case.cause == "error":
        forward = {*case.shape.steps, case.shape.query} - case.shape.behind_pivot - {None}
        if not any(_may_fail(case, operation) for operation in forward if operation):
            yield "nothing was declined or went wrong often enough, and it failed"
    elif case.cause == "deadline":
        deadline = case.shape.deadline_micros
        if deadline is None or (case.micros < deadline and not case.is_clock_wrong):
            yield f"its deadline had not passed after {case.micros / SECOND:.3f} s"
    else:
        yield f"it failed, {case.cause}"
    yield from _of_undone(case)


def _of_cancelled(case: Case) -> Iterator[str]:
    if case.cause == "cancelled" and not case.cancel_accepted:
        yield "nobody's cancel was accepted, and it is cancelled"
    if case.cause == "reversed" and not case.undo_accepted:
        yield "nobody's undo was accepted, and it is reversed"
    if case.cause not in {"cancelled", "reversed"}:
        yield f"it is cancelled, {case.cause}"
    yield from _of_undone(case)


def _of_undone(case: Case) -> Iterator[str]:
    for operation in case.shape.steps:
        if case.net[operation]:
            yield f"it is {case.status}, and {operation} stands {case.net[operation]} times"


def _of_parked(case: Case) -> Iterator[str]:
    allowed = {
        "undo gave up": _may_leave,
        "in doubt": _may_doubt,
        "unrecorded effect": _may_lack_a_record,
        "poison": _may_be_poison,
        "forward retries used up after the pivot": _may_be_used_up,
    }
    may_be = allowed.get(case.reason or "")
    if may_be is None or not may_be(case):
        yield f"nothing that was seen parks it: {case.reason}, left {case.left}"
    for operation in (*case.shape.steps, *sorted(case.shape.optional)):
        if case.net[operation] not in {0, 1}:
            yield f"it is parked, and {operation} stands {case.net[operation]} times"


# What may be ----------------------------------------------------------------------------------


def _spoiled(case: Case, *operations: str) -> int:
    """Count everything that can have used up an attempt."""
    return case.stalls + sum(case.refused[each] + case.astray[each] for each in operations)


def _may_fail(case: Case, operation: str) -> bool:
    """Say whether a step can have come to a definite end without its effect."""
    if operation in case.destiny.declined or case.refused[operation] >= ATTEMPTS:
        return True
    if operation == case.shape.query:
        return _spoiled(case, operation) >= ATTEMPTS
    if operation not in case.shape.looked_up:
        return False
    # Whoever looks it up and finds nothing may close its key: then it is certain.
    doubts = case.astray[operation] + case.stalls + case.claims
    if case.destiny.absence == "close":
        return doubts >= 1
    return case.destiny.absence == "fresh" and doubts + case.refused[operation] >= ATTEMPTS


def _may_leave(case: Case) -> bool:
    """Say whether each undo that is left can have given up."""
    for operation in case.left:
        undo = case.shape.undos.get(operation)
        if undo is None or operation in case.shape.local:
            return False
        if _spoiled(case, undo) < UNDO_ATTEMPTS and not _is_dead(case, operation):
            return False
    for operation in case.shape.steps:
        is_left = operation in case.left
        undo = case.shape.undos.get(operation, "")
        is_doubtful = is_left and case.astray[undo] + case.stalls + case.claims > 0
        if case.net[operation] != is_left and not is_doubtful:
            return False
    return bool(case.left)


def _may_doubt(case: Case) -> bool:
    """Say whether something can be in doubt that nobody can clear."""
    return bool(case.left) and all(_may_be_stuck(case, operation) for operation in case.left)


def _may_be_stuck(case: Case, operation: str) -> bool:
    if operation in case.shape.local:
        return False
    if not case.astray[operation] + case.stalls + case.claims:
        return False
    if _is_dead(case, operation):
        return True
    if operation not in case.shape.looked_up:
        return _spoiled(case, operation) >= ATTEMPTS
    is_silent = operation in case.destiny.unsure or operation == case.destiny.unwritable
    tried = _spoiled(case, operation, f"find {operation}") + case.claims
    return is_silent or tried >= ATTEMPTS


def _is_dead(case: Case, operation: str) -> bool:
    """Say whether the key of an operation can be too old to be used once more."""
    kept = case.shape.forgotten.get(operation)
    return kept is not None and (case.micros >= kept or case.is_clock_wrong)


def _may_lack_a_record(case: Case) -> bool:
    unwritable = case.destiny.unwritable
    return unwritable in case.left and case.net.get(unwritable or "") == 1


def _may_be_poison(case: Case) -> bool:
    # What dies beside a deadly order is taken up again, and is not to be blamed for it.
    beside = 0 if case.destiny.deadly else case.beside
    return case.claims + case.stalls - beside >= CLAIMS_MAX


def _may_be_used_up(case: Case) -> bool:
    if case.shape.pivot is None or case.net[case.shape.pivot] != 1:
        return False
    return any(_may_fail(case, operation) for operation in case.shape.behind_pivot)
