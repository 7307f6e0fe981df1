"""What the page about the door shows is what the door does."""

from __future__ import annotations

import json
import re
import runpy
from typing import TYPE_CHECKING

import pytest

from makegood import Engine
from makegood.http import application
from tests.http.doors import EVERY_SCOPE, Ring, knocking
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

PAGE = (ROOT / "docs" / "how-to" / "open-the-http-door.md").read_text()
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CURL = re.compile(
    r'^curl (?:-X (?P<method>\w+) )?"?http://127\.0\.0\.1:8000(?P<path>[^\s"]*)"?'
    r"(?P<rest>(?:.*\\\n)*.*)$",
    re.MULTILINE,
)
HEADER = re.compile(r'-H "Idempotency-Key: ([^"]+)"')
BODY = re.compile(r"-d '([^']+)'")


async def test_the_requests_of_the_page_lead_to_a_paid_order(tmp_path: Path) -> None:
    program = tmp_path / "shop.py"
    program.write_text("\n\n".join(PYTHON.findall(PAGE)))
    shop = runpy.run_path(str(program), run_name="shop")
    ring = Ring()
    answers = []
    async with Engine(f"sqlite:///{tmp_path / 'shop.journal'}") as engine:
        engine.serve(shop["order"])
        extensions = [shop["payments"]]
        app = application(engine, keys=ring, workflows=[shop["order"]], extensions=extensions)
        client = knocking(app, ring.make(*EVERY_SCOPE))
        for asked in CURL.finditer(PAGE):
            key, body = HEADER.search(asked["rest"]), BODY.search(asked["rest"])
            answer = await client.request(
                asked["method"] or "GET",
                asked["path"],
                headers={"idempotency-key": key[1]} if key else {},
                json=json.loads(body[1]) if body else None,
            )
            assert answer.status_code in {200, 202}, answer.text
            answers.append(answer.json())
        (row,) = answers[-1]["runs"]
        outcome = await engine.run(row["run"]).outcome()
        documented = set(app.openapi()["paths"])
    assert outcome.value == "order-1 is paid with 999 cents"
    assert "/payments/webhooks/main" in documented


async def test_the_page_names_every_scope_that_a_route_asks_for() -> None:
    async with Engine("memory://") as engine:
        described = application(engine, keys=Ring()).openapi()
    asked = {
        scope
        for path in described["paths"].values()
        for operation in path.values()
        for each in operation.get("security", ())
        for scope in each["key"]
    }
    assert asked
    assert all(f"`{scope}`" in PAGE for scope in asked)
