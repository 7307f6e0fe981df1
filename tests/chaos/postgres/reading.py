"""What the database and the gateway's books say when all is over, and what is wrong with it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
import asyncpg
import msgspec

from makegood.commerce import place_order, stock_up
from makegood.commerce.books import reconcile
from makegood.decision.evolve import fold_appends
from makegood.runtime.turning.sending import summary_of
from tests.chaos.audit import ENTRIES
from tests.chaos.judging import (
    SETTLED,
    Entry,
    Money,
    RunLine,
    Story,
    problems_of_acknowledgements,
    problems_of_money,
    problems_of_stories,
)
from tests.chaos.postgres.witness import NOTED, Note, problems_of_notes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SEARCHED", "Found", "Promised", "judge", "look"]

PROBLEMS_MAX = 20
"""How many problems are named of one store."""

SEARCHED = "makegood, public"
"""The engine's schema, and that of the shop."""

PLANS = {flow.plan.fingerprint: flow.plan for flow in (place_order, stock_up)}


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody was told: the run of each order, and how it ended."""

    starts: dict[str, str]
    ends: dict[str, tuple[str, str | None]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: of the database all of one moment, and the gateway's books."""

    rows: dict[str, RunLine]
    fingerprints: dict[str, str]
    facts: tuple[tuple[str, int, bytes], ...]
    """The run, the number and the body of each append."""
    money: Money
    notes: tuple[Note, ...]
    held: tuple[tuple[str, str], ...]
    """Runs that somebody holds, and who."""
    lost_workers: frozenset[str]

    @property
    def orders(self) -> list[RunLine]:
        return [row for row in self.rows.values() if row.is_order]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(row.status for row in self.orders)


async def look(dsn: str, gateway: Path) -> Found:
    """Read everything, when nobody works on it."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET LOCAL search_path = {SEARCHED}")
            return await _read(connection, gateway)
    finally:
        await connection.close()


async def _read(connection: Any, gateway: Path) -> Found:  # Any: the driver's connection
    async def rows_of(sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await connection.fetch(sql)]

    runs = await rows_of(
        "SELECT id, workflow, key, status, rollback, reason, seq, fingerprint FROM run"
    )
    with closing(apsw.Connection(str(gateway))) as books:
        entries = tuple(Entry(*values) for values in books.execute(ENTRIES))
    return Found(
        rows={values[0]: RunLine(*values[:-1]) for values in runs},
        fingerprints={values[0]: values[-1] for values in runs},
        facts=tuple(await rows_of("SELECT run, seq, body FROM facts ORDER BY 1, 2")),
        money=Money(
            entries=entries,
            reservations=dict(await rows_of("SELECT order_id, status FROM shop_reservation")),
            shipments=dict(await rows_of("SELECT order_id, status FROM shop_shipment")),
        ),
        notes=tuple(Note(*values) for values in await rows_of(NOTED)),
        held=tuple(await rows_of("SELECT id, owner FROM run WHERE owner IS NOT NULL")),
        lost_workers=frozenset(worker for (worker,) in await rows_of("SELECT id FROM lost_worker")),
    )


async def judge(found: Found, promised: Promised, *, store: str, gateway: Path) -> list[str]:
    """Name what is wrong: lost, done twice, left stuck, or written by whoever may not."""
    problems = [*_problems_of_facts(found)]
    stories: defaultdict[str, Story] = defaultdict(Story)
    for run, _, body in found.facts:
        stories[run].read(body)
    problems += problems_of_stories(stories)
    problems += problems_of_acknowledgements(
        found.rows, starts=promised.starts, ends=promised.ends, is_finished=True
    )
    problems += problems_of_money(found.money, found.rows.values(), stories)
    problems += problems_of_notes(found.notes)
    problems += _problems_of_rest(found)
    left_out = [row.key for row in found.orders if row.status not in SETTLED]
    # Whoever compares the books runs an event loop of its own.
    books = await asyncio.to_thread(reconcile, store, left_out=left_out, gateway=gateway)
    problems += [] if books.agree else [f"the books do not agree: {books}"]
    return problems[:PROBLEMS_MAX]


def _problems_of_facts(found: Found) -> Iterator[str]:
    """Fold each run's facts, and hold its row to what they add up to."""
    bodies: defaultdict[str, list[bytes]] = defaultdict(list)
    for run, seq, body in found.facts:
        bodies[run].append(body)
        if seq != len(bodies[run]):
            yield f"run {run} has facts {seq} where {len(bodies[run])} should be"
    for run, row in found.rows.items():
        state = fold_appends(PLANS[found.fingerprints[run]], bodies[run])
        summary = summary_of(state)
        told = (summary.status, summary.rollback, summary.reason, len(bodies[run]))
        stands = (row.status, row.rollback, row.reason, row.seq)
        if told != stands:
            yield f"run {run} stands at {stands}, and its facts add up to {told}"


def _problems_of_rest(found: Found) -> Iterator[str]:
    """Name what is not at rest although every worker has gone."""
    for run, owner in found.held:
        yield f"run {run} is still held by {owner}, who has gone"
    for row in found.orders:
        if row.status == "parked":
            # Nothing that is done here is any order's own fault, or beyond finding out.
            held = [
                note.owner for note in found.notes if (note.what, note.run) == ("claim", row.run)
            ]
            yield f"{row.key} is parked: {row.reason}; it was held by {held}"
    keys = Counter(row.key for row in found.orders)
    yield from (f"{key} has {runs} runs" for key, runs in keys.items() if runs > 1)
