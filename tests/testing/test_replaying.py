"""Exported runs are folded as a workflow is declared now, and what no longer fits is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood import Engine, InvalidInput, each, pure, query, repeat, step, workflow
from makegood.journal.memory import MemoryJournal
from makegood.runtime.moving.exporting import exported
from makegood.runtime.operator import Operator
from makegood.testing import TurnableClock, finish, replay
from tests.runtime.moving.shops import OLD, UNFITTING, UNREADABLE, WITH_WRAP
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from makegood import Call


async def export_of(path: Path, *calls: Call[Any]) -> Path:
    """Write a file with the runs of these calls, each carried out to its end."""
    clock = TurnableClock()
    engine = Engine(MemoryJournal(), services={Outside: Outside()}, clock=clock)
    async with engine:
        engine.serve(*{call.workflow.plan.fingerprint: call.workflow for call in calls}.values())
        histories = []
        for number, call in enumerate(calls):
            run = await engine.start(call, key=f"order-{number}")
            await finish(engine, clock, run.outcome())
            histories.append(await Operator(engine).history(run.id))
    return written(path, exported(histories))


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n\n")
    return path


async def test_runs_are_folded_as_the_workflow_is_declared_now(tmp_path: Path) -> None:
    path = await export_of(tmp_path / "runs.jsonl", OLD("tea"), OLD("rum"))

    assert replay(OLD, path) == 2
    assert replay(OLD, str(path)) == 2


async def test_the_first_fact_of_each_run_that_no_longer_fits_is_named(tmp_path: Path) -> None:
    path = await export_of(tmp_path / "runs.jsonl", OLD("tea"), OLD("rum"))

    with pytest.raises(AssertionError) as caught:
        replay(UNFITTING, path)

    assert str(caught.value) == "\n".join(
        f"sell/order-{number}, fact 2 (node started): `hold` has begun, and waits for `check` now, "
        "which has not happened"
        for number in (0, 1)
    )
    with pytest.raises(AssertionError, match="has come to its end, and `wrap`, which is new"):
        replay(WITH_WRAP, path)


async def test_a_value_that_cannot_be_read_any_more_is_named(tmp_path: Path) -> None:
    path = await export_of(tmp_path / "runs.jsonl", OLD("tea"))

    with pytest.raises(AssertionError, match=r"fact 3 \(node done\): the result of `hold` cannot"):
        replay(UNREADABLE, path)


async def find(sku: str) -> list[str]:
    return [f"{sku}-1", f"{sku}-2"]


async def pack(line: str) -> str:
    return line


async def unpack(line: str) -> None: ...
def longer(text: str) -> str:
    return f"{text}!"


def is_long(text: str) -> bool:
    return text.endswith("!!")


packed = step(pack, undo=unpack)
lengthened = pure(longer)


@workflow
def pack_all(sku: str) -> list[str]:
    lines = each(query(find)(sku), packed)
    repeat(lengthened, sku, times_max=3, until=is_long)
    return lines


async def test_what_goes_round_is_read_too(tmp_path: Path) -> None:
    path = await export_of(tmp_path / "runs.jsonl", pack_all("tea"))
    assert replay(pack_all, path) == 1

    text = path.read_text()
    path.write_text(text.replace('"items":["tea-1","tea-2"]', '"items":["tea-1",2]'))
    with pytest.raises(AssertionError, match="an item of `each` cannot be read any more"):
        replay(pack_all, path)
    path.write_text(text.replace('"value":"tea!"', '"value":7'))
    with pytest.raises(AssertionError, match="what a round of `repeat` is given cannot be read"):
        replay(pack_all, path)
    path.write_text(text.replace('"inputs":{"sku":"tea"}', '"inputs":{"sku":7}'))
    with pytest.raises(AssertionError, match="the input `sku` cannot be read any more"):
        replay(pack_all, path)


async def test_a_file_without_a_run_of_the_workflow_shows_nothing(tmp_path: Path) -> None:
    path = await export_of(tmp_path / "runs.jsonl", OLD("tea"))

    with pytest.raises(AssertionError, match=r"runs.jsonl has no run of `pack_all`, so this shows"):
        replay(pack_all, path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", r"line 1 of runs.jsonl is no exported plan or run \(.*\); write the file with"),
        ("\nno", "line 2 of runs.jsonl is no exported plan or run"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(text)

    with pytest.raises(InvalidInput, match=why):
        replay(OLD, path)


async def test_a_file_that_lacks_a_plan_is_refused(tmp_path: Path) -> None:
    path = await export_of(tmp_path / "runs.jsonl", OLD("tea"))
    path.write_text(path.read_text().splitlines()[1])

    with pytest.raises(InvalidInput, match=f"lacks the plan {OLD.plan.fingerprint} of run"):
        replay(OLD, path)
