"""What the statements for schedules do: a row each, written over the version before it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from makegood.journal.beside.scheduling import ScheduleRow

if TYPE_CHECKING:
    from tests.simulation.postgres.locks import Rows
    from tests.simulation.postgres.rows import Transaction
    from tests.simulation.postgres.server import Server

__all__ = ["add_schedule", "change_schedule", "one_schedule", "row_of", "schedules"]


def change_schedule(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Write a row over the version before it, if that is there."""
    row = row_of(given)
    if not _is_before(transaction, row):
        return []
    yield from transaction.lock(f"schedule {row.name}")
    if not _is_before(transaction, row):
        server.reached("schedule: somebody else was quicker")
        return []
    transaction.schedules[row.name] = row
    transaction.works.append(partial(server.scheduled, row))
    return [(None,)]


def add_schedule(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Add the first version of a row, unless there is one."""
    row = row_of(given)
    if row.version != 1 or _see(transaction, row.name) is not None:
        return []
    yield from transaction.lock(f"schedule {row.name}")
    if _see(transaction, row.name) is not None:
        server.reached("schedule: somebody else was quicker")
        return []
    transaction.schedules[row.name] = row
    transaction.works.append(partial(server.scheduled, row))
    return [(None,)]


def one_schedule(_server: Server, transaction: Transaction, name: str) -> Rows:
    """Return a row."""
    yield from ()
    row = _see(transaction, name)
    return [] if row is None else [_columns(row)]


def schedules(_server: Server, transaction: Transaction) -> Rows:
    """Return all rows."""
    yield from ()
    there = {**transaction.store.schedules, **transaction.schedules}
    return [_columns(there[name]) for name in sorted(there)]


def row_of(given: Any) -> ScheduleRow:
    """Return the row of a statement's parameters."""
    name, version, wake_at, body = given
    return ScheduleRow(name=name, version=version, wake_at=wake_at, body=body)


def _see(transaction: Transaction, name: str) -> ScheduleRow | None:
    return transaction.schedules.get(name) or transaction.store.schedules.get(name)


def _is_before(transaction: Transaction, row: ScheduleRow) -> bool:
    there = _see(transaction, row.name)
    return there is not None and there.version == row.version - 1


def _columns(row: ScheduleRow) -> tuple[Any, ...]:
    return row.name, row.version, row.wake_at, row.body
