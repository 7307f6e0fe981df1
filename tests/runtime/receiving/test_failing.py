"""What fails is received again under its policy and one key, and then kept for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from makegood import (
    Attempt,
    Declined,
    Emit,
    IdempotencyKey,
    Once,
    OutcomeUnknown,
    Receptors,
    Retry,
    Unavailable,
    injected,
    later,
)
from makegood.journal.messages import DeliveryFilter, DeliveryState, Order
from makegood.values.instants import after
from makegood.values.verdict import FailureKind
from tests.runtime.outside import Gate, Late, Lost, Outside
from tests.runtime.receiving.shop import (
    Paid,
    Refused,
    Reserved,
    dead_letters,
    deliveries,
    fault,
    messages_of,
    quiet,
)
from tests.runtime.world import until

if TYPE_CHECKING:
    from makegood import Engine
    from tests.runtime.world import World

STEADY = Retry(attempts=3, delay=timedelta(seconds=10), factor=1.0, jitter=False)
WAIT = timedelta(seconds=10)


async def charge(
    event: Reserved, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Paid:
    await outside.do(event.order_id, key)
    return Paid(event.order_id)


CHARGING = Receptors("payments").on(charge, retry=STEADY)


async def test_what_is_unavailable_is_received_again_when_it_is_due(world: World) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Unavailable("down"), Unavailable("down"), None]
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    assert world.outside.calls == ["A-1"]
    world.clock.turn(WAIT - timedelta(microseconds=1))
    await quiet(engine)
    assert world.outside.calls == ["A-1"]
    for _ in range(2):
        world.clock.turn(WAIT)
        await quiet(engine)
    assert world.outside.happened == ["A-1"]
    assert len(set(world.outside.keys["A-1"])) == 1
    assert [each.state for each in await deliveries(engine)] == [DeliveryState.DONE]


async def test_while_one_is_to_be_received_again_its_key_waits_and_others_do_not(
    world: World,
) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Unavailable("down")]
    for order in ("A-1", "A-1", "A-2"):
        await engine.publish(Reserved(order))
    await quiet(engine)
    assert world.outside.calls == ["A-1", "A-2"]
    world.clock.turn(WAIT)
    await quiet(engine)
    assert world.outside.calls == ["A-1", "A-2", "A-1", "A-1"]


async def test_what_fails_every_time_becomes_a_dead_letter_that_says_why(world: World) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Unavailable(f"no. {number}") for number in (1, 2, 3)]
    await engine.publish(Reserved("A-1"), id="evt-1")
    for _ in range(4):
        await quiet(engine)
        world.clock.turn(WAIT)
    (dead,) = await dead_letters(engine)
    assert (dead.reason, dead.attempts, dead.message.id) == ("attempts used up", 3, "evt-1")
    told = fault(dead)
    assert told.failure.type == "makegood.errors.Unavailable"
    assert (told.failure.message, told.failure.kind) == ("no. 3", FailureKind.TRANSIENT)
    assert "in charge" in told.failure.traceback
    assert told.definition == CHARGING.receptors[0].fingerprint
    assert world.outside.calls == ["A-1"] * 3


async def test_behind_a_dead_letter_its_key_goes_on(world: World) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Declined("no")]
    for number in range(3):
        await engine.publish(Reserved("A-1", number))
    await quiet(engine)
    assert world.outside.calls == ["A-1"] * 3
    assert [dead.reason for dead in await dead_letters(engine)] == ["declined"]


async def test_behind_one_that_blocks_its_key_waits_for_a_person(world: World) -> None:
    engine = await world.engine(Receptors("payments").on(charge, on_dead="block"))
    world.outside.planned["A-1"] = [Declined("no")]
    for order in ("A-1", "A-1", "A-2"):
        await engine.publish(Reserved(order))
    await quiet(engine)
    assert world.outside.calls == ["A-1", "A-2"]
    order = Order(actor="anna", reason="a new card", at=world.clock.now())
    await messages_of(engine).resend(DeliveryFilter(), order)
    engine._reception.lookout.ring()
    await quiet(engine)
    assert world.outside.calls == ["A-1", "A-2", "A-1", "A-1"]
    assert len(set(world.outside.keys["A-1"])) == 2
    assert await dead_letters(engine) == []


FAILURES: dict[str, tuple[Any, str, str]] = {
    "a definite no": (Declined("no funds"), "declined", "makegood.errors.Declined"),
    "a mistake of the program": (KeyError("line"), "failed", "builtins.KeyError"),
}


@pytest.mark.parametrize(("error", "reason", "kind"), FAILURES.values(), ids=FAILURES)
async def test_what_another_attempt_does_not_help_is_given_up_at_once(
    world: World, error: Exception, reason: str, kind: str
) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [error]
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    (dead,) = await dead_letters(engine)
    assert (dead.reason, dead.attempts, fault(dead).failure.type) == (reason, 1, kind)


async def test_what_is_in_doubt_is_done_again_under_its_key(world: World) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Lost(OutcomeUnknown("no answer")), None]
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    world.clock.turn(WAIT)
    await quiet(engine)
    assert world.outside.calls == ["A-1", "A-1"]
    assert world.outside.happened == ["A-1"]


async def test_one_that_takes_too_long_is_cancelled_and_in_doubt(world: World) -> None:
    group = Receptors("payments").on(charge, timeout=timedelta(seconds=2), retry=Retry(attempts=1))
    engine = await world.engine(group)
    world.outside.planned["A-1"] = [Late(Gate())]
    await engine.publish(Reserved("A-1"))
    await turn_until_called(world)
    world.clock.turn(timedelta(seconds=2))
    await quiet(engine)
    (dead,) = await dead_letters(engine)
    assert dead.reason == "in doubt"
    assert "`payments/charge` was cancelled: it took longer than its timeout" in (
        fault(dead).failure.message
    )


async def turn_until_called(world: World) -> None:
    await until(lambda: bool(world.outside.calls))


async def test_each_attempt_is_counted_for_the_receptor(world: World) -> None:
    attempts: list[int] = []

    async def count(event: Paid, *, attempt: Attempt = injected) -> None:
        attempts.append(attempt)
        raise Unavailable

    engine = await world.engine(Receptors("books").on(count, retry=STEADY))
    await engine.publish(Paid("A-1"))
    for _ in range(4):
        await quiet(engine)
        world.clock.turn(WAIT)
    assert attempts == [1, 2, 3]


async def test_an_error_of_the_users_own_is_tried_again_where_the_policy_names_it(
    world: World,
) -> None:
    retry = Retry(on=ConnectionError, attempts=2, delay=WAIT, factor=1.0, jitter=False)
    engine = await world.engine(Receptors("payments").on(charge, retry=retry))
    world.outside.planned["A-1"] = [ConnectionError("reset"), None]
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    world.clock.turn(WAIT)
    await quiet(engine)
    assert world.outside.happened == ["A-1"]


async def sends_wrongly(event: Reserved, *, emit: Emit[Paid] = injected) -> Paid | None:
    emit(Paid("emitted before"))
    match event.order_id:
        case "another class":
            return Refused("A-1")  # type: ignore[return-value]
        case "later":
            later(within=timedelta(days=1))
        case "too large":
            return Paid("x" * 2_000_000)
    return None


@pytest.mark.parametrize(
    ("wrong", "reason", "says"),
    [
        ("another class", "undeclared", "`shop/sends_wrongly` sends a `Refused`, which its anno"),
        ("later", "undeclared", "`shop/sends_wrongly` calls later(…), by which a step waits"),
        ("too large", "unrecorded", "at most 1,000,000 are allowed"),
    ],
)
async def test_what_cannot_be_sent_is_given_up_at_once_and_nothing_of_it_is_sent(
    world: World, wrong: str, reason: str, says: str
) -> None:
    engine = await world.engine(Receptors("shop").on(sends_wrongly))
    await engine.publish(Reserved(wrong))
    await quiet(engine)
    (dead,) = await deliveries(engine)
    assert (dead.state, dead.reason) == (DeliveryState.DEAD, reason)
    assert says in fault(dead).failure.message


@dataclass(frozen=True)
class PaidLater:
    """What another version of the program calls `shop.Paid`."""

    message_name: ClassVar[str] = "shop.Paid"
    message_version: ClassVar[int] = 3

    order_id: str
    cents: int

    @staticmethod
    def upcast(version: int, data: dict[str, Any]) -> dict[str, Any]:
        if "order_id" not in data:
            raise LookupError(version)
        return {**data, "cents": version}


async def test_a_message_of_an_older_version_is_upcast(world: World) -> None:
    heard: list[PaidLater] = []

    async def hear(event: PaidLater) -> None:
        heard.append(event)

    engine = await world.engine(Receptors("books").on(hear))
    await engine.publish(Paid("A-1"))
    await quiet(engine)
    assert heard == [PaidLater("A-1", 2)]


async def hear_paid(event: Paid) -> None: ...


async def test_a_message_of_a_newer_version_waits_for_a_newer_program(world: World) -> None:
    engine = await world.engine(Receptors("books").on(hear_paid))
    await engine.publish(PaidLater("A-1", 5))
    for _ in range(14):
        await quiet(engine)
        (waiting,) = await deliveries(engine)
        assert waiting.state is DeliveryState.DUE
        world.clock.turn(timedelta(minutes=1))
    await quiet(engine)
    (dead,) = await dead_letters(engine)
    assert dead.reason == "newer schema"
    assert "this program knows version 1: update it" in fault(dead).failure.message


async def test_a_type_that_the_receptor_receives_no_more_waits_and_is_given_up(
    world: World,
) -> None:
    async def hear(event: Reserved | Paid) -> None: ...

    before = await world.engine(Receptors("books").on(hear))
    await quiet(before)
    await world.close(before)

    async def hear_less(event: Reserved) -> None: ...

    engine = await world.engine(Receptors("books").on(hear_less, name="hear"))
    await engine.publish(Paid("A-1"))
    for _ in range(15):
        await quiet(engine)
        world.clock.turn(timedelta(minutes=1))
    (dead,) = await dead_letters(engine)
    assert dead.reason == "unknown type"
    assert "`books/hear` receives no `shop.Paid`" in fault(dead).failure.message


@dataclass(frozen=True)
class Unlike:
    """What somebody else calls `shop.Paid`."""

    message_name: ClassVar[str] = "shop.Paid"

    amount: float


async def test_a_message_that_is_not_of_its_class_is_given_up_and_the_others_go_on(
    world: World,
) -> None:
    heard: list[Paid] = []

    async def hear(event: Paid) -> None:
        heard.append(event)

    engine = await world.engine(Receptors("books").on(hear))
    await engine.publish(Unlike(1.5), key="A-1")
    await engine.publish(Paid("A-1"), key="A-1")
    await quiet(engine)
    assert heard == [Paid("A-1")]
    (dead,) = await dead_letters(engine)
    assert (dead.reason, dead.attempts) == ("unreadable", 1)


async def test_an_upcast_that_raises_is_that_messages_alone(world: World) -> None:
    heard: list[PaidLater] = []

    async def hear(event: PaidLater) -> None:
        heard.append(event)

    engine = await world.engine(Receptors("books").on(hear))
    await engine.publish(Unlike(1.5), key="A-1")
    await engine.publish(Paid("A-1"), key="A-1")
    await quiet(engine)
    assert heard == [PaidLater("A-1", 2)]
    (dead,) = await dead_letters(engine)
    assert (dead.reason, fault(dead).failure.type) == ("unreadable", "builtins.LookupError")


async def test_faults_of_one_kind_have_one_fingerprint(world: World) -> None:
    engine = await world.engine(CHARGING)
    errors = {"A-1": Declined("a"), "A-2": Declined("b"), "A-3": KeyError("c")}
    for order, error in errors.items():
        world.outside.planned[order] = [error]
        await engine.publish(Reserved(order))
    await quiet(engine)
    first, second, other = [dead.fault for dead in await dead_letters(engine)]
    assert first == second != other


async def test_a_key_is_taken_once_by_one_message_for_all_its_attempts(world: World) -> None:
    answers: list[tuple[str, bool]] = []

    async def mail(event: Reserved, *, once: Once = injected) -> None:
        answers.append((event.order_id, await once(f"mail-{event.cents}")))
        if len(answers) == 1:
            raise Unavailable

    retry = Retry(attempts=2, delay=WAIT, jitter=False)
    engine = await world.engine(Receptors("mail").on(mail, retry=retry))
    await engine.publish(Reserved("A-1", 7))
    await quiet(engine)
    await engine.publish(Reserved("A-2", 7))
    await engine.publish(Reserved("A-3", 8))
    await quiet(engine)
    world.clock.turn(WAIT)
    await quiet(engine)
    assert answers[:1] == [("A-1", True)]
    assert sorted(answers[1:3]) == [("A-2", False), ("A-3", True)]
    assert answers[3:] == [("A-1", True)]


async def test_one_of_many_that_ask_at_once_is_the_first(world: World) -> None:
    answers: list[bool] = []

    async def mail(event: Reserved, *, once: Once = injected) -> None:
        answers.append(await once("mail"))

    engine = await world.engine(Receptors("mail").on(mail))
    for number in range(20):
        await engine.publish(Reserved(f"A-{number}"))
    await quiet(engine)
    assert sorted(answers) == [False] * 19 + [True]


async def resend(engine: Engine, world: World) -> None:
    order = Order(actor="anna", reason="repaired", at=world.clock.now())
    await messages_of(engine).resend(DeliveryFilter(), order)
    engine._reception.lookout.ring()
    await quiet(engine)


async def test_a_dead_letter_that_is_sent_again_has_its_key_and_all_its_attempts(
    world: World,
) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Declined("no"), Unavailable("down"), None]
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    await resend(engine, world)
    world.clock.turn_to(after(world.clock.now(), WAIT))
    await quiet(engine)
    assert world.outside.happened == ["A-1"]
    assert len(set(world.outside.keys["A-1"])) == 1
