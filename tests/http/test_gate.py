"""Nobody is let in but by a key that is valid now and has the scope of the route."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fastapi import WebSocket
from starlette.routing import Mount, Route

from makegood.commerce.extension import commerce
from makegood.errors import DefinitionError
from makegood.http import application
from makegood.payments.webhooks import Payments, PaystackSignature
from tests.http.doors import EVERY_SCOPE, NOON, Ring, knocking, opened

if TYPE_CHECKING:
    from starlette.types import Message

    from tests.http.doors import Door

pytestmark = pytest.mark.anyio

PUBLIC = {"/health/live", "/health/ready", "/payments/webhooks/main"}
"""All that may be asked without a key. Whatever is added here is a decision about money."""

PAYMENTS = Payments({"main": PaystackSignature(secrets=["a secret of the shop"])})


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened(extensions=(commerce, PAYMENTS)) as door:
        yield door


def walked(door: Door) -> list[tuple[str, str]]:
    """Return the method and a path of every route that the application has."""
    found = []
    for route in door.app.routes:
        assert isinstance(route, Route), f"{route!r} is none of ours"
        path = re.sub(r"\{\w+\}", "x", route.path)
        found += [(method, path) for method in sorted(route.methods or ())]
    return found


async def test_every_route_but_the_public_ones_wants_a_key(door: Door) -> None:
    routes = walked(door)
    assert len(routes) >= 18, "those of runs, messages, steps, orders and webhooks"
    for method, path in routes:
        answer = await door.stranger.request(method, path)
        if path in PUBLIC:
            assert answer.status_code != 401, path
        else:
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"


async def test_every_route_wants_its_own_scope_and_no_other_will_do(door: Door) -> None:
    for method, path in walked(door):
        if path in PUBLIC:
            continue
        admitted = []
        for scope in EVERY_SCOPE:
            key = {"authorization": f"Bearer {door.ring.make(scope)}"}
            answer = await door.stranger.request(method, path, headers=key)
            if answer.status_code == 403:
                assert answer.json()["type"] == "urn:makegood:problem:forbidden"
            else:
                admitted.append(scope)
        assert len(admitted) == 1, (method, path, admitted)


async def test_a_route_that_somebody_adds_is_refused_to_everybody(door: Door) -> None:
    @door.app.get("/back-door")
    async def back_door() -> str:
        return "come in"

    door.app.router.routes.append(Mount("/inside", app=door.app))

    for path in ("/back-door", "/inside/runs"):
        assert (await door.stranger.get(path)).status_code == 401
        answer = await door.friend.get(path)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "nobody has declared who may use this route"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer mg_",
        "Basic QWRhOnNlY3JldA==",
        "Bearer mg_0123456789ab_" + "A" * 43,
        "Bearer mg_0123456789ab_" + "A" * 43 + "é",
        "Bearer " + "A" * 9_000,
    ],
)
async def test_what_is_no_key_is_refused_and_told_nothing(door: Door, header: str) -> None:
    headers = {"authorization": header.encode()} if header else {}
    for path in ("/runs", "/nowhere", "/runs/x"):
        answer = await door.stranger.get(path, headers=headers)
        assert answer.status_code == 401, "nor is it said which routes there are"
        assert "mg_0123" not in answer.text


async def test_a_key_is_refused_with_another_secret_when_expired_and_once_revoked(
    door: Door,
) -> None:
    text = door.ring.make("runs:read", expires_at=NOON + timedelta(hours=1))
    good = {"authorization": f"bearer {text}"}
    other = "A" if text[-1] != "A" else "B"
    bad = {"authorization": f"Bearer {text[:-1]}{other}"}

    assert (await door.stranger.get("/runs", headers=good)).status_code == 200
    assert (await door.stranger.get("/runs", headers=bad)).status_code == 401
    door.now += timedelta(hours=1)
    assert (await door.stranger.get("/runs", headers=good)).status_code == 401
    door.now = NOON
    del door.ring.kept[text.split("_")[1]]
    assert (await door.stranger.get("/runs", headers=good)).status_code == 401


async def test_keys_that_cannot_be_read_let_nobody_in(door: Door) -> None:
    class Broken(Ring):
        def find(self, id: str, /) -> None:
            message = "the disk is gone"
            raise OSError(message)

    knock = knocking(application(door.engine, keys=Broken()), door.ring.make("runs:read"))
    answer = await knock.get("/runs")
    assert answer.status_code == 500
    assert "disk" not in answer.text


async def test_what_is_not_there_is_said_to_who_is_known(door: Door) -> None:
    nowhere = await door.friend.get("/nowhere")
    wrong = await door.friend.delete("/runs")
    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    for answer in (nowhere, wrong):
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) >= {"type", "title", "status", "detail"}


async def test_every_answer_says_that_it_is_nobody_elses(door: Door) -> None:
    for answer in (await door.stranger.get("/runs"), await door.friend.get("/runs")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(door: Door) -> None:
    path = "/payments/webhooks/main"
    announced = await door.stranger.post(path, content=b" " * (256 * 1024 + 1))
    assert announced.status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    streamed = await door.stranger.post(path, content=endless())
    assert streamed.status_code == 413
    assert (await door.stranger.post("/health/live", content=b"x")).status_code in {405, 413, 401}


async def test_a_body_that_does_not_come_is_given_up(door: Door) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await door.stranger.post("/payments/webhooks/main", content=slow())
    assert answer.status_code == 408


async def test_a_socket_is_closed_whoever_opens_it(door: Door) -> None:
    @door.app.websocket("/socket")
    async def socket(opened: WebSocket) -> None:
        await opened.accept()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/socket", "headers": [], "query_string": b""}
    await door.app(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_two_routes_of_one_path_are_refused(door: Door) -> None:
    with pytest.raises(DefinitionError, match="two routes answer POST /payments/webhooks/main"):
        application(door.engine, keys=door.ring, extensions=(PAYMENTS, PAYMENTS))


async def test_the_documentation_names_every_route_and_its_scope(door: Door) -> None:
    described = (await door.friend.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    paths = described["paths"]
    assert paths["/runs"]["get"]["security"] == [{"key": ["runs:read"]}]
    assert "security" not in paths["/health/live"]["get"]
    schema = paths["/commerce/orders"]["post"]["requestBody"]["content"]["application/json"]
    assert "order_id" in str(schema)
    assert len(paths) >= 16
