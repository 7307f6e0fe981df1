"""Pause, resume, skip and set-result: what is held up and steered from a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from makegood import ControlAnswer, Operator
from makegood.cli.app import main
from makegood.cli.asking.refusals import refusal_of
from makegood.cli.status import DONE, ERROR, MISTAKE, UNANSWERED
from tests.cli.test_control import ON_RECORD, WHY, status_of, worker

if TYPE_CHECKING:
    from makegood import Engine

RUN = "place_order/order-5"
WAITING = "place_order/order-6"


def told_of(words: list[str], store: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the status of a command, and what it wrote."""
    status = main([*words, "--store", store])
    told = capsys.readouterr()
    return status, told.out + told.err


# Halts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (["--workflow", "place_order"], "the workflow place_order"),
        (["--engine", "till-1"], "the engine till-1"),
        (["--engine", "*"], "every engine"),
        (["--service", "Gateway"], "the service Gateway"),
        (["--receptor", "payments/charge"], "the receptor payments/charge"),
    ],
)
def test_what_is_halted_stays_so_until_it_is_resumed(
    target: list[str], name: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    halted = told_of(["pause", *target, *WHY], store, capsys)
    shown = told_of(["stuck"], store, capsys)[1]
    resumed = told_of(["resume", *target, *WHY], store, capsys)
    again = told_of(["resume", *target, *WHY], store, capsys)

    assert halted == (DONE, f"{name} is halted: nothing of it begins\n")
    assert "halted, so that nothing of it goes on: 1\n" in shown
    assert "ada  the customer rang" in shown
    assert resumed == (DONE, f"{name} goes on\n")
    assert again[0] == ERROR
    assert "is not paused, so there is nothing to resume" in again[1]


def test_a_halt_for_a_time_says_until_when(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pause", "--workflow", "place_order", "--for", "2h", *WHY]

    status, told = told_of([*words, "--json"], store, capsys)

    halt = json.loads(told)["halt"]
    assert (status, halt["until"] - halt["at"]) == (DONE, 2 * 3600 * 1_000_000)
    assert (halt["kind"], halt["name"], halt["actor"], halt["lifted"]) == (
        "workflow",
        "place_order",
        "ada",
        None,
    )
    assert "is halted until 2" in told


def test_a_preview_of_a_halt_counts_the_runs_and_halts_nothing(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pause", "--workflow", "place_order", "--preview"]

    before = told_of(words, store, capsys)
    told_of(["pause", "--workflow", "place_order", *WHY], store, capsys)
    after = told_of(["resume", "--workflow", "place_order", "--preview"], store, capsys)
    of_service = told_of(["pause", "--service", "Gateway", "--preview"], store, capsys)

    assert before == (
        DONE,
        "the workflow place_order is not halted\nwhile it is, 1 unfinished run does not go on\n",
    )
    assert after[1].startswith("the workflow place_order is halted since 2")
    assert "by ada: the customer rang\n" in after[1]
    assert of_service == (DONE, "the service Gateway is not halted\n")


# Runs, without a worker --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["pause", RUN],
        ["resume", RUN],
        ["skip", RUN, "ship", "--yes"],
        ["set-result", RUN, "ship", '"by hand"', "--yes"],
        ["retry-from", RUN, "hold_stock", "--yes"],
    ],
)
def test_what_nobody_answers_is_on_record(
    words: list[str], store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = told_of([*words, *WHY, "--wait", "0s"], store, capsys)
    shown = told_of(["show", RUN], store, capsys)[1]

    assert asked == (UNANSWERED, ON_RECORD.format(words[0], RUN))
    assert "ada asked to" in shown


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["pause", RUN], DONE, f"a pause of {RUN} would be accepted; it is paused then\n"),
        (
            ["resume", RUN],
            ERROR,
            f"a resume of {RUN} would be refused: {refusal_of(ControlAnswer.NOT_PAUSED)}\n",
        ),
        (
            ["retry-from", RUN, "hold_stock"],
            DONE,
            f"a retry from `hold_stock` of {RUN} would be accepted; it is undoing then\n"
            "  undone first, in this order: hold_stock\n"
            "  done again: hold_stock, charge, ship\n"
            "  begins at once: hold_stock\n",
        ),
        (
            ["retry-from", RUN, "ship"],
            ERROR,
            f"a retry from `ship` of {RUN} would be refused: "
            f"{refusal_of(ControlAnswer.NOT_BEGUN)}\n",
        ),
        (
            ["skip", RUN, "hold_stock"],
            ERROR,
            f"to skip `hold_stock` of {RUN} would be refused: "
            f"{refusal_of(ControlAnswer.NODE_ENDED)}\n",
        ),
        (
            ["skip", "place_order/order-3", "charge"],
            ERROR,
            "to skip `charge` of place_order/order-3 would be refused: "
            f"{refusal_of(ControlAnswer.IN_DOUBT)}\n",
        ),
    ],
)
def test_a_preview_says_what_a_request_would_come_to(
    words: list[str], status: int, told: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told_of([*words, "--preview"], store, capsys) == (status, told)
    assert "asked to" not in told_of(["show", words[1]], store, capsys)[1]


def test_a_preview_as_json_is_the_record(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = told_of(["pause", RUN, "--preview", "--json"], store, capsys)

    assert (status, json.loads(told)) == (
        DONE,
        {
            "answer": "accepted",
            "at_work": [],
            "needed_by": [],
            "undoes": [],
            "again": [],
            "begins": [],
            "goes_back": None,
            "status": "paused",
        },
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pause", *WHY], "name one thing: RUN, --workflow NAME"),
        (["pause", RUN, "--workflow", "place_order", *WHY], "name one thing"),
        (["pause", "--workflow", "a", "--engine", "b", *WHY], "name one thing"),
        (["pause", RUN, "--for", "2h", *WHY], "--for is for what is halted"),
        (["pause", RUN], "--reason is missing"),
        (["pause", "--workflow", "*", *WHY], "only engines are halted all at once"),
        (["pause", "--workflow", "a", "--for", "0s", *WHY], "halts nothing"),
        (["skip", RUN, "ship", *WHY], "nobody can answer here; look with --preview"),
        (["skip", RUN, "ship", *WHY, "--json"], "nobody can answer here"),
        (["skip", RUN, *WHY], "parameter NODE requires an argument"),
        (["set-result", RUN, "ship", "{", *WHY, "--yes"], "the result given is no JSON"),
    ],
)
def test_a_mistake_asks_nothing(
    words: list[str], sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, told = told_of(words, store, capsys)

    assert status == MISTAKE
    assert sentence in told
    assert told.count("\n") == 1
    assert "asked" not in told_of(["show", RUN], store, capsys)[1]


@pytest.mark.real
@pytest.mark.parametrize(
    ("answer", "status", "after"),
    [
        ("n", ERROR, "nothing was asked of the run\n"),
        ("y", UNANSWERED, ON_RECORD.format("set-result", RUN)),
    ],
)
def test_at_a_terminal_it_is_shown_and_asked_first(
    answer: str, status: int, after: str, store: str
) -> None:
    words = ["set-result", RUN, "ship", '"by hand"', "--store", store, *WHY, "--wait", "0s"]
    ours, theirs = os.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        finished = subprocess.run(
            [sys.executable, "-m", "makegood.cli", *words],
            check=False,
            stdin=theirs,
            stdout=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)

    foreseen = f"to give `ship` its result of {RUN} would be accepted; it is running then\n"
    assert (finished.returncode, finished.stdout) == (
        status,
        f"{foreseen}  begins at once: charge\ngive it this result? [y/N] {after}",
    )


# With a worker -----------------------------------------------------------------------------------


async def asked(words: list[str], store: str) -> int:
    return await asyncio.to_thread(main, [*words, "--store", store, *WHY, "--wait", "30s"])


async def run_of(engine: Engine, name: str) -> str:
    return await Operator(engine).find(name)


@pytest.mark.real
async def test_a_worker_pauses_a_run_and_goes_on_with_what_a_person_gives(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker(store) as engine:
        run = await run_of(engine, WAITING)
        assert await asked(["pause", WAITING], store) == DONE
        assert capsys.readouterr().out == f"{WAITING} is paused: nothing more begins\n"
        given = ["set-result", WAITING, "charge", '"by hand"', "--yes"]
        assert await asked(given, store) == DONE
        assert await asked(["skip", WAITING, "hold_stock", "--yes"], store) == ERROR
        assert await asked(["resume", WAITING], store) == DONE
        outcome = await engine.run(run).outcome()

    assert outcome.status == "completed"


def test_every_answer_is_told_in_words() -> None:
    refused = [answer for answer in ControlAnswer if answer is not ControlAnswer.ACCEPTED]

    assert len({refusal_of(answer) for answer in refused}) == len(refused)


def test_a_paused_run_is_listed_as_such(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(RUN, store, capsys) == "waiting"
    assert told_of(["runs", "--status", "paused"], store, capsys) == (
        DONE,
        "there are no such runs\n",
    )
