"""A process of the demonstration: how it is started, what it says, and how it ends or is ended.

It is asked for its work in one line, answers in lines, and goes home when its input ends, so that
none is left when whoever started it has gone. This side never opens the store.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from makegood.cli.demo.shop import Day, Evening
from makegood.cli.demo.tally import ShopNews
from makegood.errors import MakegoodError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager
    from typing import BinaryIO

__all__ = ["Failed", "Job", "Life", "Part", "Told", "living", "read_job", "started", "write_told"]

T = TypeVar("T")

CLOSING_SECONDS_MAX = 20
"""How long a process may take to close in good order."""

LAST_WORDS_BYTES_MAX = 2_000
"""How much is told of what a process wrote before it failed."""

LINE_BYTES_MAX = 16_000_000
"""The longest line: the last one names every order that is parked."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The work could not be done, and why."""

    reason: str


Told = ShopNews | Evening | Failed
"""What a process says, a line each."""


class Part(StrEnum):
    """What a process is there for."""

    SHOP = "shop"
    """It places the orders and carries them out."""
    WORKER = "worker"
    """It carries out what somebody else places."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is asked for."""

    part: Part
    day: Day


def read_job(line: bytes) -> Job:
    """Return what a process is asked for."""
    return msgspec.json.decode(line, type=Job, dec_hook=lambda _kind, text: Path(str(text)))


def write_told(told: Told) -> bytes:
    """Return what is told as a line."""
    return msgspec.json.encode(told) + b"\n"


def living(job: Job) -> AbstractAsyncContextManager[Life[Told]]:
    """Start a process that is asked for this, and leave none behind."""
    return started("makegood.cli.demo.child", msgspec.json.encode(job, enc_hook=str), _told_type)


@asynccontextmanager
async def started(
    module: str, asked: bytes, told: msgspec.json.Decoder[T]
) -> AsyncGenerator[Life[T]]:
    """Start a process that runs a module and is asked for its work; leave none behind."""
    with tempfile.TemporaryFile() as errors:
        # In a group of its own, Ctrl-C in a terminal reaches this process alone, which passes
        # it on by ending the other's input.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            process_group=0,
            limit=LINE_BYTES_MAX,
        )
        life = Life(process, errors, told)
        try:
            await life.ask(asked)
            yield life
        finally:
            await life.end()


class Life(Generic[T]):
    """One process, and what it says."""

    def __init__(self, process: Process, errors: BinaryIO, told: msgspec.json.Decoder[T]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._asks, self._answers = process.stdin, process.stdout
        self._errors = errors
        self._told = told
        self._is_killed = False

    async def ask(self, asked: bytes) -> None:
        """Say what the process is there for, in one line."""
        # One that ended at once is found out by what it did not say.
        with suppress(ConnectionError):
            self._asks.write(asked + b"\n")
            await self._asks.drain()

    async def listen(self) -> T | None:
        """Return what is said next; None when the process was killed and has said all.

        Half a line was not said. Raises `MakegoodError` when it has ended by itself.
        """
        line = await self._answers.readline()
        if line.endswith(b"\n"):
            return self._told.decode(line)
        status = await self._process.wait()
        if self._is_killed:
            return None
        message = f"a process of the shop ended by itself, with {status}: {self._error()}"
        raise MakegoodError(message)

    def kill(self) -> None:
        """Kill the process by SIGKILL, of which it learns nothing."""
        self._is_killed = True
        self._process.kill()

    async def end(self) -> None:
        """Ask the process to close, give it some time, and end it if it takes longer."""
        self._asks.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_SECONDS_MAX):
                    # What is said now is for nobody, and must not keep it from closing.
                    await self._answers.read()
                    await self._process.wait()
        finally:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _error(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - LAST_WORDS_BYTES_MAX))
        return self._errors.read().decode(errors="replace").strip()


_told_type = msgspec.json.Decoder[Told](Told)
