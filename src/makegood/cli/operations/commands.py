"""What each command about a store takes: its options, with their help. What it does is beside.

The annotations here are read when the module runs, so they are not put off.
"""
# What several commands take is described once, with its type; help is told without the engine.
# ruff: noqa: D417, PLC0415

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from makegood.cli.commands import DURATION_MAX, Actor, Flag, Json, Reason, Store

__all__ = ["db_sql", "db_status", "db_upgrade", "doctor", "erase", "prune"]


def _require_some(_type: object, duration: timedelta | None) -> None:
    """Refuse an age that everything has, and one that nobody means."""
    if duration is not None and not timedelta(0) < duration <= DURATION_MAX:
        message = "Give a duration of more than 0s, at most 36500d."
        raise ValueError(message)


Extensions = Annotated[
    tuple[str, ...],
    Parameter(
        name="--extension",
        metavar="PLACE",
        show_default=False,
        help="An extension whose tables are meant too, as "
        "makegood.commerce.extension:commerce; may be repeated.",
    ),
]
Age = Annotated[timedelta | None, Parameter(metavar="DURATION", validator=_require_some)]


def db_status(*, store: Store, extension: Extensions = (), json: Json = False) -> int:
    """Say how far the schema of a store is."""
    from makegood.cli.operations import schema as room

    return room.status(store, extension, as_json=json)


def db_upgrade(*, store: Store, extension: Extensions = (), json: Json = False) -> int:
    """Bring the schema of a store to its newest number."""
    from makegood.cli.operations import schema as room

    return room.upgrade(store, extension, as_json=json)


def db_sql(
    *,
    store: Store,
    since: Annotated[int | None, Parameter(metavar="N")] = None,
    extension: Extensions = (),
) -> int:
    """Print the SQL that an upgrade would run.

    Parameters
    ----------
    since
        Begin at this number without asking the store; 0 makes a new schema.
    """
    from makegood.cli.operations import schema as room

    return room.sql(store, extension, since=since)


def prune(
    *,
    store: Store,
    older_than: Age = None,
    messages_older_than: Age = None,
    dead_older_than: Age = None,
    batch: int = 100,
    dry_run: Flag = False,
    json: Json = False,
) -> int:
    """Remove the history of runs, and messages, of long ago.

    Runs of a workflow that says how long they are kept go when that is over, and not before. A run
    with a key keeps its row, so that its key stays taken.

    Parameters
    ----------
    older_than
        How long ago a run ended, as 90d; without it only runs go whose workflow says how long.
    messages_older_than
        How long ago a message was stored; as long as that, and 30 days at least, unless given.
    dead_older_than
        How long ago a dead letter was given up; they are kept unless it is given.
    batch
        How many runs one transaction takes; between two of them the workers have their turn.
    dry_run
        Only say how many runs there are.
    """
    from makegood.cli.operations import retention as room

    ages = room.Ages(older_than, messages_older_than, dead_older_than)
    return room.prune(store, ages, batch=batch, is_dry=dry_run, as_json=json)


def erase(
    *, store: Store, subject: str, reason: Reason, actor: Actor = None, json: Json = False
) -> int:
    """Take everything that a subject gave out of its runs.

    What happened, when, at which node and by whom stays. Runs that have not ended are left as
    they are, and named.

    Parameters
    ----------
    subject
        Whom the runs are about, as they were started.
    """
    from makegood.cli.operations import retention as room

    return room.erase(store, subject, actor=actor, reason=reason, as_json=json)


def doctor(*, store: Store, thorough: Flag = False, json: Json = False) -> int:
    """Look at all that the promises of a store rest on.

    Parameters
    ----------
    thorough
        Read the whole of a SQLite file too, which takes as long as it is large.
    """
    from makegood.cli.operations import doctor as room

    return room.doctor(store, is_thorough=thorough, as_json=json)
