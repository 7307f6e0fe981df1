"""What gateways tell: believed by its signature, stored before it is answered, once each."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from makegood import BadSignature, InvalidInput, Receptors, injected
from makegood.payments.webhooks import GatewayEvent, Payments, PaystackSignature
from tests.http.doors import Rack, opened
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from tests.http.doors import Door

pytestmark = pytest.mark.anyio

OLD, NEW = "sk_test_the_old_secret", "sk_test_the_new_secret"
PATH = "/payments/webhooks/main"
BODY = b'{"event": "charge.success", "data": {"id": 302961, "amount": 150000}}'


async def note(event: GatewayEvent, *, rack: Rack = injected) -> None:
    rack.news.append(event)


news = Receptors("news").on(note)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    payments = Payments({"main": PaystackSignature(secrets=[NEW, OLD])})
    async with opened(extensions=(payments,)) as door:
        door.engine.serve(news)
        yield door


def signed(body: bytes, secret: str = NEW) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
    return {"x-paystack-signature": digest}


async def received(door: Door) -> list[object]:
    """Return all that has come, once a last event has been received."""
    last = b'{"event": "last"}'
    await door.stranger.post(PATH, content=last, headers=signed(last))

    while all(event.body != last.decode() for event in door.rack.news):
        await turn_of_the_loop()
    return [event for event in door.rack.news if event.body != last.decode()]


async def test_an_event_is_stored_before_it_is_answered_and_once(door: Door) -> None:
    for secret in (NEW, OLD, NEW):
        answer = await door.stranger.post(PATH, content=BODY, headers=signed(BODY, secret))
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    event = GatewayEvent(gateway="paystack", account="main", body=BODY.decode())
    assert await received(door) == [event]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-paystack-signature": ""},
        {"x-paystack-signature": b"\xc3\xa9"},
        signed(BODY, "sk_test_somebody_elses"),
        signed(BODY + b" "),
        {"x-paystack-signature": signed(BODY)["x-paystack-signature"].upper() + "0"},
    ],
)
async def test_what_is_not_signed_is_refused_and_not_stored(
    door: Door, headers: dict[str, str | bytes]
) -> None:
    answer = await door.stranger.post(PATH, content=BODY, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:makegood:problem:bad-signature"
    assert await received(door) == []


async def test_what_is_signed_is_kept_whatever_it_is(door: Door) -> None:
    for body in (b"", b"no json", b"\xff\xfe"):
        answer = await door.stranger.post(PATH, content=body, headers=signed(body))
        assert answer.status_code == 200, "a gateway asks again for days after anything else"
    assert len(await received(door)) == 3


async def test_an_account_that_is_not_known_is_not_told_from_any_other_path(door: Door) -> None:
    answer = await door.stranger.post(
        "/payments/webhooks/other", content=BODY, headers=signed(BODY)
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("secrets", [[], [""], ["short"], [NEW, "short"]])
def test_a_secret_that_can_be_guessed_is_refused(secrets: list[str]) -> None:
    with pytest.raises(InvalidInput, match="at least 16 characters"):
        PaystackSignature(secrets=secrets)


def test_a_secret_is_in_no_picture_of_its_owner() -> None:
    signature = PaystackSignature(secrets=[NEW])
    assert NEW not in repr(signature) + repr(Payments({"main": signature}))
    with pytest.raises(BadSignature) as refused:
        signature.verify(BODY, {})
    assert NEW not in str(refused.value)
