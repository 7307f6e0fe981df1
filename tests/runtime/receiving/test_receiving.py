"""A message is received once by each receptor that wants it, and what that sends goes on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from makegood import (
    DefinitionError,
    Emit,
    EngineClosed,
    IdempotencyKey,
    InvalidInput,
    MessageInfo,
    Operator,
    PayloadTooLarge,
    Receipt,
    Receptors,
    ServiceError,
    UnknownMessage,
    injected,
)
from makegood.journal.messages import DeliveryState, MessageFilter
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.values.envelope import Envelope
from makegood.values.ids import message_id, receipt_key
from makegood.values.limits import PAYLOAD_BYTES_MAX
from tests.runtime.outside import Outside
from tests.runtime.receiving.shop import (
    Charge,
    Paid,
    Refused,
    Reserved,
    deliveries,
    kept,
    messages_of,
    quiet,
)
from tests.runtime.world import World, turn_of_the_loop

if TYPE_CHECKING:
    from pathlib import Path


class Bank:
    """A service that no engine here has."""


class Heard:
    """What receptors were given, in order."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.keys: list[str] = []
        self.infos: list[MessageInfo] = []

    def group(self, name: str = "books") -> Receptors:
        return Receptors(name).on(self.hear)

    async def hear(
        self,
        event: Reserved | Paid | Refused,
        *,
        key: IdempotencyKey = injected,
        info: MessageInfo = injected,
    ) -> None:
        self.messages.append(event)
        self.keys.append(key)
        self.infos.append(info)


async def charge(event: Reserved) -> Paid | Refused:
    return Paid(event.order_id) if event.cents else Refused(event.order_id)


async def test_what_a_receptor_returns_is_received_by_the_next_one(world: World) -> None:
    heard = Heard()
    engine = await world.engine(Receptors("payments").on(charge), heard.group())
    await engine.publish(Reserved("A-1"), id="evt-1")
    await engine.publish(Reserved("A-2", cents=0), id="evt-2")
    await quiet(engine)
    assert sorted(map(repr, heard.messages)) == [
        "Paid(order_id='A-1')",
        "Refused(order_id='A-2')",
        "Reserved(order_id='A-1', cents=500)",
        "Reserved(order_id='A-2', cents=0)",
    ]


async def test_a_receipt_says_what_the_message_is_found_by(world: World) -> None:
    engine = await world.engine(Receptors("payments").on(charge), Heard().group())
    given = await engine.publish(Reserved("A-1"), id="evt-1", correlation="request-7")
    assert given == Receipt(
        id="evt-1",
        correlation="request-7",
        causation="evt-1",
        key="A-1",
        state="stored",
        recipients=("books/hear", "payments/charge"),
        source="makegood",
    )
    alone = await engine.publish(Paid("A-1"))
    assert alone.correlation == alone.causation == alone.id
    assert (alone.key, alone.recipients) == (None, ("books/hear",))


async def test_what_comes_of_a_message_has_its_correlation_and_names_its_cause(
    world: World,
) -> None:
    engine = await world.engine(Receptors("payments").on(charge))
    receipt = await engine.publish(
        Reserved("A-1"), id="evt-1", correlation="request-7", tenant="acme", subject="anna"
    )
    await quiet(engine)
    page = await messages_of(engine).messages(MessageFilter(correlation=receipt.correlation))
    sent, given = [row.message for row in page.rows]
    key = receipt_key("payments/charge", "acme", "makegood", "evt-1")
    assert sent == Envelope(
        id=message_id(key, 1),
        source="makegood",
        type="shop.Paid",
        body=b"",
        at=given.at,
        correlation="request-7",
        causation="evt-1",
        key="A-1",
        tenant="acme",
        subject="anna",
    )
    assert (given.id, given.causation) == ("evt-1", "evt-1")


async def test_a_message_sent_again_under_its_id_is_dropped(world: World) -> None:
    heard = Heard()
    engine = await world.engine(heard.group())
    receipts = [
        await engine.publish(Paid("A-1"), id="evt-1"),
        await engine.publish(Paid("another"), id="evt-1"),
        await engine.publish(Paid("A-1"), id="evt-1", source="bank"),
        await engine.publish(Paid("A-1"), id="evt-1", tenant="acme"),
    ]
    await quiet(engine)
    states = ["stored", "duplicate", "stored", "stored"]
    assert [receipt.state for receipt in receipts] == states
    assert receipts[1].recipients == ()
    assert sorted(info.source for info in heard.infos) == ["bank", "makegood", "makegood"]
    assert len(set(heard.keys)) == 3


