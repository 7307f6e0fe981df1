"""A lifecycle that has what the sagas have not: statuses, messages from outside, timers, events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Literal

from makegood import (
    Again,
    Declined,
    Failed,
    FailRun,
    Failure,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Proceed,
    Rearm,
    RetryNow,
    Succeeded,
    Verdict,
    injected,
    step,
    workflow,
)
from tests.simulation.crashing.outside import Desk, Look
from tests.simulation.crashing.sagas import PATIENT, does, undoes

__all__ = ["Accepted", "Paid", "Repair", "bring_home", "repairs"]

LOOKS = 2
"""How often what is broken is looked at."""
DRYING = timedelta(seconds=3)


class Status(Enum):
    NEW = "new"
    OFFERED = "offered"
    DRYING = "drying"
    PAYING = "paying"
    FETCHING = "fetching"
    DONE = "done"


@dataclass(frozen=True)
class Repair:
    """Something that is to be repaired; messages find it by its id."""

    id: str
    looks: int = 0


@dataclass(frozen=True)
class Accepted:
    """The customer wants it at this price."""

    price: int


@dataclass(frozen=True)
class Paid:
    """The customer has paid."""

    price: int


async def look_at(
    repair: Repair, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.OFFERED], Repair] | Again[Repair]:
    """Look at it, and once more after a while."""
    await desk.do(f"look-{repair.looks}", key)
    looked = replace(repair, looks=repair.looks + 1)
    if looked.looks < LOOKS:
        return Again(looked, after=timedelta(seconds=2))
    return Goto(Status.OFFERED, looked)


async def forget_look(
    repair: Repair, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> None:
    """Take back the last look that the record knows of, which was this one."""
    await desk.do(f"undo look-{repair.looks - 1}", key)


async def order_parts(
    _repair: Repair,
    _accepted: Accepted,
    *,
    desk: Desk = injected,
    key: IdempotencyKey = injected,
) -> Goto[Literal[Status.DRYING], Repair]:
    await desk.do("parts", key)
    return Goto(Status.DRYING)


async def find_parts(
    _failure: Failure, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> Verdict[Goto[Literal[Status.DRYING], Repair]]:
    """Ask whether the parts were ordered."""
    if await desk.look_up("parts", key) is Look.FOUND:
        return Proceed(Goto(Status.DRYING))
    return RetryNow()


async def send_parts_back(
    _repair: Repair, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> None:
    await desk.do("undo parts", key)


async def remind(_repair: Repair) -> Rearm[Repair]:
    """Wait once more: whoever was asked has not answered."""
    return Rearm()


async def put_together(
    _repair: Repair, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.PAYING], Repair]:
    await desk.do("glue", key)
    return Goto(Status.PAYING)


async def take_apart(
    _repair: Repair, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> None:
    await desk.do("undo glue", key)


async def settle(
    _repair: Repair, _paid: Paid, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.FETCHING], Repair]:
    await desk.do("charge", key)
    return Goto(Status.FETCHING)


async def give_back(
    _repair: Repair, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> None:
    await desk.do("undo charge", key)


async def give_up(_repair: Repair) -> FailRun[Repair]:
    """Fail: this belongs to a visit that no story lets last so long."""
    return FailRun(Declined("nobody has paid"))


bring = step(does("bringing"), name="bringing", undo=undoes("bringing"), retry=PATIENT)


@workflow
def bring_home(repair: str) -> str:
    """Bring it home."""
    return bring(repair)


async def hand_over(
    _repair: Repair,
    _brought: Succeeded[str] | Failed,
    *,
    desk: Desk = injected,
    key: IdempotencyKey = injected,
) -> Goto[Literal[Status.DONE], Repair]:
    """Have it signed for: the last thing, which is what fails where all is to be undone."""
    await desk.do("signature", key)
    return Goto(Status.DONE)


repairs = (
    Lifecycle("repair", Repair, Status, key=lambda repair: repair.id)
    .on(Status.NEW, look_at, to={Status.OFFERED}, undo=forget_look, retry=PATIENT)
    .hear(
        Status.OFFERED,
        Accepted,
        order_parts,
        to={Status.DRYING},
        undo=send_parts_back,
        compensate=find_parts,
        retry=PATIENT,
    )
    .expire(Status.OFFERED, remind, after=timedelta(seconds=15))
    .expire(
        Status.DRYING,
        put_together,
        after=DRYING,
        to={Status.PAYING},
        undo=take_apart,
        retry=PATIENT,
    )
    .hear(
        Status.PAYING,
        Paid,
        settle,
        to={Status.FETCHING},
        undo=give_back,
        undo_retry=PATIENT,
        retry=PATIENT,
    )
    .expire(Status.PAYING, give_up, after=timedelta(hours=1))
    .call(
        Status.FETCHING,
        lambda repair: bring_home(repair.id),
        hand_over,
        to={Status.DONE},
        irreversible="it is theirs again",
        retry=PATIENT,
    )
    .announce()
    .workflow()
)
