"""A small shop behind the door, and those who knock: for all tests of HTTP."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2

from makegood import (
    CompletionToken,
    Engine,
    injected,
    later,
    step,
    wait,
    workflow,
)
from makegood.http import ApiKey, application, made_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from fastapi import FastAPI

    from makegood.extension import Extension
    from makegood.payments.webhooks import GatewayEvent

__all__ = ["EVERY_SCOPE", "Door", "Paid", "Rack", "Ring", "knocking", "opened", "order", "signed"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY_SCOPE = (
    "runs:read",
    "runs:write",
    "runs:operate",
    "messages:write",
    "steps:write",
    "orders:read",
    "orders:write",
)


@dataclass(frozen=True)
class Paid:
    cents: int


async def reserve(order_id: str, copies: int) -> str:
    return f"{copies} for {order_id}"


async def release(reserved: str) -> None: ...


async def thank(order_id: str, paid: Paid) -> str:
    return f"{order_id} paid {paid.cents}"


@workflow(strict=True)
def order(order_id: str, copies: int = 1) -> str:
    reserved = step(reserve, undo=release)(order_id, copies)
    paid = wait.after(reserved)(Paid, key=order_id, within=timedelta(days=5))
    return step(thank, irreversible="a letter cannot be unsent")(order_id, paid)


class Rack:
    """Where tokens hang, and what came."""

    def __init__(self) -> None:
        self.tokens: list[CompletionToken] = []
        self.news: list[GatewayEvent] = []


async def ask_person(
    question: str, *, rack: Rack = injected, token: CompletionToken = injected
) -> str:
    rack.tokens.append(token)
    later(within=timedelta(days=1))


@workflow(strict=True)
def signed(question: str) -> str:
    return step(ask_person, irreversible="they only say so")(question)


class Ring:
    """API keys in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, ApiKey] = {}

    def find(self, id: str, /) -> ApiKey | None:
        return self.kept.get(id)

    def make(self, *scopes: str, expires_at: datetime | None = None) -> str:
        text, key = made_key("Ada", scopes, now=NOON, expires_at=expires_at)
        self.kept[key.id] = key
        return text


def knocking(app: FastAPI, key: str | None = None) -> httpx2.AsyncClient:
    """Return a client of an application, with an API key or without."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    # What an application raises would be raised to its client else.
    way = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=way, base_url="http://shop", headers=headers)


class Door:
    """An engine, its application, and who knocks there."""

    def __init__(self, engine: Engine, app: FastAPI, ring: Ring, rack: Rack) -> None:
        self.engine = engine
        self.app = app
        self.ring = ring
        self.rack = rack
        self.now = NOON
        self.stranger = knocking(app)
        self.friend = knocking(app, ring.make(*EVERY_SCOPE))

    async def place(self, order_id: str, **inputs: Any) -> httpx2.Response:
        return await self.friend.post(
            "/workflows/order/runs",
            json={"order_id": order_id, **inputs},
            headers={"idempotency-key": order_id},
        )


@asynccontextmanager
async def opened(
    journal: str = "memory://", *, extensions: Sequence[Extension] = ()
) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        rack, ring = Rack(), Ring()
        engine = await stack.enter_async_context(Engine(journal, services={Rack: rack}))
        engine.serve(order, signed)
        doors: list[Door] = []
        app = application(
            engine,
            keys=ring,
            workflows=(order, signed),
            extensions=extensions,
            now=lambda: doors[0].now,
            body_within=timedelta(milliseconds=50),
        )
        doors.append(Door(engine, app, ring, rack))
        await stack.enter_async_context(doors[0].stranger)
        await stack.enter_async_context(doors[0].friend)
        yield doors[0]
