"""The letter to the customer: what is sent, what is recorded, and how it fails."""

from __future__ import annotations

import pytest

from makegood import IdempotencyKey
from makegood.commerce import CustomerId, OrderId, send_confirmation
from makegood.commerce.notification import (
    KEYS_REMEMBERED_MAX,
    AddressRefused,
    Email,
    MailerInDoubt,
    MailerUnavailable,
    SandboxMailer,
)
from makegood.payments import GatewayRef, Money, Payment
from makegood.payments.gateways.sandbox import Faults

PAID = Payment(
    ref=GatewayRef(gateway="sandbox", account="sandbox", type="payment", id="pay_1"),
    amount=Money(1177, "USD"),
)
LETTER = Email(customer=CustomerId("00001"), subject="hello")


class Postbag:
    """A mailer that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Email]] = []

    async def send(self, email: Email, *, key: str) -> None:
        self.sent.append((key, email))


class Collected:
    """`Writes` that only collects."""

    def __init__(self) -> None:
        self.parameters: list[tuple[object, ...]] = []

    def execute(self, sql: str, *parameters: object, expect_rows: int | None = None) -> None:
        self.parameters.append(parameters)


async def test_the_customer_is_told_under_the_key_and_it_is_recorded() -> None:
    mailer, writes = Postbag(), Collected()
    await send_confirmation(
        CustomerId("00001"),
        OrderId("order-1"),
        PAID,
        mailer=mailer,
        writes=writes,
        key=IdempotencyKey("key-1"),
    )
    subject = "Order order-1 is on its way; pay_1 is paid"
    assert mailer.sent == [("key-1", Email(customer=CustomerId("00001"), subject=subject))]
    assert writes.parameters == [("order-1", "00001", subject)]


async def test_the_sandbox_mailer_fails_in_every_way_that_a_mailer_may() -> None:
    mailer = SandboxMailer(Faults(rate=0.5, seed=1))
    seen: set[type[Exception] | None] = set()
    for number in range(100):
        try:
            await mailer.send(LETTER, key=f"key-{number}")
        except (AddressRefused, MailerInDoubt, MailerUnavailable) as error:
            seen.add(type(error))
        else:
            seen.add(None)
    assert seen == {AddressRefused, MailerInDoubt, MailerUnavailable, None}


async def test_an_address_that_takes_no_mail_never_does() -> None:
    faults = Faults(rate=0.5, seed=1)
    mailer = SandboxMailer(faults)
    key = next(f"key-{n}" for n in range(1_000) if faults.declines(f"key-{n}"))
    for _ in range(3):
        with pytest.raises(AddressRefused, match="00001 takes no mail"):
            await mailer.send(LETTER, key=key)


async def test_the_sandbox_mailer_forgets_the_oldest_letters_first() -> None:
    mailer = SandboxMailer(Faults())
    for number in range(KEYS_REMEMBERED_MAX + 1):
        await mailer.send(LETTER, key=f"key-{number}")
    assert len(mailer._asked) == KEYS_REMEMBERED_MAX
    assert "key-0" not in mailer._asked
