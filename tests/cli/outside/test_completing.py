"""Complete and fail: what somebody outside says of a step, and what became of that."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import CompletionToken, Config, Engine, Run, injected, later, step, workflow
from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR, MISTAKE, UNANSWERED
from makegood.decision.facts import CompletionAwaited

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


class Desk:
    def __init__(self) -> None:
        self.tokens: asyncio.Queue[CompletionToken] = asyncio.Queue()


async def ask_desk(*, desk: Desk = injected, token: CompletionToken = injected) -> int:
    await desk.tokens.put(token)
    later(within=timedelta(hours=1))


@workflow
def inquire() -> int:
    return step(ask_desk, irreversible="a question")()


@asynccontextmanager
async def asked(store: Path) -> AsyncGenerator[tuple[Run[int], CompletionToken]]:
    """Serve a run of a store that waits for the desk, as another process would."""
    desk = Desk()
    engine = Engine(
        f"sqlite:///{store}",
        services={Desk: desk},
        config=Config(shutdown_grace=timedelta(0)),
    )
    async with engine:
        engine.serve(inquire)
        run = await engine.start(inquire())
        token = await desk.tokens.get()
        async for event in run.events():
            if isinstance(event.fact, CompletionAwaited):
                break
        yield run, token


async def left_waiting(store: Path) -> tuple[Run[int], CompletionToken]:
    async with asked(store) as found:
        return found


def words_of(token: str, store: Path, *words: str) -> list[str]:
    return [words[0], token, "--store", str(store), *words[1:]]


@pytest.mark.real
async def test_a_step_is_completed_once_and_the_same_is_known_after_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "desk.journal"
    said: list[tuple[int, str, str]] = []
    async with asked(store) as (run, token):
        for result in ("42", "42", "43"):
            words = words_of(token, store, "complete", "--result", result, "--wait", "30s")
            status = await asyncio.to_thread(main, words)
            told = capsys.readouterr()
            said.append((status, told.out, told.err.partition(" was completed")[0]))
        assert await run.result() == 42

    assert said == [
        (DONE, "the step is done\n", ""),
        (DONE, "the same was said before, and nothing changes\n", ""),
        (ERROR, "", f"`ask_desk` of run {run.id}"),
    ]


@pytest.mark.real
@pytest.mark.parametrize(
    ("kind", "status"), [("declined", "failed"), ("unavailable", "waiting"), ("unknown", "waiting")]
)
async def test_a_step_fails_as_definitely_as_is_said(
    kind: str, status: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "desk.journal"
    async with asked(store) as (run, token):
        words = words_of(token, store, "fail", "--error", "closed", "--kind", kind, "--wait", "30s")
        assert await asyncio.to_thread(main, [*words, "--actor", "eve", "--json"]) == DONE
        (node,) = (await run.describe()).nodes
        assert (await run.describe()).status == status

    assert node.failure is not None
    assert node.failure.message == "closed"
    assert json.loads(capsys.readouterr().out) == {
        "token": token,
        "answer": "accepted",
        "says": "the step has failed",
    }


def test_what_nobody_answers_is_on_record_and_what_is_wrong_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "desk.journal"
    run, token = asyncio.run(left_waiting(store))
    assert main(["show", run.id, "--store", str(store)]) == DONE
    assert f"to be completed with {token}" in " ".join(capsys.readouterr().out.split())

    words = words_of(token, store, "complete", "--result", "{")
    assert main(words) == MISTAKE
    assert "the result given is no JSON" in capsys.readouterr().err
    words = words_of(token, store, "complete", "--result", "42", "--wait", "0s")
    assert main(words) == UNANSWERED
    assert capsys.readouterr().out == (
        "it is on record, and no worker has answered within 0 ms; "
        "the worker that next serves the run takes it\n"
    )
