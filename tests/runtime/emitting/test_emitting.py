"""What a step emits goes out in the append that records its success, once, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import (
    Abort,
    Declined,
    Emit,
    Failure,
    IdempotencyKey,
    OutcomeUnknown,
    Proceed,
    Receptors,
    Retry,
    RunFailed,
    RunParked,
    Transaction,
    Unavailable,
    Undecided,
    Verdict,
    Writes,
    injected,
    later,
    step,
    workflow,
)
from makegood.extension import Migration
from makegood.journal.messages import MessageFilter
from makegood.values.ids import effect_key, message_id
from makegood.values.limits import PAYLOAD_BYTES_MAX
from tests.runtime.outside import Gate, Lost, Outside
from tests.runtime.receiving.shop import Charge, Paid, Refused, quiet

if TYPE_CHECKING:
    from makegood import Engine
    from makegood.journal.messages import Kept
    from tests.runtime.world import World

STEADY = Retry(attempts=3, delay=timedelta(seconds=1), factor=1, jitter=False)
ONE = Retry(attempts=1)


@dataclass(frozen=True)
class Till:
    """A table of these tests."""

    name: str = "till"
    migrations: tuple[Migration, ...] = (
        Migration(owner="till", number=1, sql="CREATE TABLE paid (order_id TEXT PRIMARY KEY)"),
    )
    commands: tuple[()] = ()


async def pay(
    order_id: str,
    *,
    outside: Outside = injected,
    key: IdempotencyKey = injected,
    emit: Emit[Paid | Refused] = injected,
) -> str:
    emit(Paid(order_id))
    await outside.do("pay", key)
    return f"{order_id} is paid"


async def pay_back(
    paid: str,
    *,
    outside: Outside = injected,
    key: IdempotencyKey = injected,
    emit: Emit[Refused] = injected,
) -> None:
    emit(Refused(paid))
    await outside.do("pay back", key)


async def find_payment(
    _failure: Failure,
    order_id: str,
    *,
    outside: Outside = injected,
    key: IdempotencyKey = injected,
    emit: Emit[Paid] = injected,
) -> Verdict[str]:
    emit(Paid(order_id))
    if key in outside.effects:
        return Proceed(f"{order_id} was paid")
    return Abort()


async def send(
    order_id: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("send", key)


@workflow
def order(order_id: str) -> str:
    paid = step(pay, undo=pay_back, retry=STEADY, key_valid_for=timedelta(hours=1))(order_id)
    step(send, irreversible="it is on its way").after(paid)(order_id)
    return paid


async def sent(engine: Engine) -> list[Kept]:
    """Return all messages, the oldest first."""
    found = await engine._reception.messages.messages(MessageFilter(limit=200))
    return [*reversed(found.rows)]


def id_of(run: str, path: str = "pay", *, direction: Any = "do", of: str = "order") -> str:
    return message_id(effect_key(of, run, path, direction, generation=0), 1)


async def test_what_a_step_emits_goes_out_with_its_success(world: World) -> None:
    engine = await world.engine(order)
    run = await engine.start(order("A-1"), key="one", subject="anna")
    assert await world.finish(engine, run.result()) == "A-1 is paid"
    (message,) = [each.message for each in await sent(engine)]
    assert (message.id, message.source, message.type) == (id_of("one"), "makegood", "shop.Paid")
    assert (message.correlation, message.causation) == (run.id, run.id)
    assert (message.key, message.subject) == ("one", "anna")


async def test_a_message_has_the_key_that_it_says_and_else_that_of_its_run(world: World) -> None:
    async def talk(*, emit: Emit[Paid] = injected) -> None:
        emit(Paid("first"), key="said")
        emit(Paid("second"))

    @workflow
    def talking() -> None:
        step(talk, irreversible="it is said")()

    engine = await world.engine(talking)
    run = await engine.start(talking())
    await world.finish(engine, run.result())
    assert [each.message.key for each in await sent(engine)] == ["said", run.id]


async def test_an_attempt_that_fails_has_sent_nothing_and_the_next_one_sends_once(
    world: World,
) -> None:
    world.outside.planned["pay"] = [Unavailable("down"), Lost(OutcomeUnknown("cut off")), None]
    engine = await world.engine(order)
    run = await engine.start(order("A-1"), key="one")
    await quiet(engine)
    assert await sent(engine) == []
    await world.finish(engine, run.result())
    assert world.outside.calls == ["pay", "pay", "pay", "send"]
    assert [each.message.id for each in await sent(engine)] == [id_of("one")]


async def test_a_step_that_has_failed_has_sent_nothing(world: World) -> None:
    world.outside.planned["pay"] = [Declined("no funds")]
    engine = await world.engine(order)
    run = await engine.start(order("A-1"))
    with pytest.raises(RunFailed):
        await world.finish(engine, run.result())
    assert await sent(engine) == []


async def test_an_undo_sends_under_ids_of_its_own(world: World) -> None:
    world.outside.planned["send"] = [Declined("no such street")]
    world.outside.planned["pay back"] = [Unavailable("down"), None]
    engine = await world.engine(order)
    run = await engine.start(order("A-1"), key="one")
    with pytest.raises(RunFailed):
        await world.finish(engine, run.result())
    found = [(each.message.id, each.message.type) for each in await sent(engine)]
    assert found == [
        (id_of("one"), "shop.Paid"),
        (id_of("one", direction="undo"), "shop.Refused"),
    ]


@workflow
def asking(order_id: str) -> str:
    return step(pay, undo=pay_back, compensate=find_payment, retry=ONE)(order_id)


@pytest.mark.parametrize(
    ("plan", "count"), [(Lost(OutcomeUnknown("cut off")), 1), (OutcomeUnknown("cut off"), 0)]
)
async def test_a_compensate_speaks_for_the_step_if_that_has_happened(
    world: World, plan: Any, count: int
) -> None:
    world.outside.planned["pay"] = [plan]
    engine = await world.engine(asking)
    run = await engine.start(asking("A-1"), key="one")
    await world.finish(engine, run.outcome())
    expected = [id_of("one", of="asking")] * count
    assert [each.message.id for each in await sent(engine)] == expected


async def test_a_compensate_that_does_not_know_has_sent_nothing(world: World) -> None:
    async def shrug(_failure: Failure, *, emit: Emit[Paid] = injected) -> Verdict[str]:
        emit(Paid("perhaps"))
        return Undecided()

    @workflow
    def unsure(order_id: str) -> str:
        return step(pay, undo=pay_back, compensate=shrug, compensate_retry=ONE, retry=ONE)(order_id)

    world.outside.planned["pay"] = [OutcomeUnknown("cut off")]
    engine = await world.engine(unsure)
    run = await engine.start(unsure("A-1"))
    with pytest.raises(RunParked):
        await world.finish(engine, run.result())
    assert await sent(engine) == []


async def test_a_step_whose_worker_died_before_its_record_sends_once(world: World) -> None:
    gate = Gate()
    world.outside.planned["pay"] = [gate]
    first = await world.engine(order)
    run = await first.start(order("A-1"), key="one")
    await gate.reached.wait()
    await world.kill(first)
    second = await world.engine(order)
    world.clock.turn(timedelta(seconds=30))
    await world.finish(second, second.run(run.id).result())
    assert world.outside.calls == ["pay", "pay", "send"]
    assert [each.message.id for each in await sent(second)] == [id_of("one")]


async def test_whoever_is_served_beside_a_step_receives_its_first_message(world: World) -> None:
    heard: list[Paid] = []

    async def hear(event: Paid) -> None:
        heard.append(event)

    engine = world.make()
    engine.serve(order, Receptors("shop").on(hear))
    async with engine:
        run = await engine.start(order("A-1"))
        await world.finish(engine, run.result())
        await quiet(engine)
    assert heard == [Paid("A-1")]


async def test_a_message_of_a_step_is_not_received_before_its_time(world: World) -> None:
    heard: list[Paid] = []

    async def remind(*, emit: Emit[Paid] = injected) -> None:
        emit(Paid("tomorrow"), after=timedelta(days=1))

    async def hear(event: Paid) -> None:
        heard.append(event)

    @workflow
    def reminding() -> None:
        step(remind, irreversible="it is said")()

    engine = await world.engine(reminding, Receptors("shop").on(hear))
    await world.finish(engine, (await engine.start(reminding())).result())
    await quiet(engine)
    assert heard == []
    world.clock.turn(timedelta(days=1))
    await quiet(engine)
    assert heard == [Paid("tomorrow")]


async def test_a_step_that_is_answered_from_outside_sends_when_it_has_asked(world: World) -> None:
    async def ask(*, emit: Emit[Paid] = injected) -> str:
        emit(Paid("asked"))
        later(within=timedelta(days=1))

    @workflow
    def patient() -> str:
        return step(ask, irreversible="a question")()

    engine = await world.engine(patient)
    await engine.start(patient())
    await quiet(engine)
    assert [each.message.type for each in await sent(engine)] == ["shop.Paid"]


# What cannot be sent ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (Charge("A-1"), "does not name"),
        (Paid("x" * PAYLOAD_BYTES_MAX), "at most"),
    ],
)
async def test_a_message_that_cannot_be_sent_parks_the_run_for_its_effect_has_happened(
    world: World, message: Any, error: str
) -> None:
    async def talk(*, outside: Outside = injected, emit: Emit[Paid] = injected) -> None:
        await outside.do("talk", IdempotencyKey("talk"))
        emit(Paid("good"))
        emit(message)

    @workflow
    def talking() -> None:
        step(talk, irreversible="it is said")()

    engine = await world.engine(talking)
    run = await engine.start(talking())
    with pytest.raises(RunParked) as raised:
        await world.finish(engine, run.result())
    assert "unrecorded effect" in str(raised.value)
    assert error in str(raised.value.errors[0])
    assert (world.outside.calls, await sent(engine)) == (["talk"], [])


async def test_a_body_may_do_without_a_message_that_cannot_be_sent(world: World) -> None:
    async def talk(*, emit: Emit[Paid] = injected) -> str:
        try:
            emit(Paid("x" * PAYLOAD_BYTES_MAX))
        except ValueError as error:
            return type(error).__name__
        return "sent"

    @workflow
    def talking() -> str:
        return step(talk, irreversible="it is said")()

    engine = await world.engine(talking)
    assert await world.finish(engine, (await engine.start(talking())).result()) != "sent"
    assert await sent(engine) == []


async def test_nothing_goes_out_with_statements_that_the_store_refuses(world: World) -> None:
    async def book(*, writes: Writes = injected, emit: Emit[Paid] = injected) -> None:
        writes.execute("INSERT INTO paid VALUES ('one'), ('one')")
        emit(Paid("A-1"))

    @workflow
    def booking() -> None:
        step(book, irreversible="a note")()

    engine = await world.engine(booking, extensions=[Till()])
    run = await engine.start(booking())
    with pytest.raises(RunParked):
        await world.finish(engine, run.result())
    assert await sent(engine) == []


async def test_statements_and_messages_of_a_step_are_written_together(world: World) -> None:
    async def book(*, writes: Writes = injected, emit: Emit[Paid] = injected) -> None:
        writes.execute("INSERT INTO paid VALUES ('one')")
        emit(Paid("A-1"))

    @workflow
    def booking() -> None:
        step(book, irreversible="a note")()

    engine = await world.engine(booking, extensions=[Till()])
    await world.finish(engine, (await engine.start(booking())).result())
    assert len(await sent(engine)) == len(await engine.read("SELECT * FROM paid")) == 1


# Commands -----------------------------------------------------------------------------------------


async def demand(*, outside: Outside = injected, emit: Emit[Charge] = injected) -> None:
    await outside.do("demand", IdempotencyKey("demand"))
    emit(Charge("A-1"))


@workflow
def demanding() -> None:
    step(demand, irreversible="it is said")()


async def test_a_step_that_sends_a_command_which_nobody_owns_is_not_called(world: World) -> None:
    engine = await world.engine(demanding)
    run = await engine.start(demanding())
    with pytest.raises(RunFailed, match=r"no receptor owns the command `shop\.Charge`"):
        await world.finish(engine, run.result())
    assert world.outside.calls == []


async def test_a_command_of_a_step_goes_to_its_owner(world: World) -> None:
    owned: list[Charge] = []

    async def charge(command: Charge) -> None:
        owned.append(command)

    engine = await world.engine(demanding, Receptors("till").on(charge))
    await world.finish(engine, (await engine.start(demanding())).result())
    await quiet(engine)
    assert owned == [Charge("A-1")]


# Local steps --------------------------------------------------------------------------------------


async def keep(
    order_id: str, *, transaction: Transaction = injected, emit: Emit[Paid | Charge] = injected
) -> str:
    emit(Paid(order_id))
    await transaction.execute("INSERT INTO paid VALUES (?)", order_id)
    if order_id == "unlucky":
        raise Declined(order_id)
    if order_id == "too long":
        emit(Paid("x" * PAYLOAD_BYTES_MAX))
    return order_id


@workflow
def keeping(order_id: str) -> str:
    return step(keep, irreversible="a note", retry=ONE)(order_id)


async def own(command: Charge) -> None:
    """Own the command, so that it may be sent."""


async def test_a_local_step_sends_in_its_own_transaction(world: World) -> None:
    engine = await world.engine(keeping, Receptors("till").on(own), extensions=[Till()])
    run = await engine.start(keeping("A-1"), key="one")
    assert await world.finish(engine, run.result()) == "A-1"
    found = await sent(engine)
    assert [each.message.id for each in found] == [id_of("one", "keep", of="keeping")]
    assert await engine.read("SELECT order_id FROM paid") == [("A-1",)]


@pytest.mark.parametrize("order_id", ["unlucky", "too long"])
async def test_a_local_step_that_fails_has_neither_written_nor_sent(
    world: World, order_id: str
) -> None:
    engine = await world.engine(keeping, Receptors("till").on(own), extensions=[Till()])
    run = await engine.start(keeping(order_id))
    with pytest.raises(RunFailed):
        await world.finish(engine, run.result())
    assert await sent(engine) == []
    assert [*await engine.read("SELECT order_id FROM paid")] == []


async def test_a_local_step_that_may_send_a_command_which_nobody_owns_fails_unrun(
    world: World,
) -> None:
    engine = await world.engine(keeping, extensions=[Till()])
    run = await engine.start(keeping("A-1"))
    with pytest.raises(RunFailed, match="no receptor owns"):
        await world.finish(engine, run.result())
    assert [*await engine.read("SELECT order_id FROM paid")] == []


async def test_nobody_sends_once_the_attempt_is_over(world: World) -> None:
    emits: list[Emit[Paid]] = []

    async def leak(*, emit: Emit[Paid] = injected) -> None:
        emits.append(emit)

    @workflow
    def leaking() -> None:
        step(leak, irreversible="a note")()

    engine = await world.engine(leaking)
    await world.finish(engine, (await engine.start(leaking())).result())
    with pytest.raises(ValueError, match="its attempt is over"):
        emits[0](Paid("late"))
    assert await sent(engine) == []
