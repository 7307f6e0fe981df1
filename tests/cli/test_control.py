"""Cancel, undo, settle and retry: what is asked of a run, and what became of that."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from makegood import Config, ControlAnswer, Engine, Operator
from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR, MISTAKE, UNANSWERED
from makegood.testing import TurnableClock
from tests.cli.shop import AT_ONCE, finish_exactly, place_order, run_id, shop_on
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

WHY = ["--reason", "the customer rang", "--actor", "ada"]
ON_RECORD = (
    "the request to {} {} is on record, and no worker has answered within 0 ms; "
    "the worker that next serves the run takes it\n"
)


def status_of(run: str, store: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return a run's status as it is listed."""
    capsys.readouterr()
    assert main(["runs", "--store", store, "--json"]) == DONE
    rows = json.loads(capsys.readouterr().out)["runs"]
    (found,) = [row["status"] for row in rows if f"{row['workflow']}/{row['key']}" == run]
    return found


@asynccontextmanager
async def worker(store: str) -> AsyncGenerator[Engine]:
    """Serve the orders of a store, as another process would, while the command is running.

    Order 6 waits for the bank for longer than any test takes.
    """
    engine = Engine(
        f"sqlite:///{store}",
        services={TurnableClock: TurnableClock()},
        config=Config(shutdown_grace=AT_ONCE),
    )
    async with engine:
        engine.serve(place_order)
        await engine.start(place_order("bank away"), key="order-6")
        yield engine


# Without a worker -----------------------------------------------------------------------------


