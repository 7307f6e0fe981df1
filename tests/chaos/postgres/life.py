"""One worker process: how it is started, killed, stopped and asked to go, and what it logs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from makegood.cli.worker.working import LEASH
from tests.chaos.postgres.shop import BADGE
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.postgres.shop import Badge

__all__ = ["Life"]

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}

SECONDS_MAX = 60.0
"""Nothing that a worker is asked for takes so long unless it hangs."""

LINES_KEPT = 40

_OPEN = "works as process"
_LOGGED = {
    "is held by another worker": "refused",
    " waits for ": "waited",
    "the event loop stood still": "had no time",
    "no lease can be renewed": "had no time",
}
"""What is counted of the lines that a worker logs."""


class Life:
    """A worker, from its start to its end."""

    def __init__(self, badge: Badge, process: asyncio.subprocess.Process) -> None:
        self.worker = badge.worker
        self.logged: Counter[str] = Counter()
        self.last_lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.has_failed = False
        """Whether it had ended by itself when it was to be ended."""
        self._process = process
        self._is_open = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def begin(cls, badge: Badge, folder: Path, leash: int) -> Life:
        """Start a worker; it stops when the other end of the leash is closed."""
        path = folder / badge.worker
        path.write_bytes(msgspec.json.encode(badge))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "makegood.cli", "worker", "tests.chaos.postgres.shop:shop"),
            cwd=ROOT,
            env=ENVIRONMENT | {BADGE: str(path), LEASH: str(leash)},
            pass_fds=(leash,),
            process_group=0,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        return cls(badge, process)

    async def opens(self) -> None:
        """Wait until it works, or has ended."""
        opened = asyncio.ensure_future(self._is_open.wait())
        await asyncio.wait(
            [opened, self._reading], return_when=asyncio.FIRST_COMPLETED, timeout=SECONDS_MAX
        )
        opened.cancel()
        assert self._is_open.is_set(), f"{self.worker} did not open:\n" + self.said

    @property
    def said(self) -> str:
        """The last lines that it logged."""
        return "\n".join(self.last_lines)

    async def killed(self) -> None:
        self.has_failed = self._reading.done()
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stopped(self) -> None:
        """Have it stand still."""
        self.signal(signal.SIGSTOP)
        wanted = os.WSTOPPED | os.WEXITED | os.WNOWAIT
        async with asyncio.timeout(SECONDS_MAX):
            await asyncio.to_thread(os.waitid, os.P_PID, self._process.pid, wanted)

    def goes_on(self) -> None:
        """Let it go on that stands still."""
        self.signal(signal.SIGCONT)

    async def gone(self) -> int:
        """Ask it to stop in good order and return its exit status; one that hangs is killed."""
        self.has_failed = self._reading.done()
        self.signal(signal.SIGTERM)
        return await self.ended(within=SECONDS_MAX)

    async def ended(self, *, within: float | None = None) -> int:
        """Wait for its end and return its exit status; one that takes longer is killed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await asyncio.shield(self._reading)
        if not self._reading.done():
            self.signal(signal.SIGKILL)
            await self._reading
        return await self._process.wait()

    def signal(self, number: int) -> None:
        # The process's own method would reap one that has just died, and its status would be lost.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            text = line.decode(errors="replace").rstrip()
            self.last_lines.append(text)
            if _OPEN in text:
                self._is_open.set()
            for words, name in _LOGGED.items():
                self.logged[name] += words in text
