"""The parent's side: processes that it starts, stops and kills, and what it was told by them.

What was acknowledged is remembered here, outside of any store, and every store is held to it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from makegood.commerce.cdnow import Purchase, read_rows, spread
from makegood.decision.retry import Chance
from tests.chaos.audit import Ask, Finding
from tests.chaos.shift import Ended, Placed, Shift, Started, Told, read_told
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.chaos.disk import Trouble

__all__ = ["DEADLINE_SECONDS", "Child", "Stage"]

DEADLINE_SECONDS = 120.0
"""Nothing takes so long unless it hangs."""

ERROR_BYTES_MAX = 2_000
"""How much of what the processes of a store logged is shown, where there are problems."""

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}

T = TypeVar("T", bound=Told)


class Child:
    """One process of the campaign."""

    def __init__(self, process: asyncio.subprocess.Process, hear: Callable[[Told], None]) -> None:
        self._process = process
        self._hear = hear
        assert process.stdout is not None
        self._lines = process.stdout

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def says(
        self, *kinds: type[T], times: int = 1, within: float = DEADLINE_SECONDS
    ) -> T | None:
        """Hear it until it has said one of these so often; None when its time or its life is up."""
        try:
            async with asyncio.timeout(within):
                while (line := await self._lines.readline()).endswith(b"\n"):
                    told = self._take(line)
                    if isinstance(told, kinds):
                        times -= 1
                        if times <= 0:
                            return told
        except TimeoutError:
            pass
        return None

    async def ends(self) -> int | None:
        """Hear it to its end and return its exit status; None when it hung, and was killed."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._ended()
        except TimeoutError:
            self._process.kill()
            await self._ended()
            return None

    async def killed(self) -> bool:
        """Kill it, and say whether it was still alive."""
        self.signal(signal.SIGKILL)
        return await self.ends() == -signal.SIGKILL

    async def _ended(self) -> int:
        # What was cut short by the end was not said.
        while (line := await self._lines.readline()).endswith(b"\n"):
            self._take(line)
        return await self._process.wait()

    async def stops(self) -> None:
        """Wait until it has stopped, by whosever signal, or has ended."""
        wanted = os.WSTOPPED | os.WEXITED | os.WNOWAIT
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.to_thread(os.waitid, os.P_PID, self._process.pid, wanted)

    def signal(self, number: int) -> None:
        # The process's own method would reap one that has just died, and its status would be lost.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _take(self, line: bytes) -> Told:
        told = read_told(line)
        self._hear(told)
        return told


class Stage:
    """One store, the processes that work on it, and what they acknowledged."""

    def __init__(
        self, *, orders: int, seed: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seed = seed
        self.chance = Chance(seed)
        self.clock = clock
        known = [row for row in read_rows() if isinstance(row, Purchase)]
        self.sample = tuple(spread(known, orders, seed=seed))
        self.starts: dict[str, str] = {}
        self.ends: dict[str, tuple[str, str | None]] = {}
        self.problems: list[str] = []
        self.audits = 0
        self.last: Finding | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="makegood-chaos-")
        self.store = Path(self._folder.name) / "shop.journal"
        self._errors = (Path(self._folder.name) / "errors").open("w+b")
        self._children: list[asyncio.subprocess.Process] = []
        self._auditor: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._auditor = await self._spawn("tests.chaos.audit")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._children:
            if process.returncode is None:
                process.kill()
            await process.communicate()
        if self.problems:
            self._errors.seek(0)
            self.problems.append(self._errors.read()[-ERROR_BYTES_MAX:].decode(errors="replace"))
        self._errors.close()
        self._folder.cleanup()

    def draw(self, what: str, number: int, low: float, high: float) -> float:
        return low + self.chance.fraction(what, number) * (high - low)

    def unended(self, first: int) -> tuple[int, ...]:
        """Return the positions of the orders among the first so many that have not ended."""
        return tuple(
            position
            for position, purchase in enumerate(self.sample[:first])
            if f"order-{purchase.line}" not in self.ends
        )

    @property
    def all_orders(self) -> tuple[int, ...]:
        return tuple(range(len(self.sample)))

    async def start(
        self,
        asked: tuple[int, ...] = (),
        *,
        trouble: Trouble | None = None,
        at_once: int = 32,
        works: bool = True,
        is_hurried: bool = False,
        closes: bool = False,
        poll_seconds: float = 1.0,
    ) -> Child:
        """Start a process on the store."""
        shift = Shift(
            store=str(self.store),
            sample=self.sample,
            asked=asked,
            seed=self.seed,
            at_once=at_once,
            works=works,
            is_hurried=is_hurried,
            closes=closes,
            poll_seconds=poll_seconds,
            trouble=trouble,
        )
        process = await self._spawn("tests.chaos.child")
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(shift) + b"\n")
        return Child(process, self._hear)

    async def finish(self, *, is_hurried: bool = False) -> None:
        """Let a process ask for every order again, close in good order, and look at the end."""
        child = await self.start(self.all_orders, closes=True, is_hurried=is_hurried)
        if await child.says(Placed) is None:
            self.problems.append("not every order ended")
            await child.killed()
        elif await child.ends() != 0:
            self.problems.append(f"the last process ended with {child.returncode}")
        await self.audit(is_finished=True)

    async def audit(self, *, at_rest: bool = True, is_finished: bool = False) -> Finding:
        """Have the store looked into from outside and held to what was acknowledged."""
        ask = Ask(
            store=str(self.store),
            starts=self.starts,
            ends=self.ends,
            at_rest=at_rest,
            is_finished=is_finished,
        )
        assert self._auditor is not None
        assert self._auditor.stdin is not None
        assert self._auditor.stdout is not None
        self._auditor.stdin.write(msgspec.json.encode(ask) + b"\n")
        async with asyncio.timeout(DEADLINE_SECONDS):
            line = await self._auditor.stdout.readline()
        found = msgspec.json.decode(line, type=Finding)
        self.problems += found.problems
        self.audits += 1
        self.last = found
        return found

    async def _spawn(self, module: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
            limit=1 << 20,
        )
        self._children.append(process)
        return process

    def _hear(self, told: Told) -> None:
        """Remember what is acknowledged; the same order has one run and one end for ever."""
        match told:
            case Started():
                first = self.starts.setdefault(told.order, told.run)
                if first != told.run:
                    self.problems.append(f"{told.order} was run {first} and then {told.run}")
            case Ended():
                end = (told.status, told.rollback)
                before = self.ends.setdefault(told.order, end)
                if before != end:
                    self.problems.append(f"{told.order} had ended {before} and then {end}")
            case _:
                return
