"""Schedules: how each stands, as a person sees it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Call, Engine, Schedule, pure, workflow
from makegood.cli.app import main
from makegood.cli.status import DONE, FOUND, MISTAKE
from makegood.runtime.clock import pause
from makegood.testing import TurnableClock, finish
from makegood.values.instants import after

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = START + timedelta(minutes=1)


def closed(day: str) -> str:
    return day


@workflow
def close_day(day: str) -> str:
    return pure(closed)(day)


def call_for(slot: datetime) -> Call[str]:
    if slot.minute == 2:
        message = "the calendar is away"
        raise LookupError(message)
    return close_day(f"{slot:%H:%M}")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "shop.journal"


def serve(store: Path, *, minutes: float) -> None:
    """Leave a store on which a schedule was served so long."""

    async def main() -> None:
        clock = TurnableClock(START)
        engine = Engine(f"sqlite:///{store}", clock=clock)
        async with engine:
            minutely = Schedule(
                "day's end", call_for, every=timedelta(minutes=1), start=FIRST, times_max=9
            )
            engine.serve(close_day, minutely)
            until = after(clock.now(), timedelta(minutes=minutes))
            await finish(engine, clock, pause(clock, until))

    asyncio.run(main())


def test_what_nobody_looks_after_is_told_and_can_be_forgotten(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(store, minutes=1.5)

    assert main(["schedules", "--store", str(store)]) == FOUND
    told = capsys.readouterr().out.splitlines()
    assert told[0].split() == [
        *("schedule", "times", "next", "(UTC)", "last", "taken", "not", "taken", "started")
    ]
    assert "every 0:01:00" in told[1]
    assert "2026-01-01 00:02:00" in told[1]
    assert told[2].startswith("day's end is overdue: no engine that works on this store serves it")

    assert main(["schedules", "--store", str(store), "--forget", "day's end"]) == DONE
    capsys.readouterr()
    assert main(["schedules", "--store", str(store)]) == DONE
    assert capsys.readouterr().out == "no schedule was ever served on this store\n"
    assert main(["schedules", "--store", str(store), "--forget", "day's end"]) == MISTAKE


def test_a_slot_that_cannot_be_taken_is_told_with_its_error(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(store, minutes=2.1)

    assert main(["schedules", "--store", str(store), "--json"]) == FOUND
    (schedule,) = json.loads(capsys.readouterr().out)
    assert schedule["error"] == "LookupError: the calendar is away"
    assert schedule["count"] == 1
    assert main(["schedules", "--store", str(store)]) == FOUND
    assert "LookupError: the calendar is away; it is tried again at" in capsys.readouterr().out


def test_a_schedule_is_halted_like_anything_else(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(store, minutes=1.5)
    halting = ["--store", str(store), "--schedule", "day's end", "--reason", "month's end"]

    assert main(["pause", *halting]) == DONE
    assert "the schedule day's end is halted" in capsys.readouterr().out
    assert main(["schedules", "--store", str(store)]) == DONE
    assert "day's end is halted" in capsys.readouterr().out
    assert main(["resume", *halting]) == DONE
