"""Do statements about messages find rows by their indexes, however much there is beside them?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from makegood.journal.messages import DeliveryFilter, DeliveryState, MessageFilter
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.values.instants import Instant
from tests.journal.contract.lanes.post import (
    CHARGE,
    done,
    finish,
    later,
    message,
    only,
    order,
    publish,
    subscribe,
    take,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

BEHIND = 3_000
"""How many messages stand behind the one that fails."""
HANDLED = 2_000
"""How many were handled before, and are remembered."""
STEPS_MAX = 2_000
"""The most steps of SQLite's machine for one thing that is done: to go through what stands behind
the one that fails takes more than ten thousand."""


class Steps:
    """Counts what SQLite does on both of a journal's connections."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.most: tuple[int, str] = (0, "")
        for connection in (journal._ready().file.connection, journal._ready().reader._connection):
            traced: Any = connection  # Any: apsw's own methods, which ours leaves out.
            traced.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._count)

    def _count(self, event: dict[str, Any]) -> None:
        status = event["stmt_status"]
        self.most = max(self.most, (status["SQLITE_STMTSTATUS_VM_STEP"], event["sql"]))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncGenerator[SqliteJournal, None]:
    """A journal with much that was handled, and much that stands behind a message that fails."""
    journal = SqliteJournal(tmp_path / "orders.journal")
    await journal.open(work=True)
    post = journal.messages
    await subscribe(post, CHARGE)
    await publish(post, *(message(f"done-{n}") for n in range(HANDLED)))
    held = await take(post, room={CHARGE: HANDLED}, limit=HANDLED)
    await asyncio.gather(*(finish(post, each, *done(each)) for each in held))
    await publish(post, *(message("poison", subject=f"{n}") for n in range(BEHIND)))
    await publish(post, message("other"))
    yield journal
    await journal.close()


async def test_a_message_that_fails_slows_nothing_but_its_own_lane(journal: SqliteJournal) -> None:
    post = journal.messages
    steps = Steps(journal)

    for moment in range(20, 30):
        for held in await take(post, now=moment):
            if held.id.lane == "poison":
                await finish(post, held, later(held, due_at=moment + 3), now=moment)
            else:
                await finish(post, held, *done(held), now=moment)
                await publish(post, message("other"), message("poison"), now=moment)

    assert steps.most[0] <= STEPS_MAX, steps.most


async def test_what_people_ask_touches_little_of_what_there_is(journal: SqliteJournal) -> None:
    post = journal.messages
    await take(post, limit=1)
    held = await only(post)
    await publish(post, message("dies"))
    await finish(post, held, *done(held))
    steps = Steps(journal)

    await post.messages(MessageFilter(correlation="none"))
    await post.messages(MessageFilter(key="poison", tenant="", limit=9))
    await post.messages(MessageFilter(id="none", source="shop"))
    await post.messages(MessageFilter(unheard=True))
    await post.messages(MessageFilter(limit=9))
    await post.deliveries(DeliveryFilter(states=frozenset({DeliveryState.DEAD})))
    await post.deliveries(DeliveryFilter(limit=9))
    await post.lanes(CHARGE, limit=9)
    await post.discard(DeliveryFilter(), order())
    await post.resend(DeliveryFilter(recipient=CHARGE), order())
    await post.prune(before=Instant(0), dead_before=Instant(0), limit=9)
    await post.erase(subject="17", limit=9, now=Instant(60))
    await post.unsubscribe(CHARGE, ["none"])

    assert steps.most[0] <= STEPS_MAX, steps.most
