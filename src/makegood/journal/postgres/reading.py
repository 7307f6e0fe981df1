"""How is the journal read? Each look is one statement, and so as of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.journal.protocol import Filter, History, Page, Posted, StoredPlan
from makegood.journal.rows import RUN_COLUMNS, plain_conditions, refuse_unknown, run_row, wanted_of
from makegood.values.ids import RunId
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from makegood.journal.postgres.connection import Connection

__all__ = [
    "conditions_of",
    "crashes_recorded",
    "histories_of",
    "history_of",
    "page_of",
    "plan_of",
    "run_of_key",
    "settled_of",
]

# The schema is a plain name, checked in `place`, and conditions are of ours; values are bound.
# ruff: noqa: S608

_COLUMNS = len(RUN_COLUMNS.split(", "))


async def history_of(connection: Connection, schema: str, run: RunId) -> History:
    """Return everything that is remembered of a run."""
    histories = await histories_of(connection, schema, (run,))
    if not histories:
        refuse_unknown(run)
    return histories[0]


async def histories_of(
    connection: Connection, schema: str, runs: Sequence[RunId]
) -> tuple[History, ...]:
    """Return everything that is remembered of these runs, those left out that are not there."""
    found = await connection.fetch(
        f"""
        SELECT {RUN_COLUMNS},
               ARRAY(SELECT body FROM "{schema}".facts WHERE facts.run = run.id ORDER BY seq),
               ARRAY(SELECT n FROM "{schema}".inbox WHERE inbox.run = run.id ORDER BY n),
               ARRAY(SELECT body FROM "{schema}".inbox WHERE inbox.run = run.id ORDER BY n),
               ARRAY(SELECT at FROM "{schema}".inbox WHERE inbox.run = run.id ORDER BY n)
          FROM "{schema}".run WHERE id = ANY ($1)
        """,
        list(runs),
    )
    return tuple(_history(tuple(values)) for values in found)


# Any: each column has a type of its own.
def _history(values: tuple[Any, ...]) -> History:
    appends, numbers, bodies, moments = values[_COLUMNS:]
    return History(
        row=run_row(values[:_COLUMNS]),
        appends=tuple(appends),
        inbox=tuple(
            Posted(n, body, at) for n, body, at in zip(numbers, bodies, moments, strict=True)
        ),
    )


async def run_of_key(connection: Connection, schema: str, workflow: str, key: str) -> RunId | None:
    """Return the run that has a key, else the newest that had it, or None."""
    found = await connection.fetchval(
        f"""
        SELECT coalesce(
            (SELECT id FROM "{schema}".run WHERE workflow = $1 AND key = $2 AND key_hold < 2),
            (SELECT max(id) FROM "{schema}".run
              WHERE workflow = $1 AND key = $2 AND key_hold = 2))
        """,
        workflow,
        key,
    )
    return None if found is None else RunId(found)


async def settled_of(
    connection: Connection, schema: str, runs: Collection[RunId]
) -> frozenset[RunId]:
    """Return those of the runs that ended, are parked, or are not there."""
    found = await connection.fetch(f'SELECT * FROM "{schema}".settled($1)', list(runs))
    return frozenset(RunId(run) for (run,) in found)


async def plan_of(connection: Connection, schema: str, fingerprint: str) -> StoredPlan | None:
    """Return a stored plan, or None."""
    found = await connection.fetchrow(
        f'SELECT workflow, json FROM "{schema}".plan WHERE fingerprint = $1', fingerprint
    )
    if found is None:
        return None
    workflow, json = found
    return StoredPlan(fingerprint=fingerprint, workflow=workflow, json=json)


async def crashes_recorded(connection: Connection, schema: str) -> int:
    """Return how many workers lost a run to another one because their lease had run out."""
    found: int = await connection.fetchval(f'SELECT count(*) FROM "{schema}".lost_worker')
    return found


async def page_of(connection: Connection, schema: str, filter: Filter) -> Page:
    """Return one page of rows, the newest first."""
    limit = min(filter.limit, PAGE_RUNS_MAX)
    conditions, parameters = conditions_of(filter)
    found = await connection.fetch(
        f'SELECT {RUN_COLUMNS} FROM "{schema}".run WHERE {" AND ".join(conditions)} '
        f"ORDER BY id DESC LIMIT {limit + 1}",
        *parameters,
    )
    rows = tuple(run_row(tuple(values)) for values in found[:limit])
    return Page(rows=rows, next=rows[-1].run if len(found) > limit else None)


def conditions_of(filter: Filter) -> tuple[list[str], list[object]]:
    """Return the conditions of a listing, and the values that they bind."""
    conditions: list[str] = ["TRUE"]
    parameters: list[object] = []

    def add(condition: str, *value: object) -> None:
        parameters.extend(value)
        conditions.append(condition.replace("?", f"${len(parameters)}"))

    for column, wanted in wanted_of(filter):
        add(f"{column} = ANY (?)", wanted)
    for condition, *value in plain_conditions(filter):
        add(condition, *value)
    if filter.key is not None:
        # Each half has an index of its own, which serves only who repeats its condition.
        add("key = ?", filter.key)
        conditions.append("(key_hold < 2 OR key_hold = 2)")
    if filter.not_of:
        add("fingerprint <> ALL (?)", sorted(filter.not_of))
    if filter.posted:
        conditions.append("inbox_taken < inbox_head")
    return conditions, parameters
