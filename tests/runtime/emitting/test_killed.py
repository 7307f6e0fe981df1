"""Real processes, really killed: a step's success and its messages are there together."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, Filter
from makegood.decision import facts
from makegood.journal.messages import MessageFilter
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.values.ids import effect_key, message_id
from tests.runtime.emitting.child import STEPS, depot, parcel
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from makegood.journal.protocol import Journal

pytestmark = pytest.mark.real

PARCELS = 200


def kill_after(journal: Path, lines_max: int) -> None:
    """Run a child until it has sent so many parcels, and kill it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.emitting.child", str(journal), str(PARCELS)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    for _ in range(lines_max):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    child.stdout.close()


async def done_and_sent(journal: Journal) -> tuple[Counter[str], Counter[str]]:
    """Return what is to have been sent by all that is recorded as done, and what was sent."""
    done: Counter[str] = Counter()
    after = None
    while True:
        page = await journal.list(Filter(after=after, limit=200))
        for row in page.rows:
            history = await journal.read(row.run)
            for body in history.appends:
                for fact in facts.read_facts(body):
                    if isinstance(fact, facts.NodeDone) and fact.node in STEPS:
                        key = effect_key("parcel", row.key or "", fact.node, "do", generation=0)
                        done[message_id(key, 1)] += 1
        after = page.next
        if after is None:
            break
    sent: Counter[str] = Counter()
    behind = None
    while True:
        found = await journal.messages.messages(MessageFilter(after=behind, limit=200))
        sent.update(each.message.id for each in found.rows)
        behind = found.next
        if behind is None:
            return done, sent


async def test_a_kill_leaves_the_success_and_its_messages_or_neither(tmp_path: Path) -> None:
    path = tmp_path / "depot.journal"
    for lines in (1, 30, 70):
        await asyncio.to_thread(kill_after, path, lines)
        journal = SqliteJournal(path)
        await journal.open(work=False)
        done, sent = await done_and_sent(journal)
        await journal.close()
        assert done == sent
        assert set(done.values()) == {1}

    async with Engine(f"sqlite:///{path}") as engine:
        engine.serve(parcel, depot)
        for number in range(PARCELS):
            run = await engine.start(parcel(f"parcel {number}"), key=f"parcel-{number}")
            assert await run.result() == f"parcel {number}"
        done, sent = await done_and_sent(engine._shell.journal)
    assert done == sent
    assert len(sent) == len(STEPS) * PARCELS
