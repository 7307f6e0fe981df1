"""Send and messages: what is sent from a terminal, and what is left of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from makegood import Engine
from makegood.cli.app import main
from makegood.cli.status import DONE, FOUND, MISTAKE
from makegood.decision.facts import WaitBegan
from makegood.testing import TurnableClock
from tests.runtime.mail.shop import Shipped, follow_for_ever
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = '{"order": "order-1", "parcel": "parcel 9"}'
NAME = "tests.runtime.mail.shop.Shipped"
APP = ["--app", "tests.runtime.mail.shop:follow_for_ever", "--message", "Shipped"]


async def _wait_once(store: Path) -> str:
    """Leave a run in the store that waits, and return its id."""
    engine = Engine(f"sqlite:///{store}", services={Outside: Outside()})
    async with engine:
        engine.serve(follow_for_ever)
        run = await engine.start(follow_for_ever("order-1"))
        async for event in run.events():
            if isinstance(event.fact, WaitBegan):
                break
    # An engine that closes has delivered what its runs say.
    return run.id


@pytest.fixture
def store(tmp_path: Path) -> Path:
    async def make() -> None:
        async with Engine(f"sqlite:///{tmp_path / 'shop.journal'}"):
            pass

    asyncio.run(make())
    return tmp_path / "shop.journal"


def words(store: Path, *others: str) -> list[str]:
    return ["send", MESSAGE, "--store", str(store), *APP, "--key", "order-1", *others]


def test_a_message_that_nobody_waits_for_is_kept_and_listed(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(store, "--id", "event-7")) == DONE
    assert capsys.readouterr().out.startswith("no run waits for it yet; it is kept until 2")
    assert main(words(store, "--id", "event-7")) == DONE
    assert capsys.readouterr().out == "it was received before under this id: it is kept\n"

    assert main(["messages", "--store", str(store)]) == DONE
    told = capsys.readouterr().out
    assert "waiting for a message: none" in told
    assert f"{NAME}  order-1  event-7" in told


@pytest.mark.real
def test_a_message_is_given_to_the_run_that_waits(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = asyncio.run(_wait_once(store))
    assert main(["messages", "--store", str(store), "--json"]) == DONE
    (waiting,) = json.loads(capsys.readouterr().out)["waiting"]
    assert (waiting["run"], waiting["key"], waiting["message"]) == (run, "order-1", NAME)

    assert main(words(store)) == DONE

    assert capsys.readouterr().out == f"run {run} was given it\n"


def test_a_message_for_which_nobody_has_waited_in_time_is_found(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def long_ago() -> None:
        async with Engine(f"sqlite:///{store}", work=False, clock=TurnableClock()) as engine:
            await engine.send(Shipped("order-1", "parcel 9"), key="order-1")

    asyncio.run(long_ago())

    assert main(["messages", "--store", str(store)]) == FOUND
    assert "nobody has waited for it in time: 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("Shipped", "Shopped"), "not one message is named 'Shopped'"),
        ((MESSAGE, "{}"), "the stored value is not a Shipped"),
        ((MESSAGE, "no"), "the stored value is not a Shipped"),
        (("order-1", " "), "the key of a message is empty"),
    ],
)
def test_what_cannot_be_sent_is_a_mistake_that_says_so(
    store: Path, change: tuple[str, str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [change[1] if word == change[0] else word for word in words(store)]

    assert main(given) == MISTAKE

    assert why in capsys.readouterr().err
