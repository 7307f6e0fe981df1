"""The program of somebody who runs workers: an engine, and functions that make one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from makegood import Config, Engine, step, workflow

STORE = os.environ.get("SHOP_STORE", "memory://")
MARKS = Path(os.environ.get("SHOP_MARKS", "."))


async def pack(order: str) -> str:
    with (MARKS / "packed").open("a") as marks:
        marks.write(f"{os.getpid()} {order}\n")
    return order


async def ponder(order: str) -> str:
    """Take longer than any test, the first time."""
    if ponderers_with_this_one() == 1:
        await asyncio.Event().wait()
    return order


def ponderers_with_this_one() -> int:
    """Leave a mark of this process, and return how many have left theirs."""
    (MARKS / f"pondering-{os.getpid()}").touch()
    return len(list(MARKS.glob("pondering-*")))


async def fall(order: str) -> str:
    """Die, the first time."""
    if not (MARKS / "fallen").exists():
        (MARKS / "fallen").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return order


@workflow
def send(order: str) -> str:
    return step(pack, irreversible="it is only a test")(order)


@workflow
def think(order: str) -> str:
    return step(ponder, irreversible="it is only a test")(order)


@workflow
def stumble(order: str) -> str:
    return step(fall, irreversible="it is only a test")(order)


def engine() -> Engine:
    made = Engine(STORE, config=Config(shutdown_grace=timedelta(milliseconds=50)))
    made.serve(send, think, stumble)
    return made


async def engine_in_time() -> Engine:
    return engine()


@asynccontextmanager
async def shop() -> AsyncGenerator[Engine]:
    async with engine() as opened:
        yield opened


@asynccontextmanager
async def till() -> AsyncGenerator[str]:
    yield "a till"


ready = engine()
client = Engine(STORE, work=False)
idle = Engine(STORE)
number = 17


def broken() -> Engine:
    message = "no money"
    raise ValueError(message)
