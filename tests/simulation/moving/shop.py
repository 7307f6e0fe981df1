"""One workflow in three editions: the second does more in the midst, the third at the end as well.

Whatever an edition does it does in one line: nothing is done before what stands in front of it, and
nothing is taken back before what stands behind it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from makegood import IdempotencyKey, RunInfo, injected, sleep, workflow
from tests.simulation.kinds.books import Clerk, Deed
from tests.simulation.kinds.steps import stubborn

if TYPE_CHECKING:
    from makegood import Workflow

__all__ = ["DOES", "EDITIONS", "RANKS", "Order"]

REST = timedelta(seconds=20)
"""How long a run rests before its end: long enough to be handed over, or to be asked for more."""

RANKS = ("reserve", "charge", "insure", "ship", "close", "mail")
"""What may be done, each behind all that stand before it."""


class Order(msgspec.Struct, frozen=True):
    """What is ordered."""

    id: str


def _step(operation: str) -> Any:  # Any: as a step is.
    async def do(
        order: Order,
        *,
        clerk: Clerk = injected,
        key: IdempotencyKey = injected,
        info: RunInfo = injected,
    ) -> str:
        thing = f"{order.id}/{operation}"
        await clerk.ask(Deed(thing=thing, key=key, of=info.id, about=thing))
        return thing

    return stubborn(do, operation)


reserve, charge, insure, ship, close, mail = map(_step, RANKS)


def _first() -> Workflow[..., Any]:  # Any: as above.
    @workflow
    def fulfil(order: Order) -> str:
        """Fulfil an order."""
        charged = charge.after(reserve(order))(order)
        shipped = ship.after(charged)(order)
        rested = sleep.after(shipped)(REST)
        return close.after(rested)(order)

    return fulfil


def _second() -> Workflow[..., Any]:  # Any: as above.
    @workflow
    def fulfil(order: Order) -> str:
        """Fulfil an order, insured."""
        charged = charge.after(reserve(order))(order)
        insured = insure.after(charged)(order)
        shipped = ship.after(insured)(order)
        rested = sleep.after(shipped)(REST)
        return close.after(rested)(order)

    return fulfil


def _third() -> Workflow[..., Any]:  # Any: as above.
    @workflow
    def fulfil(order: Order) -> str:
        """Fulfil an order, insured, and say so."""
        charged = charge.after(reserve(order))(order)
        insured = insure.after(charged)(order)
        shipped = ship.after(insured)(order)
        rested = sleep.after(shipped)(REST)
        closed = close.after(rested)(order)
        mail.after(closed)(order)
        return closed

    return fulfil


EDITIONS = (_first(), _second(), _third())
"""The definitions, in the order in which they are deployed."""

DOES = {
    edition.plan.fingerprint: tuple(
        name for name in RANKS if any(node.path == name for node in edition.plan.nodes)
    )
    for edition in EDITIONS
}
"""What each of them does, in order, by its fingerprint."""
