"""Definitions of one lifecycle, as it is changed from release to release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from makegood import Goto, IdempotencyKey, Lifecycle, Next, Stay, Workflow, injected
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = [
    "DAY",
    "OLD",
    "CalledOff",
    "Order",
    "Paid",
    "hearing_another",
    "looked_at_by",
    "with_a_check",
    "with_a_customer",
    "with_a_lapse",
    "with_a_vetting",
    "with_a_way_out",
    "without_paying",
]

DAY = timedelta(days=1)


class Status(Enum):
    NEW = 1
    PAYING = 2
    PACKING = 3
    SHIPPED = 4
    DROPPED = 5


@dataclass(frozen=True)
class Order:
    """As it was before it had a customer."""

    id: str
    cents: int = 0


@dataclass(frozen=True)
class Paid:
    message_name = "moving.Paid"

    cents: int


@dataclass(frozen=True)
class CalledOff:
    why: str


async def price(
    order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.PAYING], Order]:
    await outside.do("price", key)
    return Goto(Status.PAYING, replace(order, cents=999))


async def unprice(
    order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"unprice {order}", key)


async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.PACKING], Order] | Stay[Order]:
    return Goto(Status.PACKING) if paid.cents == order.cents else Stay()


async def drop(order: Order) -> Goto[Literal[Status.DROPPED], Order]:
    return Goto(Status.DROPPED)


async def pack(
    order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.SHIPPED], Order]:
    await outside.do("pack", key)
    return Goto(Status.SHIPPED)


OLD = (
    Lifecycle("order", Order, Status, key=lambda order: order.id)
    .on(Status.NEW, price, to={Status.PAYING}, undo=unprice)
    .hear(Status.PAYING, Paid, settle, to={Status.PACKING})
    .expire(Status.PAYING, drop, after=DAY, to={Status.DROPPED})
    .on(Status.PACKING, pack, to={Status.SHIPPED})
    .workflow()
)


def with_a_check() -> Workflow[[Order], Order]:
    """Return what has a status more behind the one in which an order is paid."""

    class Status(Enum):
        NEW = "new"
        PAYING = "paying"
        CHECKING = "checking"
        SHIPPED = "shipped"
        DROPPED = "dropped"

    async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.CHECKING], Order]:
        return Goto(Status.CHECKING)

    async def check(
        order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
    ) -> Goto[Literal[Status.SHIPPED], Order]:
        await outside.do("check", key)
        return Goto(Status.SHIPPED)

    return (
        Lifecycle("order", Order, Status, key=lambda order: order.id)
        .on(Status.NEW, priced(Status.PAYING), to={Status.PAYING}, name="price", undo=unprice)
        .hear(Status.PAYING, Paid, settle, to={Status.CHECKING})
        .expire(Status.PAYING, dropped(Status.DROPPED), after=DAY, to={Status.DROPPED}, name="drop")
        .on(Status.CHECKING, check, to={Status.SHIPPED})
        .workflow()
    )


def with_a_vetting() -> Workflow[[Order], Order]:
    """Return what has a status more before the one in which an order is paid."""

    class Status(Enum):
        NEW = "new"
        VETTING = "vetting"
        PAYING = "paying"
        SHIPPED = "shipped"
        DROPPED = "dropped"

    async def vet(order: Order) -> Goto[Literal[Status.PAYING], Order]:
        return Goto(Status.PAYING)

    async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.SHIPPED], Order]:
        return Goto(Status.SHIPPED)

    return (
        Lifecycle("order", Order, Status, key=lambda order: order.id)
        .on(Status.NEW, priced(Status.VETTING), to={Status.VETTING}, name="price", undo=unprice)
        .on(Status.VETTING, vet, to={Status.PAYING})
        .hear(Status.PAYING, Paid, settle, to={Status.SHIPPED})
        .expire(Status.PAYING, dropped(Status.DROPPED), after=DAY, to={Status.DROPPED}, name="drop")
        .workflow()
    )


def with_a_way_out() -> Workflow[[Order], Order]:
    """Return what also hears, where an order is paid, that it is called off."""

    class Status(Enum):
        NEW = "new"
        PAYING = "paying"
        SHIPPED = "shipped"
        DROPPED = "dropped"

    async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.SHIPPED], Order]:
        return Goto(Status.SHIPPED)

    async def call_off(order: Order, _off: CalledOff) -> Goto[Literal[Status.DROPPED], Order]:
        return Goto(Status.DROPPED)

    return (
        Lifecycle("order", Order, Status, key=lambda order: order.id)
        .on(Status.NEW, priced(Status.PAYING), to={Status.PAYING}, name="price", undo=unprice)
        .hear(Status.PAYING, Paid, settle, to={Status.SHIPPED})
        .hear(Status.PAYING, CalledOff, call_off, to={Status.DROPPED})
        .expire(Status.PAYING, dropped(Status.DROPPED), after=DAY, to={Status.DROPPED}, name="drop")
        .workflow()
    )


def with_a_lapse(after: timedelta) -> Workflow[[Order], Order]:
    """Return what also lets an order lapse that is not paid so long after it could be."""

    class Status(Enum):
        NEW = "new"
        PAYING = "paying"
        SHIPPED = "shipped"
        DROPPED = "dropped"
        LAPSED = "lapsed"

    async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.SHIPPED], Order]:
        return Goto(Status.SHIPPED)

    async def lapse(order: Order) -> Goto[Literal[Status.LAPSED], Order]:
        return Goto(Status.LAPSED)

    return (
        Lifecycle("order", Order, Status, key=lambda order: order.id)
        .on(Status.NEW, priced(Status.PAYING), to={Status.PAYING}, name="price", undo=unprice)
        .hear(Status.PAYING, Paid, settle, to={Status.SHIPPED})
        .expire(Status.PAYING, dropped(Status.DROPPED), after=DAY, to={Status.DROPPED}, name="drop")
        .expire(Status.PAYING, lapse, after=after, to={Status.LAPSED})
        .workflow()
    )


def looked_at_by(name: str, *, schema: int = 1) -> Workflow[[Order], Order]:
    """Return what is looked at first, by a handler of this name that has no undo."""

    class Status(Enum):
        NEW = "new"
        PAYING = "paying"
        SHIPPED = "shipped"

    async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.SHIPPED], Order]:
        return Goto(Status.SHIPPED, replace(order, cents=order.cents + paid.cents))

    def doubled(order: dict[str, Any]) -> dict[str, Any]:
        return {**order, "cents": 2 * order["cents"]}

    upcasts = {1: doubled} if schema > 1 else {}
    return (
        Lifecycle(
            "order", Order, Status, key=lambda order: order.id, schema=schema, upcasts=upcasts
        )
        .on(Status.NEW, priced(Status.PAYING), to={Status.PAYING}, name=name)
        .hear(Status.PAYING, Paid, settle, to={Status.SHIPPED})
        .workflow()
    )


def without_paying() -> Workflow[[Order], Order]:
    """Return what has no status any more in which an order is paid."""

    class Status(Enum):
        NEW = "new"
        SHIPPED = "shipped"

    return (
        Lifecycle("order", Order, Status, key=lambda order: order.id)
        .on(Status.NEW, priced(Status.SHIPPED), to={Status.SHIPPED}, name="price", undo=unprice)
        .workflow()
    )


def with_a_customer(schema: int = 2) -> Workflow[..., object]:
    """Return what has another record, which knows what it was, unless its schema is the old one."""

    class Status(Enum):
        NEW = "new"
        PAYING = "paying"
        SHIPPED = "shipped"
        DROPPED = "dropped"

    @dataclass(frozen=True)
    class Order:
        id: str
        cents: int
        customer: str

    async def price(order: Order) -> Goto[Literal[Status.PAYING], Order]:
        return Goto(Status.PAYING)

    async def unprice(
        order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
    ) -> None:
        await outside.do(f"unprice for {order.customer}", key)

    async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.SHIPPED], Order]:
        return Goto(Status.SHIPPED)

    async def drop(order: Order) -> Goto[Literal[Status.DROPPED], Order]:
        return Goto(Status.DROPPED)

    def named(order: dict[str, object]) -> dict[str, object]:
        return {**order, "customer": "nobody"}

    return (
        Lifecycle(
            "order",
            Order,
            Status,
            key=lambda order: order.id,
            schema=schema,
            upcasts={1: named} if schema > 1 else {},
        )
        .on(Status.NEW, price, to={Status.PAYING}, undo=unprice)
        .hear(Status.PAYING, Paid, settle, to={Status.SHIPPED})
        .expire(Status.PAYING, drop, after=DAY, to={Status.DROPPED})
        .workflow()
    )


def hearing_another() -> Workflow[[Order], Order]:
    """Return what hears a message of another form under the same name."""

    class Status(Enum):
        NEW = "new"
        PAYING = "paying"
        SHIPPED = "shipped"
        DROPPED = "dropped"

    @dataclass(frozen=True)
    class Paid:
        message_name = "moving.Paid"

        euros: str

    async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.SHIPPED], Order]:
        return Goto(Status.SHIPPED)

    return (
        Lifecycle("order", Order, Status, key=lambda order: order.id)
        .on(Status.NEW, priced(Status.PAYING), to={Status.PAYING}, name="price", undo=unprice)
        .hear(Status.PAYING, Paid, settle, to={Status.SHIPPED})
        .expire(Status.PAYING, dropped(Status.DROPPED), after=DAY, to={Status.DROPPED}, name="drop")
        .workflow()
    )


# Any: the statuses are those of whoever asks.
def priced(status: Any) -> Callable[..., Awaitable[Next[Any, Order]]]:
    """Return a handler that prices an order and leads to a status."""

    async def price(
        order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
    ) -> Next[Any, Order]:
        await outside.do("price", key)
        return Goto(status, replace(order, cents=999))

    return price


# Any: as above.
def dropped(status: Any) -> Callable[..., Awaitable[Next[Any, Order]]]:
    """Return a handler that leads to a status."""

    async def drop(order: Order) -> Next[Any, Order]:
        return Goto(status)

    return drop


WITH_A_CHECK = with_a_check()
WITHOUT_PAYING = without_paying()
