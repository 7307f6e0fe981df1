"""Mistakes that both type checkers must report, each on the line marked `# refused`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Literal

import psycopg
import sqlalchemy
import sqlalchemy.orm

from makegood import (
    Abort,
    Breaker,
    Call,
    Emit,
    Engine,
    Failed,
    Failure,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Proceed,
    Rate,
    Receptors,
    Record,
    Retry,
    Service,
    Stay,
    Succeeded,
    chain,
    each,
    expect,
    fail,
    hold,
    hook,
    injected,
    note,
    pure,
    query,
    repeat,
    sleep,
    step,
    switch,
    testing,
    wait,
    workflow,
)
from makegood import (
    send as mail,
)


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    total: int
    is_gift: bool


@dataclass(frozen=True, slots=True)
class Payment:
    id: str


async def find_order(order_id: str) -> Order:
    raise NotImplementedError


async def charge(order: Order, *, key: IdempotencyKey = injected) -> Payment:
    raise NotImplementedError


async def refund(payment: Payment) -> None:
    raise NotImplementedError


async def cancel(order: Order) -> None:
    raise NotImplementedError


async def pack(order: Order, *, record: Record[Payment] = injected) -> str:
    await record(order)  # refused: it records payments
    return order.id


async def ship(order: Order, payment: Payment) -> str:
    raise NotImplementedError


async def ask(failure: Failure, order: Order) -> Proceed[Payment] | Abort:
    raise NotImplementedError


async def ask_order(failure: Failure) -> Proceed[Order] | Abort:
    raise NotImplementedError


async def ask_nothing() -> Abort:
    raise NotImplementedError


async def ask_wrongly(order: Order) -> Abort:
    raise NotImplementedError


async def answer(failure: Failure) -> Payment:
    raise NotImplementedError


def refund_now(payment: Payment) -> None:
    raise NotImplementedError


def size(order: Order) -> int:
    raise NotImplementedError


find = query(find_order)
take = step(charge, undo=refund, compensate=ask)
send = step(ship, irreversible="it is gone")
gift = step(charge, undo=refund, optional=True)

step(charge, undo=cancel)  # refused: the undo takes an order, not a payment
step(charge, undo=refund_now)  # refused: the undo is not async
step(charge, compensate=ask_order)  # refused: it proceeds with an order
step(charge, compensate=ask_nothing)  # refused: it does not take the failure
step(charge, compensate=ask_wrongly)  # refused: its first parameter is no failure
step(charge, compensate=answer)  # refused: a payment is no verdict
step(size)  # refused: a step is async
query(size)  # refused: a query is async
step(charge, retries=3)  # refused: there is no such option
step(charge, timeout=30)  # refused: a timeout is a timedelta
step(charge, retry=3)  # refused: a retry is a Retry
query(find_order, undo=cancel)  # refused: a query has nothing to undo
Retry(on=int)  # refused: int is no exception
Breaker(5)  # refused: failures are named
Rate(100, per=1)  # refused: a time is a timedelta
Service("gateway", rate=100)  # refused: a rate is a Rate
Retry(3)  # refused: attempts are named
Retry(delay=1.5)  # refused: a delay is a timedelta


@workflow
def wrong(order_id: str, flag: str) -> Payment:
    order = find(order_id)
    find(3)  # refused: a number is no order id
    find()  # refused: the order id is missing
    find(order_id, order_id)  # refused: there is one parameter
    find(id=order_id)  # refused: the parameter is named order_id
    take(order_id)  # refused: a text is no order
    send(order)  # refused: the payment is missing
    send(order, gift(order))  # refused: an optional result may be None
    send(order, take.when(order.is_gift)(order))  # refused: a guarded result may be None
    take.when(flag)(order)  # refused: a text is no flag
    take.when(order.is_gift, otherwise=order)(order)  # refused: an order is no payment
    expect(order.total, ValueError())  # refused: a number is no flag
    expect(order.is_gift, "not a gift")  # refused: a text is no error
    take(hook("screen", order, returns=Order))  # refused: what is bound may be nothing
    find(hook("before", order))  # refused: a hook gives nothing that it does not declare
    note(order)  # refused: a note has a name
    take(note("order", order))  # refused: a note gives nothing
    pure(size)(order.totl)  # refused: there is no such attribute
    pure(size).named(3)(order)  # refused: a name is text
    return order  # refused: an order is no payment


wrong("1", 2)  # refused: a number is no text
wrong("1")  # refused: the flag is missing
wrong("1", "2", deadline=timedelta(1))  # refused: there is no such input


@workflow(deadline=60)  # refused: a deadline is a timedelta
def late(order_id: str) -> Order:
    return find(order_id)


async def start_within(
    engine: Engine,
    blocking: psycopg.Connection,
    alchemy: sqlalchemy.Connection,
    session: sqlalchemy.orm.Session,
) -> None:
    call = late("1")
    await engine.start(call, within=blocking)  # refused: this one blocks
    await engine.start(call, within=alchemy)  # refused: and this one
    await engine.start(call, within=session)  # refused: and this one
    await engine.start(call, within="postgresql://")  # refused: an address is no connection
    await engine.start(call, within=engine)  # refused: nor is an engine


@workflow
def astray(order: Order, lines: list[str], flag: bool) -> None:  # noqa: FBT001 - an input
    send(order, switch(flag, {True: lambda: find("1")}))  # refused: the branch gives an order
    take(switch(flag, {True: lambda: take(order)}, default=lambda: 1))  # refused: no order at all
    switch(flag, {True: take(order)})  # refused: a branch is called later
    switch(flag, {True: take})  # refused: a branch takes nothing
    each(lines, take)  # refused: a line is no order
    each(order, find)  # refused: an order is no sequence
    each(lines, find, at_most=2)  # refused: there is no such option
    each(lines, find, policy=2)  # refused: a number is no policy
    send(each(lines, find), take(order))  # refused: a list of orders is no order
    repeat(find, "1", times_max=3)  # refused: an order does not go round as a text
    repeat(pure(str.strip), "1")  # refused: nothing bounds it
    sleep(60)  # refused: a duration is a timedelta
    sleep(until=timedelta(1))  # refused: a duration is no moment
    wait(Wish, key="1")  # refused: it has neither an end nor none
    wait(Wish, key="1", forever=True, optional=True)  # refused: it is never given up
    wait(Wish, key=1, forever=True)  # refused: a key is a text
    hold("1")  # refused: it has no end
    hold(1, within=timedelta(days=1))  # refused: a key is a text
    take(wait(Wish, key="1", forever=True))  # refused: a wish is no order
    mail(Wish("1", 1), key="1", on="failure")  # refused: there is no such moment
    fail("no")  # refused: a text is no error


@dataclass(frozen=True, slots=True)
class Wish:
    order_id: str
    cents: int


wished = chain("wish", find, takes=Wish, using=lambda wish: wish.order_id)
paid = wished.then(take, using=lambda _, done: done[find])

chain(find, take)  # refused: a chain begins with its name
chain("wish", send)  # refused: its first step takes two values
chain("wish", find_order)  # refused: a function is no step
chain("wish", find, takes=Wish)  # refused: nothing says what the first step is given
chain("wish", find, using=lambda wish: wish)  # refused: nothing says what the chain takes
chain("wish", find, takes=Wish, using=lambda wish: wish.cents)  # refused: a number is no order id
chain("wish", find, takes=Wish, using=lambda wish: wish.price)  # refused: there is no price
wished.then(take)  # refused: nothing says what it is given
wished.beside(take)  # refused: nor here
wished.beside(take, using=lambda wish, _: wish.order_id)  # refused: a text is no order
wished.then(charge, using=lambda _, done: done[find])  # refused: a function is no step
wished.then(take, using=lambda wish, _: wish.order_id)  # refused: a text is no order
wished.then(take, using=lambda wish: wish)  # refused: a using takes what is done, too
wished.then(take, using=lambda _, done: done[find_order])  # refused: a function is no step
paid.then(send, using=lambda _, done: done[find])  # refused: the payment is missing
paid.then(send, using=lambda _, done: (done[take], done[find]))  # refused: in the wrong order
paid.then(send, using=lambda _, done: (done[find], done[gift]))  # refused: a gift may be None
paid.then(send, lambda _, done: (done[find], done[take]))  # refused: using is given by name
paid.workflow(returning=lambda wish: wish)  # refused: it takes what is done, too
paid.workflow(deadline=60)  # refused: a deadline is a timedelta
paid.workflow()("1")  # refused: a text is no wish
paid("1")  # refused: a chain is no workflow yet


@workflow
def look(order_id: str) -> Order:
    return find(order_id)


async def look_again(order_id: str) -> Call[Order]:
    return look(order_id)


async def look_maybe(order_id: str) -> Order | Call[Order]:
    return look(order_id)


step(look)(7)  # refused: a number is no order id
step(look)()  # refused: the order id is missing
step(look, undo=cancel)  # refused: a child is undone as one unit
step(look, timeout=timedelta(seconds=3))  # refused: a child has no attempts
step(look_again, undo=refund)  # refused: the undo takes a payment, not an order
step(look_maybe, undo=refund)  # refused: what is called gives an order
query(look)  # refused: a workflow does something

step(find_order, allow={"MG102"})  # refused: each rule has a reason
step(find_order, allow={"MG102": True})  # refused: a reason is text
step(look, allow=["MG116"])  # refused: a reason here, too
query(find_order, allow="MG109")  # refused: no text names a rule and a reason
workflow(allow={102: "why"})  # refused: a rule is named by its code
paid.workflow(allow={"MG101"})  # refused: each rule has a reason
pure(size, allow={"MG101": "why"})  # refused: no rule is about what is pure
look.version(2)  # refused: a label is text
look.version()  # refused: a version has a label
look.version("2")(7)  # refused: it takes what the workflow takes
Engine("memory://").serve(look.version)  # refused: a version is made by calling it


@dataclass(frozen=True)
class Packed:
    order_id: str


async def dispatch(event: Packed, *, emit: Emit[Order] = injected) -> None:
    emit("sent")  # refused: a text is not what it says it emits


def dispatch_now(event: Packed) -> None: ...


Receptors("shop").on(dispatch_now)  # refused: a receptor is async
Receptors("shop").on(dispatch, on_dead="stop")  # refused: it goes on or blocks
Receptors("shop").on(dispatch, retry=3)  # refused: a number is no policy


async def receive_wrongly() -> None:
    await testing.receive(dispatch, "packed")  # refused: a text is no such message


class Stage(Enum):
    NEW = "new"
    SENT = "sent"
    LOST = "lost"


async def open_order(order: Order) -> Goto[Literal[Stage.SENT], Order]:
    if order.is_gift:
        return Goto(Stage.LOST)  # refused: it says that it goes to SENT alone
    if order.total:
        return Goto(Stage.SENT, Payment("1"))  # refused: a payment is no order
    return Goto(Stage.SENT, order)


async def pay_order(order: Order, payment: Payment) -> Goto[Stage, Order]:
    return Goto(Stage.SENT, order)


async def end_order(order: Order, ended: Succeeded[Payment] | Failed) -> Goto[Stage, Order]:
    return Goto(Stage.SENT, order)


async def keep_payment(payment: Payment) -> Stay[Payment]:
    return Stay(payment)


orders = Lifecycle("order", Order, Stage, key=lambda order: order.id)
Lifecycle("order", Order, Stage, key=lambda order: order.total)  # refused: a key is a text
orders.on("NEW", open_order, to={Stage.SENT})  # refused: a status is no text
orders.on(Stage.NEW, open_order, to={"SENT"})  # refused: nor is one that it leads to
orders.on(Stage.NEW, cancel)  # refused: None is no outcome
orders.on(Stage.NEW, keep_payment)  # refused: its record is a payment
orders.on(Stage.NEW, open_order, to={Stage.SENT}, undo=refund)  # refused: as above
orders.on(Stage.NEW, open_order, to={Stage.SENT}, pivot=True)  # refused: a status is a pivot
orders.on(Stage.NEW, open_order, to={Stage.SENT}, timeout=3)  # refused: a timeout is a timedelta
orders.hear(Stage.NEW, Order, pay_order, to={Stage.SENT})  # refused: it takes a payment
orders.expire(Stage.NEW, open_order, at=lambda order: order.total)  # refused: that is no time
orders.call(Stage.NEW, lambda order: look(order.id), end_order)  # refused: it gives an order
orders.workflow()(Payment("1"))  # refused: it takes an order
