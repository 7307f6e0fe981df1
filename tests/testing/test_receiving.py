"""A receptor is tested like the function that it is, with what it sends, calls and writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Protocol

import pytest

from makegood import Call, InvalidInput, later, query, workflow
from makegood.definition.receiving.receptors import Receptors
from makegood.errors import Declined, DefinitionError, PayloadTooLarge, ServiceError
from makegood.journal.protocol import Statement
from makegood.testing import TurnableClock
from makegood.testing.receiving import Received, receive
from makegood.values.ids import receipt_key
from makegood.values.injectable import (
    Attempt,
    Deadline,
    Emit,
    IdempotencyKey,
    MessageInfo,
    Once,
    Transaction,
    Writes,
    injected,
)
from makegood.values.limits import PAYLOAD_BYTES_MAX, SENT_AT_ONCE_MAX


@dataclass
class Reserved:
    message_name: ClassVar[str] = "shop.Reserved"

    order_id: str
    cents: int = 500

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass
class Paid:
    order_id: str
    lines: list[str] | None = None


class Refused(NamedTuple):
    order_id: str
    reason: str


class Bank(Protocol):
    async def charge(self, cents: int, key: str) -> str: ...


class ScriptedBank:
    def __init__(self, *outcomes: str | Exception) -> None:
        self._outcomes = [*outcomes]
        self.keys: list[str] = []

    async def charge(self, cents: int, key: str) -> str:
        self.keys.append(key)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def charge(
    event: Reserved, *, bank: Bank = injected, key: IdempotencyKey = injected
) -> Paid | Refused:
    charged = await bank.charge(event.cents, key)
    return Paid(charged) if charged != "no" else Refused(event.order_id, "funds")


async def test_what_a_receptor_returns_is_what_it_sends() -> None:
    bank = ScriptedBank("ch_1")
    received = await receive(charge, Reserved("A-1"), services={Bank: bank})
    assert received == Received(messages=(Paid("ch_1"),), calls=(), writes=())
    assert bank.keys == [receipt_key("test/charge", "", "test", "message-1")]


async def test_a_named_tuple_is_one_message_and_no_list_of_them() -> None:
    received = await receive(charge, Reserved("A-1"), services={Bank: ScriptedBank("no")})
    assert received.messages == (Refused("A-1", "funds"),)


async def test_every_attempt_has_one_key_and_every_message_its_own() -> None:
    bank = ScriptedBank("a", "b", "c")
    services = {Bank: bank}
    await receive(charge, Reserved("A-1"), services=services)
    await receive(charge, Reserved("A-1"), services=services, attempt=2)
    await receive(charge, Reserved("A-1"), services=services, id="message-2")
    first, again, other = bank.keys
    assert first == again != other


async def test_what_the_function_raises_is_raised_as_it_is() -> None:
    with pytest.raises(Declined, match="no such card"):
        await receive(
            charge, Reserved("A-1"), services={Bank: ScriptedBank(Declined("no such card"))}
        )


async def test_a_missing_service_is_named() -> None:
    with pytest.raises(ServiceError, match="`test/charge` needs a `Bank`"):
        await receive(charge, Reserved("A-1"))


async def find(order_id: str) -> str:
    return order_id


@workflow
def ship(order_id: str) -> str:
    return query(find)(order_id)


async def fan_out(
    event: Reserved, *, emit: Emit[Paid] = injected, writes: Writes = injected
) -> list[Paid | Call[str]] | None:
    paid = Paid(event.order_id, [])
    emit(paid)
    emit(Paid("another", ["x"]))
    writes.execute("INSERT INTO paid VALUES (?)", event.order_id, expect_rows=1)
    call = ship(event.order_id)
    return [Paid("third"), paid, call, call]


async def test_messages_calls_and_statements_are_told_apart() -> None:
    received = await receive(fan_out, Reserved("A-1"))
    assert received.messages == (Paid("A-1", []), Paid("another", ["x"]), Paid("third"))
    assert [call.workflow.name for call in received.calls] == ["ship"]
    assert received.writes == (Statement("INSERT INTO paid VALUES (?)", ("A-1",), 1),)


async def test_what_is_emitted_is_written_down_at_once() -> None:
    async def hasty(event: Reserved, *, emit: Emit[Paid] = injected) -> None:
        paid = Paid(event.order_id, ["one"])
        emit(paid)
        assert paid.lines is not None
        paid.lines.append("two")

    assert (await receive(hasty, Reserved("A-1"))).messages == (Paid("A-1", ["one"]),)


async def test_equal_messages_are_two_unless_they_are_the_same_object() -> None:
    async def twice(event: Reserved, *, emit: Emit[Paid] = injected) -> Paid:
        paid = Paid(event.order_id)
        emit(paid)
        emit(paid)
        emit(replace(paid))
        return paid

    assert (await receive(twice, Reserved("A-1"))).messages == (Paid("A-1"), Paid("A-1"))


async def test_a_receptor_is_told_what_it_asks() -> None:
    told: dict[str, Any] = {}

    async def ask(
        event: Reserved,
        *,
        info: MessageInfo = injected,
        attempt: Attempt = injected,
        deadline: Deadline = injected,
        once: Once = injected,
    ) -> None:
        told.update(info=info, attempt=attempt, deadline=deadline, once=await once("mail"))

    clock = TurnableClock(datetime(2026, 1, 1, tzinfo=UTC))
    group = Receptors("shop").on(ask, timeout=timedelta(minutes=1))
    await receive(group, Reserved("A-1"), attempt=3, id="evt-9", is_first=False, clock=clock)
    assert told == {
        "info": MessageInfo(
            id="evt-9",
            source="test",
            type="shop.Reserved",
            version=1,
            key="A-1",
            tenant="",
            correlation="evt-9",
            causation="evt-9",
            receptor="shop/ask",
        ),
        "attempt": 3,
        "deadline": datetime(2026, 1, 1, 0, 1, tzinfo=UTC),
        "once": False,
    }


async def test_the_message_is_a_fresh_copy() -> None:
    given: list[Reserved] = []

    async def keep(event: Reserved) -> None:
        given.append(event)

    message = Reserved("A-1")
    await receive(keep, message)
    assert given == [message]
    assert given[0] is not message


async def test_a_receptor_of_a_group_is_found_by_its_message_or_by_its_name() -> None:
    heard: list[str] = []

    async def one(event: Reserved) -> None:
        heard.append("one")

    async def two(event: Reserved | Paid) -> None:
        heard.append("two")

    group = Receptors("shop").on(one).on(two)
    await receive(group, Paid("A-1"))
    await receive(group, Reserved("A-1"), name="one")
    await receive(group, Reserved("A-1"), name="shop/two")
    assert heard == ["two", "one", "two"]
    with pytest.raises(InvalidInput, match="several receive it: name one of `shop/one`, `shop/"):
        await receive(group, Reserved("A-1"))
    with pytest.raises(InvalidInput, match="none of these receives it: `shop/one`, `shop/two`"):
        await receive(group, Refused("A-1", "x"))


async def sends_wrongly(event: Reserved, *, emit: Emit[Paid] = injected) -> Paid | None:
    match event.order_id:
        case "another class":
            return Refused("A-1", "undeclared")  # type: ignore[return-value]
        case "no message":
            return 7  # type: ignore[return-value]
        case "a call":
            return ship("A-1")  # type: ignore[return-value]
        case "emitted":
            emit(Refused("A-1", "undeclared"))  # type: ignore[arg-type]
        case "too large":
            emit(Paid("x" * PAYLOAD_BYTES_MAX))
        case "no key":
            emit(Paid("A-1"), key="")
        case "many":
            for _ in range(SENT_AT_ONCE_MAX + 1):
                emit(Paid("A-1"))
    return None


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        ("another class", DefinitionError, "`test/sends_wrongly` sends a `Refused`, which its an"),
        ("no message", DefinitionError, "`test/sends_wrongly` sends a `int`, which its annot"),
        ("a call", DefinitionError, "`test/sends_wrongly` sends a `Call`, which its annotations"),
        ("emitted", DefinitionError, "sends a `Refused`, which its annotations do not declare"),
        ("too large", PayloadTooLarge, "at most 1,000,000 are allowed"),
        ("no key", InvalidInput, "the key of a message is empty"),
        ("many", InvalidInput, "`test/sends_wrongly` sends more than 1,000 messages at once"),
    ],
)
async def test_what_cannot_be_sent_is_refused(wrong: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        await receive(sends_wrongly, Reserved(wrong))


async def test_a_receptor_that_needs_a_store_is_refused() -> None:
    async def book(event: Reserved, *, transaction: Transaction = injected) -> None: ...

    with pytest.raises(InvalidInput, match="takes a Transaction, for which there is no store"):
        await receive(book, Reserved("A-1"))


async def test_a_receptor_has_no_later() -> None:
    async def wait(event: Reserved) -> None:
        later(within=timedelta(days=1))

    with pytest.raises(BaseException, match="the result is told within"):
        await receive(wait, Reserved("A-1"))
