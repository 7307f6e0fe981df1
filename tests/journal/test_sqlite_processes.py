"""What remains when processes are killed, and who takes over?"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from makegood.journal.protocol import Applied
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.values.instants import Instant
from tests.journal.records import ALICE, BOB, append, facts, first, run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 30.0


class Children:
    """Processes of `child.py`, none of which outlives the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started: list[asyncio.subprocess.Process] = []

    async def start(self, role: str) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.journal.child",
            role,
            str(self.path),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.started.append(child)
        return child

    async def end(self) -> None:
        for child in self.started:
            if child.returncode is None:
                child.kill()
            await child.communicate()


@pytest.fixture
async def children(tmp_path: Path) -> AsyncGenerator[Children, None]:
    children = Children(tmp_path / "orders.journal")
    yield children
    await children.end()


async def line(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        return (await child.stdout.readline()).decode().strip()


async def asked(standby: asyncio.subprocess.Process) -> str:
    """Let a standby try once, and return what it says."""
    assert standby.stdin is not None
    standby.stdin.write(b"try\n")
    return await line(standby)


async def kill(child: asyncio.subprocess.Process) -> list[str]:
    """Kill a process and return what it had still said."""
    assert child.stdout is not None
    child.kill()
    async with asyncio.timeout(DEADLINE_SECONDS):
        rest = (await child.stdout.read()).decode()
        await child.wait()
    return rest[: rest.rfind("\n") + 1].splitlines()


async def test_what_a_killed_process_had_acknowledged_is_there(children: Children) -> None:
    acknowledged: dict[str, int] = {}
    for crashes in range(1, 4):
        if children.path.exists():
            children.path.unlink()
            children.path.with_name("orders.journal-wal").unlink()
            children.path.with_name("orders.journal-shm").unlink()
        child = await children.start("lead")
        assert await line(child) == "leads"
        said = [await line(child) for _ in range(200 * crashes)]
        said += await kill(child)
        acknowledged = {run: int(seq) for run, seq in map(str.split, said)}

        journal = SqliteJournal(children.path)
        await journal.open(work=True)
        assert journal.leads
        assert await journal.crashes() == 1
        for run, seq in acknowledged.items():
            history = await journal.read(run_id(int(run[-3:])))
            # The last reply may have been lost with the process, but nothing else.
            assert history.row.seq in (seq, seq + 1)
            assert history.appends == tuple(
                facts(f"{run[-3:]}/{number}") for number in range(1, history.row.seq + 1)
            )
        await journal.close()
    assert len(acknowledged) == 10


async def test_a_standby_takes_over_when_the_leader_is_killed(children: Children) -> None:
    leader = await children.start("lead")
    assert await line(leader) == "leads"
    for _ in range(50):
        await line(leader)
    standby = await children.start("stand-by")
    assert await line(standby) == "stands by"

    assert await asked(standby) == "stands by"

    await kill(leader)

    # The kernel has given the lock back before it says that the process is gone.
    assert await asked(standby) == "took over 10"


async def test_a_client_in_another_process_posts_while_the_leader_works(
    children: Children,
) -> None:
    journal = SqliteJournal(children.path)
    await journal.open(work=True)
    await journal.append(first(run_id(1)))
    await journal.append(first(run_id(2)))
    client = await children.start("post")

    seq = 1
    saying = asyncio.create_task(line(client))
    while not saying.done():
        seq += 1
        assert await journal.append(append(run_id(2), seq)) == Applied()
    assert await saying == "posted"

    leases = await journal.lease(ALICE, room={"plan-1": 999}, limit=9, now=Instant(1))
    history = await journal.read(run_id(1))
    assert leases.rung == (run_id(1),)
    assert [posted.n for posted in history.inbox] == list(range(1, 101))
    assert [posted.body for posted in history.inbox] == [b"%d" % n for n in range(100)]
    await journal.close()


async def test_a_second_process_that_wants_to_work_stands_by(children: Children) -> None:
    leader = await children.start("lead")
    assert await line(leader) == "leads"
    journal = SqliteJournal(children.path)

    await journal.open(work=True)

    assert not journal.leads
    leases = await journal.lease(BOB, room={"plan-1": 999}, limit=9, now=Instant(1))
    assert leases.claimed == ()
    await journal.close()


async def test_a_process_that_never_closes_its_journal_still_ends(children: Children) -> None:
    child = await children.start("leave")

    assert await line(child) == "leaves"
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await child.wait() == 0
