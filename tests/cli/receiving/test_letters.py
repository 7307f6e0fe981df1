"""Dead, trace and receptors: what a person sees of messages, and does about those given up."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

import pytest

from makegood import (
    Call,
    Declined,
    Emit,
    Engine,
    Filter,
    MessageOperator,
    Receptors,
    Route,
    injected,
    step,
    workflow,
)
from makegood.cli.app import main
from makegood.cli.status import DONE, FOUND, MISTAKE
from makegood.messaging.in_process import InProcessBroker
from makegood.testing import TurnableClock

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Ordered:
    message_name: ClassVar[str] = "shop.Ordered"

    order_id: str


@dataclass(frozen=True)
class Checked:
    message_name: ClassVar[str] = "shop.Checked"

    order_id: str


async def check(event: Ordered) -> Checked:
    return Checked(event.order_id)


async def refuse(event: Checked) -> None:
    raise Declined("no such card")


async def ship(order_id: str, *, emit: Emit[Checked] = injected) -> None:
    emit(Checked(order_id))


@workflow
def shipping(order_id: str) -> None:
    step(ship, irreversible="a test")(order_id)


async def start(event: Ordered) -> Call[None]:
    return shipping(event.order_id)


async def accept(event: Checked) -> None:
    """What `refuse` is once it was repaired."""


def address(store: Path) -> str:
    return f"sqlite:///{store}"


async def _work(store: Path, group: Receptors, *publish: str) -> None:
    """Let an engine receive until nothing is left to be received, or to be carried out."""
    async with Engine(address(store)) as engine:
        engine.serve(group, shipping)
        for order in publish:
            await engine.publish(Ordered(order), id=f"evt-{order}", key=order)
        await _received(engine)
        for row in (await engine.list(Filter(unfinished=True))).rows:
            await engine.run(row.run).result()


async def _received(engine: Engine) -> None:
    operator = MessageOperator(engine)
    while any(lag.waiting for lag in await operator.lag()):
        await _turn()


async def _turn() -> None:
    loop = asyncio.get_running_loop()
    turned: asyncio.Future[None] = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "shop.journal"
    group = Receptors("shop").on(check).on(refuse)
    asyncio.run(_work(path, group, "A-1", "A-2"))
    return path


def test_what_was_given_up_is_listed_with_its_reason(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dead", "list", "--store", str(store)]) == FOUND
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "message", "key", "given", "up", "attempts", "why"]
    assert len(lines) == 3
    assert "@shop/refuse" in lines[1]
    assert "declined: Declined: no such card [" in lines[1]
    assert main(["dead", "list", "--store", str(store), "--receptor", "shop/check"]) == DONE
    assert capsys.readouterr().out == "no message was given up\n"


def test_one_of_them_is_shown_with_what_it_says(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dead", "list", "--store", str(store), "--json"])
    (_, first) = json.loads(capsys.readouterr().out)
    assert main(["dead", "show", first["id"], "--store", str(store)]) == DONE
    shown = capsys.readouterr().out
    assert '{"order_id":"A-1"}' in shown
    assert "correlation evt-A-1" in shown
    assert main(["dead", "show", "7", "--store", str(store)]) == MISTAKE
    assert "names no dead letter" in capsys.readouterr().err
    assert main(["dead", "show", "7@shop/check", "--store", str(store)]) == MISTAKE
    assert "there is no dead letter '7@shop/check'" in capsys.readouterr().err


def test_nothing_is_sent_again_before_somebody_agrees(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resend = ["dead", "resend", "--store", str(store), "--because", "a new card"]
    assert main(resend) == MISTAKE
    assert "name dead letters by their ids" in capsys.readouterr().err
    of_refuse = [*resend, "--receptor", "shop/refuse"]
    assert main(of_refuse) == DONE
    assert "2 would be sent again; add --yes to do it" in capsys.readouterr().out
    assert main([*of_refuse, "--yes"]) == DONE
    assert "2 sent again" in capsys.readouterr().out
    assert main([*of_refuse, "--yes"]) == DONE
    assert "0 sent again" in capsys.readouterr().out
    asyncio.run(_work(store, Receptors("shop").on(check).on(accept, name="refuse")))
    assert main(["dead", "list", "--store", str(store)]) == DONE


def test_what_is_discarded_is_dead_no_more(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["dead", "list", "--store", str(store), "--json"])
    (last, first) = json.loads(capsys.readouterr().out)
    discard = ["dead", "discard", first["id"], "--store", str(store), "--because", "a test"]
    assert main([*discard, "--yes", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {"done": True, "ids": [first["id"]]}
    main(["dead", "list", "--store", str(store), "--json"])
    (left,) = json.loads(capsys.readouterr().out)
    assert left["id"] == last["id"]


def test_a_trace_shows_what_came_of_one_beginning(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", "evt-A-1", "--store", str(store)]) == DONE
    ordered, checked, after, refused = capsys.readouterr().out.splitlines()
    assert ordered == "shop.Ordered evt-A-1 key A-1"
    assert checked == "  -> shop/check: done"
    assert after.startswith("  shop.Checked ")
    assert refused == "    -> shop/refuse: dead (declined)"
    assert main(["trace", "nothing", "--store", str(store)]) == DONE
    assert capsys.readouterr().out == "neither a message nor a run has the correlation nothing\n"


def test_a_trace_shows_runs_among_the_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "shop.journal"
    asyncio.run(_work(store, Receptors("shop").on(start), "A-1"))
    assert main(["trace", "evt-A-1", "--store", str(store)]) == DONE
    ordered, started, run, sent = capsys.readouterr().out.splitlines()
    assert (ordered, started) == ("shop.Ordered evt-A-1 key A-1", "  -> shop/start: done")
    assert run.startswith("  run shipping ")
    assert run.endswith(": completed")
    assert sent.startswith("    shop.Checked ")
    assert main(["trace", run.split()[2], "--store", str(store), "--json"]) == DONE
    assert [each["kind"] for each in json.loads(capsys.readouterr().out)] == [
        "message",
        "run",
        "message",
    ]


def test_receptors_say_how_far_they_are_behind(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["receptors", "--store", str(store)]) == DONE
    _head, check, refuse = capsys.readouterr().out.splitlines()
    assert check.split() == ["shop/check", "0", "-", "0"]
    assert refuse.split() == ["shop/refuse", "0", "-", "2"]


def test_what_has_not_come_from_another_store_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(_lose_one(tmp_path))
    yard, shop = str(tmp_path / "yard"), str(tmp_path / "shop")

    assert main(["missing", "--store", yard]) == FOUND
    _head, line = capsys.readouterr().out.splitlines()
    assert line.split()[:4] == ["web", "evt-1", "A-1", "bus"]
    assert line.split()[-1] == "evt-2"
    assert main(["missing", "--store", yard, "--json"]) == FOUND
    [found] = json.loads(capsys.readouterr().out)
    assert (found["source"], found["id"], found["before"]) == ("web", "evt-1", "evt-2")
    assert main(["missing", "--store", shop, "--within", "1h"]) == DONE
    assert "nothing is missing" in capsys.readouterr().out
    assert main(["missing", "--store", yard, "--within", "0s"]) == MISTAKE


async def _lose_one(folder: Path) -> None:
    """Send two messages of one key to a yard, by a broker that is set up anew between them."""
    for number in (1, 2):
        broker = InProcessBroker()
        sends = Route("bus", broker.transport(), sends={Ordered: "orders"}, is_linked=True)
        async with Engine(address(folder / "shop")) as shop:
            shop.serve(sends)
            id = f"evt-{number}"
            await shop.publish(Ordered("A-1"), id=id, source="web", key="A-1")
            await _received(shop)
    hears = Route("bus", broker.transport(), hears=["orders"], group="yard")
    async with Engine(address(folder / "yard")) as yard:
        yard.serve(hears, Receptors("yard").on(check))
        while not await MessageOperator(yard).trace("evt-2"):
            await _turn()


def test_messages_are_pruned_after_their_own_time_and_dead_letters_only_when_asked_for(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def _age() -> None:
        clock = TurnableClock(datetime(2020, 1, 1, tzinfo=UTC))
        async with Engine(address(store), clock=clock) as engine:
            engine.serve(Receptors("shop").on(check).on(refuse))
            await engine.publish(Ordered("A-3"), id="evt-old", key="A-3")
            await _received(engine)

    asyncio.run(_age())
    old = ["prune", "--store", str(store), "--older-than", "1d"]
    assert main([*old, "--dry-run", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {"prunable": 0, "messages": 1, "kept_seconds": {}}
    assert main(old) == DONE
    assert capsys.readouterr().out == "0 runs and 1 message was pruned\n"
    assert main([*old, "--messages-older-than", "90d"]) == DONE
    assert "0 messages" in capsys.readouterr().out
    assert main([*old, "--messages-older-than", "1h"]) == MISTAKE
    assert "keep them for 1 day, 0:00:00 at least" in capsys.readouterr().err
    main(["dead", "list", "--store", str(store), "--json"])
    assert len(json.loads(capsys.readouterr().out)) == 3
    assert main([*old, "--dead-older-than", "30d"]) == DONE
    assert "1 message was pruned" in capsys.readouterr().out
    main(["dead", "list", "--store", str(store), "--json"])
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_a_receptor_that_nobody_serves_any_more_is_forgotten(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget = ["receptors", "--store", str(store), "--forget", "shop/refuse"]
    assert main(forget) == DONE
    assert capsys.readouterr().out == "messages of 1 type are kept for shop/refuse no more\n"
    assert main(forget) == MISTAKE
    assert "no messages are kept for 'shop/refuse'" in capsys.readouterr().err
