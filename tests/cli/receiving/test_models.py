"""Read models at the terminal: how far each edition is, building one anew, ending one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from makegood import Engine, MessageOperator, ModelOperator, Projection
from makegood.cli.app import main
from makegood.cli.status import DONE, MISTAKE

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Placed:
    message_name: ClassVar[str] = "orders.Placed"

    order_id: str

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass(frozen=True)
class Order:
    count: int


def fold(row: Order | None, event: Placed) -> Order:
    if event.order_id == "bad":
        raise ValueError
    return Order(1 if row is None else row.count + 1)


ORDERS = Projection("orders", fold)


async def _work(store: Path, *orders: str) -> None:
    """Let an engine fold until nothing is left, and one edition serves."""
    async with Engine(f"sqlite:///{store}") as engine:
        engine.serve(ORDERS)
        for order in orders:
            await engine.publish(Placed(order))
        operator, loop = ModelOperator(engine), asyncio.get_running_loop()
        while True:
            editions = await operator.editions()
            is_over = [each.state for each in editions] == ["serving"]
            if is_over and not any(each.waiting for each in await MessageOperator(engine).lag()):
                return
            turned: asyncio.Future[None] = loop.create_future()
            loop.call_soon(turned.set_result, None)
            await turned


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "shop.journal"
    asyncio.run(_work(path, "A-1", "A-2", "bad"))
    return path


def of(store: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str, int]]:
    assert main(["models", "list", "--store", str(store), "--json"]) == DONE
    return [
        (each["number"], each["state"], each["dead"])
        for each in json.loads(capsys.readouterr().out)
    ]


def test_editions_are_listed_with_what_they_have_given_up(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list", "--store", str(store)]) == DONE
    head, row = capsys.readouterr().out.splitlines()

    assert head.split()[:3] == ["read", "model", "edition"]
    assert row.split()[:6] == ["orders", "1", "serving", "0", "-", "1"]
    assert "it is served, and there was none of its kind" in row
    assert of(store, capsys) == [(1, "serving", 1)]


def test_a_store_without_any_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.journal"

    async def make() -> None:
        async with Engine(f"sqlite:///{path}"):
            pass

    asyncio.run(make())
    assert main(["models", "list", "--store", str(path)]) == DONE
    assert capsys.readouterr().out == "no read model was ever served on this store\n"


def test_a_rebuild_is_begun_here_and_made_by_whoever_serves_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild = ["models", "rebuild", "orders", "--because", "a mistake", "--store", str(store)]
    assert main(rebuild) == DONE
    assert capsys.readouterr().out.startswith("edition 2 of orders is built by whoever serves it")
    assert of(store, capsys) == [(1, "serving", 1), (2, "filling", 0)]

    asyncio.run(_work(store))

    assert of(store, capsys) == [(2, "serving", 1)]
    assert main([*rebuild, "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {"model": "orders", "number": 3}


def test_an_edition_that_nobody_reads_is_ended(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    retire = ["models", "retire", "orders", "1", "--because", "not read", "--store", str(store)]
    assert main(retire) == DONE
    assert capsys.readouterr().out == "edition 1 of orders is ended\n"
    assert of(store, capsys) == []
    assert main(retire) == MISTAKE
    assert "there is no read model 'orders@1'" in capsys.readouterr().err