async def test_a_duplicate_is_dropped_also_after_it_was_received(world: World) -> None:
    heard = Heard()
    engine = await world.engine(heard.group())
    for _ in range(3):
        await engine.publish(Paid("A-1"), id="evt-1")
        await quiet(engine)
    assert heard.messages == [Paid("A-1")]


async def test_every_receptor_has_the_message_once_and_a_key_of_its_own(world: World) -> None:
    one, two = Heard(), Heard()
    engine = await world.engine(one.group("one"), two.group("two"))
    await engine.publish(Paid("A-1"), id="evt-1")
    await quiet(engine)
    assert (one.messages, two.messages) == ([Paid("A-1")], [Paid("A-1")])
    assert one.keys != two.keys


async def test_messages_of_one_key_are_received_in_the_order_in_which_they_were_sent(
    world: World,
) -> None:
    heard = Heard()
    engine = await world.engine(heard.group())
    sent = [Reserved(f"A-{number % 3}", number) for number in range(60)]
    for message in sent:
        await engine.publish(message)
    await quiet(engine)
    for order in ("A-0", "A-1", "A-2"):
        of_order = [message for message in sent if message.order_id == order]
        assert [each for each in heard.messages if each.order_id == order] == of_order


async def test_what_waits_for_nobody_is_kept_for_whoever_subscribed(world: World) -> None:
    heard = Heard()
    first = await world.engine(heard.group())
    await quiet(first)
    await world.close(first)
    sender = await world.engine(work=False)
    receipt = await sender.publish(Paid("A-1"))
    assert receipt.recipients == ("books/hear",)
    assert heard.messages == []
    again = await world.engine(heard.group())
    await quiet(again)
    assert heard.messages == [Paid("A-1")]


async def test_a_message_that_nobody_wants_is_kept_and_seen(world: World) -> None:
    engine = await world.engine()
    assert (await engine.publish(Paid("A-1"), id="evt-1")).recipients == ()
    page = await messages_of(engine).messages(MessageFilter(unheard=True))
    assert [row.message.id for row in page.rows] == ["evt-1"]


async def test_who_serves_later_is_given_what_is_sent_from_then_on(world: World) -> None:
    heard = Heard()
    engine = await world.engine()
    await engine.publish(Paid("before"))
    engine.serve(heard.group())
    await engine.publish(Paid("after"))
    await quiet(engine)
    assert heard.messages == [Paid("after")]


async def test_a_message_has_its_time(world: World) -> None:
    heard = Heard()
    engine = await world.engine(heard.group())
    await engine.publish(Paid("later"), after=timedelta(hours=1))
    await engine.publish(Paid("now"))
    await quiet(engine)
    assert heard.messages == [Paid("now")]
    world.clock.turn(timedelta(hours=1))
    await quiet(engine)
    assert heard.messages == [Paid("now"), Paid("later")]


async def test_an_emitted_message_has_its_time_and_its_key(world: World) -> None:
    heard = Heard()

    async def remind(event: Reserved, *, emit: Emit[Paid] = injected) -> None:
        emit(Paid("soon"), after=timedelta(minutes=5), key="other")

    engine = await world.engine(Receptors("mail").on(remind), heard.group())
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    assert heard.messages == [Reserved("A-1")]
    world.clock.turn(timedelta(minutes=5))
    await quiet(engine)
    assert heard.messages[1:] == [Paid("soon")]
    assert heard.infos[-1].key == "other"


async def test_a_command_has_to_have_an_owner(world: World) -> None:
    async def bill(command: Charge) -> None:
        billed.append(command)

    billed: list[Charge] = []
    engine = await world.engine()
    with pytest.raises(UnknownMessage, match=r"no receptor owns the command `shop\.Charge`"):
        await engine.publish(Charge("A-1"))
    group = Receptors("billing").on(bill)
    engine.serve(group)
    await engine.publish(Charge("A-1"))
    await quiet(engine)
    assert billed == [Charge("A-1")]
    engine.serve(group)
    with pytest.raises(DefinitionError, match="is received by `billing/bill` and by `other/bill`"):
        engine.serve(Receptors("other").on(bill))


