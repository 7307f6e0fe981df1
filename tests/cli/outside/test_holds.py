"""Holds: who holds a key, and who waits for it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, hold, step, wait, workflow
from makegood.cli.app import main
from makegood.cli.status import DONE
from makegood.decision.facts import WaitBegan
from tests.runtime.mail.shop import Shipped

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


async def sign(parcel: str) -> str:
    return parcel


@workflow
def receive(order: str, shelf: str) -> str:
    """Keep everybody from a shelf until a parcel has come."""
    held = hold(shelf, within=HOUR)
    parcel = wait.after(held)(Shipped, key=order, forever=True)
    return step(sign)(parcel.parcel)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "shop.journal"


async def begun(store: Path, *orders: tuple[str, str]) -> list[str]:
    """Leave runs in the store, each as soon as the one before stands still; return their ids."""
    ids: list[str] = []
    taken: set[str] = set()
    async with Engine(f"sqlite:///{store}") as engine:
        engine.serve(receive)
        for order, shelf in orders:
            run = await engine.start(receive(order, shelf))
            ids.append(run.id)
            waits = {"hold"} if shelf in taken else {"hold", "wait"}
            taken.add(shelf)
            async for event in run.events():
                if isinstance(event.fact, WaitBegan):
                    waits.discard(event.fact.node)
                if not waits:
                    break
    # An engine that closes has delivered what its runs say.
    return ids


@pytest.mark.real
def test_keys_are_listed_with_who_holds_them_and_who_waits(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, other = asyncio.run(begun(store, ("1", "A"), ("2", "A"), ("3", "B")))

    assert main(["holds", "--store", str(store), "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert [
        (each["key"], [by["run"] for by in each["held_by"]], [by["run"] for by in each["waiting"]])
        for each in found
    ] == [("A", [first], [second]), ("B", [other], [])]
    assert found[0]["held_by"][0]["root"] == first

    assert main(["holds", "--store", str(store), "--key", "A"]) == DONE
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "held: 1"
    assert [line.split()[0] for line in told[2:]] == ["A", "A"]
    assert "holds it" in told[2]
    assert told[2].endswith(first)
    assert "waits" in told[3]
    assert told[3].endswith(second)


def test_where_nothing_is_held_it_says_so(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(begun(store))

    assert main(["holds", "--store", str(store)]) == DONE

    assert capsys.readouterr().out == "held: no key\n"
