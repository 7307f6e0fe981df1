"""What the files of a store say, read by another process that has no engine.

`python -m tests.chaos.audit` answers a line for each line that it reads. It works on copies, made
while nobody writes, so that whoever opens the store next mends it itself; only where processes
are at work it reads beside them. It remembers every fact that it has seen, for facts are for ever.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import msgspec

from makegood.commerce.books import gateway_path, reconcile
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ENTRIES", "Ask", "Auditor", "Finding"]

PROBLEMS_MAX = 20
"""How many problems are named in one answer."""


ENTRIES = (
    "SELECT reference, kind, payment_id, op_id FROM sandbox_payment "
    "JOIN sandbox_entry ON payment_id = id ORDER BY n"
)
"""What is asked of the gateway's books."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent holds the store to."""

    store: str
    starts: dict[str, str] = {}
    """The run of each order whose start was acknowledged."""
    ends: dict[str, tuple[str, str | None]] = {}
    """The status and the rollback of each order whose end was acknowledged."""
    at_rest: bool = True
    """Whether nobody works on the store."""
    is_finished: bool = False
    """Whether every order must have ended."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    problems: tuple[str, ...]
    runs: int = 0
    statuses: dict[str, int] = {}
    reasons: dict[str, int] = {}
    """Why runs are parked."""
    timeouts: int = 0
    """How many attempts at steps timed out, and are therefore in doubt."""
    crashes: int = 0


class Auditor:
    """Remembers the facts of each store that it was asked about."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, dict[tuple[str, int], bytes]] = defaultdict(dict)
        self._stories: defaultdict[str, defaultdict[str, Story]] = defaultdict(
            lambda: defaultdict(Story)
        )

    def audit(self, ask: Ask) -> Finding:
        """Look into a store, and say what is wrong with it."""
        try:
            return self._audit(ask)
        except apsw.Error as error:
            return Finding(problems=(f"the journal's file is damaged: {error}",))

    def _audit(self, ask: Ask) -> Finding:
        if not ask.at_rest:
            return self._look(ask, Path(ask.store), gateway=None)
        with tempfile.TemporaryDirectory(prefix="makegood-audit-") as folder:
            copy = _copied(Path(ask.store), Path(folder))
            if not _is_made(copy):
                lost = f"there is no store, and {len(ask.starts)} starts were acknowledged"
                return Finding(problems=(lost,) if ask.starts else ())
            with closing(apsw.Connection(str(gateway_path(copy)))) as gateway:
                return self._look(ask, copy, gateway=gateway)

    def _look(self, ask: Ask, store: Path, *, gateway: apsw.Connection | None) -> Finding:
        flags = apsw.SQLITE_OPEN_READWRITE if ask.at_rest else apsw.SQLITE_OPEN_READONLY
        with closing(apsw.Connection(str(store), flags=flags)) as shop, shop:
            rows = _rows_by_run(shop)
            problems = [*self._problems_of_facts(ask.store, shop, rows)]
            problems += problems_of_acknowledgements(
                rows, starts=ask.starts, ends=ask.ends, is_finished=ask.is_finished
            )
            stories = self._stories[ask.store]
            if gateway is not None:
                problems += _damage(shop, gateway)
                problems += problems_of_money(_money(shop, gateway), rows.values(), stories)
            meta: dict[str, int] = dict(shop.execute("SELECT name, value FROM makegood_meta"))
        orders = [row for row in rows.values() if row.is_order]
        if gateway is not None:
            open_orders = [row.key for row in orders if row.status not in SETTLED]
            books = reconcile(store, left_out=open_orders)
            problems += [] if books.agree else [f"the books do not agree: {books}"]
        return Finding(
            problems=tuple(problems[:PROBLEMS_MAX]),
            runs=len(rows),
            statuses=Counter(row.status for row in orders),
            reasons=Counter(str(row.reason) for row in orders if row.status == "parked"),
            timeouts=sum(story.timeouts for story in stories.values()),
            crashes=meta.get("crashes", 0),
        )

    def _problems_of_facts(
        self, store: str, shop: apsw.Connection, rows: Mapping[str, RunLine]
    ) -> Iterator[str]:
        """Compare the facts with those seen before, and with what the rows of their runs say."""
        seen, stories = self._seen[store], self._stories[store]
        found: dict[tuple[str, int], bytes] = {}
        newest: Counter[str] = Counter()
        for run, seq, body in shop.execute(
            "SELECT run, seq, body FROM makegood_facts ORDER BY 1, 2"
        ):
            found[run, seq] = body
            newest[run] += 1
            if seq != newest[run]:
                yield f"run {run} has facts {seq} where {newest[run]} should be"
            if (run, seq) not in seen:
                stories[run].read(body)
        for place, body in seen.items():
            if found.get(place) != body:
                yield f"fact {place[1]} of run {place[0]} was {body!r} and is {found.get(place)!r}"
        self._seen[store] = found
        for run, row in rows.items():
            if newest[run] != row.seq:
                yield f"run {run} is at {row.seq} and has facts up to {newest[run]}"
        yield from problems_of_stories(stories)


def _copied(store: Path, folder: Path) -> Path:
    """Copy a store whose processes are dead, with its logs, but not what was only in memory."""
    for path in (store, gateway_path(store)):
        for file in (path, path.with_name(f"{path.name}-wal")):
            if file.exists():
                shutil.copy(file, folder / file.name)
    return folder / store.name


def _is_made(store: Path) -> bool:
    """Say whether the store has its tables yet: a process may be killed before it made them."""
    with closing(apsw.Connection(str(store))) as shop:
        sql = "SELECT 1 FROM sqlite_schema WHERE name = 'makegood_run'"
        return bool(shop.execute(sql).fetchall())


def _rows_by_run(shop: apsw.Connection) -> dict[str, RunLine]:
    sql = "SELECT id, workflow, key, status, rollback, reason, seq FROM makegood_run"
    return {values[0]: RunLine(*values) for values in shop.execute(sql)}


def _damage(shop: apsw.Connection, gateway: apsw.Connection) -> Iterator[str]:
    for name, connection in (("journal", shop), ("gateway", gateway)):
        for (found,) in connection.execute("PRAGMA integrity_check"):
            if found != "ok":
                yield f"the {name}'s file is damaged: {found}"


def _money(shop: apsw.Connection, gateway: apsw.Connection) -> Money:
    return Money(
        entries=tuple(Entry(*values) for values in gateway.execute(ENTRIES)),
        reservations=dict(shop.execute("SELECT order_id, status FROM shop_reservation")),
        shipments=dict(shop.execute("SELECT order_id, status FROM shop_shipment")),
    )


def main() -> None:
    auditor = Auditor()
    for line in sys.stdin.buffer:
        found = auditor.audit(msgspec.json.decode(line, type=Ask))
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
