"""Five services with a store each, joined by a broker that repeats and mixes up what it carries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood import IdempotencyKey, Receptors, Retry, Transport, Writes, injected
from makegood.cli.demo.services.day import Day
from makegood.commerce import Mailer
from makegood.commerce.notification import AddressRefused, Email
from makegood.commerce.services.letters import announce
from makegood.commerce.services.messages import SendNotification
from makegood.runtime.transporting.transport import Arrived
from tests.commerce.services.apart import Apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from makegood.runtime.transporting.transport import Confirmed, Outbound, Refused, Take

DAY = Day(orders=40, seed=5, faults=0.15)


async def test_the_books_of_five_stores_agree(tmp_path: Path) -> None:
    async with Apart(tmp_path, DAY) as apart:
        await apart.play()
        accounts = await apart.accounts()

    assert accounts.disputed == ()
    assert accounts.agree
    assert accounts.orders == 40
    kinds = (accounts.closed, accounts.rejected, accounts.cancelled, accounts.refunded)
    assert all(kinds), kinds
    assert apart.letters == []


async def test_services_that_are_replaced_on_the_way_lose_nothing(tmp_path: Path) -> None:
    day = replace(DAY, orders=15, seed=6)
    async with Apart(tmp_path, day) as apart:
        for name in ("payments", "stock", "orders", "notifications", "shipping"):
            await apart.replace(name)
        await apart.play()
        accounts = await apart.accounts()

    assert accounts.disputed == ()


class Forgetful:
    """Carries everything that comes twice under another id, as if nobody could know it again."""

    def __init__(self, within: Transport) -> None:
        self._within = within
        self.close = within.close
        self._known: set[bytes] = set()

    async def send(self, message: Outbound) -> Confirmed | Refused:
        return await self._within.send(message)

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        async def forget(arrived: Sequence[Arrived]) -> None:
            await take([self._renamed(each) for each in arrived])

        await self._within.listen(topics, group=group, batch=batch, take=forget)

    def _renamed(self, arrived: Arrived) -> Arrived:
        body = arrived.body
        while body in self._known:
            body = body.replace(b'"id":"', b'"id":"again-', 1)
        self._known.add(body)
        return replace(arrived, body=body)


class Losing:
    """Acknowledges some of what arrives before it is stored, and then it is not."""

    def __init__(self, within: Transport) -> None:
        self._within = within
        self.send, self.close = within.send, within.close
        self._seen = 0

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        async def lose(arrived: Sequence[Arrived]) -> None:
            kept = []
            for each in arrived:
                is_price = b"ProductCreated" in each.body
                self._seen += not is_price
                kept += [each] if is_price or self._seen % 9 else []
            await take(kept)

        await self._within.listen(topics, group=group, batch=batch, take=lose)


async def careless(
    command: SendNotification,
    *,
    mailer: Mailer = injected,
    writes: Writes = injected,
    key: IdempotencyKey = injected,
) -> None:
    """Sends whatever it is told to, trusting that it is told once."""
    status = "sent"
    try:
        await mailer.send(Email(customer=command.customer_id, subject=command.subject), key=key)
    except AddressRefused:
        status = "failed"
    writes.execute(
        "INSERT INTO service_notification (order_id, kind, customer_id, status) "
        "VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        command.order_id,
        command.kind,
        command.customer_id,
        status,
    )


CARELESS = {
    "notifications": Receptors("notifications")
    .on(announce)
    .on(careless, retry=Retry(attempts=20, delay=timedelta(milliseconds=100)))
}


async def test_a_careless_receptor_may_rely_on_being_given_a_message_once(tmp_path: Path) -> None:
    day = replace(DAY, orders=20, faults=0.0)
    async with Apart(tmp_path, day, instead=CARELESS) as apart:
        await apart.play()
        accounts = await apart.accounts()

    assert (accounts.disputed, apart.letters) == ((), [])


async def test_the_books_find_that_messages_are_not_known_again(tmp_path: Path) -> None:
    """An ablation: without deduplication the same receptor writes to customers twice."""
    day = replace(DAY, orders=20, faults=0.0)
    async with Apart(tmp_path, day, instead=CARELESS, around=Forgetful) as apart:
        await apart.play()
        accounts = await apart.accounts()

    assert not accounts.agree
    assert any("was written 2 times" in each.problem for each in accounts.disputed)


async def test_the_books_find_that_messages_are_acknowledged_before_they_are_stored(
    tmp_path: Path,
) -> None:
    """An ablation: what was acknowledged first is lost, and somebody waits for ever."""
    day = replace(DAY, orders=10, faults=0.0)
    async with Apart(tmp_path, day, around=Losing) as apart:
        await apart.play(rounds=120)
        accounts = await apart.accounts()

    assert not accounts.agree
    assert accounts.disputes > 0
