"""A process of its own that works on a journal: what the tests kill, or let stand by.

`python -m tests.journal.child lead|stand-by|post|leave PATH`. Each line that it prints is a thing
done.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from makegood.journal.protocol import Applied
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.values.instants import Instant
from tests.journal.records import BOB, append, first, post, run_id


async def lead(path: Path) -> None:
    """Append for ever, ten runs at once, and print what was acknowledged."""
    journal = SqliteJournal(path)
    await journal.open(work=True)
    say("leads" if journal.leads else "stands by")

    async def work(number: int) -> None:
        run = run_id(number)
        await journal.append(first(run, token=os.urandom(16)))
        say(f"{run} 1")
        for seq in itertools.count(2):
            if await journal.append(append(run, seq, token=os.urandom(16))) != Applied():
                return
            say(f"{run} {seq}")

    await asyncio.gather(*(work(number) for number in range(1, 11)))


async def stand_by(path: Path) -> None:
    """Try to lead once for every line that is read, and print what was claimed."""
    journal = SqliteJournal(path)
    await journal.open(work=True)
    say("leads" if journal.leads else "stands by")
    for _ in sys.stdin:
        claimed = await journal.lease(BOB, room={"plan-1": 999}, limit=100, now=Instant(1))
        say(f"took over {len(claimed.claimed)}" if journal.leads else "stands by")
    await journal.close()


async def post_often(path: Path) -> None:
    """Post a hundred times to the first run."""
    journal = SqliteJournal(path)
    await journal.open(work=False)
    for number in range(100):
        await journal.post(post(run_id(1), b"%d" % number))
    say("posted")
    await journal.close()


async def leave(path: Path) -> None:
    """Open a journal, and end without closing it."""
    await SqliteJournal(path).open(work=True)
    say("leaves")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - it is how the test hears of it


if __name__ == "__main__":
    _, role, where = sys.argv
    roles = {"lead": lead, "stand-by": stand_by, "post": post_often, "leave": leave}
    asyncio.run(roles[role](Path(where)))