async def test_what_is_no_message_or_too_large_is_refused_and_nothing_is_stored(
    world: World,
) -> None:
    engine = await world.engine()
    with pytest.raises(InvalidInput, match="`int` is not a class of messages"):
        await engine.publish(7)
    with pytest.raises(PayloadTooLarge):
        await engine.publish(Paid("x" * PAYLOAD_BYTES_MAX))
    with pytest.raises(InvalidInput, match="the key of a message is empty"):
        await engine.publish(Paid("A-1"), key="")
    with pytest.raises(InvalidInput, match="cannot be sent: the key of a message"):
        await engine.publish(Paid("A-1"), correlation="a\nb")
    assert await deliveries(engine) == []
    await world.close(engine)
    with pytest.raises(EngineClosed):
        await engine.publish(Paid("A-1"))


async def test_a_missing_service_is_named_when_it_is_served(world: World) -> None:
    async def pay(event: Paid, *, bank: Bank = injected) -> None: ...

    engine = await world.engine()
    with pytest.raises(ServiceError, match="`payments/pay` needs a `Bank` and the engine has non"):
        engine.serve(Receptors("payments").on(pay))
    assert engine.served == ()


async def test_a_receptor_is_given_the_services_of_the_engine(world: World) -> None:
    async def book(
        event: Paid, *, outside: Outside = injected, key: IdempotencyKey = injected
    ) -> None:
        await outside.do("book", key)

    engine = await world.engine(Receptors("books").on(book))
    await engine.publish(Paid("A-1"), id="evt-1")
    await quiet(engine)
    assert world.outside.calls == ["book"]
    assert world.outside.keys["book"] == [receipt_key("books/book", "", "makegood", "evt-1")]


async def test_what_is_served_is_said(world: World) -> None:
    engine = await world.engine(Heard().group())
    assert engine.served == ("books/hear",)
    assert "serving books/hear" in repr(engine)


async def test_a_message_is_stored_as_its_class_writes_it(world: World) -> None:
    engine = await world.engine(Heard().group())
    await engine.publish(Reserved("A-1", 7))
    await quiet(engine)
    (delivery,) = await deliveries(engine, DeliveryState.DONE)
    whole = await kept(engine, delivery.id.seq)
    assert msgspec.json.decode(whole.message.body) == {"order_id": "A-1", "cents": 7}
    assert (whole.message.type, whole.message.version) == ("shop.Reserved", 1)


async def test_erasing_a_subject_takes_what_its_messages_say(world: World) -> None:
    engine = await world.engine(Heard().group())
    await engine.publish(Paid("anna's order"), subject="anna", id="evt-1")
    await engine.publish(Paid("another's"), subject="bert")
    await quiet(engine)
    await engine.publish(Paid("not yet"), subject="anna", after=timedelta(hours=1))
    report = await Operator(engine).erase(subject="anna", actor="clerk", reason="asked")
    assert (report.messages, report.messages_waiting, report.is_complete) == (1, 1, False)
    done = await deliveries(engine, DeliveryState.DONE)
    bodies = [(await kept(engine, each.id.seq)).message.body for each in done]
    assert [b"anna" in body for body in bodies] == [False, False]
    assert b"another's" in bodies[1]


async def test_no_more_of_a_receptor_are_at_work_than_it_allows(world: World) -> None:
    at_work, most, done = 0, 0, 0

    async def slow(event: Paid) -> None:
        nonlocal at_work, most, done
        at_work += 1
        most = max(most, at_work)
        if at_work == 2:
            two.set()
        await asyncio.wait_for(two.wait(), 20)
        # A third one would begin now.
        for _ in range(5):
            await turn_of_the_loop()
        at_work -= 1
        done += 1

    two = asyncio.Event()
    engine = await world.engine(Receptors("books").on(slow, at_once=2))
    for number in range(9):
        await engine.publish(Paid(f"A-{number}"))
    await quiet(engine)
    assert (most, done) == (2, 9)


async def test_several_engines_share_what_there_is_and_none_has_it_twice(shared: World) -> None:
    heard = Heard()
    engines = [await shared.engine(heard.group()) for _ in range(3)]
    for number in range(30):
        await engines[number % 3].publish(Reserved(f"A-{number}"))
    for engine in engines:
        await quiet(engine)
    shared.clock.turn(timedelta(seconds=1))
    for engine in engines:
        await quiet(engine)
    assert len(heard.messages) == len(set(heard.messages)) == 30


async def test_many_who_publish_together_share_commits_from_the_beginning(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "orders.journal")
    async with World() as world:
        engine = await world.engine(Receptors("payments").on(charge), journal=journal)
        before = journal.commits

        await asyncio.gather(*(engine.publish(Reserved(f"order-{n}")) for n in range(99)))

        assert journal.commits - before < 20
