"""`makegood prune` and `makegood erase`: what goes, what stays, and what is said of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, OutcomeUnknown, step, workflow
from makegood.cli.app import main
from makegood.cli.status import DONE, FOUND, MISTAKE
from makegood.journal.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.journal.protocol import Journal
    from tests.journal.postgres.served import PostgresWorld, Served

CANARY = "Ada Lovelace 4242"
WHY = ["--reason", "article 17", "--actor", "eve"]


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


# Pruning ----------------------------------------------------------------------------------------


def test_what_ended_long_ago_is_pruned_and_its_keys_stay(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = ["--store", store, "--older-than", "90d"]

    assert main(["prune", *old, "--dry-run"]) == DONE
    assert told(capsys) == "2 runs and 0 messages would be pruned\n"
    assert main(["prune", *old, "--dry-run", "--json"]) == DONE
    assert json.loads(told(capsys)) == {"prunable": 2, "messages": 0, "kept_seconds": {}}
    assert main(["prune", *old, "--batch", "1"]) == DONE
    assert told(capsys) == "2 runs and 0 messages were pruned\n"
    assert main(["prune", *old, "--json"]) == DONE
    assert json.loads(told(capsys)) == {"pruned": 0, "messages": 0, "kept_seconds": {}}

    assert main(["runs", "--store", store, "--status", "completed"]) == DONE
    assert "place_order/order-1" in told(capsys)
    assert main(["show", "place_order/order-1", "--store", store]) == MISTAKE


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--older-than", "0s"], "Give a duration of more than 0s"),
        (["--older-than=-1d"], "Give a duration of more than 0s"),
        (["--older-than", "1d", "--batch", "0"], "--batch is 0; prune at least one run"),
        ([], "no workflow says how long its runs are kept; say it here by --older-than"),
    ],
)
def test_an_age_that_everything_has_is_a_mistake(
    words: list[str], sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", "--store", store, *words]) == MISTAKE
    assert sentence in capsys.readouterr().err


@pytest.mark.real
async def test_what_a_workflow_says_of_its_runs_counts_whatever_the_age(tmp_path: Path) -> None:
    path = tmp_path / "shop.journal"
    for period in (timedelta(days=3_653), timedelta(microseconds=1)):
        async with Engine(SqliteJournal(path)) as engine:
            engine.serve(sign_up.kept_for(period))
            await (await engine.start(sign_up(CANARY), key="order-1")).result()
        counts = [
            await in_another_process("prune", "--store", str(path), *words)
            for words in (["--older-than", "0.001s"], [])
        ]
        if period > timedelta(days=1):
            left = "runs of sign_up are kept for 3653 d after their end\n"
            assert counts == [(DONE, f"0 runs and 0 messages were pruned\n{left}")] * 2
        else:
            told_first = counts[0][1].splitlines()[0]
            assert told_first == "1 run and 0 messages was pruned"


@pytest.mark.real
async def test_a_store_is_pruned_while_a_worker_leads_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.journal"
    async with Engine(SqliteJournal(path)) as engine:
        engine.serve(sign_up)
        for number in range(4):
            run = await engine.start(sign_up(CANARY), key=f"order-{number}")
            await run.result()
        assert await in_another_process(
            "prune", "--store", str(path), "--older-than", "0.001s"
        ) == (
            DONE,
            "4 runs and 0 messages were pruned\n",
        )
        again = await engine.start(sign_up("somebody else"), key="order-9")
        assert await again.result() == "welcome somebody else"


# Erasing ----------------------------------------------------------------------------------------


async def greet(name: str) -> str:
    return f"welcome {name}"


async def forget(greeting: str) -> None:
    """Take it back."""


async def fail(greeting: str) -> str:
    message = f"cannot serve {greeting}"
    raise ValueError(message)


async def lose(greeting: str) -> str:
    message = f"no answer about {greeting}"
    raise OutcomeUnknown(message)


greeted = step(greet, undo=forget)


@workflow
def sign_up(name: str) -> str:
    """Greet them."""
    return greeted(name)


@workflow
def sign_up_badly(name: str) -> str:
    """Greet them, and fail."""
    return step(fail, irreversible="nothing happens")(greeted(name))


@workflow
def sign_up_blindly(name: str) -> str:
    """Greet them, and do not know how it went."""
    return step(lose, irreversible="unknown", key_valid_for=None)(greeted(name))


async def fill(journal: Journal) -> None:
    """Have runs about Ada end, fail and park, and one about somebody else."""
    async with Engine(journal, config=Config()) as engine:
        engine.serve(sign_up, sign_up_badly, sign_up_blindly)
        for flow in (sign_up, sign_up_badly, sign_up_blindly):
            run = await engine.start(flow(CANARY), key="1", subject="customer-17")
            await run.outcome()
        run = await engine.start(sign_up("Bob"), key="2", subject="customer-2")
        await run.outcome()


async def in_another_process(*words: str) -> tuple[int, str]:
    """Run a command where it has a file for itself."""
    import asyncio  # noqa: PLC0415
    import sys  # noqa: PLC0415

    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "makegood.cli", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await made.communicate()
    return made.returncode or 0, said.decode()


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


def canaries(folder: Path) -> list[str]:
    """Return the files in which the canary can be read."""
    return [path.name for path in folder.iterdir() if CANARY.encode() in path.read_bytes()]


@pytest.mark.real
async def test_nothing_of_an_erased_subject_is_left_in_the_file_or_its_log(tmp_path: Path) -> None:
    path = tmp_path / "shop.journal"
    await fill(SqliteJournal(path))
    assert canaries(tmp_path) == ["shop.journal"]
    parked = ["settle", "sign_up_blindly/1", "lose", "--did-not-happen", "--wait", "0s", *WHY]
    erase = ["erase", "--store", str(path), "--subject", "customer-17", *WHY]

    first = await in_another_process(*erase)
    assert await in_another_process(*parked, "--store", str(path)) != (DONE, "")
    async with Engine(SqliteJournal(path)) as engine:
        engine.serve(sign_up_blindly)
        run = await engine.start(sign_up_blindly(CANARY), key="1")
        while (await run.outcome()).status == "parked":
            pass
    second = await in_another_process(*erase)

    assert first[0] == FOUND
    assert first[1].startswith("2 runs of customer-17 erased\n\n1 run still under way; erase again")
    assert "parked, in doubt        sign_up_blindly/1" in first[1]
    assert second == (DONE, "1 run of customer-17 erased\n")
    assert canaries(tmp_path) == []
    shown = await in_another_process("show", "sign_up_badly/1", "--store", str(path))
    assert "sign_up_badly 1: erased (error)" in shown[1]
    assert "erased by eve (article 17)" in shown[1]
    listed = await in_another_process("runs", "--store", str(path), "--status", "erased", "--json")
    assert len(json.loads(listed[1])["runs"]) == 3
    others = await in_another_process("runs", "--store", str(path), "--subject", "customer-2")
    assert "sign_up/2" in others[1]


@pytest.mark.real
async def test_nothing_of_an_erased_subject_is_left_in_a_table(world: PostgresWorld) -> None:
    from makegood.journal.postgres.journal import PostgresJournal  # noqa: PLC0415

    await fill(PostgresJournal(world.place))
    address = f"{world.dsn}&schema={world.place.schema}"
    erase = ["erase", "--store", address, "--subject", "customer-17", *WHY, "--json"]

    status, said = await in_another_process(*erase)

    told = json.loads(said)
    assert status == FOUND
    assert (len(told["erased"]), len(told["under_way"])) == (2, 1)
    assert "until it is vacuumed" in told["remains"]
    for table, column in (("run", "run::text"), ("facts", "convert_from(body, 'UTF8')")):
        rows = await world.sql(
            f"SELECT count(*) FROM {table} WHERE strpos({column}, $1) > 0 "  # noqa: S608
            f"AND {'id' if table == 'run' else 'run'} = ANY ($2)",
            *(CANARY, told["erased"]),
        )
        assert rows[0][0] == 0


@pytest.mark.real
async def test_whoever_leads_the_file_is_named_as_the_one_who_moves_its_log(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.journal"
    async with Engine(SqliteJournal(path)) as engine:
        engine.serve(sign_up)
        run = await engine.start(sign_up(CANARY), subject="customer-17")
        await run.result()
        status, said = await in_another_process(
            "erase", "--store", str(path), "--subject", "customer-17", *WHY
        )
    assert (status, "leads" in said, "moves its log into it" in said) == (DONE, True, True)
    assert canaries(tmp_path) == []


def test_a_subject_of_whom_there_is_nothing_is_no_mistake(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["erase", "--store", store, "--subject", "nobody", *WHY]) == DONE
    assert told(capsys) == "0 runs of nobody erased\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--subject", "", *WHY], "the subject is empty"),
        (["--subject", "x", "--reason", " "], "the reason is empty"),
        (["--subject", "x"], "--reason"),
    ],
)
def test_an_erasure_says_whose_runs_and_why(
    words: list[str], sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["erase", "--store", store, *words]) == MISTAKE
    assert sentence in capsys.readouterr().err
