"""Orders over HTTP: placed once, looked at, cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from makegood.commerce.extension import commerce
from makegood.http import application
from makegood.payments.gateways.sandbox import DECLINED_TOKEN
from tests.commerce.test_place_order import VISA, Ground, opened
from tests.http.doors import EVERY_SCOPE, Ring, knocking

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.commerce.test_place_order import Counter

pytestmark = pytest.mark.anyio

WHY = {"reason": "the customer called"}


class Front:
    """The counter, and the door to it."""

    def __init__(self, counter: Counter) -> None:
        ring = Ring()
        self.counter = counter
        app = application(counter.engine, keys=ring, extensions=(commerce,))
        self.client = knocking(app, ring.make(*EVERY_SCOPE))

    async def place(self, order_id: str, token: str = VISA) -> httpx2.Response:
        body = {"order_id": order_id, "payment": {"token": token}, "customer_id": "00001"}
        return await self.client.post("/commerce/orders", json=body)

    async def ended(self, placed: httpx2.Response) -> dict[str, str]:
        await self.counter.engine.run(placed.json()["run"]).outcome()
        seen: dict[str, str] = (await self.client.get(placed.headers["location"])).json()
        return seen


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with opened(Ground(tmp_path, f"sqlite:///{tmp_path / 'shop.journal'}")) as counter:
        yield Front(counter)


async def test_an_order_that_is_placed_twice_is_placed_once(front: Front) -> None:
    first, again = await front.place("order-1"), await front.place("order-1")

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["run"] == again.json()["run"]
    assert (await front.ended(first))["status"] == "completed"
    assert front.counter.gateway.asked == ["authorize", "capture"]
    other = await front.place("order-1", "tok_other")
    assert other.status_code == 422


async def test_an_order_that_is_refused_says_why(front: Front) -> None:
    seen = await front.ended(await front.place("order-1", DECLINED_TOKEN))
    assert (seen["status"], seen["cause"]) == ("failed", "error")


async def test_an_order_that_has_left_cannot_be_cancelled(front: Front) -> None:
    placed = await front.place("order-1")
    await front.ended(placed)
    late = await front.client.post(f"{placed.headers['location']}/cancel", json=WHY)
    assert late.json() == {"answer": "too late"}


async def test_an_order_that_nobody_placed_is_not_found(front: Front) -> None:
    assert (await front.client.get("/commerce/orders/order-7")).status_code == 404
    late = await front.client.post("/commerce/orders/order-7/cancel", json=WHY)
    assert late.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"order_id": "a", "payment": {"token": "t"}, "customer_id": "c", "total": 1}',
        b'{"order_id": "a", "payment": {"token": "4242424242424242"}, "customer_id": "c"}',
        b'{"order_id": 7, "payment": {"token": "t"}, "customer_id": "c"}',
    ],
)
async def test_an_order_that_cannot_be_read_is_refused(front: Front, body: bytes) -> None:
    answer = await front.client.post("/commerce/orders", content=body)
    assert answer.status_code == 422
    assert "4242" not in answer.text
    assert (await front.client.get("/runs", params={"workflow": "place_order"})).json()[
        "runs"
    ] == []
