"""Which ends of an order the model allows, and which it does not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.simulation.judging.model import SHAPES, Case, complaints
from tests.simulation.orders.destiny import Destiny

UNDO_GAVE_UP = {"status": "parked", "reason": "undo gave up"}
IN_DOUBT = {"status": "parked", "reason": "in doubt"}
FAILED = {"status": "failed", "cause": "error"}
CANCELLED = {"status": "cancelled", "cause": "cancelled"}
REVERSED = {"status": "cancelled", "cause": "reversed"}
DEADLINE = {"status": "failed", "cause": "deadline"}


def case(workflow: str = "place_order", *, net: str = "", **seen: Any) -> Case:
    """Return a case; `net` names what stands in the books."""
    shape = SHAPES[workflow]
    stands = Counter(net.split())
    fields: dict[str, Any] = {
        "shape": shape,
        "destiny": Destiny(),
        "refused": Counter(),
        "astray": Counter(),
        "claims": 0,
        "beside": 0,
        "stalls": 0,
        "is_clock_wrong": False,
        "wants_letter": False,
        "micros": 5_000_000,
        "cancel_accepted": False,
        "undo_accepted": False,
        "net": {each: stands[each] for each in (*shape.steps, *shape.optional)},
        **seen,
    }
    return Case(**fields)


def declined(*operations: str, **more: Any) -> Destiny:
    return Destiny(declined=frozenset(operations), **more)


ALL = "reserve authorize capture ship"

ALLOWED = {
    "all done": case(status="completed", net=ALL),
    "with a letter": case(status="completed", net=f"{ALL} letter", wants_letter=True),
    "without, declined": case(
        status="completed", net=ALL, wants_letter=True, destiny=declined("letter")
    ),
    "declined": case(**FAILED, destiny=declined("capture")),
    "refused too often": case(**FAILED, refused=Counter(reserve=3)),
    "closed": case(**FAILED, astray=Counter(capture=1), destiny=Destiny(absence="close")),
    "cancelled": case(**CANCELLED, cancel_accepted=True),
    "reversed": case(**REVERSED, undo_accepted=True),
    "too late": case("quick_order", **DEADLINE, micros=21_000_000),
    "undo gave up": case(**UNDO_GAVE_UP, left=("ship",), net="ship", refused=Counter(recall=4)),
    "in doubt": case(**IN_DOUBT, left=("ship",), net="reserve ship", astray=Counter(ship=3)),
    "nobody knows": case(
        **IN_DOUBT,
        left=("capture",),
        astray=Counter(capture=1),
        destiny=Destiny(unsure=frozenset({"capture"})),
    ),
    "no record": case(
        status="parked",
        reason="unrecorded effect",
        left=("ship",),
        net="ship",
        destiny=Destiny(unwritable="ship"),
    ),
    "poison": case(
        status="parked",
        reason="poison",
        claims=6,
        beside=9,
        destiny=Destiny(deadly="reserve", deaths=9),
    ),
    "poison by mere misfortune": case(status="parked", reason="poison", claims=6),
    "poison by standing still": case(status="parked", reason="poison", claims=4, stalls=2),
    "used up": case(
        "ticket_order",
        status="parked",
        reason="forward retries used up after the pivot",
        net="seat authorize issue",
        destiny=declined("capture"),
    ),
}

REFUSED = {
    "completed though declined": case(status="completed", net=ALL, destiny=declined("capture")),
    "completed without shipping": case(status="completed", net="reserve authorize capture"),
    "shipped twice": case(status="completed", net=f"{ALL} ship"),
    "an unwanted letter": case(status="completed", net=f"{ALL} letter"),
    "a letter forgotten": case(status="completed", net=ALL, wants_letter=True),
    "completed though cancelled": case(status="completed", net=ALL, cancel_accepted=True),
    "completed though undone": case(status="completed", net=ALL, undo_accepted=True),
    "failed for nothing": case(**FAILED),
    "failed of doubt": case(**FAILED, astray=Counter(ship=9)),
    "failed and kept the money": case(**FAILED, net="capture", destiny=declined("ship")),
    "failed behind the pivot": case("ticket_order", **FAILED, destiny=declined("capture")),
    "cancelled by nobody": case(**CANCELLED),
    "reversed by nobody": case(**REVERSED),
    "too late too soon": case("quick_order", **DEADLINE),
    "too late without a deadline": case(**DEADLINE, micros=10**9),
    "an undo that was not tried": case(**UNDO_GAVE_UP, left=("ship",), net="ship"),
    "an undo beside those left": case(
        **UNDO_GAVE_UP, left=("ship",), net="ship capture", refused=Counter(recall=4)
    ),
    "doubt for nothing": case(**IN_DOUBT, left=("ship",), net="ship"),
    "doubt too soon": case(**IN_DOUBT, left=("ship",), net="ship", astray=Counter(ship=2)),
    "no record of what can be written": case(
        status="parked", reason="unrecorded effect", left=("ship",), net="ship"
    ),
    "poison that killed nobody": case(
        status="parked", reason="poison", claims=2, destiny=Destiny(deadly="reserve", deaths=9)
    ),
    "poison that was only beside it": case(status="parked", reason="poison", claims=6, beside=5),
    "used up before the pivot": case(
        "ticket_order",
        status="parked",
        reason="forward retries used up after the pivot",
        destiny=declined("capture"),
    ),
    "at work": case(status="running"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_an_end_that_may_be_is_allowed(name: str) -> None:
    assert list(complaints(ALLOWED[name])) == []


@pytest.mark.parametrize("name", REFUSED)
def test_an_end_that_may_not_be_is_refused(name: str) -> None:
    assert list(complaints(REFUSED[name])) != []