def test_what_nobody_answers_is_on_record_and_taken_later(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = "place_order/order-5"
    assert main(["cancel", run, "--store", store, *WHY, "--wait", "0s"]) == UNANSWERED
    assert capsys.readouterr().out == ON_RECORD.format("cancel", run)

    async def open_again() -> None:
        clock = TurnableClock()
        async with shop_on(tmp_path / "shop.journal", clock) as engine:
            engine.serve(place_order)
            await finish_exactly(engine, clock, engine.run(run_id(5)).outcome())

    asyncio.run(open_again())
    assert status_of(run, store, capsys) == "cancelled"


@pytest.mark.parametrize(
    ("command", "run"),
    [
        (["cancel"], "place_order/order-5"),
        (["undo", "--yes"], "place_order/order-1"),
        (["settle", "--did-not-happen"], "place_order/order-3"),
        (["retry"], "place_order/order-4"),
    ],
)
def test_the_json_names_the_run_by_its_id_and_has_no_answer(
    command: list[str], run: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node = ["charge"] if command[0] == "settle" else []
    words = [*command, run, *node, "--store", store, *WHY, "--wait", "0s", "--json"]
    assert main(words) == UNANSWERED
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert json.loads(told) == {
        "run": run_id(int(run[-1])),
        "asked": command[0],
        "answer": None,
        "says": ON_RECORD.format(command[0], run).strip(),
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cancel", "order-1", "--reason", "x"], "no run 'order-1' is in the journal"),
        (["cancel", run_id(5)], "--reason requires an argument"),
        (["cancel", run_id(5), "--reason", " "], "the reason is empty"),
        (["cancel", run_id(5), "--reason", "x", "--actor", ""], "the actor is empty"),
        (["cancel", run_id(5), "--reason", "x" * 2001], "the reason has 2,001 characters"),
        (["undo", run_id(1)], "--reason is missing: say why the run is undone"),
        (["undo", run_id(1), *WHY], "nobody can answer here; look with --preview, then add --yes"),
        (["undo", run_id(1), *WHY, "--json"], "nobody can answer here"),
        (["settle", run_id(3), *WHY, "--kept"], "parameter NODE requires an argument"),
        (["settle", run_id(3), "charge", *WHY], "give one of --happened JSON, --did-not-happen"),
        (["settle", run_id(3), "charge", *WHY, "--kept", "--undone"], "give one of"),
        (["settle", run_id(3), "charge", *WHY, "--happened", "{"], "the result given is no JSON"),
        (["settle", run_id(3), "", *WHY, "--kept"], "the node is empty"),
        (["cancel", run_id(5), *WHY, "--wait=-1s"], "Give a duration from 0s to 36500d"),
        (["retry", "x/y", *WHY], "no run 'x/y' is in the journal"),
    ],
)
def test_a_mistake_asks_nothing_of_the_run(
    words: list[str], sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--store", store]) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert main(["show", run_id(1), "--store", store]) == DONE
    assert "asked" not in capsys.readouterr().out


# With a worker --------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(
    ("words", "sentence", "ends"),
    [
        (
            ["cancel", "place_order/order-6"],
            "is cancelled: nothing more is begun, and what it did is being undone",
            "cancelled",
        ),
        (
            ["undo", "place_order/order-1", "--yes"],
            "is being undone, the last step first",
            "cancelled",
        ),
        (
            ["settle", "place_order/order-3", "charge", "--happened", '"paid"'],
            "goes on: `charge` is settled",
            "completed",
        ),
        (
            ["settle", "place_order/order-3", "charge", "--did-not-happen"],
            "goes on: `charge` is settled",
            "failed",
        ),
        (
            ["settle", "place_order/order-4", "charge", "--undone"],
            "goes on: `charge` is settled",
            "failed",
        ),
        (
            ["settle", "place_order/order-4", "charge", "--kept"],
            "goes on: `charge` is settled",
            "failed",
        ),
        (
            ["retry", "place_order/order-4", "charge"],
            "goes on: `charge` is tried again",
            "parked",
        ),
        (["retry", "place_order/order-4"], "goes on: what gave up is tried again", "parked"),
    ],
)
async def test_a_worker_takes_what_is_asked_and_the_run_goes_on(
    words: list[str], sentence: str, ends: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = words[1]
    async with worker(store) as engine:
        run_id = await Operator(engine).find(run)
        status = await asyncio.to_thread(main, [*words, "--store", store, *WHY, "--wait", "30s"])
        told = capsys.readouterr()
        assert (status, told.out, told.err) == (DONE, f"{run} {sentence}\n", "")
        outcome = await engine.run(run_id).outcome()
    assert outcome.status == ends


@pytest.mark.real
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["cancel", "place_order/order-1"], "the run has ended; `makegood show` says how"),
        (["cancel", "place_order/order-3"], "it is parked; settle or retry what is left first"),
        (["undo", "place_order/order-2", "--yes"], "only a completed run can be undone; cancel"),
        (["settle", "place_order/order-3", "charge", "--undone"], "--undone and --kept are for"),
        (["settle", "place_order/order-3", "ship", "--did-not-happen"], "not what it waits for"),
        (["settle", "place_order/order-3", "fly", "--did-not-happen"], "it has no such node"),
        (
            ["settle", "place_order/order-3", "charge", "--happened", "5"],
            "the result given is not of the type that the node returns",
        ),
        (["retry", "place_order/order-6"], "it is not parked, so nothing of it waits"),
        (["retry", "place_order/order-1"], "the run has ended; `makegood show` says how"),
    ],
)
async def test_a_refusal_is_told_in_one_sentence(
    words: list[str], why: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker(store):
        status = await asyncio.to_thread(main, [*words, "--store", store, *WHY, "--wait", "30s"])
    told = capsys.readouterr()
    assert (status, told.out) == (ERROR, "")
    assert told.err.startswith(f"the request to {words[0]} {words[1]} is refused: ")
    assert why in told.err
    assert told.err.count("\n") == 1


@pytest.mark.real
async def test_a_refusal_as_json_has_the_answer(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker(store) as engine:
        run = await Operator(engine).find("place_order/order-6")
        words = ["retry", run, "--store", store, *WHY, "--wait", "30s", "--json"]
        status = await asyncio.to_thread(main, words)
    told = capsys.readouterr()
    assert (status, told.err) == (ERROR, "")
    assert json.loads(told.out) == {
        "run": run,
        "asked": "retry",
        "answer": "not parked",
        "says": f"the request to retry {run} is refused: it is not parked, so nothing of it "
        "waits for a person; `makegood show` says what it does",
    }


@pytest.mark.real
async def test_the_command_and_the_worker_may_be_two_processes(store: str) -> None:
    command = ["cancel", "place_order/order-6", "--store", store, *WHY, "--wait", "30s"]
    async with worker(store) as engine:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "makegood.cli", *command, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        run = await Operator(engine).find("place_order/order-6")
        outcome = await engine.run(run).outcome()
    assert (process.returncode, outcome.status) == (DONE, "cancelled")
    assert told.decode().startswith("place_order/order-6 is cancelled")


# Undo looks first -----------------------------------------------------------------------------

FORESEEN = """\
an undo of place_order/order-1 takes back, in this order:
   1. charge      by refund
   2. hold_stock  by release_stock
and leaves as it is:
      ship: a parcel cannot be called back
"""


def test_a_preview_says_what_is_taken_back_and_asks_nothing(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["undo", "place_order/order-1", "--preview", "--store", store]
    assert main(words) == DONE
    assert capsys.readouterr().out == FORESEEN
    assert main([*words, "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {
        "answer": "accepted",
        "awaits": [],
        "undos": [
            {"node": "charge", "function": "refund"},
            {"node": "hold_stock", "function": "release_stock"},
        ],
        "kept": [{"node": "ship", "why": "a parcel cannot be called back"}],
        "parks": None,
    }


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ("place_order/order-2", "only a completed run can be undone; cancel one that is under way"),
        ("place_order/order-4", "it is parked; settle or retry what is left first"),
    ],
)
def test_a_preview_says_why_an_undo_would_be_refused(
    run: str, why: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["undo", run, "--preview", "--store", store]) == ERROR
    assert capsys.readouterr().out == f"an undo of {run} would be refused: {why}\n"


@pytest.mark.real
@pytest.mark.parametrize(
    ("answer", "status", "after"),
    [
        ("n", ERROR, "nothing was asked of the run\n"),
        ("", ERROR, "nothing was asked of the run\n"),
        ("y", UNANSWERED, ON_RECORD.format("undo", "place_order/order-1")),
        ("yes", UNANSWERED, ON_RECORD.format("undo", "place_order/order-1")),
    ],
)
def test_a_person_at_a_terminal_is_asked_after_the_preview(
    answer: str, status: int, after: str, store: str
) -> None:
    keyboard, terminal = os.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    undo = ["undo", "place_order/order-1", "--store", store, *WHY, "--wait", "0s"]
    finished = subprocess.run(
        [sys.executable, "-m", "makegood.cli", *undo],
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(keyboard)
    os.close(terminal)
    assert finished.stderr == ""
    assert finished.stdout == f"{FORESEEN}undo it? [y/N] {after}"
    assert finished.returncode == status


def test_the_reference_names_every_answer() -> None:
    reference = " ".join((ROOT / "docs" / "reference" / "cli.md").read_text().split())
    assert [answer for answer in ControlAnswer if f"`{answer}`" not in reference] == []
