"""Runs over HTTP: started once for each key, looked at, sent messages, completed and controlled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, Operator
from makegood.http import application
from tests.http.doors import Ring, knocking, opened
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http.doors import Door

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "file"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    place = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'shop.journal'}"
    async with opened(place) as door:
        yield door


async def waits(door: Door, count: int = 1) -> None:
    while len((await Operator(door.engine).messages()).waiting) < count:
        await turn_of_the_loop()


async def test_an_order_is_placed_looked_at_and_paid(door: Door) -> None:
    placed = await door.place("order-1", copies=2)
    assert placed.status_code == 202
    assert placed.headers["location"] == f"/runs/{placed.json()['run']}"
    await waits(door)

    paid = await door.friend.post(
        "/messages/Paid/order-1", json={"cents": 999}, headers={"idempotency-key": "webhook-1"}
    )
    assert (paid.status_code, paid.json()["run"]) == (200, placed.json()["run"])

    seen = await door.friend.get(placed.headers["location"], params={"wait": "20"})
    assert seen.json()["status"] == "completed"
    assert seen.json()["value"] == "order-1 paid 999"
    assert seen.json()["done"] == ["reserve", "thank"]
    assert seen.json()["fraction"] == 1


async def test_the_same_key_and_input_find_the_run_and_another_input_is_refused(door: Door) -> None:
    first, again = await door.place("order-1"), await door.place("order-1")
    other = await door.place("order-1", copies=3)

    assert first.json()["run"] == again.json()["run"]
    assert other.status_code == 422
    assert other.json()["type"] == "urn:makegood:problem:key-conflict"
    listed = (await door.friend.get("/runs", params={"key": "order-1"})).json()
    assert [row["run"] for row in listed["runs"]] == [first.json()["run"]]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[]", "given as a JSON object"),
        (b"{", "given as a JSON object"),
        (b'{"order_id": 7}', "not a str"),
        (b'{"order_id": "a", "copys": 2}', "copys"),
        (b"{}", "order_id"),
    ],
)
async def test_inputs_that_do_not_fit_are_refused_with_the_reason(
    door: Door, body: bytes, why: str
) -> None:
    answer = await door.friend.post(
        "/workflows/order/runs", content=body, headers={"idempotency-key": "a"}
    )
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:makegood:problem:invalid-input" or "carried" in answer.text
    assert why in answer.json()["detail"]
    assert (await door.friend.get("/runs")).json()["runs"] == []


async def test_a_start_without_a_key_and_of_an_unknown_workflow_is_refused(door: Door) -> None:
    keyless = await door.friend.post("/workflows/order/runs", json={"order_id": "a"})
    unknown = await door.friend.post(
        "/workflows/refund/runs", json={}, headers={"idempotency-key": "a"}
    )
    assert (keyless.status_code, unknown.status_code) == (422, 404)
    assert "Idempotency-Key" in keyless.json()["detail"]
    startable = (await door.friend.get("/workflows")).json()
    assert [(each["name"], each["inputs"]) for each in startable] == [
        ("order", {"order_id": "str", "copies": "int"}),
        ("signed", {"question": "str"}),
    ]


async def test_an_early_message_is_kept_and_one_that_comes_twice_is_the_same(door: Door) -> None:
    post = {"json": {"cents": 5}, "headers": {"idempotency-key": "webhook-1"}}
    early = await door.friend.post("/messages/Paid/order-1", **post)
    again = await door.friend.post("/messages/Paid/order-1", **post)
    assert (early.status_code, again.status_code) == (202, 202)
    assert (early.json()["state"], again.json()["state"]) == ("stored", "duplicate")
    assert early.json()["run"] is None

    placed = await door.place("order-1")
    seen = await door.friend.get(placed.headers["location"], params={"wait": "20"})
    assert seen.json()["value"] == "order-1 paid 5"
    late = await door.friend.post("/messages/Paid/order-1", **post)
    assert late.json()["run"] == placed.json()["run"], "it is the same one, and was taken"


async def test_a_message_that_nobody_knows_or_that_does_not_fit_is_refused(door: Door) -> None:
    headers = {"idempotency-key": "1"}
    unknown = await door.friend.post("/messages/Lost/a", json={}, headers=headers)
    wrong = await door.friend.post("/messages/Paid/a", json={"cents": "x"}, headers=headers)
    assert (unknown.status_code, wrong.status_code) == (404, 422)


async def test_a_step_is_completed_by_its_token_and_only_once(door: Door) -> None:
    started = await door.friend.post(
        "/workflows/signed/runs", json={"question": "may I?"}, headers={"idempotency-key": "1"}
    )
    while not door.rack.tokens:
        await turn_of_the_loop()
    (token,) = door.rack.tokens

    wrong = await door.friend.post(f"/steps/{token}/complete", content=b"7")
    said = await door.friend.post(f"/steps/{token}/complete", content=b'"yes"')
    again = await door.friend.post(f"/steps/{token}/complete", content=b'"yes"')
    other = await door.friend.post(f"/steps/{token}/complete", content=b'"no"')

    assert wrong.status_code == 422
    assert (said.status_code, said.json()) == (200, {"answer": "accepted"})
    assert again.json() == {"answer": "said before"}
    assert other.status_code == 409
    assert other.json()["state"]
    unknown = await door.friend.post("/steps/nobody/complete", content=b'"yes"')
    assert unknown.status_code in {404, 422}
    seen = await door.friend.get(f"/runs/{started.json()['run']}", params={"wait": "20"})
    assert seen.json()["value"] == "yes"


async def test_a_step_fails_by_its_token(door: Door) -> None:
    started = await door.friend.post(
        "/workflows/signed/runs", json={"question": "may I?"}, headers={"idempotency-key": "1"}
    )
    while not door.rack.tokens:
        await turn_of_the_loop()
    told = {"error": "she says no", "kind": "declined"}
    said = await door.friend.post(f"/steps/{door.rack.tokens[0]}/fail", json=told)
    assert said.json() == {"answer": "accepted"}
    seen = await door.friend.get(f"/runs/{started.json()['run']}", params={"wait": "20"})
    assert (seen.json()["status"], seen.json()["cause"]) == ("failed", "error")
    assert "she says no" in seen.json()["error"]


async def test_what_people_ask_of_a_run_has_its_actor_and_its_reason(door: Door) -> None:
    placed = await door.place("order-1")
    await waits(door)
    run, why = placed.headers["location"], {"reason": "the customer called"}

    assert (await door.friend.post(f"{run}/pause", json=why)).json() == {"answer": "accepted"}
    twice = await door.friend.post(f"{run}/pause", json=why)
    assert (twice.status_code, twice.json()["title"]) == (409, "Conflict")
    assert (await door.friend.post(f"{run}/resume", json=why)).status_code == 200
    assert (await door.friend.post(f"{run}/cancel", json=why)).json() == {"answer": "accepted"}
    early = await door.friend.post(f"{run}/undo", json=why)
    assert early.status_code == 409

    seen = (await door.friend.get(run, params={"wait": "20"})).json()
    assert (seen["status"], seen["undone"]) == ("cancelled", ["reserve"])
    history = await Operator(door.engine).history(placed.json()["run"])
    assert "key Ada" in str(history.facts)
    assert "the customer called" in str(history.facts)
    assert (await door.friend.post(f"{run}/cancel", json={})).status_code == 422


async def test_runs_are_listed_page_by_page_and_one_is_drawn(door: Door) -> None:
    runs = [(await door.place(f"order-{number}")).json()["run"] for number in range(3)]
    await waits(door, 3)
    first = (await door.friend.get("/runs", params={"limit": "2"})).json()
    second = (await door.friend.get("/runs", params={"limit": "2", "after": first["next"]})).json()
    assert [row["run"] for row in (*first["runs"], *second["runs"])] == runs[::-1]
    assert second["next"] is None
    none = await door.friend.get("/runs", params={"status": "failed,parked", "workflow": "order"})
    assert none.json()["runs"] == []

    drawn = await door.friend.get(f"/runs/{runs[0]}/picture.svg")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.text.startswith("<svg") or "<svg" in drawn.text[:200]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runs?limit=0", 422),
        ("/runs?limit=many", 422),
        ("/runs?color=red", 422),
        ("/runs?after=x", 422),
        ("/runs/x", 422),
        ("/runs/0198c0de-0000-7000-8000-000000000000", 404),
        ("/runs/0198c0de-0000-7000-8000-000000000000/picture.svg", 404),
        ("/runs/0198c0de-0000-7000-8000-000000000000?wait=never", 422),
        ("/runs/0198c0de-0000-7000-8000-000000000000?wait=31", 422),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(door: Door, path: str, status: int) -> None:
    answer = await door.friend.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_whether_it_lives_and_is_ready_is_told_to_anybody(door: Door) -> None:
    for path in ("/health/live", "/health/ready"):
        assert (await door.stranger.get(path)).status_code == 200
    closed = Engine("memory://")
    stranger = knocking(application(closed, keys=Ring()))
    assert (await stranger.get("/health/live")).status_code == 200
    unready = await stranger.get("/health/ready")
    assert (unready.status_code, unready.headers["retry-after"]) == (503, "1")
