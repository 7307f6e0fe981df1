"""What both type checkers accept without a word: every form of the face, with its types."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, NewType, NoReturn, Protocol, assert_type

import asyncpg  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]
import asyncpg.pool  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]
import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import makegood
from makegood import (
    Abort,
    Attempt,
    Breaker,
    Call,
    Chain,
    Collect,
    Deadline,
    Declined,
    Done,
    Emit,
    Engine,
    Executor,
    Failed,
    Failure,
    Held,
    IdempotencyKey,
    MessageInfo,
    Once,
    Proceed,
    Pure,
    Query,
    Quorum,
    Rate,
    Receptors,
    Record,
    Retry,
    RetryNow,
    Run,
    RunInfo,
    Service,
    Step,
    Succeeded,
    Transaction,
    Unavailable,
    Undecided,
    Unneeded,
    Verdict,
    Workflow,
    Writes,
    chain,
    each,
    expect,
    fail,
    hook,
    injected,
    note,
    pure,
    query,
    repeat,
    send,
    sleep,
    step,
    switch,
    testing,
    threaded,
    wait,
    workflow,
)


def as_executor(engine: Engine) -> Executor:
    return engine


OrderId = NewType("OrderId", str)


@dataclass(frozen=True, slots=True)
class Order:
    id: OrderId
    total: int
    is_gift: bool


@dataclass(frozen=True, slots=True)
class Payment:
    id: str


@dataclass(frozen=True, slots=True)
class Receipt:
    order: OrderId
    payment: Payment
    note: str = ""


class Gateway(Protocol):
    async def charge(self, amount: int, *, key: str) -> str: ...


async def find_order(order_id: OrderId, *, attempt: Attempt = injected) -> Order:
    return Order(order_id, attempt, is_gift=False)


async def find_without_attempt(order_id: OrderId) -> Order:
    return Order(order_id, 0, is_gift=False)


async def charge(
    order: Order,
    note: str = "",
    *,
    gateway: Gateway = injected,
    key: IdempotencyKey = injected,
    writes: Writes = injected,
    deadline: Deadline = injected,
) -> Payment:
    writes.execute("INSERT INTO notes VALUES (?, ?)", note, str(deadline))
    return Payment(await gateway.charge(order.total, key=key))


async def refund(payment: Payment, *, gateway: Gateway = injected) -> None:
    await gateway.charge(0, key=payment.id)


async def refund_anything(payment: object) -> int:
    return len(repr(payment))


async def find_charge(
    failure: Failure, order: Order, *, key: IdempotencyKey = injected
) -> Proceed[Payment] | RetryNow | Abort | Undecided:
    if order.total:
        return Proceed(Payment(key))
    return Abort(str(failure))


async def find_any_charge(failure: Failure) -> Verdict[Payment]:
    return Abort(str(failure))


async def reserve(order: Order, *, transaction: Transaction = injected) -> int:
    return await transaction.execute("UPDATE stock SET held = held + ?", order.total)


async def release(held: int, *, transaction: Transaction = injected) -> None:
    await transaction.execute("UPDATE stock SET held = held - ?", held)


async def wrap(order: Order, *, run: RunInfo = injected) -> str:
    return f"{run.id} {order.id}"


def print_label(order: Order) -> str:
    return order.id


def is_large(order: Order) -> bool:
    return order.total > 100


def name(payment: Payment | None) -> str:
    return payment.id if payment else "nobody"


async def pack(order: Order, *, record: Record[Payment] = injected) -> str:
    await record(Payment(order.id))
    return order.id


async def unpack(packed: str, *, recorded: Payment | None = injected) -> None:
    raise ValueError(packed, recorded)


async def find_packed(
    failure: Failure, order: Order, *, recorded: Payment | None = injected
) -> Verdict[str]:
    return Abort(f"{failure} {order} {recorded}")


packed: Step[[Order], str] = step(pack, undo=unpack, compensate=find_packed)
find = query(find_order, retry=Retry(attempts=5), timeout=timedelta(seconds=1))
take = step(
    charge,
    undo=refund,
    compensate=find_charge,
    retry=Retry(on=(OSError, Unavailable), attempts=5),
)
take_again = step(charge, undo=refund_anything, compensate=find_any_charge)
hold = step(reserve, undo=release)
gift = step(wrap, irreversible="paper is torn", optional=True)
label = step(threaded(print_label, threads_max=2), irreversible="it is printed", pivot=True)
large = pure(is_large)


@workflow(deadline=timedelta(minutes=5), strict=True)
def sell(order_id: OrderId, comment: str = "") -> tuple[Receipt, OrderId]:
    order = find(order_id)
    assert_type(order, Order)
    expect(order.is_gift, Declined("no gift"), name="gift")
    note("order", (order, {"id": order_id}, 7))
    screened = hook("screen", order, returns=Payment)
    assert_type(screened, Payment | None)
    gift.after(hook("before", order))(order)
    held = hold(order)
    assert_type(held, int)
    payment = take.after(held)(order, note=comment)
    assert_type(payment, Payment)
    wrapped = gift.after(payment)(order)
    assert_type(wrapped, str | None)
    labelled = label.when(large(order))(order)
    assert_type(labelled, str | None)
    kept = hold.named("kept").when(order.is_gift, otherwise=held)(order)
    assert_type(kept, int)
    named = pure(name)(take_again.named("again").when(order.is_gift)(order))
    assert_type(named, str)
    receipt = pure(Receipt, name="receipt")(order.id, payment, note=named)
    assert_type(receipt, Receipt)
    return receipt, order.id


@workflow
def look(order_id: OrderId) -> Order:
    return find(order_id)


as_workflow: Workflow[[OrderId], Order] = look
assert_type(look(OrderId("1")), Call[Order])
assert_type(sell(OrderId("1"), comment="x"), Call[tuple[Receipt, OrderId]])
assert_type(sell.bind(screen=take)(OrderId("1")), Call[tuple[Receipt, OrderId]])

as_query: Query[[OrderId], Order] = query(find_without_attempt)
as_step: Step[[OrderId], Order | None] = step(find_without_attempt, optional=True)
as_pure: Pure[[Order], bool] = large


@dataclass(frozen=True, slots=True)
class Wish:
    order_id: OrderId
    note: str


async def post(order: Order, payment: Payment, note: str, *, copies: int = 1) -> str:
    return f"{order} {payment} {note} {copies}"


async def settle(order: Order, payment: Payment, note: str, cents: int) -> int:
    return len(f"{order} {payment} {note} {cents}")


async def ring() -> bool:
    return True


posted = step(post, irreversible="it is in the post")
settled = step(settle, irreversible="it is settled")
rung = query(ring)


def given(wish: Wish, done: Done) -> tuple[Order, str]:
    return done[find], wish.note


async def start_within(
    engine: Engine,
    *,
    connection: psycopg.AsyncConnection[tuple[Any, ...]],
    alchemy: AsyncConnection,
    session: AsyncSession,
    own: asyncpg.Connection,
    lent: asyncpg.pool.PoolConnectionProxy,
) -> None:
    run = await engine.start(look(OrderId("1")), key="1", within=connection)
    assert_type(run, Run[Order])
    await engine.start(look(OrderId("1")), within=alchemy)
    await engine.start(look(OrderId("1")), within=session)
    await engine.start(look(OrderId("1")), within=lent)
    await engine.start(look(OrderId("1")), within=own)


begun = chain("look_up", find)
assert_type(begun, Chain[OrderId, Order])
wished = chain("wish", find, takes=Wish, using=lambda wish: wish.order_id)
assert_type(wished, Chain[Wish, Order])
two = chain("wish", take, takes=tuple[Order, str], using=lambda pair: (pair[0], pair[1]))
assert_type(two, Chain[tuple[Order, str], Payment])
paid = wished.then(take, using=lambda _, done: done[find])
assert_type(paid, Chain[Wish, Payment])
assert_type(
    wished.then(take, using=lambda wish, done: (done[find], wish.note)), Chain[Wish, Payment]
)
assert_type(wished.then(take, using=given), Chain[Wish, Payment])
assert_type(wished.then(gift, using=lambda _, done: done[find]), Chain[Wish, str | None])
assert_type(
    wished.then(large.named("x"), using=lambda _, done: done["find_order"]), Chain[Wish, bool]
)
assert_type(wished.then(rung), Chain[Wish, bool])
assert_type(wished.beside(rung), Chain[Wish, bool])
assert_type(paid.beside(gift, using=lambda _, done: done[find]), Chain[Wish, str | None])
sent = paid.then(posted, using=lambda wish, done: (done[find], done[take], wish.note))
assert_type(sent, Chain[Wish, str])
by_name = paid.then(posted, using=lambda _, done: {"order": done.find_order, "copies": 2})
assert_type(by_name, Chain[Wish, str])
four = paid.then(
    settled, using=lambda wish, done: (done[find], done[take], wish.note, done[find].total)
)
assert_type(four, Chain[Wish, int])
assert_type(sent.workflow(deadline=timedelta(hours=1)), Workflow[[Wish], str])
both = sent.workflow(returning=lambda wish, done: (wish.note, done[take]), strict=True)
assert_type(both, Workflow[[Wish], tuple[str, Payment]])
assert_type(both(Wish(OrderId("1"), "x")), Call[tuple[str, Payment]])


class Method(Enum):
    CARD = "card"
    GIFT = "gift"


def count_up(number: int) -> int:
    return number + 1


def is_enough(number: int) -> bool:
    return number > 1


add = pure(count_up)


@workflow
def treat(order_id: OrderId, method: Method, order_ids: list[OrderId], pause: timedelta) -> int:
    order = find(order_id)
    paid = switch(method, {Method.CARD: lambda: take(order), Method.GIFT: lambda: take(order)})
    assert_type(paid, Payment)
    only = switch(
        method, {Method.CARD: lambda: take(order)}, default=lambda: fail(Declined("no")), name="one"
    )
    assert_type(only, Payment)

    def one(each_id: OrderId) -> Payment:
        found = find(each_id)
        sleep.after(found).named("nap")(pause)
        return take(found)

    assert_type(each(order_ids, find, name="found"), list[Order])
    assert_type(each(order_ids, one, at_once=2), list[Payment])
    kept = each(order_ids, one, policy=Collect(done_min=1), name="kept")
    assert_type(kept, list[Succeeded[Payment] | Failed])
    enough = each(order_ids, one, policy=Quorum(2), name="enough")
    assert_type(enough, list[Succeeded[Payment] | Failed | Unneeded])
    again = repeat(add, 0, times_max=3, until=is_enough)
    assert_type(again, int)
    sleep(timedelta(days=1))
    shipped = wait.after(again)(Wish, key=order_id, within=pause)
    assert_type(shipped, Wish)
    perhaps = wait.named("perhaps")(Wish, key=order_id, within=pause, optional=True)
    assert_type(perhaps, Wish | None)
    assert_type(wait.named("ever")(Wish, key=order_id, forever=True), Wish)
    send.after(shipped)(shipped, key=order_id, keep=timedelta(days=2), on="success")
    return again


def refuse() -> NoReturn:
    fail(Declined("never"))


def is_paid_for(world: testing.Explored) -> list[str]:
    return [] if "take" in world.stands else [f"{world.status}, and nothing is paid"]


def explore_imagined() -> None:
    found = testing.explore(look, inputs={"order_id": "1"}, invariants=[is_paid_for], pairs=True)
    assert_type(found, testing.Exploration)
    assert_type(found.left, tuple[testing.Discovery, ...])
    testing.explore(treat, examples={OrderId: "2", Order | None: None})


async def explore_for_real() -> None:
    found = await testing.explore_for_real(look(OrderId("1")), services=dict)
    assert_type(found, testing.Exploration)


def protected(gateway: Gateway) -> dict[type, object]:
    service = Service(gateway, at_once=20, rate=Rate(100), breaker=Breaker(failures=3))
    assert_type(service, Service[Gateway])
    return {Gateway: service}


# Workflows as steps, and steps that return a call.


async def find_again(order_id: OrderId) -> Call[Order]:
    return look(order_id)


async def find_maybe(order_id: OrderId, *, attempt: Attempt = injected) -> Order | Call[Order]:
    return look(order_id)


async def forget_order(order: Order) -> None:
    """Take an order back."""


as_child: Step[[OrderId], Order] = step(look)
as_optional_child: Step[[OrderId], Order | None] = step(look, name="maybe", optional=True)
as_call: Step[[OrderId], Order] = step(find_again, undo=forget_order)
as_optional_call: Step[[OrderId], Order | None] = step(find_again, optional=True)
as_either: Step[[OrderId], Order] = step(find_maybe, undo=forget_order)


@workflow
def look_twice(order_id: OrderId) -> tuple[Order, Order, Order]:
    first = step(look, timeout_total=timedelta(hours=1))(order_id)
    assert_type(first, Order)
    second = step(find_again).after(first)(order_id)
    assert_type(second, Order)
    third = step(find_maybe)(order_id=order_id)
    assert_type(third, Order)
    return first, second, third


@workflow
def look_alone(order_id: OrderId) -> Order:
    held = makegood.hold(order_id, within=timedelta(minutes=5))
    assert_type(held, Held)
    return step(look).after(held)(order_id)


# What is meant although a rule finds it wrong, and versions.

allowed: Step[[OrderId], Order] = step(find_again, allow={"MG102": "nothing is left of it"})
allowed_child: Step[[OrderId], Order] = step(look, allow={"MG116": "it is made good by hand"})
allowed_query: Query[[OrderId], Order] = query(find_order, allow={"MG109": "it only reads"})


@workflow(strict=True, allow={"MG101": "others still give it"})
def look_allowed(order_id: OrderId, note: str) -> Order:
    return allowed(order_id)


as_allowed: Workflow[[OrderId, str], Order] = look_allowed
as_version: Workflow[[OrderId], Order] = look.version("2")
assert_type(look.version("2")(OrderId("1")), Call[Order])
as_child_version: Step[[OrderId], Order] = step(look.version("2"))


# Receptors: functions of one message, with whatever is injected behind it.


@dataclass(frozen=True)
class Packed:
    order_id: str


@dataclass(frozen=True)
class Sent:
    order_id: str


async def dispatch(
    event: Packed, *, emit: Emit[Sent] = injected, info: MessageInfo = injected
) -> Sent | Call[Order] | None:
    emit(Sent(info.id), key=event.order_id, after=timedelta(days=1))
    return Sent(event.order_id)


async def remind_once(event: Packed | Sent, *, once: Once = injected) -> tuple[Sent, ...]:
    return (Sent(event.order_id),) if await once("reminder") else ()


dispatching: Receptors = Receptors("shop").on(dispatch).on(remind_once, on_dead="block")


async def send_and_look(engine: Engine) -> None:
    engine.serve(dispatching, look)
    assert_type(await engine.publish(Packed("1"), id="event-1"), makegood.Receipt)
    received = await testing.receive(dispatch, Packed("1"))
    assert_type(received.messages, tuple[object, ...])
    await testing.receive(dispatching, Sent("1"), name="remind_once")
