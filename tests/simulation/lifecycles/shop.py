"""The lifecycles of the worlds: orders that go back when something is declined, and such that wait.

Every effect is a thing with a name of its own, made of the run and of how much was done before: a
handler that is called twice for one state of the record does the same thing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from makegood import (
    Again,
    CancelRun,
    Failed,
    FailRun,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Rearm,
    Retry,
    RunInfo,
    Stay,
    Succeeded,
    injected,
    workflow,
)
from tests.simulation.kinds.books import Clerk, Deed
from tests.simulation.kinds.steps import AGAIN, PATIENCE, stubborn
from tests.simulation.lifecycles import rules
from tests.simulation.lifecycles.rules import Changed, Order, Paid, Status, Withdrawn

__all__ = ["KEPT", "LIFECYCLES", "Parcel", "pack"]

HURRY = Retry(attempts=3, delay=timedelta(seconds=1))

KEPT = ("remind",)
"""What has no undo: it is kept when the run goes back."""


async def did(order: Order, what: str, clerk: Clerk, key: str, info: RunInfo) -> None:
    """Have something done about an order outside."""
    name = what.partition(":")[0]
    thing = f"{info.id}/{len(order.log)}/{what}"
    await clerk.ask(Deed(thing=thing, key=key, of=info.id, about=f"{order.id}/{name}"))


async def price(
    order: Order,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Goto[Literal[Status.PAYING], Order]:
    await did(order, "price", clerk, key, info)
    return rules.price(order)


async def settle(
    order: Order,
    paid: Paid,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Goto[Literal[Status.PACKING], Order] | Stay[Order]:
    await did(order, f"settle:{paid.event}", clerk, key, info)
    return rules.settle(order, paid)


async def change(
    order: Order,
    changed: Changed,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Rearm[Order]:
    await did(order, f"change:{changed.event}", clerk, key, info)
    return rules.change(order, changed)


async def withdraw(order: Order, withdrawn: Withdrawn) -> CancelRun[Order]:
    return rules.withdraw(order, withdrawn)


async def remind(
    order: Order,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Goto[Literal[Status.LOST], Order] | Rearm[Order]:
    await did(order, "remind", clerk, key, info)
    return rules.remind(order)


async def lapse(
    order: Order,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Goto[Literal[Status.LOST], Order]:
    await did(order, "lapse", clerk, key, info)
    return rules.lapse(order)


async def packed(
    order: Order,
    ended: Succeeded[str] | Failed,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Goto[Literal[Status.POLLING, Status.PAYING], Order] | FailRun[Order]:
    said = rules.packed(order, is_packed=isinstance(ended, Succeeded))
    assert isinstance(said.record, Order), "it notes what it has done"
    await did(order, said.record.log[-1], clerk, key, info)
    return said


async def poll(
    order: Order,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Goto[Literal[Status.SENT], Order] | Again[Order]:
    await did(order, "poll", clerk, key, info)
    return rules.poll(order)


async def close(
    order: Order,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> Goto[Literal[Status.DONE], Order]:
    await did(order, "close", clerk, key, info)
    return rules.close(order)


async def take_back(
    order: Order,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> None:
    """Take back what was done last by the record as it was left, which is this handler's own."""
    thing = f"{info.id}/{len(order.log) - 1}/{order.log[-1]}"
    await clerk.ask(Deed(thing=thing, key=key, of=info.id, is_undo=True))


# The workflow that is called ---------------------------------------------------------------------


@dataclass(frozen=True)
class Parcel:
    """What is packed: which order, and how often that was tried before."""

    order: str
    number: int


def _step(operation: str) -> Any:  # Any: as a step is.
    async def do(
        parcel: Parcel,
        *,
        clerk: Clerk = injected,
        key: IdempotencyKey = injected,
        info: RunInfo = injected,
    ) -> str:
        thing = f"{info.id}/{operation}"
        about = f"{parcel.order}/{operation}-{parcel.number}"
        await clerk.ask(Deed(thing=thing, key=key, of=info.id, about=about))
        return thing

    return stubborn(do, operation)


box = _step("box")
label = _step("label")


@workflow
def pack(parcel: Parcel) -> str:
    """Put an order into a box, and label it."""
    return label.after(box(parcel))(parcel)


# The lifecycles -----------------------------------------------------------------------------------


def _declared(name: str, retry: Retry, **options: Any) -> Any:  # Any: as a lifecycle takes them.
    policy: dict[str, Any] = {"retry": retry, "timeout": PATIENCE}
    undone = {**policy, "undo": take_back, "undo_retry": AGAIN, "undo_timeout": PATIENCE}
    return (
        Lifecycle(
            name,
            Order,
            Status,
            key=lambda order: order.id,
            terminal={Status.DONE, Status.LOST},
            pivots={Status.SENT},
            **options,
        )
        .on(Status.NEW, price, to={Status.PAYING}, **undone)
        .hear(Status.PAYING, Paid, settle, to={Status.PACKING}, **undone)
        .hear({Status.PAYING, Status.POLLING}, Changed, change, **undone)
        .hear(Status.PAYING, Withdrawn, withdraw, **policy)
        .expire(Status.PAYING, remind, after=rules.REMINDED_AFTER, to={Status.LOST}, **policy)
        .expire(Status.PAYING, lapse, at=lambda order: order.until, to={Status.LOST}, **undone)
        .call(
            Status.PACKING,
            lambda order: pack(Parcel(order.id, order.packs)),
            packed,
            to={Status.POLLING, Status.PAYING},
            **undone,
        )
        .on(Status.POLLING, poll, to={Status.SENT}, **undone)
        .expire(Status.SENT, close, after=rules.CLOSED_AFTER, to={Status.DONE}, **undone)
        .workflow()
    )


order = _declared("order", AGAIN)
claim = _declared(
    "claim", HURRY, pause_after=3, resume_after=timedelta(seconds=4), resumes_max=1_000
)

LIFECYCLES = {each.name: each for each in (order, claim)}
"""An order goes back when something is declined; a claim pauses when it has failed three times."""
